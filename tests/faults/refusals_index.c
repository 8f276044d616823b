/* SPDX-License-Identifier: MIT */
/* What the index promises when its disk or LMDB refuses: see refusals.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "fault.h"
#include "index/displaced.h"
#include "index/environment.h"
#include "index/held.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "must.h"
#include "refusals.h"
#include "refuse.h"
#include "scratch.h"
#include "spot.h"

enum { PAGE = 4096 };

/* After a sync that failed, the kernel takes what it has lost for written: it
 * counts as written only when all has been written anew. */
static void sync_that_fails(void)
{
	static const struct refusal all[] = {
		{.name = "fsync", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_txn_begin", .at = 2, .times = 1, .error = ENOMEM},
		{.name = "mdb_txn_begin", .at = 3, .times = 1, .error = ENOMEM},
		{.name = REFUSE_HEAP, .at = 3, .times = 1, .error = ENOMEM},
		{.name = "pread64", .at = 2, .times = 1, .error = EIO},
		{.name = "pread64", .at = 3, .times = 1, .error = EIO},
		{.name = "pread64", .at = 4, .times = 1, .error = EIO},
		{.name = "pwrite64", .at = 1, .times = 1, .error = ENOSPC},
		{.name = "fsync", .at = 1, .times = 1, .error = EIO},
	};
	const struct refusal none = {.name = "pwrite64", .at = 1000000};
	struct spot spot;
	uint64_t version;

	spot_new(&spot, "sync");
	MUST_DO(spot_add(spot.index, "a", 7));
	version = spot_steady_version(&spot);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(index_sync(spot.index), -all[i].error);
		MUST_BE(refuse_end(), 1);
		MUST_BE(spot_steady_version(&spot), version);
		MUST_BE(index_verify_durable(spot.index), -all[i].error);
	}
	refuse(&none);
	MUST_DO(index_sync(spot.index));
	(void)refuse_end();
	MUST_BE(spot_steady_version(&spot), index_version(spot.index));
	MUST_DO(index_verify_durable(spot.index));
	spot_free(&spot);
}

static off_t size_of(const char *path)
{
	struct stat file;

	MUST(stat(path, &file) == 0);
	return file.st_size;
}

/* LMDB counts pages at the end that it never wrote: see core/index/extent.c.
 * Returns the size of the closed file, without two of them. */
static off_t make_short(struct spot *spot)
{
	static const uint8_t value[SMALL_BYTES_MAX];
	struct index_txn *txn;
	off_t size;

	MUST_DO(index_write(spot->index, &txn));
	for (uint64_t i = 0; i < 12; i++)
		MUST_DO(small_put(txn, i, value, sizeof(value)));
	for (uint64_t i = 0; i < 12; i++)
		MUST_DO(small_delete(txn, i));
	MUST_DO(index_commit(txn));
	/* So that what is in use moves to the front. */
	for (uint64_t i = 0; i < 4; i++) {
		MUST_DO(index_sync(spot->index));
		MUST_DO(spot_add(spot->index, "a", 7 + i));
	}
	size = (off_t)index_bytes(spot->index) - 2 * PAGE;
	index_close(spot->index);
	MUST(truncate(spot->data, size) == 0);
	return size;
}

static void short_file(void)
{
	static const struct refusal all[] = {
		{.name = "fallocate64", .at = 2, .times = 1, .error = ENOSPC},
		{.name = "mdb_cursor_open", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_cursor_get", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_txn_begin", .at = 1, .times = 1, .error = ENOMEM},
		{.name = "mdb_txn_begin", .at = 2, .times = 1, .error = ENOMEM},
	};
	struct spot spot;
	off_t size;

	spot_new(&spot, "short");
	size = make_short(&spot);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(index_open(spot.path, false, false, &spot.index),
			-all[i].error);
		MUST_BE(refuse_end(), 1);
		MUST_BE(size_of(spot.data), size);
	}
	MUST_DO(index_open(spot.path, false, false, &spot.index));
	MUST(spot_has(spot.index, "a"));
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
		MUST_BE(spot_add(spot->index, "lost", 8), -EIO);
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
	MUST_BE(spot_add(spot.index, "b", 9), -EIO);
	MUST_BE(spot_add(spot.index, "b", 9), -EIO);
	MUST_BE(index_read(spot.index, &txn), -EIO);
	MUST_BE(index_sync(spot.index), -EIO);
	MUST_BE(index_version(spot.index), 0);
	MUST_BE(index_bytes(spot.index), 0);
	MUST_BE(index_file_bytes(spot.index), 0);
	MUST_BE(held_settle(held, spot.index), -EIO);
	MUST(refuse_end() > 0);

	MUST(spot_has(spot.index, "a"));
	MUST(!spot_has(spot.index, "lost") && !spot_has(spot.index, "b"));
	MUST_DO(spot_add(spot.index, "b", 9));
	MUST_DO(index_sync(spot.index));
	MUST(index_version(spot.index) > version);
	MUST_BE(spot_steady_version(&spot), index_version(spot.index));
	MUST_DO(held_settle(held, spot.index));
	held_close(held);
	MUST(close(fd) == 0);
	spot_free(&spot);
}

/* Is the page in a list of free ones? They are a number, and that many pages.
 * Returns where, or 0. */
static size_t find_page(const MDB_val *value, uint64_t page)
{
	const uint64_t *list = value->mv_data;

	for (size_t i = list[0]; i > 0; i--)
		if (list[i] == page)
			return i;
	return 0;
}

/* Change the list that a page is in, in the file: the number of its pages, or
 * the page. */
static void damage_list(const struct spot *spot, uint64_t page, bool is_number)
{
	struct index *index;
	struct index_txn *txn;
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	uint8_t *bytes;
	uint8_t *found;
	size_t size;
	size_t at;

	MUST_DO(index_open(spot->path, false, false, &index));
	MUST_DO(index_read(index, &txn));
	MUST_DO(mdb_cursor_open(txn->txn, 0, &cursor));
	do
		MUST_DO(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
	while ((at = find_page(&value, page)) == 0);
	bytes = file_read(spot->data, &size);
	MUST(bytes != NULL);
	found = memmem(bytes, size, value.mv_data, value.mv_size);
	MUST(found != NULL);
	do
		found[is_number ? 7 : 8 * at + 7] ^= 1;
	while ((found = memmem(bytes, size, value.mv_data, value.mv_size)));
	mdb_cursor_close(cursor);
	index_end(txn);
	index_close(index);
	file_write(spot->data, bytes, size);
	free(bytes);
}

static void damaged_lists(void)
{
	for (int i = 0; i < 2; i++) {
		struct spot spot;
		off_t size;

		spot_new(&spot, i == 0 ? "list0" : "list1");
		size = make_short(&spot);
		MUST(truncate(spot.data, size + 2 * PAGE) == 0);
		damage_list(&spot, (uint64_t)size / PAGE, i == 0);
		MUST(truncate(spot.data, size) == 0);
		MUST_BE(index_open(spot.path, false, false, &spot.index),
			-EBADMSG);
		MUST_BE(size_of(spot.data), size);
		spot.index = NULL;
		spot_free(&spot);
	}
}

/* While somebody reads, the environment cannot be opened anew. */
static void lost_while_read(void)
{
	struct index_txn *txn;
	struct spot spot;
	uint64_t id;

	spot_new(&spot, "read");
	MUST_DO(spot_add(spot.index, "a", 7));
	MUST_DO(index_read(spot.index, &txn));
	lose_environment(&spot);
	MUST_BE(spot_add(spot.index, "b", 9), -EIO);
	MUST_DO(names_get(txn, 1, "a", 1, &id));
	index_end(txn);
	/* Nor while a checkpoint is taken, or somebody else does so. */
	MUST(pthread_mutex_lock(&spot.index->steady_lock) == 0);
	MUST_BE(spot_add(spot.index, "b", 9), -EIO);
	MUST(pthread_mutex_unlock(&spot.index->steady_lock) == 0);
	spot.index->is_reopening = true;
	MUST(!environment_reopen(spot.index));
	spot.index->is_reopening = false;
	MUST_DO(spot_add(spot.index, "b", 9));
	MUST(spot_has(spot.index, "a"));
	MUST(!environment_reopen(spot.index));
	spot_free(&spot);
}

/* LMDB says EIO when the disk takes a part of a write only. */
static void full_disk(void)
{
	const struct refusal no_room = {
		.name = "fallocate64", .at = 1, .error = ENOSPC};
	const struct refusal no_quota = {
		.name = "fallocate64", .at = 1, .error = EDQUOT};
	const struct refusal bad_disk = {
		.name = "fallocate64", .at = 1, .error = EIO};
	const struct refusal no_page = {.name = "pwrite",
					.at = 1,
					.times = 1,
					.is_of_library = true,
					.error = EIO};
	struct index_txn *txn;
	struct spot spot;

	spot_new(&spot, "full");
	refuse(&no_room);
	MUST_DO(spot_add(spot.index, "a", 7));
	refuse(&no_page);
	MUST_BE(spot_add(spot.index, "b", 8), -ENOSPC);
	MUST_DO(index_write(spot.index, &txn));
	MUST(index_is_full(txn));
	index_end(txn);
	(void)refuse_end();
	refuse(&no_quota);
	MUST_DO(index_write(spot.index, &txn));
	MUST(index_is_full(txn));
	index_end(txn);
	MUST(refuse_end() > 0);
	/* Another error is not for want of room. */
	refuse(&bad_disk);
	MUST_DO(index_write(spot.index, &txn));
	MUST(!index_is_full(txn));
	index_end(txn);
	MUST(refuse_end() > 0);
	/* There is room again. */
	MUST_DO(index_write(spot.index, &txn));
	MUST(!index_is_full(txn));
	index_end(txn);
	refuse(&no_page);
	MUST_BE(spot_add(spot.index, "b", 8), -EIO);
	MUST_BE(refuse_end(), 1);
	MUST_DO(spot_add(spot.index, "b", 8));
	spot_free(&spot);
}

const struct refusal_case index_cases[] = {
	{"a sync that failed is not just repeated", sync_that_fails},
	{"who cannot look whether a file is whole leaves it", short_file},
	{"an index without its environment is an error", lost_environment},
	{"a damaged list of free pages is damage", damaged_lists},
	{"an environment in use is not opened anew", lost_while_read},
	{"a disk that takes a part of a write is full", full_disk},
};
const size_t index_cases_count = ARRAY_SIZE(index_cases);
