/* SPDX-License-Identifier: MIT */
/* When checkpoints are taken and by whom, and how long a pin lasts. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "index/held.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "index/snapshot.h"
#include "index/steady.h"
#include "leaks.h"

static char path[] = "/tmp/cubby-steady-XXXXXX";
static struct index *opened;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(index_open(path, false, true, &opened), 0);
}

static void teardown(void)
{
	char command[128];

	index_close(opened);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(steady, .init = setup, .fini = teardown, .timeout = 100);

static int change(struct index *index, uint64_t id, bool add)
{
	static const uint8_t value[1000];
	struct index_txn *txn;
	int r = index_write(index, &txn);

	if (r < 0)
		return r;
	r = add ? small_put(txn, id, value, sizeof(value))
		: small_delete(txn, id);
	if (r < 0) {
		index_end(txn);
		return r;
	}
	return index_commit(txn);
}

/* The version that a power cut now would leave. */
static uint64_t steady_version(void)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));
	uint64_t version = 0;

	cr_assert_not_null(snapshot);
	if (snapshot_read(path, snapshot) == 0)
		version = snapshot_txnid(snapshot->page);
	free(snapshot);
	return version;
}

static uint64_t file_pages(void)
{
	struct stat file;
	char data[64];

	snprintf(data, sizeof(data), "%s/data.mdb", path);
	cr_assert_eq(stat(data, &file), 0);
	return (uint64_t)file.st_size / 4096;
}

static unsigned count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned count = 0;
	struct dirent *entry;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void pause_ms(unsigned ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000,
				       .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

/* A child that has added `commits` entries, and is idle until it is killed. */
static pid_t idle_child(unsigned commits)
{
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct index *index;
		int r = index_open(path, false, false, &index);

		for (unsigned i = 0; r == 0 && i < commits; i++)
			r = change(index, 1000000 + i, true);
		if (r < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	int status;

	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
}

/* A commit frees some pages, which may not be used again before the next
 * checkpoint; so a file grows, but only up to some checkpoints' worth. */
Test(steady, an_idle_process_does_not_make_the_file_grow)
{
	const unsigned count = 20000;
	pid_t pid = idle_child(1);
	uint64_t pages;

	for (unsigned i = 0; i < count; i++) {
		cr_assert_eq(change(opened, 10 + i, true), 0);
		cr_assert_eq(change(opened, 10 + i, false), 0);
	}
	pages = file_pages();
	end_child(pid);
	cr_log_info("%u pages", (unsigned)pages);
	cr_expect_lt(pages, count * 2);
}

Test(steady, what_is_committed_is_on_the_disk_some_seconds_later)
{
	uint64_t version;

	cr_assert_eq(change(opened, 10, true), 0);
	version = index_version(opened);
	cr_expect_lt(steady_version(), version);
	for (unsigned i = 0; i < 80 && steady_version() < version; i++)
		pause_ms(100);
	cr_expect_eq(steady_version(), version);
}

/* Then the next who writes has to take a checkpoint before. */
Test(steady, who_is_idle_has_neither_a_pin_nor_a_thread)
{
	unsigned threads = count_threads();
	uint64_t version;
	pid_t pid;

	cr_assert_eq(change(opened, 10, true), 0);
	cr_expect_eq(count_threads(), threads + 1);
	for (unsigned i = 0; i < 150 && count_threads() > threads; i++)
		pause_ms(100);
	cr_expect_eq(count_threads(), threads);
	version = index_version(opened);
	cr_expect_eq(steady_version(), version);

	/* The child goes on where the file is, and is the one who pins. */
	pid = idle_child(1);
	cr_assert_eq(change(opened, 11, true), 0);
	cr_expect_eq(count_threads(), threads + 1);
	cr_expect_eq(steady_version(), version);
	end_child(pid);
	/* Now nobody does. */
	cr_assert_eq(change(opened, 12, true), 0);
	cr_expect_eq(steady_version(), version + 2);
}

/* Each pin would hold back what was freed since its owner's last checkpoint. */
Test(steady, several_who_write_do_not_make_the_file_grow)
{
	enum { WRITERS = 4, CHANGES = 20000 };
	pid_t pids[WRITERS];
	int status;

	for (unsigned i = 0; i < WRITERS; i++) {
		struct index *index;
		int r;

		pids[i] = fork();
		cr_assert_geq(pids[i], 0);
		if (pids[i] > 0)
			continue;
		r = index_open(path, false, false, &index);
		for (unsigned j = 0; r == 0 && j < CHANGES; j++)
			r = change(index, 10 + i, j % 2 == 0);
		_exit(r != 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0);
	}
	cr_log_info("%u pages", (unsigned)file_pages());
	cr_expect_lt(file_pages(),
		     3 * INDEX_PACE_MAX * STEADY_COMMIT_PAGES / 2);
}

/* Who writes beside it does not pin as well, and need not sync what is on the
 * disk by then. */
Test(steady, one_pin_does_for_all)
{
	pid_t pid = idle_child(1);
	uint64_t version;

	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(change(opened, 10 + i, true), 0);
	version = index_version(opened);
	for (unsigned i = 0; i < 150 && (steady_version() < version ||
					 atomic_load(&opened->commits) > 0);
	     i++)
		pause_ms(100);
	cr_expect_geq(steady_version(), version);
	cr_expect_eq(opened->commits, 0);
	cr_expect_not(opened->is_pinned);
	end_child(pid);
}

/* A child without exec(2) has the parent's descriptors, but its locks end with
 * the parent, even if that is killed. */
Test(steady, a_child_does_not_keep_the_pin_of_its_parent)
{
	int ready[2];
	int status;
	uint64_t version;
	pid_t grandchild;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct index *index;

		if (index_open(path, false, false, &index) < 0 ||
		    change(index, 10, true) < 0)
			_exit(1);
		grandchild = fork();
		if (grandchild == 0)
			for (;;)
				pause();
		if (write(ready[1], &grandchild, sizeof(grandchild)) !=
		    sizeof(grandchild))
			_exit(1);
		raise(SIGKILL);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &grandchild, sizeof(grandchild)),
		     sizeof(grandchild));
	close(ready[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
	version = index_version(opened);
	cr_expect_lt(steady_version(), version);
	cr_assert_eq(change(opened, 11, true), 0);
	cr_expect_eq(steady_version(), version);
	cr_assert_eq(kill(grandchild, SIGKILL), 0);
}

/* Commits wait when the thread is far behind, or cannot be made. */
Test(steady, the_distance_to_the_last_checkpoint_is_bounded)
{
	const unsigned pace = 4;
	const uint64_t before = steady_version();

	(void)index_set_pace(opened, pace);
	for (unsigned i = 0; i < 500; i++) {
		cr_assert_eq(change(opened, 10 + i, true), 0);
		cr_assert_lt(opened->shared->work - opened->shared->steady_work,
			     2 * pace * STEADY_COMMIT_PAGES);
	}
	cr_expect_gt(steady_version(), before);
}

/* Also of commits that free little. */
Test(steady, the_commits_since_the_last_checkpoint_are_bounded)
{
	(void)index_set_pace(opened, INDEX_PACE_MAX - 1);
	for (unsigned i = 0; i < 3 * INDEX_PACE_MAX; i++) {
		cr_assert_eq(change(opened, 10, i % 2 == 0), 0);
		cr_assert_leq(index_version(opened) - steady_version(),
			      2 * INDEX_PACE_MAX);
	}
}

/* What waits for a checkpoint makes the file longer for ever. */
Test(steady, a_small_index_takes_its_checkpoints_early)
{
	enum { MANY = 200 };
	int r;

	cr_assert_eq(change(opened, 10, true), 0);
	cr_assert_eq(steady_checkpoint(opened), 0);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert_eq(change(opened, 20 + i, true), 0);
	/* The keeper may have been there first, or be at it. */
	while ((r = steady_tend(opened, false)) == -EAGAIN)
		pause_ms(1);
	cr_expect_geq(r, 0);
	cr_expect_lt(index_version(opened) - steady_version(), MANY);
}

Test(steady, a_durable_commit_is_on_the_disk_when_it_returns)
{
	cr_assert_eq(change(opened, 10, true), 0);
	cr_assert_eq(change(opened, 11, true), 0);
	cr_expect_lt(steady_version(), index_version(opened));
	index_set_durable(opened);
	for (unsigned i = 0; i < 20; i++) {
		cr_assert_eq(change(opened, 20 + i, true), 0);
		cr_assert_eq(steady_version(), index_version(opened));
	}
	cr_expect_eq(index_verify_durable(opened), 0);
}

enum { ADDERS = 8, ADDS = 40 };

/* Adds, and returns how many were not on the disk then. */
static void *add_durably(void *arg)
{
	const uint64_t first = *(const uint64_t *)arg;
	uintptr_t late = 0;

	for (uint64_t i = 0; i < ADDS; i++) {
		/* The own commit comes after all of now. */
		uint64_t before = index_version(opened);

		late += change(opened, first + i, true) != 0 ||
			steady_version() <= before;
	}
	return (void *)late;
}

Test(steady, durable_commits_of_threads_are_all_on_the_disk)
{
	pthread_t threads[ADDERS];
	uint64_t firsts[ADDERS];
	void *late;

	index_set_durable(opened);
	for (unsigned i = 0; i < ADDERS; i++) {
		firsts[i] = 1000 * (i + 1);
		cr_assert_eq(pthread_create(&threads[i], NULL, add_durably,
					    &firsts[i]),
			     0);
	}
	for (unsigned i = 0; i < ADDERS; i++) {
		cr_assert_eq(pthread_join(threads[i], &late), 0);
		cr_expect_null(late);
	}
}

/* The keeper takes it when the disk takes it again. */
Test(steady, a_checkpoint_that_failed_is_tried_again)
{
	uint64_t version;
	char obstacle[64];

	snprintf(obstacle, sizeof(obstacle), "%s/steady.new", path);
	cr_assert_eq(change(opened, 10, true), 0);
	version = steady_version();
	cr_assert_eq(mkdir(obstacle, 0700), 0);
	for (unsigned i = 0; i < INDEX_PACE_MAX; i++)
		cr_assert_eq(change(opened, 20 + i, true), 0);
	for (unsigned i = 0; i < 100 && index_verify_durable(opened) == 0; i++)
		pause_ms(50);
	cr_expect_eq(index_verify_durable(opened), -EISDIR);
	cr_expect_eq(steady_version(), version);
	cr_assert_eq(rmdir(obstacle), 0);
	version = index_version(opened);
	/* The file is there a little before it is said so. */
	for (unsigned i = 0; i < 200 && (steady_version() < version ||
					 index_verify_durable(opened) < 0);
	     i++)
		pause_ms(50);
	cr_expect_eq(steady_version(), version);
	cr_expect_eq(index_verify_durable(opened), 0);
}

static _Atomic(bool) has_answer;

static void *ask_version(void *arg)
{
	(void)arg;
	(void)index_version(opened);
	has_answer = true;
	return NULL;
}

/* Who comes meanwhile waits for it. */
Test(steady, who_asks_while_it_is_opened_anew_waits)
{
	pthread_t thread;

	cr_assert_eq(change(opened, 10, true), 0);
	opened->is_reopening = true;
	cr_assert_eq(pthread_create(&thread, NULL, ask_version, NULL), 0);
	pause_ms(50);
	cr_expect_not(has_answer);
	opened->is_reopening = false;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect(has_answer);
}
