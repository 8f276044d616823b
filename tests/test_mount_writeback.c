/* SPDX-License-Identifier: MIT */
/*
 * With -o writeback the kernel gathers writes and hands them over later: what
 * is published has all of them all the same.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_writeback, .fini = scratch_end, .timeout = 120);

enum { PIECE = 8192 };

static void site_with_writeback(struct site *site, const char *options)
{
	box_new(&site->box, "");
	mounted_start(&site->mount, site->box.path, options);
}

static void put(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t n = size < PIECE ? size : PIECE;

		MUST_BE(write(fd, data, n), n);
		data += n;
		size -= n;
	}
}

static size_t size_of(unsigned i)
{
	return 1 + i * 7919U % 300000;
}

/* How an entry is added. */
enum way { RENAME_OPEN, RENAME_CLOSED, DIRECTLY, DIRECTLY_AND_MOVED, WAYS };

static void add(const struct site *site, unsigned i, enum way way)
{
	size_t size = size_of(i);
	uint8_t *data = sample_new(SAMPLE_TEXT, i, size);
	const char *name = site_path(site, name_of(i));
	char *first = text_new("%s%s", name,
			       way == DIRECTLY_AND_MOVED ? "-a" : ".tmp");
	int fd = open(way == DIRECTLY ? name : first,
		      O_WRONLY | O_CREAT | O_EXCL, 0644);

	MUST(fd >= 0);
	put(fd, data, size);
	if (way == RENAME_CLOSED)
		MUST(close(fd) == 0);
	if (way != DIRECTLY)
		MUST(rename(first, name) == 0);
	if (way != RENAME_CLOSED)
		MUST(close(fd) == 0);
	MUST(file_is(name, data, size));
	free(first);
	free(data);
}

static bool is_whole(const struct site *site, unsigned i)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, i, size_of(i));
	bool whole = box_has(&site->box, name_of(i), data, size_of(i));

	free(data);
	return whole;
}

/* `writers` processes at once, each of which adds `count` entries. */
static void add_in_parallel(const char *options, unsigned writers,
			    unsigned count)
{
	struct site site;
	pid_t pids[16];

	site_with_writeback(&site, options);
	for (unsigned w = 0; w < writers; w++) {
		pids[w] = fork_child();
		if (pids[w] != 0)
			continue;
		for (unsigned i = w * count; i < (w + 1) * count; i++)
			add(&site, i, (enum way)(i % WAYS));
		_exit(0);
	}
	for (unsigned w = 0; w < writers; w++)
		child_must_succeed(pids[w]);
	for (unsigned i = 0; i < writers * count; i++)
		MUST(WITHIN_MS(LAG_MS, is_whole(&site, i)));
	MUST_BE(box_stats(&site.box).entries, writers * count);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	site_end(&site);
}

Test(mount_writeback, what_many_write_in_small_pieces_is_whole)
{
	MOUNT_OR_SKIP();
	add_in_parallel("writeback", 4, 120);
}

/*
 * As many renames at once as there are threads must not wait for each other:
 * what they wait for is answered by the same threads. In one directory the
 * kernel renames one by one, so each has its own. Without the threads of
 * fs/flusher.c this was seen to hang.
 */
Test(mount_writeback, more_renames_at_once_than_threads)
{
	enum { WRITERS = 12, COUNT = 20, SIZE = 100000 };
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;
	pid_t pids[WRITERS];

	MOUNT_OR_SKIP();
	site_with_writeback(&site, "writeback,max_threads=2");
	for (unsigned w = 0; w < WRITERS; w++) {
		char *dir = text_new("%s/%u", site.mount.at, w);

		MUST(mkdir(dir, 0755) == 0);
		pids[w] = fork_child();
		for (unsigned i = 0; pids[w] == 0 && i < COUNT; i++) {
			char *temp = text_new("%s/t", dir);
			char *name = text_new("%s/%s", dir, name_of(i));
			int fd = open(temp, O_WRONLY | O_CREAT, 0644);

			MUST(fd >= 0);
			put(fd, data, SIZE);
			MUST(rename(temp, name) == 0);
			MUST(close(fd) == 0);
			MUST(file_is(name, data, SIZE));
			free(temp);
			free(name);
		}
		if (pids[w] == 0)
			_exit(0);
		free(dir);
	}
	for (unsigned w = 0; w < WRITERS; w++)
		child_must_succeed(pids[w]);
	MUST_BE(box_stats(&site.box).entries, WRITERS * COUNT);
	MUST_BE(box_stats(&site.box).raw_bytes, WRITERS * COUNT * SIZE);
	free(data);
	site_end(&site);
}

/*
 * Persisting a temporary file that is still open, as Rust's tempfile does, and
 * looking at once. Without the flush in source_flush() of fs/rename.c this was
 * seen to fail at once: the entry was there without its bytes.
 */
Test(mount_writeback, what_is_renamed_while_open_has_all_its_bytes)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_with_writeback(&site, "writeback");
	for (unsigned i = 0; i < 300; i++) {
		size_t size = size_of(i);
		uint8_t *data = sample_new(SAMPLE_TEXT, i, size);
		char *temp = text_new("%s/t%u.tmp", site.mount.at, i);
		int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL, 0644);

		MUST(fd >= 0);
		put(fd, data, size);
		MUST(rename(temp, site_path(&site, name_of(i))) == 0);
		MUST(box_has(&site.box, name_of(i), data, size));
		MUST(close(fd) == 0);
		free(temp);
		free(data);
	}
	MUST_BE(box_stats(&site.box).entries, 300);
	site_end(&site);
}

Test(mount_writeback, sizes_and_parts_of_pages_are_right)
{
	struct site site;
	uint8_t data[10000];
	uint8_t *got;
	struct stat st;
	size_t size;
	int fd;

	MOUNT_OR_SKIP();
	site_with_writeback(&site, "writeback");
	sample_fill(SAMPLE_NOISE, 1, data, sizeof(data));
	fd = open(site_path(&site, name_of(1)), O_WRONLY | O_CREAT, 0644);
	MUST(fd >= 0);
	/* The middle, the end, then the start: the pages are read for it. */
	MUST_BE(pwrite(fd, data + 3000, 3000, 3000), 3000);
	MUST(fstat(fd, &st) == 0);
	MUST_BE(st.st_size, 6000);
	MUST_BE(pwrite(fd, data + 6000, 4000, 6000), 4000);
	MUST(stat(site_path(&site, name_of(1)), &st) == 0);
	MUST_BE(st.st_size, 10000);
	MUST(fsync(fd) == 0);
	MUST_BE(pwrite(fd, data, 3000, 0), 3000);
	MUST(stat(site_path(&site, name_of(1)), &st) == 0);
	MUST_BE(st.st_size, 10000);
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS,
		       box_has(&site.box, name_of(1), data, sizeof(data))));

	/* A part of an entry is rewritten, and cut, and grown. */
	fd = open(site_path(&site, name_of(1)), O_WRONLY);
	MUST(fd >= 0);
	memset(data + 5, 'x', 10);
	MUST_BE(pwrite(fd, data + 5, 10, 5), 10);
	MUST(ftruncate(fd, 9000) == 0);
	MUST(fstat(fd, &st) == 0);
	MUST_BE(st.st_size, 9000);
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS, box_has(&site.box, name_of(1), data, 9000)));
	fd = open(site_path(&site, name_of(1)), O_WRONLY | O_APPEND);
	MUST(fd >= 0);
	MUST_BE(write(fd, data + 9000, 1000), 1000);
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS,
		       box_has(&site.box, name_of(1), data, sizeof(data))));

	shell_do("cd '%s' && for i in 1 2 3 4 5; do echo $i >>log; done",
		 site.mount.at);
	got = file_read(site_path(&site, "log"), &size);
	MUST(got != NULL);
	MUST_BE(size, 10);
	MUST(memcmp(got, "1\n2\n3\n4\n5\n", 10) == 0);
	free(got);
	site_end(&site);
}
