/* SPDX-License-Identifier: MIT */
/* What the index promises when something is refused: see refusals.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "fault.h"
#include "index/displaced.h"
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

enum { PAGE = 4096 };

struct spot {
	char *path;
	char *data; /* the file of LMDB */
	struct index *index;
};

static void spot_new(struct spot *spot, const char *name)
{
	spot->path = scratch_dir(name);
	spot->data = text_new("%s/data.mdb", spot->path);
	MUST_DO(index_open(spot->path, false, true, &spot->index));
}

static void spot_free(struct spot *spot)
{
	index_close(spot->index);
	free(spot->path);
	free(spot->data);
}

static int add_name(struct index *index, const char *name, uint64_t id)
{
	struct index_txn *txn;
	int r = index_write(index, &txn);

	if (r < 0)
		return r;
	MUST_DO(names_put(txn, 1, name, strlen(name), id));
	return index_commit(txn);
}

static bool has_name(struct index *index, const char *name)
{
	struct index_txn *txn;
	uint64_t id;
	int r;

	MUST_DO(index_read(index, &txn));
	r = names_get(txn, 1, name, strlen(name), &id);
	MUST(r == 0 || r == -ENOENT);
	index_end(txn);
	return r == 0;
}

/* The version that a power cut now would leave. */
static uint64_t steady_version(const struct spot *spot)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));
	uint64_t version;

	MUST(snapshot != NULL);
	MUST_DO(snapshot_read(spot->path, snapshot));
	version = snapshot_txnid(snapshot->page);
	free(snapshot);
	return version;
}

/* After a sync that failed, the kernel takes what it has lost for written: it
 * counts as written only when all has been written anew. */
static void sync_that_fails(void)
{
	static const struct refusal all[] = {
		{.name = "fsync", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_txn_begin", .at = 2, .times = 1, .error = ENOMEM},
		{.name = REFUSE_HEAP, .at = 2, .times = 1, .error = ENOMEM},
		{.name = "pread64", .at = 2, .times = 1, .error = EIO},
		{.name = "pwrite64", .at = 1, .times = 1, .error = ENOSPC},
		{.name = "fsync", .at = 1, .times = 1, .error = EIO},
	};
	const struct refusal none = {.name = "pwrite64", .at = 1000000};
	struct spot spot;
	uint64_t version;

	spot_new(&spot, "sync");
	MUST_DO(add_name(spot.index, "a", 7));
	version = steady_version(&spot);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(index_sync(spot.index), -all[i].error);
		MUST_BE(refuse_end(), 1);
		MUST_BE(steady_version(&spot), version);
		MUST_BE(index_verify_durable(spot.index), -all[i].error);
	}
	refuse(&none);
	MUST_DO(index_sync(spot.index));
	(void)refuse_end();
	MUST_BE(steady_version(&spot), index_version(spot.index));
	MUST_DO(index_verify_durable(spot.index));
	spot_free(&spot);
}

static off_t size_of(const char *path)
{
	struct stat file;

	MUST(stat(path, &file) == 0);
	return file.st_size;
}

/* LMDB counts pages at the end that it never wrote: see core/index/extent.c. */
static void short_file(void)
{
	static const uint8_t value[SMALL_BYTES_MAX];
	static const struct refusal all[] = {
		{.name = "fallocate64", .at = 2, .times = 1, .error = ENOSPC},
		{.name = "mdb_cursor_open", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_cursor_get", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_txn_begin", .at = 1, .times = 1, .error = ENOMEM},
		{.name = "mdb_txn_begin", .at = 2, .times = 1, .error = ENOMEM},
	};
	struct index_txn *txn;
	struct spot spot;
	off_t size;

	spot_new(&spot, "short");
	MUST_DO(index_write(spot.index, &txn));
	for (uint64_t i = 0; i < 12; i++)
		MUST_DO(small_put(txn, i, value, sizeof(value)));
	for (uint64_t i = 0; i < 12; i++)
		MUST_DO(small_delete(txn, i));
	MUST_DO(index_commit(txn));
	/* So that what is in use moves to the front. */
	for (uint64_t i = 0; i < 4; i++) {
		MUST_DO(index_sync(spot.index));
		MUST_DO(add_name(spot.index, "a", 7 + i));
	}
	size = (off_t)index_bytes(spot.index) - 2 * PAGE;
	index_close(spot.index);
	MUST(truncate(spot.data, size) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(index_open(spot.path, false, false, &spot.index),
			-all[i].error);
		MUST_BE(refuse_end(), 1);
		MUST_BE(size_of(spot.data), size);
	}
	MUST_DO(index_open(spot.path, false, false, &spot.index));
	MUST(has_name(spot.index, "a"));
	MUST(size_of(spot.data) >= size + 2 * PAGE);
	spot_free(&spot);
}

/* Have LMDB fail to write its meta page, after which it refuses all. */
static void lose_environment(struct spot *spot)
{
	struct refusal refusal = {.name = "pwrite",
				  .times = 1,
				  .is_of_library = true,
				  .error = EIO};

	for (refusal.at = 1; !fault_note()->lmdb_lost_meta; refusal.at++) {
		MUST(refusal.at < 9);
		refuse(&refusal);
		MUST_BE(add_name(spot->index, "lost", 8), -EIO);
		MUST_BE(refuse_end(), 1);
	}
}

static void lost_environment(void)
{
	const struct refusal never = {
		.name = "openat2", .at = 1, .error = EMFILE};
	struct spot spot;
	struct index_txn *txn;
	struct held *held;
	uint64_t version;
	uint32_t slot;
	int fd;

	spot_new(&spot, "lost");
	MUST_DO(index_write(spot.index, &txn));
	MUST_DO(watches_add(txn, 1, &fd, &slot));
	MUST_DO(held_open(txn, slot, &held));
	MUST_DO(names_put(txn, 1, "a", 1, 7));
	MUST_DO(index_commit(txn));
	MUST_DO(index_write(spot.index, &txn));
	MUST_BE(held_find(txn, 9), 0);
	index_end(txn);
	version = index_version(spot.index);
	lose_environment(&spot);

	/* There is none as long as it cannot be opened anew. */
	refuse(&never);
	MUST_BE(add_name(spot.index, "b", 9), -EIO);
	MUST_BE(index_read(spot.index, &txn), -EIO);
	MUST_BE(index_sync(spot.index), -EIO);
	MUST_BE(index_version(spot.index), 0);
	MUST_BE(index_bytes(spot.index), 0);
	MUST_BE(index_file_bytes(spot.index), 0);
	MUST_BE(held_settle(held, spot.index), -EIO);
	MUST(refuse_end() > 0);

	MUST(has_name(spot.index, "a"));
	MUST(!has_name(spot.index, "lost") && !has_name(spot.index, "b"));
	MUST_DO(add_name(spot.index, "b", 9));
	MUST_DO(index_sync(spot.index));
	MUST(index_version(spot.index) > version);
	MUST_BE(steady_version(&spot), index_version(spot.index));
	MUST_DO(held_settle(held, spot.index));
	held_close(held);
	MUST(close(fd) == 0);
	spot_free(&spot);
}

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
	MUST_DO(add_name(spot.index, "a", 7));
	MUST_BE(count_slots(spot.index), SLOTS - 1);
	MUST(has_name(spot.index, "a"));
	spot_free(&spot);
}

static void slots_of_the_dead(void)
{
	struct spot spot;

	spot_new(&spot, "dead");
	read_and_die(&spot);
	MUST(!has_name(spot.index, "a"));
	MUST_DO(add_name(spot.index, "a", 7));
	/* Also when there is nothing to take a checkpoint for. */
	MUST_DO(index_sync(spot.index));
	read_and_die(&spot);
	MUST_BE(count_slots(spot.index), SLOTS - 1);
	spot_free(&spot);
}

const struct refusal_case index_cases[] = {
	{"a sync that failed is not just repeated", sync_that_fails},
	{"who cannot look whether a file is whole leaves it", short_file},
	{"an index without its environment is an error", lost_environment},
	{"so many can read at once, and no more", slots},
	{"who died reading keeps nobody from it", slots_of_the_dead},
};
const size_t index_cases_count = ARRAY_SIZE(index_cases);
