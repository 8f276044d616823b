/* SPDX-License-Identifier: MIT */
/*
 * Who may open an index and what is found then, after the death of a process
 * or another mount: see refusals.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "fault.h"
#include "index/meta.h"
#include "must.h"
#include "refusals.h"
#include "refuse.h"
#include "runner.h"
#include "scratch.h"
#include "spot.h"

enum { PAGE = 4096 };

/* ------------------------------------------------------------------ slots */

/* A child that reads as often at once as there are slots, and is killed. */
static void read_and_die(const struct spot *spot)
{
	pid_t pid = fork_child();
	struct index_txn *txn;
	struct index *index;
	int status;
	int r;

	if (pid == 0) {
		MUST_DO(index_open(spot->path, false, false, &index));
		while ((r = index_read(index, &txn)) == 0)
			continue;
		MUST_BE(r, -EUSERS);
		(void)raise(SIGKILL);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status));
}

enum { SLOTS = 1024 };

/* How many can read at once? */
static unsigned count_slots(struct index *index)
{
	static struct index_txn *txns[SLOTS + 1];
	unsigned count = 0;
	int r = 0;

	while (count <= SLOTS && (r = index_read(index, &txns[count])) == 0)
		count++;
	MUST_BE(r, -EUSERS);
	for (unsigned i = 0; i < count; i++)
		index_end(txns[i]);
	return count;
}

static void slots(void)
{
	struct spot spot;

	spot_new(&spot, "slots");
	/* Of a process that only reads nobody is waited for. */
	MUST_BE(count_slots(spot.index), SLOTS);
	MUST_DO(spot_add(spot.index, "a", 7));
	MUST_BE(count_slots(spot.index), SLOTS - 1);
	MUST(spot_has(spot.index, "a"));
	spot_free(&spot);
}

static void slots_of_the_dead(void)
{
	struct spot spot;

	spot_new(&spot, "dead");
	read_and_die(&spot);
	MUST(!spot_has(spot.index, "a"));
	MUST_DO(spot_add(spot.index, "a", 7));
	/* Unless LMDB cannot look, as when it has no memory. */
	read_and_die(&spot);
	refuse(&(struct refusal){
		.name = "mdb_reader_check", .at = 1, .error = ENOMEM});
	MUST(count_slots(spot.index) < SLOTS / 2);
	MUST(refuse_end() > 0);
	MUST(spot_has(spot.index, "a"));
	/* Also when there is nothing to take a checkpoint for. */
	MUST_DO(index_sync(spot.index));
	read_and_die(&spot);
	MUST_BE(count_slots(spot.index), SLOTS - 1);
	spot_free(&spot);
}
/* ---------------------------------------------------------------- handles */

static void handles(void)
{
	struct index *again = NULL;
	struct index *other;
	struct index_txn *txn;
	struct spot spot;
	char elsewhere[] = "/tmp/cubby-refusals-XXXXXX";
	pid_t pid;

	spot_new(&spot, "handles");
	MUST_DO(spot_add(spot.index, "a", 7));
	MUST_DO(index_open(spot.path, true, false, &again));
	MUST(again == spot.index);
	index_close(again);
	/* Another file system may have a directory of the same number. */
	if (mkdtemp(elsewhere)) {
		MUST_DO(index_open(elsewhere, false, true, &other));
		MUST(other != spot.index && !spot_has(other, "a"));
		index_close(other);
		shell_do("rm -rf %s", elsewhere);
	}
	/* A child has none of its parent's. */
	pid = fork_child();
	if (pid == 0) {
		MUST_DO(index_open(spot.path, false, false, &again));
		MUST(again != spot.index);
		index_close(spot.index);
		MUST(spot_has(again, "a"));
		MUST_DO(spot_add(again, "b", 8));
		index_close(again);
		exit(0);
	}
	child_must_succeed(pid);
	MUST(spot_has(spot.index, "b"));
	index_close(spot.index);
	index_close(NULL);

	/* What is open for reading only is not written to by anybody here. */
	MUST_DO(index_open(spot.path, true, false, &spot.index));
	MUST_BE(index_write(spot.index, &txn), -EROFS);
	MUST_BE(index_open(spot.path, false, false, &again), -EBUSY);
	MUST_DO(index_open(spot.path, true, false, &again));
	index_close(again);
	MUST_BE(count_slots(spot.index), SLOTS);
	spot_free(&spot);
}

/* -------------------------------------------------------------- going back */

/* A process adds a name and is killed: what it has written is only in the page
 * cache. */
static void add_and_die(const struct spot *spot, const char *name)
{
	pid_t pid = fork_child();
	struct index *index;
	int status;

	if (pid == 0) {
		MUST_DO(index_open(spot->path, false, false, &index));
		MUST_DO(spot_add(index, name, 8));
		(void)raise(SIGKILL);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status));
}

static void write_at(const char *path, const void *bytes, size_t size,
		     off_t offset)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST_BE(pwrite(fd, bytes, size, offset), size);
	MUST(close(fd) == 0);
}

static uint64_t next_id(struct index *index)
{
	struct index_txn *txn;
	uint64_t first;

	MUST_DO(index_write(index, &txn));
	MUST_DO(meta_reserve_ids(txn, 1, &first));
	index_end(txn);
	return first;
}

/* The file system has been away since. */
static void another_mount(void)
{
	const struct refusal no_row = {
		.name = "mdb_get", .at = 1, .error = ENOMEM};
	struct spot spot;
	uint64_t id;
	char *lock;

	spot_new(&spot, "mount");
	lock = text_new("%s/lock.mdb", spot.path);
	/* Nothing has been written yet: also who only reads may. */
	index_close(spot.index);
	MUST_DO(index_open(spot.path, true, false, &spot.index));
	index_close(spot.index);
	refuse(&no_row);
	MUST_BE(index_open(spot.path, false, false, &spot.index), -ENOMEM);
	MUST_BE(refuse_end(), 1);
	MUST_DO(index_open(spot.path, false, false, &spot.index));
	MUST_DO(spot_add(spot.index, "a", 7));
	id = next_id(spot.index);
	index_close(spot.index);

	/* After a clean end nothing is in doubt, also for who only reads. */
	fault_move_mount(true);
	MUST_DO(index_open(spot.path, true, false, &spot.index));
	MUST(spot_has(spot.index, "a"));
	index_close(spot.index);
	MUST_DO(index_open(spot.path, false, false, &spot.index));
	MUST(spot_has(spot.index, "a"));
	MUST_BE(next_id(spot.index), id);
	MUST_DO(spot_add(spot.index, "b", 8));
	index_close(spot.index);

	/* What was not on the disk is, and who only reads cannot go back. */
	add_and_die(&spot, "lost");
	fault_move_mount(false);
	MUST_BE(index_open(spot.path, true, false, &spot.index), -EBADMSG);
	MUST(unlink(lock) == 0);
	MUST_DO(index_open(spot.path, false, false, &spot.index));
	MUST(spot_has(spot.index, "a") && spot_has(spot.index, "b"));
	MUST(!spot_has(spot.index, "lost"));
	/* Ids since then may be known elsewhere. */
	MUST(next_id(spot.index) > id + UINT32_MAX);
	spot_free(&spot);
	free(lock);
}

/* The snapshot says what the meta pages were. */
static void damaged_meta_pages(void)
{
	struct spot spot;
	off_t at;

	spot_new(&spot, "meta");
	MUST_DO(spot_add(spot.index, "a", 7));
	at = (off_t)(index_version(spot.index) & 1) * PAGE;
	index_close(spot.index);
	/* The flags of a database, in the page of the last commit. */
	write_at(spot.data, "damage", 6, at + 60);
	fault_move_mount(true);
	MUST_DO(index_open(spot.path, false, false, &spot.index));
	MUST(spot_has(spot.index, "a"));
	index_close(spot.index);

	fault_move_mount(false);
	MUST(truncate(spot.data, PAGE) == 0);
	MUST_BE(index_open(spot.path, false, false, &spot.index), -EBADMSG);
	MUST(unlink(spot.data) == 0);
	MUST_BE(index_open(spot.path, false, false, &spot.index), -ENOENT);
	spot.index = NULL;
	spot_free(&spot);
}

/* A meta page that is not where LMDB puts it is in no snapshot. */
static void misplaced_meta_page(void)
{
	enum { AT_VERSION = 144 };
	struct spot spot;
	uint64_t version;
	uint64_t steady;
	uint8_t bytes[8];
	off_t at;

	spot_new(&spot, "misplaced");
	MUST_DO(spot_add(spot.index, "a", 7));
	version = index_version(spot.index);
	steady = spot_steady_version(&spot);
	at = (off_t)(version & 1) * PAGE + AT_VERSION;
	put_le(bytes, version + 1, 8);
	write_at(spot.data, bytes, 8, at);
	MUST_BE(index_sync(spot.index), -EBADMSG);
	MUST_BE(spot_steady_version(&spot), steady);
	put_le(bytes, version, 8);
	write_at(spot.data, bytes, 8, at);
	MUST_DO(index_sync(spot.index));
	MUST_BE(spot_steady_version(&spot), version);
	spot_free(&spot);
}

const struct refusal_case open_cases[] = {
	{"so many can read at once, and no more", slots},
	{"who died reading keeps nobody from it", slots_of_the_dead},
	{"a handle is of one process, and says what it is for", handles},
	{"after another mount only what was on the disk counts", another_mount},
	{"damaged meta pages are those of the snapshot again",
	 damaged_meta_pages},
	{"no snapshot is made of a meta page in a wrong place",
	 misplaced_meta_page},
};
const size_t open_cases_count = ARRAY_SIZE(open_cases);
