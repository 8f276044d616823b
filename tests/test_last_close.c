/* SPDX-License-Identifier: MIT */
/*
 * Tools that write the final name itself: the entry is there for others after
 * the last close and not before, whoever holds it open and however.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(last_close, .fini = scratch_end, .timeout = 60);

/* How long something must not become visible. */
enum { HIDDEN_MS = 400 };

static int open_new(const struct site *site, const char *name)
{
	int fd =
		open(site_path(site, name), O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	return fd;
}

static bool stays_hidden(const struct site *site, const char *name)
{
	return ALL_THE_WHILE_MS(HIDDEN_MS, box_misses(&site->box, name));
}

static bool appears(const struct site *site, const char *name, const void *data,
		    size_t size)
{
	return WITHIN_MS(LAG_MS, box_has(&site->box, name, data, size));
}

Test(last_close, a_slow_writer_is_invisible_to_others_until_it_closes)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	struct outcome outcome;
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, data, 150000), 150000);
	MUST(stays_hidden(&site, name_of(1)));
	MUST_BE(write(fd, data + 150000, 250000), 250000);
	MUST(stays_hidden(&site, name_of(1)));
	outcome = tool("get", site.box.path, name_of(1), NULL, 0);
	MUST_BE(outcome.status, 1);
	outcome_free(&outcome);
	MUST_BE(box_stats(&site.box).entries, 0);
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), data, 400000));
	MUST(file_is(site_path(&site, name_of(1)), data, 400000));
	free(data);
	site_end(&site);
}

Test(last_close, the_mount_itself_shows_what_is_written_so_far)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	struct site site;
	struct stat st;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST(file_is(site_path(&site, name_of(1)), "", 0));
	MUST_BE(write(fd, data, 150000), 150000);
	MUST(file_is(site_path(&site, name_of(1)), data, 150000));
	MUST(stat(site_path(&site, name_of(1)), &st) == 0);
	MUST_BE(st.st_size, 150000);
	/* Looking at it has not published it. */
	MUST(stays_hidden(&site, name_of(1)));
	MUST_BE(write(fd, data + 150000, 250000), 250000);
	MUST(file_is(site_path(&site, name_of(1)), data, 400000));
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), data, 400000));
	free(data);
	site_end(&site);
}

Test(last_close, a_second_descriptor_keeps_it_invisible)
{
	struct site site;
	int copy;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, "abc", 3), 3);
	copy = dup(fd);
	MUST(close(fd) == 0);
	MUST(stays_hidden(&site, name_of(1)));
	MUST_BE(write(copy, "def", 3), 3);
	MUST(stays_hidden(&site, name_of(1)));
	MUST(close(copy) == 0);
	MUST(appears(&site, name_of(1), "abcdef", 6));
	site_end(&site);
}

Test(last_close, a_second_open_keeps_it_invisible)
{
	struct site site;
	int second;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, "abc", 3), 3);
	second = open(site_path(&site, name_of(1)), O_WRONLY | O_APPEND);
	MUST(second >= 0);
	MUST(close(fd) == 0);
	MUST(stays_hidden(&site, name_of(1)));
	MUST_BE(write(second, "def", 3), 3);
	MUST(close(second) == 0);
	MUST(appears(&site, name_of(1), "abcdef", 6));
	site_end(&site);
}

Test(last_close, a_child_that_inherits_it_keeps_it_invisible)
{
	struct site site;
	int go[2];
	char byte;
	pid_t pid;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(pipe(go) == 0);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, "abc", 3), 3);
	pid = fork_child();
	if (pid == 0) {
		MUST(read(go[0], &byte, 1) == 1);
		MUST_BE(write(fd, "def", 3), 3);
		_exit(0); /* no close: the end of the process is one */
	}
	MUST(close(fd) == 0);
	MUST(stays_hidden(&site, name_of(1)));
	MUST(write(go[1], "", 1) == 1);
	child_must_succeed(pid);
	MUST(appears(&site, name_of(1), "abcdef", 6));
	site_end(&site);
}

Test(last_close, a_mapping_keeps_it_invisible)
{
	struct site site;
	void *map;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, "abcdef", 6), 6);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	MUST(map != MAP_FAILED);
	MUST(close(fd) == 0);
	MUST(stays_hidden(&site, name_of(1)));
	MUST(memcmp(map, "abcdef", 6) == 0);
	MUST(munmap(map, 4096) == 0);
	MUST(appears(&site, name_of(1), "abcdef", 6));
	site_end(&site);
}

Test(last_close, an_empty_file_is_an_entry_too)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	shell_do(": >'%s'", site_path(&site, name_of(1)));
	MUST(appears(&site, name_of(1), "", 0));
	MUST(file_is(site_path(&site, name_of(1)), "", 0));
	site_end(&site);
}

Test(last_close, a_file_that_was_removed_while_written_is_never_published)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(unlink(site_path(&site, name_of(1))) == 0);
	MUST(site_misses(&site, name_of(1)));
	MUST_BE(write(fd, "def", 3), 3);
	char bytes[8];
	MUST_BE(pread(fd, bytes, 8, 0), 6);
	MUST(close(fd) == 0);
	MUST(stays_hidden(&site, name_of(1)));
	MUST(site_misses(&site, name_of(1)));
	MUST_BE(box_stats(&site.box).entries, 0);
	site_end(&site);
}

Test(last_close, a_file_that_is_renamed_while_written_has_all_bytes_at_the_end)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(rename(site_path(&site, name_of(1)),
		    site_path(&site, name_of(2))) == 0);
	MUST(site_misses(&site, name_of(1)));
	MUST_BE(write(fd, "def", 3), 3);
	MUST(file_is(site_path(&site, name_of(2)), "abcdef", 6));
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(2), "abcdef", 6));
	MUST(box_misses(&site.box, name_of(1)));
	site_end(&site);
}

Test(last_close,
     a_temporary_that_is_renamed_while_open_has_all_bytes_at_the_end)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, "x.tmp");
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(rename(site_path(&site, "x.tmp"), site_path(&site, name_of(1))) ==
	     0);
	MUST_BE(write(fd, "def", 3), 3);
	MUST(file_is(site_path(&site, name_of(1)), "abcdef", 6));
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), "abcdef", 6));
	MUST_BE(box_stats(&site.box).entries, 1);
	site_end(&site);
}

Test(last_close, rewriting_an_entry_shows_the_old_or_the_new_and_nothing_else)
{
	uint8_t *old = sample_new(SAMPLE_TEXT, 1, 300000);
	uint8_t *data = sample_new(SAMPLE_TEXT, 2, 200000);
	struct cubby_reader *reader;
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), old, 300000);
	MUST_DO(cubby_get_name(site.box.ns, name_of(1), &reader));
	fd = open(site_path(&site, name_of(1)), O_WRONLY | O_TRUNC | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(box_has(&site.box, name_of(1), old, 300000));
	MUST_BE(write(fd, data, 100000), 100000);
	MUST(ALL_THE_WHILE_MS(HIDDEN_MS,
			      box_has(&site.box, name_of(1), old, 300000)));
	MUST(file_is(site_path(&site, name_of(1)), data, 100000));
	MUST_BE(write(fd, data + 100000, 100000), 100000);
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), data, 200000));
	MUST(file_is(site_path(&site, name_of(1)), data, 200000));
	MUST(reader_is(reader, old, 300000));
	cubby_reader_close(reader);
	MUST_BE(box_stats(&site.box).entries, 1);
	free(old);
	free(data);
	site_end(&site);
}

Test(last_close, a_shell_redirection_over_an_entry_replaces_all_of_it)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), "a long old content", 18);
	shell_do("printf new >'%s'", site_path(&site, name_of(1)));
	MUST(appears(&site, name_of(1), "new", 3));
	MUST(file_is(site_path(&site, name_of(1)), "new", 3));
	box_add(&site.box, name_of(2), "a long old content", 18);
	shell_do("printf new >'%s'", site_path(&site, name_of(2)));
	MUST(appears(&site, name_of(2), "new", 3));
	MUST(file_is(site_path(&site, name_of(2)), "new", 3));
	site_end(&site);
}

Test(last_close, an_entry_is_appended_to_and_cut_like_any_file)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 300003);
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	box_add(&site.box, name_of(1), data, 300000);
	fd = open(site_path(&site, name_of(1)), O_WRONLY | O_APPEND);
	MUST(fd >= 0);
	MUST_BE(write(fd, data + 300000, 3), 3);
	MUST(box_has(&site.box, name_of(1), data, 300000));
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), data, 300003));
	/* As the Go tool rewrites its records: write, then cut. */
	fd = open(site_path(&site, name_of(1)), O_RDWR | O_CREAT, 0666);
	MUST(fd >= 0);
	MUST_BE(pwrite(fd, "record", 6, 0), 6);
	MUST(ftruncate(fd, 6) == 0);
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), "record", 6));
	MUST(file_is(site_path(&site, name_of(1)), "record", 6));
	/* Without a descriptor. */
	MUST(truncate(site_path(&site, name_of(1)), 3) == 0);
	MUST(appears(&site, name_of(1), "rec", 3));
	free(data);
	site_end(&site);
}

Test(last_close, what_is_written_in_any_order_is_right)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 1000000);
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open_new(&site, name_of(1));
	for (size_t at = 1000000; at > 0; at -= 50000)
		MUST_BE(pwrite(fd, data + at - 50000, 50000,
			       (off_t)(at - 50000)),
			50000);
	MUST(close(fd) == 0);
	MUST(appears(&site, name_of(1), data, 1000000));
	/* And with a hole. */
	fd = open_new(&site, name_of(2));
	MUST_BE(pwrite(fd, "end", 3, 500000), 3);
	MUST(close(fd) == 0);
	memset(data, 0, 500000);
	memcpy(data + 500000, "end", 3);
	MUST(appears(&site, name_of(2), data, 500003));
	free(data);
	site_end(&site);
}

Test(last_close, what_dd_writes_in_small_pieces_is_right)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 300001);
	struct site site;
	char *source;

	MOUNT_OR_SKIP();
	site_new(&site);
	source = scratch_path("source");
	file_write(source, data, 300001);
	shell_do("dd if='%s' of='%s' bs=1000 2>&1", source,
		 site_path(&site, name_of(1)));
	MUST(file_is(site_path(&site, name_of(1)), data, 300001));
	MUST(appears(&site, name_of(1), data, 300001));
	shell_do("dd if='%s' of='%s' bs=1M conv=fsync 2>&1", source,
		 site_path(&site, name_of(2)));
	MUST(appears(&site, name_of(2), data, 300001));
	free(source);
	free(data);
	site_end(&site);
}

Test(last_close, many_direct_writes_at_once_are_all_published)
{
	enum { FILES = 300 };
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < FILES; i++)
		file_write(site_path(&site, name_of(i)), name_of(i), 64);
	for (unsigned i = 0; i < FILES; i++)
		MUST(appears(&site, name_of(i), name_of(i), 64));
	MUST_BE(box_stats(&site.box).entries, FILES);
	site_end(&site);
}

Test(last_close, an_unmount_publishes_what_was_just_closed)
{
	enum { FILES = 50 };
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < FILES; i++)
		file_write(site_path(&site, name_of(i)), name_of(i), 64);
	mounted_stop(&site.mount);
	for (unsigned i = 0; i < FILES; i++)
		MUST(box_has(&site.box, name_of(i), name_of(i), 64));
	box_close(&site.box);
}

Test(last_close, a_daemon_that_is_killed_drops_what_was_being_written)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), "old", 3);
	site_put(&site, name_of(2), "whole", 5);
	fd = open_new(&site, name_of(3));
	MUST_BE(write(fd, "half", 4), 4);
	MUST(kill(site.mount.pid, SIGKILL) == 0);
	MUST_BE(mounted_wait(&site.mount), 128 + SIGKILL);
	(void)close(fd);
	MUST(stays_hidden(&site, name_of(3)));
	MUST(box_has(&site.box, name_of(1), "old", 3));
	MUST(box_has(&site.box, name_of(2), "whole", 5));
	mounted_restart(&site.mount);
	MUST(site_misses(&site, name_of(3)));
	MUST(file_is(site_path(&site, name_of(2)), "whole", 5));
	site_end(&site);
}
