/* SPDX-License-Identifier: MIT */
/* Directories and files of the tests: see scratch.h. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guardian.h"
#include "leaks.h"
#include "must.h"
#include "scratch.h"

static char scratch_root[SCRATCH_PATH];
static pid_t scratch_owner;

const char *scratch(void)
{
	const char *tmp = getenv("TMPDIR");

	/* A forked child goes on with its parent's, which outlives it. */
	if (scratch_root[0])
		return scratch_root;
	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	(void)snprintf(scratch_root, sizeof(scratch_root), "%s/cubby-XXXXXX",
		       tmp);
	MUST(mkdtemp(scratch_root) != NULL);
	scratch_owner = getpid();
	guardian_directory(scratch_root);
	return scratch_root;
}

void scratch_end(void)
{
	if (scratch_owner != getpid())
		return;
	guardian_end();
	scratch_root[0] = '\0';
	leaks_check();
}

char *text_new(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	MUST(vasprintf(&text, format, args) >= 0);
	va_end(args);
	return text;
}

char *scratch_path(const char *format, ...)
{
	char *name;
	char *path;
	va_list args;

	va_start(args, format);
	MUST(vasprintf(&name, format, args) >= 0);
	va_end(args);
	path = text_new("%s/%s", scratch(), name);
	free(name);
	return path;
}

char *scratch_dir(const char *name)
{
	char *path = scratch_path("%s", name);

	MUST(mkdir(path, 0755) == 0);
	return path;
}

void file_write(const char *path, const void *data, size_t size)
{
	const char *bytes = data;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		must_fail(__FILE__, __LINE__, "open %s: %s", path,
			  strerror(errno));
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n <= 0)
			must_fail(__FILE__, __LINE__, "write %s: %s", path,
				  strerror(errno));
		bytes += n;
		size -= (size_t)n;
	}
	if (close(fd) != 0)
		must_fail(__FILE__, __LINE__, "close %s: %s", path,
			  strerror(errno));
}

uint8_t *file_read(const char *path, size_t *ret_size)
{
	size_t room = 65536;
	size_t size = 0;
	uint8_t *bytes;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	bytes = malloc(room + 1);
	MUST(bytes != NULL);
	while ((n = read(fd, bytes + size, room - size)) > 0) {
		size += (size_t)n;
		if (size == room) {
			room *= 2;
			bytes = realloc(bytes, room + 1);
			MUST(bytes != NULL);
		}
	}
	if (n < 0) {
		int error = errno;

		free(bytes);
		(void)close(fd);
		errno = error;
		return NULL;
	}
	(void)close(fd);
	bytes[size] = 0;
	if (ret_size)
		*ret_size = size;
	return bytes;
}

bool file_is(const char *path, const void *data, size_t size)
{
	size_t got = 0;
	uint8_t *bytes = file_read(path, &got);
	bool same = bytes && got == size &&
		    (size == 0 || memcmp(bytes, data, size) == 0);

	free(bytes);
	return same;
}

void file_flip(const char *path, int64_t offset)
{
	uint8_t byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(pread(fd, &byte, 1, offset) == 1);
	byte ^= 0x10;
	MUST(pwrite(fd, &byte, 1, offset) == 1);
	MUST(close(fd) == 0);
}

/* nftw() hands no cookie on. */
static struct {
	char **paths;
	size_t max;
	size_t count;
} below;

static int below_one(const char *path, const struct stat *st, int type,
		     struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	if (below.paths && below.count < below.max)
		below.paths[below.count] = text_new("%s", path);
	below.count++;
	return 0;
}

size_t files_below(const char *path, char **ret_paths, size_t max)
{
	below.paths = ret_paths;
	below.max = max;
	below.count = 0;
	MUST(nftw(path, below_one, 16, FTW_PHYS) == 0);
	return below.count;
}

int64_t now_ms(void)
{
	struct timespec now;

	MUST(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(int ms)
{
	struct timespec span = {.tv_sec = ms / 1000,
				.tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&span, NULL);
}
