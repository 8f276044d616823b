/* SPDX-License-Identifier: MIT */
/*
 * Who has an entry open on the mount keeps its bytes when it is replaced or
 * deleted, by whatever door: by read, by a map, and by a program.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(held_open, .fini = scratch_end, .timeout = 90);

enum { OLD_SIZE = 6000000, SMALL_SIZE = 900 };

enum change { BY_LIBRARY, BY_RENAME, BY_DELETE, BY_UNLINK, CHANGE_COUNT };

/* Take the entry away, and wait until the mount shows that, and until the
 * store has purged the old version: only then it is on the mount to keep it. */
static void change(const struct site *site, enum change how, const char *name)
{
	switch (how) {
	case BY_LIBRARY:
		box_add(&site->box, name, "new", 3);
		break;
	case BY_RENAME:
		site_put(site, name, "new", 3);
		break;
	case BY_DELETE:
		box_delete(&site->box, name);
		break;
	default:
		MUST(unlink(site_path(site, name)) == 0);
	}
	if (how == BY_LIBRARY || how == BY_RENAME)
		MUST(WITHIN_MS(LAG_MS,
			       file_is(site_path(site, name), "new", 3)));
	else
		MUST(WITHIN_MS(LAG_MS, site_misses(site, name)));
	MUST(WITHIN_MS(5000, box_stats(&site->box).displaced == 0));
}

/* The entry of a test: added by the library or by the mount, compressible or
 * not, large or small. */
static size_t prepare(const struct site *site, unsigned variant,
		      const char *name, uint8_t **ret_data)
{
	size_t size = variant & 4 ? SMALL_SIZE : OLD_SIZE;
	uint8_t *data = sample_new(variant & 1 ? SAMPLE_TEXT : SAMPLE_NOISE,
				   variant, size);

	if (variant & 2)
		box_add(&site->box, name, data, size);
	else
		site_put(site, name, data, size);
	*ret_data = data;
	return size;
}

static bool descriptor_is(int fd, const uint8_t *data, size_t size)
{
	uint8_t *got = malloc(size + 1);
	size_t at = 0;
	ssize_t n;
	bool same;

	MUST(got != NULL);
	while ((n = pread(fd, got + at, size + 1 - at, (off_t)at)) > 0)
		at += (size_t)n;
	MUST(n == 0);
	same = at == size && memcmp(got, data, size) == 0;
	free(got);
	return same;
}

Test(held_open, an_open_descriptor_keeps_the_old_bytes)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 8 * CHANGE_COUNT; i++) {
		uint8_t *data;
		size_t size = prepare(&site, i, name_of(i), &data);
		struct stat st;
		int fd;

		fd = open(site_path(&site, name_of(i)), O_RDONLY | O_CLOEXEC);
		MUST(fd >= 0);
		change(&site, (enum change)(i / 8), name_of(i));
		MUST(fstat(fd, &st) == 0);
		MUST_BE(st.st_size, size);
		if (!descriptor_is(fd, data, size))
			must_fail(__FILE__, __LINE__, "variant %u differs", i);
		MUST(close(fd) == 0);
		free(data);
	}
	site_end(&site);
}

Test(held_open, a_reader_in_the_middle_goes_on_with_the_old_bytes)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 2 * CHANGE_COUNT; i++) {
		uint8_t *data;
		size_t size = prepare(&site, i % 2, name_of(i), &data);
		uint8_t *got = malloc(size);
		int fd;

		MUST(got != NULL);
		fd = open(site_path(&site, name_of(i)), O_RDONLY | O_CLOEXEC);
		MUST(fd >= 0);
		MUST_BE(read(fd, got, 100000), 100000);
		change(&site, (enum change)(i / 2), name_of(i));
		for (size_t at = 100000; at < size;) {
			ssize_t n = read(fd, got + at, size - at);

			MUST(n > 0);
			at += (size_t)n;
		}
		MUST_BE(read(fd, got, 1), 0);
		MUST(memcmp(got + 100000, data + 100000, size - 100000) == 0);
		MUST(close(fd) == 0);
		free(got);
		free(data);
	}
	site_end(&site);
}

Test(held_open, a_mapping_that_nobody_has_touched_yet_has_the_old_bytes)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 8 * CHANGE_COUNT; i++) {
		uint8_t *data;
		size_t size = prepare(&site, i, name_of(i), &data);
		int flags = i % 2 ? MAP_SHARED : MAP_PRIVATE;
		uint8_t *map;
		int fd;

		fd = open(site_path(&site, name_of(i)), O_RDONLY | O_CLOEXEC);
		MUST(fd >= 0);
		map = mmap(NULL, size, PROT_READ, flags, fd, 0);
		MUST(map != MAP_FAILED);
		MUST(close(fd) == 0);
		change(&site, (enum change)(i / 8), name_of(i));
		/* Backwards, so that no read-ahead helps. */
		for (size_t page = (size - 1) / 4096 + 1; page-- > 0;) {
			size_t at = page * 4096;
			size_t n = size - at < 4096 ? size - at : 4096;

			if (memcmp(map + at, data + at, n) != 0)
				must_fail(__FILE__, __LINE__,
					  "variant %u differs at %zu", i, at);
		}
		MUST(munmap(map, size) == 0);
		free(data);
	}
	site_end(&site);
}

Test(held_open, pages_dropped_from_memory_come_back_with_the_old_bytes)
{
	struct site site;
	uint8_t *data;
	size_t size;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	size = prepare(&site, 0, name_of(1), &data);
	fd = open(site_path(&site, name_of(1)), O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(descriptor_is(fd, data, size));
	for (unsigned i = 0; i < 3; i++) {
		change(&site, BY_LIBRARY, name_of(1));
		MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
		MUST(descriptor_is(fd, data, size));
	}
	MUST(close(fd) == 0);
	free(data);
	site_end(&site);
}

Test(held_open, every_version_stays_with_who_opened_it)
{
	enum { VERSIONS = 20 };
	int fds[VERSIONS];
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < VERSIONS; i++) {
		uint8_t *data = sample_new(SAMPLE_NOISE, i, 200000 + i);

		if (i % 2)
			site_put(&site, name_of(1), data, 200000 + i);
		else
			box_add(&site.box, name_of(1), data, 200000 + i);
		MUST(WITHIN_MS(LAG_MS, file_is(site_path(&site, name_of(1)),
					       data, 200000 + i)));
		fds[i] = open(site_path(&site, name_of(1)),
			      O_RDONLY | O_CLOEXEC);
		MUST(fds[i] >= 0);
		free(data);
	}
	MUST(unlink(site_path(&site, name_of(1))) == 0);
	for (unsigned i = 0; i < VERSIONS; i++) {
		uint8_t *data = sample_new(SAMPLE_NOISE, i, 200000 + i);

		MUST(posix_fadvise(fds[i], 0, 0, POSIX_FADV_DONTNEED) == 0);
		if (!descriptor_is(fds[i], data, 200000 + i))
			must_fail(__FILE__, __LINE__, "version %u differs", i);
		MUST(close(fds[i]) == 0);
		free(data);
	}
	MUST(WITHIN_MS(5000, box_stats(&site.box).displaced == 0));
	site_end(&site);
}

Test(held_open, readers_that_race_with_renames_always_get_one_whole_version)
{
	enum { SIZE = 300000, ROUNDS = 200 };
	struct site site;
	pid_t writer;

	MOUNT_OR_SKIP();
	site_new(&site);
	uint8_t *data = malloc(SIZE);

	MUST(data != NULL);
	memset(data, 'a', SIZE);
	site_put(&site, name_of(1), data, SIZE);
	writer = fork_child();
	if (writer == 0) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			memset(data, 'a' + (int)(i % 26), SIZE);
			site_put(&site, name_of(1), data, SIZE);
		}
		_exit(0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t size;
		uint8_t *got = file_read(site_path(&site, name_of(1)), &size);

		MUST(got != NULL);
		MUST_BE(size, SIZE);
		for (size_t at = 1; at < size; at++)
			if (got[at] != got[0])
				must_fail(__FILE__, __LINE__,
					  "torn at %zu: %c after %c", at,
					  got[at], got[0]);
		free(got);
	}
	child_must_succeed(writer);
	free(data);
	site_end(&site);
}

Test(held_open, readers_that_race_with_the_library_always_get_one_whole_version)
{
	enum { SIZE = 300000, ROUNDS = 200 };
	uint8_t *data = malloc(SIZE);
	struct site site;
	pid_t reader;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(data != NULL);
	memset(data, 'a', SIZE);
	box_add(&site.box, name_of(1), data, SIZE);
	reader = fork_child();
	if (reader == 0) {
		for (unsigned i = 0; i < 3 * ROUNDS; i++) {
			size_t size;
			uint8_t *got =
				file_read(site_path(&site, name_of(1)), &size);

			MUST(got != NULL);
			MUST_BE(size, SIZE);
			for (size_t at = 1; at < size; at++)
				MUST_BE(got[at], got[0]);
			free(got);
		}
		_exit(0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		memset(data, 'a' + (int)(i % 26), SIZE);
		box_add(&site.box, name_of(1), data, SIZE);
	}
	child_must_succeed(reader);
	free(data);
	site_end(&site);
}

Test(held_open, a_plain_file_that_was_removed_stays_open)
{
	struct site site;
	char bytes[8];
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open(site_path(&site, "work.tmp"), O_RDWR | O_CREAT | O_CLOEXEC,
		  0600);
	MUST(fd >= 0);
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(unlink(site_path(&site, "work.tmp")) == 0);
	MUST(WITHIN_MS(5000, box_stats(&site.box).displaced == 0));
	MUST_BE(write(fd, "def", 3), 3);
	MUST_BE(pread(fd, bytes, 8, 0), 6);
	MUST(memcmp(bytes, "abcdef", 6) == 0);
	MUST(close(fd) == 0);
	MUST(site_misses(&site, "work.tmp"));
	site_end(&site);
}
