/* SPDX-License-Identifier: MIT */
/*
 * Who writes an entry under its final name and is killed in the middle leaves
 * nothing; who ends without closing it has closed it. Many of them are in
 * test_writer_storm.c.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_killed, .fini = scratch_end, .timeout = 120);

enum { SIZE = 200000, HALF = 100000 };

#define TOLD_OR_SKIP()                                                         \
	do {                                                                   \
		MOUNT_OR_SKIP();                                               \
		const char *told_refusal = end_refusal();                      \
		if (told_refusal)                                              \
			cr_skip_test("%s", told_refusal);                      \
	} while (0)

static int create(const struct site *site, const char *name, int flags)
{
	int fd = open(site_path(site, name), O_WRONLY | O_CREAT | flags, 0644);

	MUST(fd >= 0);
	return fd;
}

static void put(int fd, const uint8_t *data, size_t size)
{
	MUST_BE(write(fd, data, size), size);
}

/* Wait until a child has done its part, and kill it. */
static void kill_after_word(pid_t pid, int words, int number)
{
	int status;
	char byte;

	MUST_BE(read(words, &byte, 1), 1);
	MUST(kill(pid, number) == 0);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status));
}

static void say_and_wait(int words)
{
	MUST_BE(write(words, "", 1), 1);
	for (;;)
		(void)pause();
}

Test(mount_killed, what_was_closed_some_time_before_is_there)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;
	int words[2];

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(pipe(words) == 0);
	for (unsigned i = 0; i < 20; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			int fd = create(&site, name_of(i), 0);

			put(fd, data, SIZE);
			MUST(close(fd) == 0);
			pause_ms(100);
			put(create(&site, name_of(1000 + i), 0), data, HALF);
			say_and_wait(words[1]);
		}
		kill_after_word(pid, words[0], SIGKILL);
		MUST(WITHIN_MS(LAG_MS,
			       box_has(&site.box, name_of(i), data, SIZE)));
		MUST(WITHIN_MS(LAG_MS, site_misses(&site, name_of(1000 + i))));
	}
	MUST_BE(box_stats(&site.box).entries, 20);
	free(data);
	site_end(&site);
}

Test(mount_killed, every_signal_that_ends_a_writer_counts)
{
	static const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGSEGV};
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;
	int words[2];

	TOLD_OR_SKIP();
	site_new(&site);
	MUST(pipe(words) == 0);
	for (unsigned i = 0; i < 4; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			/* Fails for SIGKILL, which needs it not. */
			(void)signal(signals[i], SIG_DFL);
			put(create(&site, name_of(i), 0), data, HALF);
			say_and_wait(words[1]);
		}
		kill_after_word(pid, words[0], signals[i]);
		MUST(WITHIN_MS(LAG_MS, site_misses(&site, name_of(i))));
	}
	MUST(ALL_THE_WHILE_MS(300, box_stats(&site.box).entries == 0));
	free(data);
	site_end(&site);
}

/* The exit code is seen while the parent has not asked for it. */
Test(mount_killed, a_writer_that_nobody_waits_for_counts)
{
	struct site site;
	int words[2];
	char byte;
	pid_t pid;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(pipe(words) == 0);
	pid = fork_child();
	if (pid == 0) {
		put(create(&site, name_of(1), 0), (const uint8_t *)"part", 4);
		say_and_wait(words[1]);
	}
	MUST_BE(read(words[0], &byte, 1), 1);
	MUST(kill(pid, SIGKILL) == 0);
	MUST(WITHIN_MS(LAG_MS, site_misses(&site, name_of(1))));
	MUST(waitpid(pid, NULL, 0) == pid);
	MUST(ALL_THE_WHILE_MS(300, box_misses(&site.box, name_of(1))));
	site_end(&site);
}

Test(mount_killed, a_rewrite_that_is_killed_leaves_the_old_version)
{
	static const int flags[] = {O_TRUNC, 0};
	uint8_t *old = sample_new(SAMPLE_TEXT, 1, SIZE);
	uint8_t *data = sample_new(SAMPLE_TEXT, 2, SIZE);
	struct site site;
	int words[2];

	TOLD_OR_SKIP();
	site_new(&site);
	MUST(pipe(words) == 0);
	for (unsigned i = 0; i < 2; i++) {
		pid_t pid;

		box_add(&site.box, name_of(i), old, SIZE);
		MUST(WITHIN_MS(LAG_MS, !site_misses(&site, name_of(i))));
		pid = fork_child();
		if (pid == 0) {
			put(create(&site, name_of(i), flags[i]), data, HALF);
			say_and_wait(words[1]);
		}
		kill_after_word(pid, words[0], SIGKILL);
		MUST(WITHIN_MS(LAG_MS, file_is(site_path(&site, name_of(i)),
					       old, SIZE)));
		MUST(ALL_THE_WHILE_MS(
			300, box_has(&site.box, name_of(i), old, SIZE)));
	}
	free(old);
	free(data);
	site_end(&site);
}

Test(mount_killed, a_writer_that_ends_without_closing_publishes)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (int status = 0; status < 2; status++) {
		pid_t pid = fork_child();
		int got;

		if (pid == 0) {
			put(create(&site, name_of(1), 0), data, SIZE);
			_exit(status);
		}
		MUST(waitpid(pid, &got, 0) == pid);
		MUST_BE(WEXITSTATUS(got), status);
		MUST(WITHIN_MS(LAG_MS,
			       box_has(&site.box, name_of(1), data, SIZE)));
		box_delete(&site.box, name_of(1));
	}
	free(data);
	site_end(&site);
}

struct part {
	const struct site *site;
	const uint8_t *data;
};

static void *write_whole(void *arg)
{
	const struct part *part = arg;

	put(create(part->site, name_of(1), 0), part->data, SIZE);
	_exit(0);
}

static void *write_half(void *arg)
{
	const struct part *part = arg;

	put(create(part->site, name_of(2), 0), part->data, HALF);
	return NULL;
}

/* The kernel ends the other threads by a signal, also after exit(3). */
Test(mount_killed, threads_count_as_their_process)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;
	struct part part = {&site, data};
	pthread_t thread;
	int words[2];
	pid_t pid;

	TOLD_OR_SKIP();
	site_new(&site);
	MUST(pipe(words) == 0);
	pid = fork_child();
	if (pid == 0) {
		MUST(pthread_create(&thread, NULL, write_whole, &part) == 0);
		for (;;)
			(void)pause();
	}
	child_must_succeed(pid);
	MUST(WITHIN_MS(LAG_MS, box_has(&site.box, name_of(1), data, SIZE)));

	pid = fork_child();
	if (pid == 0) {
		MUST(pthread_create(&thread, NULL, write_half, &part) == 0);
		MUST(pthread_join(thread, NULL) == 0);
		say_and_wait(words[1]);
	}
	kill_after_word(pid, words[0], SIGKILL);
	MUST(WITHIN_MS(LAG_MS, site_misses(&site, name_of(2))));
	MUST(ALL_THE_WHILE_MS(300, box_misses(&site.box, name_of(2))));
	free(data);
	site_end(&site);
}

Test(mount_killed, a_child_may_finish_what_a_killed_parent_began)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;
	int words[2];
	int go[2];
	pid_t pid;

	TOLD_OR_SKIP();
	site_new(&site);
	MUST(pipe(words) == 0 && pipe(go) == 0);
	pid = fork_child();
	if (pid == 0) {
		int fd = create(&site, name_of(1), 0);

		put(fd, data, HALF);
		/* Not fork_child(): it goes on when its parent is killed. */
		pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			char byte;

			MUST_BE(read(go[0], &byte, 1), 1);
			put(fd, data + HALF, SIZE - HALF);
			_exit(0);
		}
		say_and_wait(words[1]);
	}
	kill_after_word(pid, words[0], SIGKILL);
	MUST(ALL_THE_WHILE_MS(100, box_misses(&site.box, name_of(1))));
	MUST_BE(write(go[1], "", 1), 1);
	MUST(WITHIN_MS(LAG_MS, box_has(&site.box, name_of(1), data, SIZE)));
	free(data);
	site_end(&site);
}
