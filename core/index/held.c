/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/base.h"
#include "index/displaced.h"
#include "index/environment.h"
#include "index/held.h"
#include "index/lmdb_index.h"
#include "sys/sys.h"

enum {
	CELL_COUNT = 1 << 18,
	CELL_FULL = UINT8_MAX, /* and then it stays: nobody knows how often */
	HEAD_SIZE = 4096,
};

/* As it is in the file, for all processes of this machine; it means nothing
 * after its watch has ended. */
struct region {
	_Atomic(uint64_t) looker; /* the last write transaction that looked */
	_Atomic(uint64_t) pending;
	_Atomic(uint64_t) all; /* how many hold all nodes */
	uint8_t reserved[HEAD_SIZE - 24];
	_Atomic(uint8_t) cells[CELL_COUNT];
};
static_assert(sizeof(struct region) == HEAD_SIZE + CELL_COUNT, "whole pages");

struct held {
	struct region *region;
};

static _Atomic(uint8_t) *cell_of(struct region *region, uint64_t id)
{
	/* Ids are given out one after the other: spread those that differ in
	 * high bits only. */
	return &region->cells[(id ^ id >> 18) % CELL_COUNT];
}

/* The region of a slot, mapped once for this process. Within a write
 * transaction, which guards index->regions. */
static int map_region(struct index *index, uint32_t slot,
		      struct region **ret_region)
{
	const uint64_t offset =
		HEAD_SIZE + slot * (uint64_t)sizeof(struct region);
	struct stat file;
	void *map;
	int r;

	if (!index->regions[slot]) {
		r = sys_fstat(index->held_fd, &file);
		if (r < 0)
			return r;
		/* Beyond the end of a file there is only a signal. */
		if ((uint64_t)file.st_size < offset + sizeof(struct region))
			return -EBADMSG;
		r = sys_map(index->held_fd, offset, sizeof(struct region),
			    &map);
		if (r < 0)
			return r;
		index->regions[slot] = map;
	}
	*ret_region = index->regions[slot];
	return 0;
}

int held_begin(struct index *index, const char *path)
{
	char held_path[PATH_MAX];
	struct stat file;
	void *map;
	int r;

	index_join(held_path, path, "held");
	index->held_fd = sys_create(AT_FDCWD, held_path, O_RDWR);
	if (index->held_fd < 0)
		return index->held_fd;
	r = sys_fstat(index->held_fd, &file);
	if (r == 0 && file.st_nlink > 1)
		r = -EBADMSG; /* somebody else's file */
	if (r == 0)
		r = sys_extend(index->held_fd, HEAD_SIZE);
	if (r == 0)
		r = sys_map(index->held_fd, 0, HEAD_SIZE, &map);
	if (r == 0)
		index->shared = map;
	return r;
}

int held_open(struct index_txn *txn, uint32_t slot, struct held **ret_held)
{
	const uint64_t end =
		HEAD_SIZE + (slot + (uint64_t)1) * sizeof(struct region);
	struct held *held;
	int r = sys_extend(txn->index->held_fd, end);

	if (r < 0)
		return r;
	held = calloc(1, sizeof(*held));
	if (!held)
		return -ENOMEM;
	r = map_region(txn->index, slot, &held->region);
	if (r < 0) {
		free(held);
		return r;
	}
	memset(held->region, 0, sizeof(*held->region));
	*ret_held = held;
	return 0;
}

void held_close(struct held *held)
{
	free(held); /* the region stays mapped for who looks into it */
}

void held_add(struct held *held, uint64_t id)
{
	_Atomic(uint8_t) *cell = cell_of(held->region, id);
	uint8_t count = atomic_load(cell);

	if (id == 0)
		atomic_fetch_add(&held->region->all, 1);
	while (id != 0 && count != CELL_FULL &&
	       !atomic_compare_exchange_weak(cell, &count, count + 1))
		continue;
}

void held_drop(struct held *held, uint64_t id)
{
	_Atomic(uint8_t) *cell = cell_of(held->region, id);
	uint8_t count = atomic_load(cell);

	if (id == 0)
		atomic_fetch_sub(&held->region->all, 1);
	while (id != 0 && count != CELL_FULL && count != 0 &&
	       !atomic_compare_exchange_weak(cell, &count, count - 1))
		continue;
}

bool held_has(const struct held *held, uint64_t id)
{
	return *cell_of(held->region, id) != 0;
}

void held_set_pending(struct held *held, uint64_t bytes)
{
	atomic_store(&held->region->pending, bytes);
}

int held_settle(struct held *held, struct index *index)
{
	MDB_txn *barrier;
	int r;

	if (atomic_load(&held->region->looker) <= index_version(index))
		return 0;
	environment_enter(index);
	r = environment_is_there(index)
		    ? mdb_txn_begin(index->env, NULL, 0, &barrier)
		    : MDB_PANIC;
	if (r == 0)
		mdb_txn_abort(barrier);
	environment_leave(index);
	return lmdb_error(r);
}

/* Find the living watches, and make them wait for this transaction. */
static int look(struct index_txn *txn)
{
	const uint64_t id = mdb_txn_id(txn->txn);
	struct region *region;
	int r;

	if (txn->watch_count >= 0)
		return 0;
	r = watches_list(txn);
	for (int i = 0; r == 0 && i < txn->watch_count; i++) {
		r = map_region(txn->index, txn->watches[i], &region);
		if (r == 0)
			atomic_store(&region->looker, id);
	}
	if (r < 0)
		txn->watch_count = -1;
	return r;
}

int held_find(struct index_txn *txn, uint64_t id)
{
	int r = look(txn);

	for (int i = 0; r == 0 && i < txn->watch_count; i++) {
		struct region *region = txn->index->regions[txn->watches[i]];

		if (region->all != 0 || *cell_of(region, id) != 0)
			return 1;
	}
	return r;
}

int held_pending(struct index_txn *txn, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	int r = look(txn);

	for (int i = 0; r == 0 && i < txn->watch_count; i++)
		bytes += txn->index->regions[txn->watches[i]]->pending;
	if (r == 0)
		*ret_bytes = bytes;
	return r;
}

void held_done(struct index *index)
{
	for (size_t i = 0; i < ARRAY_SIZE(index->regions); i++)
		if (index->regions[i])
			sys_unmap(index->regions[i], sizeof(struct region));
	if (index->shared)
		sys_unmap(index->shared, HEAD_SIZE);
	sys_close(&index->held_fd);
}
