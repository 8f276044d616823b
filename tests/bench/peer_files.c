/* SPDX-License-Identifier: MIT */
/* A file per entry in one directory, its content compressed: what a program
 * does that has no library for it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"

enum { TEMPORARY_SIZE = BENCH_NAME_SIZE + 4 };

struct handle {
	int dir;
	uint8_t *packed; /* what was read */
	size_t packed_size;
};

static void fail(const char *what)
{
	bench_give_up("files: cannot %s: %s", what, strerror(errno));
}

static void *open_store(const char *dir)
{
	struct handle *handle = bench_alloc(sizeof(*handle));

	handle->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (handle->dir < 0)
		fail("open the directory");
	return handle;
}

static void close_store(void *store)
{
	(void)close(((struct handle *)store)->dir);
}

static ssize_t get(void *store, const uint8_t *key, uint8_t *ret_data,
		   size_t size)
{
	struct handle *handle = store;
	char name[BENCH_NAME_SIZE];
	struct stat st;
	int fd;

	bench_name(key, name);
	fd = openat(handle->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0 || fstat(fd, &st) < 0)
		fail("open");
	if (handle->packed_size < (size_t)st.st_size) {
		handle->packed_size = (size_t)st.st_size;
		handle->packed = bench_alloc(handle->packed_size);
	}
	if (read(fd, handle->packed, (size_t)st.st_size) != st.st_size)
		fail("read");
	(void)close(fd);
	return unpack(handle->packed, (size_t)st.st_size, ret_data, size);
}

static void add(void *store, const uint8_t *key, const uint8_t *data,
		size_t size)
{
	const struct handle *handle = store;
	char temporary[TEMPORARY_SIZE];
	char name[BENCH_NAME_SIZE];
	size_t packed_size;
	const void *packed = pack(data, size, &packed_size);
	int fd;

	bench_name(key, name);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	fd = openat(handle->dir, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		fail("create");
	if (write(fd, packed, packed_size) != (ssize_t)packed_size ||
	    close(fd) < 0)
		fail("write");
	if (renameat(handle->dir, temporary, handle->dir, name) < 0)
		fail("rename");
}

static void remove_key(void *store, const uint8_t *key)
{
	const struct handle *handle = store;
	char name[BENCH_NAME_SIZE];

	bench_name(key, name);
	if (unlinkat(handle->dir, name, 0) < 0)
		fail("unlink");
}

const struct peer peer_files = {
	"files", open_store, close_store, get, add, remove_key,
};
