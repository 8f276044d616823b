/* SPDX-License-Identifier: MIT */
/* Several handles, several processes, fork, and a store that is read only. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(processes, .fini = scratch_end, .timeout = 200);

Test(processes, a_handle_is_refused_in_the_child_of_a_fork)
{
	struct cubby_key key = key_of(1);
	struct cubby_reader *reader;
	struct cubby_writer *writer;
	struct box box;
	pid_t pid;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_get(box.ns, &key, &reader));
	MUST_DO(cubby_writer_open(box.ns, &key, &writer));
	pid = fork_child();
	if (pid == 0) {
		struct sample_stream stream = {.size = 100};
		struct cubby_reader *no_reader;
		struct cubby_writer *no_writer;
		struct cubby_stats stats;
		struct cubby_attr attr;
		struct cubby_ns *ns;
		uint8_t byte;

		MUST_BE(cubby_get(box.ns, &key, &no_reader), -ECHILD);
		MUST_BE(cubby_get_name(box.ns, name_of(1), &no_reader),
			-ECHILD);
		MUST_BE(cubby_add(box.ns, &key, sample_stream_read, &stream),
			-ECHILD);
		MUST_BE(cubby_add_bytes(box.ns, &key, "x", 1), -ECHILD);
		MUST_BE(cubby_delete(box.ns, &key), -ECHILD);
		MUST_BE(cubby_stat(box.ns, &key, &attr), -ECHILD);
		MUST_BE(cubby_get_stats(box.store, &stats), -ECHILD);
		MUST_BE(cubby_ns_open(box.store, "x", &ns), -ECHILD);
		MUST_BE(cubby_writer_open(box.ns, &key, &no_writer), -ECHILD);
		MUST_BE(cubby_reader_read(reader, &byte, 1), -ECHILD);
		MUST_BE(cubby_writer_write(writer, "x", 1), -ECHILD);
		MUST_BE(cubby_writer_commit(writer), -ECHILD);
		MUST_BE(cubby_lookup(box.store, CUBBY_ROOT_ID, "ns", &attr),
			-ECHILD);
		cubby_reader_close(reader);
		cubby_ns_close(box.ns);
		cubby_close(box.store);
		_exit(0);
	}
	child_must_succeed(pid);
	MUST(reader_is(reader, "abc", 3));
	cubby_reader_close(reader);
	MUST_DO(cubby_writer_write(writer, "def", 3));
	MUST_DO(cubby_writer_commit(writer));
	MUST(box_has(&box, name_of(1), "def", 3));
	box_close(&box);
}

Test(processes, the_child_of_a_fork_opens_the_store_again)
{
	struct box box;
	pid_t pid;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "parent", 6);
	pid = fork_child();
	if (pid == 0) {
		struct box mine;

		box_open(&mine, box.path, "ns");
		MUST(box_has(&mine, name_of(1), "parent", 6));
		box_add(&mine, name_of(2), "child", 5);
		box_delete(&mine, name_of(1));
		box_close(&mine);
		_exit(0);
	}
	child_must_succeed(pid);
	MUST(box_misses(&box, name_of(1)));
	MUST(box_has(&box, name_of(2), "child", 5));
	box_add(&box, name_of(3), "more", 4);
	box_close(&box);
}

Test(processes, two_handles_of_one_process_see_the_same)
{
	struct box first;
	struct box second;

	box_new(&first, "ns");
	box_open(&second, first.path, "ns");
	box_add(&first, name_of(1), "one", 3);
	MUST(box_has(&second, name_of(1), "one", 3));
	box_add(&second, name_of(1), "two", 3);
	MUST(box_has(&first, name_of(1), "two", 3));
	box_close(&first);
	/* The end of one handle does not take the other's locks away. */
	box_add(&second, name_of(2), "three", 5);
	box_open(&first, second.path, "ns");
	MUST(box_has(&first, name_of(2), "three", 5));
	box_delete(&first, name_of(1));
	MUST(box_misses(&second, name_of(1)));
	box_close(&second);
	box_close(&first);
}

Test(processes, one_store_by_two_spellings_of_its_path_is_one_store)
{
	struct box first;
	struct box second;
	char *path;
	char *link;

	box_new(&first, "ns");
	path = text_new("%s/../%s/.", first.path, strrchr(first.path, '/') + 1);
	box_open(&second, path, "ns");
	box_add(&first, name_of(1), "one", 3);
	MUST(box_has(&second, name_of(1), "one", 3));
	box_add(&second, name_of(1), "two", 3);
	MUST(box_has(&first, name_of(1), "two", 3));
	box_close(&second);
	link = scratch_path("link");
	MUST(symlink(first.path, link) == 0);
	box_open(&second, link, "ns");
	box_add(&second, name_of(1), "six", 3);
	MUST(box_has(&first, name_of(1), "six", 3));
	box_close(&second);
	box_close(&first);
	free(path);
	free(link);
}

/* Waits for a byte of the other process. */
static void turn_wait(int fd)
{
	char byte;

	MUST(read(fd, &byte, 1) == 1);
}

static void turn_give(int fd)
{
	MUST(write(fd, "", 1) == 1);
}

/* None may take what another has just begun for somebody else's directory. */
Test(processes, many_processes_may_make_one_store_at_once)
{
	enum { ROUNDS = 60, MAKERS = 6 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		char *path = scratch_path("made%u", i);
		struct box box;

		for (unsigned k = 0; k < MAKERS; k++) {
			if (fork_child() > 0)
				continue;
			box_open(&box, path, "ns");
			box_add(&box, name_of(k), &k, sizeof(k));
			box_close(&box);
			_exit(0);
		}
		for (unsigned k = 0; k < MAKERS; k++) {
			int status;

			MUST(wait(&status) > 0);
			MUST_BE(status, 0);
		}
		box_open(&box, path, "ns");
		MUST_BE(box_stats(&box).entries, MAKERS);
		box_close(&box);
		free(path);
	}
}

Test(processes, two_processes_see_each_others_changes_at_once)
{
	int to_child[2];
	int to_parent[2];
	struct box box;
	pid_t pid;
	char *path = scratch_path("shared");

	MUST(pipe(to_child) == 0 && pipe(to_parent) == 0);
	pid = fork_child();
	if (pid == 0) {
		turn_wait(to_child[0]);
		box_open(&box, path, "ns");
		for (unsigned i = 0; i < 200; i++) {
			MUST(box_has(&box, name_of(i), &i, sizeof(i)));
			box_add(&box, name_of(i), "child", 5);
			turn_give(to_parent[1]);
			turn_wait(to_child[0]);
		}
		box_close(&box);
		_exit(0);
	}
	box_open(&box, path, "ns");
	for (unsigned i = 0; i < 200; i++) {
		box_add(&box, name_of(i), &i, sizeof(i));
		turn_give(to_child[1]);
		turn_wait(to_parent[0]);
		MUST(box_has(&box, name_of(i), "child", 5));
	}
	turn_give(to_child[1]);
	child_must_succeed(pid);
	MUST_BE(box_stats(&box).entries, 200);
	box_close(&box);
	free(path);
}

Test(processes, a_reader_keeps_the_bytes_that_another_process_replaces)
{
	uint8_t *old = sample_new(SAMPLE_NOISE, 1, 3000000);
	struct cubby_reader *reader;
	struct box box;
	pid_t pid;

	box_new(&box, "ns");
	box_add(&box, name_of(1), old, 3000000);
	MUST_DO(cubby_get_name(box.ns, name_of(1), &reader));
	pid = fork_child();
	if (pid == 0) {
		struct box mine;

		box_open(&mine, box.path, "ns");
		for (unsigned i = 0; i < 20; i++)
			box_add(&mine, name_of(1), "new", 3);
		box_close(&mine);
		_exit(0);
	}
	child_must_succeed(pid);
	MUST(reader_is(reader, old, 3000000));
	cubby_reader_close(reader);
	MUST(box_has(&box, name_of(1), "new", 3));
	free(old);
	box_close(&box);
}

Test(processes, what_was_added_is_there_after_reopening)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 500000);
	struct box box;

	box_new(&box, "a/b");
	for (unsigned round = 0; round < 5; round++) {
		box_add(&box, name_of(round), data, 100000 * (round + 1));
		box_reopen(&box);
		for (unsigned i = 0; i <= round; i++)
			MUST(box_has(&box, name_of(i), data, 100000 * (i + 1)));
	}
	free(data);
	box_close(&box);
}

/* The file of the index may end before what its last page number says: pages
 * that one transaction takes at the end and frees again are never written. So
 * open it after every single change. */
Test(processes, a_store_opens_again_after_every_change)
{
	enum { NAMES = 300 };
	static const size_t sizes[] = {10, 700, 3000, 9000};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 9000);
	struct box box;

	box_new(&box, "a/b");
	for (unsigned cycle = 0; cycle < 4; cycle++) {
		for (unsigned i = 0; i < NAMES; i++) {
			box_add(&box, name_of(i), data, sizes[cycle]);
			box_reopen(&box);
		}
		for (unsigned i = 0; i < NAMES; i++) {
			box_delete(&box,
				   name_of(cycle % 2 ? i : NAMES - i - 1));
			box_reopen(&box);
		}
	}
	free(data);
	box_close(&box);
}

Test(processes, a_store_that_is_open_for_reading_only_refuses_every_change)
{
	struct cubby_owner owner = {0644, 0, 0};
	struct cubby_key key = key_of(1);
	struct cubby_writer *writer = NULL;
	struct cubby_attr attr;
	struct box box;
	char *path;
	int fd;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	path = text_new("%s", box.path);
	box_close(&box);

	MUST_DO(cubby_open(path, CUBBY_READ_ONLY, &box.store));
	MUST_DO(cubby_ns_open(box.store, "ns", &box.ns));
	MUST(box_has(&box, name_of(1), "abc", 3));
	MUST(box_misses(&box, name_of(2)));
	MUST_BE(box_stats(&box).entries, 1);
	MUST_BE(cubby_add_bytes(box.ns, &key, "x", 1), -EROFS);
	MUST_BE(cubby_delete(box.ns, &key), -EROFS);
	if (cubby_writer_open(box.ns, &key, &writer) == 0)
		MUST_BE(cubby_writer_commit(writer), -EROFS);
	MUST_BE(cubby_mkdir(box.store, CUBBY_ROOT_ID, "d", &owner, &attr),
		-EROFS);
	MUST_BE(cubby_create(box.store, CUBBY_ROOT_ID, "f", &owner, &attr, &fd),
		-EROFS);
	MUST_BE(cubby_unlink(box.store, CUBBY_ROOT_ID, "f"), -EROFS);
	MUST_BE(cubby_rmdir(box.store, CUBBY_ROOT_ID, "ns"), -EROFS);
	MUST_BE(cubby_rename(box.store, CUBBY_ROOT_ID, "ns", CUBBY_ROOT_ID, "m",
			     0, &attr),
		-EROFS);
	MUST(box_has(&box, name_of(1), "abc", 3));
	cubby_ns_close(box.ns);
	cubby_close(box.store);
	free(path);
}

Test(processes, a_reading_handle_sees_what_a_writing_one_adds)
{
	struct box writing;
	struct box reading;

	box_new(&writing, "ns");
	MUST_DO(cubby_open(writing.path, CUBBY_READ_ONLY, &reading.store));
	MUST_DO(cubby_ns_open(reading.store, "ns", &reading.ns));
	MUST(box_misses(&reading, name_of(1)));
	box_add(&writing, name_of(1), "abc", 3);
	MUST(box_has(&reading, name_of(1), "abc", 3));
	cubby_ns_close(reading.ns);
	cubby_close(reading.store);
	box_add(&writing, name_of(2), "def", 3);
	box_close(&writing);
}

Test(processes, no_descriptor_of_the_store_reaches_another_program)
{
	char *got;
	struct cubby_reader *reader;
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 300000);
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, 300000);
	MUST_DO(cubby_get_name(box.ns, name_of(1), &reader));
	got = shell_text("ls -l /proc/self/fd");
	MUST(strstr(got, box.path) == NULL);
	cubby_reader_close(reader);
	free(got);
	free(data);
	box_close(&box);
}

Test(processes, a_store_that_is_closed_holds_nothing_open)
{
	char *got;
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 5; i++) {
		box_add(&box, name_of(i), "x", 1);
		box_reopen(&box);
	}
	got = text_new("%s", box.path);
	box_close(&box);
	shell_do("! ls -l /proc/%d/fd | grep -F '%s'", (int)getpid(), got);
	free(got);
}
