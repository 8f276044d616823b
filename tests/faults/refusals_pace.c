/* SPDX-License-Identifier: MIT */
/*
 * When a checkpoint is due and who takes it, where another process has a pin
 * and does nothing: see refusals.c. The keeper, which cannot be started here,
 * is played by the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "fault.h"
#include "index/held.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "index/snapshot.h"
#include "index/steady.h"
#include "must.h"
#include "refusals.h"
#include "refuse.h"
#include "runner.h"
#include "scratch.h"
#include "sys/sys.h"

enum {
	PACE = 2,
	DUE = PACE * STEADY_COMMIT_PAGES,
	COMMIT_MAX = 10, /* pages that a change frees, at most */
};

static char *path;
static struct index *opened;

static void begin(const char *name)
{
	path = scratch_dir(name);
	MUST_DO(index_open(path, false, true, &opened));
}

static void end(void)
{
	index_close(opened);
	free(path);
}

static void change(struct index *index)
{
	static uint64_t id;
	struct index_txn *txn;

	MUST_DO(index_write(index, &txn));
	MUST_DO(names_put(txn, 1, "a", 1, ++id));
	MUST_DO(index_commit(txn));
}

/* Pages that wait for a checkpoint. */
static uint64_t lead(void)
{
	return opened->shared->work - opened->shared->steady_work;
}

static void change_often(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		change(opened);
}

/* The version that a power cut now would leave. */
static uint64_t steady_version(void)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));
	uint64_t version;

	MUST(snapshot != NULL);
	MUST_DO(snapshot_read(path, snapshot));
	version = snapshot_txnid(snapshot->page);
	free(snapshot);
	return version;
}

/* Another process that has a pin. With each "c" that it is given, it changes
 * something; with "s", it takes a checkpoint a moment later. */
struct other {
	pid_t pid;
	int orders;
	int answers;
};

static struct other other_begin(void)
{
	struct other other;
	int orders[2];
	int answers[2];
	char byte;

	MUST(pipe(orders) == 0 && pipe(answers) == 0);
	other.pid = fork_child();
	if (other.pid == 0) {
		struct index *index;

		(void)close(orders[1]);
		MUST_DO(index_open(path, false, false, &index));
		for (byte = 'c'; byte;) {
			if (byte == 'c') {
				change(index);
				MUST(write(answers[1], "x", 1) == 1);
			} else {
				pause_ms(10);
				MUST_DO(index_sync(index));
			}
			if (read(orders[0], &byte, 1) != 1)
				byte = 0;
		}
		index_close(index);
		exit(0);
	}
	(void)close(orders[0]);
	(void)close(answers[1]);
	other.orders = orders[1];
	other.answers = answers[0];
	MUST(read(other.answers, &byte, 1) == 1);
	return other;
}

static void other_change(const struct other *other)
{
	char byte;

	MUST(write(other->orders, "c", 1) == 1);
	MUST(read(other->answers, &byte, 1) == 1);
}

static void other_end(const struct other *other)
{
	(void)close(other->orders);
	(void)close(other->answers);
	child_must_succeed(other->pid);
}

/* ------------------------------------------------------------------- cases */

/* Who shares the pin of another waits for him, but not for ever. */
static void stopped(void)
{
	struct other other;
	uint64_t version;

	begin("stopped");
	other = other_begin();
	MUST(kill(other.pid, SIGSTOP) == 0);
	(void)index_set_pace(opened, PACE);
	for (version = steady_version(); steady_version() == version;) {
		change(opened);
		MUST(lead() < 2 * DUE);
		/* One pin has to do for all. */
		MUST(!opened->is_pinned);
	}
	MUST(kill(other.pid, SIGCONT) == 0);
	other_end(&other);
	end();
}

/* A process that sees that somebody waits goes on as it does. Who of the two
 * takes the checkpoint, time decides. */
static void busy(void)
{
	struct other other;

	begin("busy");
	other = other_begin();
	(void)index_set_pace(opened, PACE);
	for (unsigned i = 0; i < 5; i++) {
		while (lead() < 2 * DUE - 2 * COMMIT_MAX)
			change(opened);
		MUST(write(other.orders, "s", 1) == 1);
		while (lead() >= 2 * DUE - 2 * COMMIT_MAX) {
			change(opened);
			MUST(lead() < 2 * DUE);
		}
		MUST(!opened->is_pinned);
	}
	other_end(&other);
	end();
}

/* Who has the pin takes checkpoints for all. */
static void tended_with_a_pin(void)
{
	struct other other;
	uint64_t version;

	begin("tended");
	MUST_BE(steady_tend(opened, true), 0); /* nothing to do */
	change(opened);
	MUST(opened->is_pinned);
	other = other_begin();
	version = steady_version();
	MUST_BE(steady_tend(opened, false), 0);
	MUST_BE(steady_version(), version);
	/* Some time after the last one, one is due for what was changed. */
	MUST_BE(steady_tend(opened, true), 1);
	MUST_BE(steady_version(), index_version(opened));
	MUST(opened->is_pinned);
	/* Also if only others write. */
	(void)index_set_pace(opened, PACE);
	while (lead() < DUE)
		other_change(&other);
	MUST_BE(steady_tend(opened, false), 1);
	MUST_BE(steady_version(), index_version(opened));
	MUST(opened->is_pinned);
	/* Until nobody does. */
	MUST_BE(steady_tend(opened, false), 0);
	MUST(opened->is_pinned);
	MUST_BE(steady_tend(opened, true), 0);
	MUST(!opened->is_pinned);
	other_end(&other);
	end();
}

static void tended_without_a_pin(void)
{
	struct other other;
	uint64_t version;

	begin("unpinned");
	other = other_begin();
	change_often(3);
	MUST(!opened->is_pinned);
	version = steady_version();
	MUST_BE(steady_tend(opened, false), 0);
	MUST_BE(steady_version(), version);
	/* Late: a checkpoint, but there is a pin. */
	MUST_BE(steady_tend(opened, true), 1);
	MUST(!opened->is_pinned);
	MUST_BE(steady_version(), index_version(opened));
	MUST_BE(steady_tend(opened, true), 0);
	/* What another one has put on the disk needs none. */
	change_often(3);
	version = index_version(opened);
	MUST(write(other.orders, "s", 1) == 1);
	while (steady_version() < version)
		pause_ms(1);
	other_change(&other); /* the checkpoint has ended before this */
	MUST_BE(steady_tend(opened, true), 0);
	MUST_BE(opened->commits, 0);
	MUST_BE(steady_version(), version);
	/* When nobody has a pin, one is kept. */
	change_often(1);
	MUST(kill(other.pid, SIGKILL) == 0);
	MUST(waitpid(other.pid, NULL, 0) == other.pid);
	(void)close(other.orders);
	(void)close(other.answers);
	MUST_BE(steady_tend(opened, true), 1);
	MUST(opened->is_pinned);
	end();
}

/* Each that opens a store to write to it durably has a pin. Of two that of who
 * does not write goes, or of who finds another one at it. */
static void two_pins(void)
{
	struct other other;
	char *watches;
	int fd;

	begin("two");
	watches = text_new("%s/watches", path);
	other = other_begin();
	index_set_durable(opened);
	change(opened);
	MUST(opened->is_pinned);
	MUST_BE(steady_tend(opened, false), 0);
	MUST(opened->is_pinned);
	other_change(&other);
	MUST_BE(steady_tend(opened, false), 0);
	MUST(!opened->is_pinned);

	change(opened);
	MUST(opened->is_pinned);
	atomic_store(&opened->is_durable, false);
	change(opened);
	fd = open(watches, O_RDWR | O_CLOEXEC);
	MUST(fd >= 0);
	MUST_DO(sys_lock_byte(fd, (UINT64_C(1) << 40) + 2));
	MUST_BE(steady_tend(opened, true), 0);
	MUST(!opened->is_pinned);
	MUST_BE(steady_tend(opened, true), -EAGAIN);
	MUST(close(fd) == 0);
	MUST_BE(steady_tend(opened, true), 1);
	MUST(!opened->is_pinned);
	other_end(&other);
	end();
	free(watches);
}

/* Who reads beside who writes. */
static void read_only(void)
{
	struct other other;

	begin("read_only");
	index_close(opened);
	other = other_begin();
	MUST_DO(index_open(path, true, false, &opened));
	other_change(&other);
	index_close(opened);
	other_end(&other);
	MUST_DO(index_open(path, true, false, &opened));
	end();
}

static void tended_in_vain(void)
{
	const struct refusal refusal = {
		.name = "fsync", .at = 1, .times = 1, .error = EIO};
	struct other other;
	uint64_t version;
	int fd;
	char *watches;

	begin("vain");
	watches = text_new("%s/watches", path);
	other = other_begin();
	change_often(3);
	version = steady_version();
	refuse(&refusal);
	MUST_BE(steady_tend(opened, true), -EIO);
	MUST_BE(refuse_end(), 1);
	MUST(!opened->is_pinned);
	MUST_BE(steady_version(), version);
	/* Another process is at it, or another thread of this one. */
	fd = open(watches, O_RDWR | O_CLOEXEC);
	MUST(fd >= 0);
	MUST_DO(sys_lock_byte(fd, (UINT64_C(1) << 40) + 2));
	MUST_BE(steady_tend(opened, true), -EAGAIN);
	MUST(close(fd) == 0);
	MUST(pthread_mutex_lock(&opened->steady_lock) == 0);
	MUST_BE(steady_tend(opened, true), -EAGAIN);
	MUST(pthread_mutex_unlock(&opened->steady_lock) == 0);
	MUST_BE(steady_version(), version);
	MUST_BE(steady_tend(opened, true), 1);
	MUST_BE(steady_version(), index_version(opened));
	other_end(&other);
	end();
	free(watches);
}

/* What counts is the pages that are freed, not the commits. */
static void due_by_pages(void)
{
	begin("pages");
	change(opened);
	MUST(opened->is_pinned);
	(void)index_set_pace(opened, PACE);
	change_often(2 * PACE);
	MUST(lead() >= 2 * PACE && lead() < DUE);
	MUST_BE(steady_tend(opened, false), 0);
	while (lead() < DUE)
		change(opened);
	MUST_BE(steady_tend(opened, false), 1);
	MUST_BE(steady_version(), index_version(opened));
	MUST_BE(lead(), 0);
	end();
}

/* Far ahead, but not so far that it has to wait for the end of a checkpoint. */
static void waits_a_moment(void)
{
	const int64_t least_ns = 500 * 1000;
	int64_t begun_ns;

	begin("moment");
	change(opened);
	(void)index_set_pace(opened, 4 * PACE);
	while (lead() < 8 * DUE - 3 * COMMIT_MAX)
		change(opened);
	begun_ns = sys_now_ns();
	change(opened);
	MUST(sys_now_ns() - begun_ns >= least_ns);
	MUST(lead() >= 8 * DUE - 3 * COMMIT_MAX); /* nobody took one */
	end();
}

/* As long as somebody has an older pin, that is what keeps pages back. */
static void synced_beside_a_pin(void)
{
	struct other other;
	uint64_t waiting;

	begin("beside");
	other = other_begin();
	change_often(3);
	waiting = lead();
	MUST(waiting > 0);
	MUST_DO(index_sync(opened));
	MUST_BE(steady_version(), index_version(opened));
	MUST_BE(lead(), waiting);
	MUST(!opened->is_pinned);
	other_end(&other);
	change_often(1);
	MUST_DO(index_sync(opened));
	MUST_BE(lead(), 0);
	end();
}

/* Without a keeper, who has the pin takes checkpoints himself. */
static void far_ahead(void)
{
	begin("ahead");
	(void)index_set_pace(opened, INDEX_PACE_MAX);
	change_often(2 * INDEX_PACE_MAX - 2);
	MUST(steady_version() < index_version(opened));
	change_often(2);
	MUST(index_version(opened) - steady_version() <= 2);
	end();
}

const struct refusal_case pace_cases[] = {
	{"who shares a pin does not wait for ever", stopped},
	{"who waits goes on when another has done it", busy},
	{"who has the pin takes checkpoints for all", tended_with_a_pin},
	{"who has none takes one when nobody else does", tended_without_a_pin},
	{"of two pins one goes", two_pins},
	{"a checkpoint that fails is tried again later", tended_in_vain},
	{"one is due by the pages that wait for it", due_by_pages},
	{"who is ahead waits for a moment", waits_a_moment},
	{"a pin that is older still counts", synced_beside_a_pin},
	{"who only reads is in nobody's way", read_only},
	{"who is far ahead takes a checkpoint himself", far_ahead},
};
const size_t pace_cases_count = ARRAY_SIZE(pace_cases);
