/* SPDX-License-Identifier: MIT */
/*
 * When the disk has refused a meta page, LMDB gives MDB_PANIC for everything,
 * until its environment is closed. That must not be before the last user of the
 * index in this process ends, who may be a daemon: so it is closed and opened
 * anew between two transactions.
 *
 *  1. Who uses the environment has entered: every transaction until it ends,
 *     and what looks at it without one. Who opens it anew sets is_reopening and
 *     then looks at the number of users; who enters counts himself and then
 *     looks at is_reopening: one of them sees the other. Those who do not come
 *     in wait, for as long as it takes to open it.
 *  2. A checkpoint uses it with steady_lock held, which is taken, too. Nobody
 *     waits for that here: who cannot have it at once leaves it to the next.
 *  3. The pin and its mark end without the lock of the writers, which the old
 *     environment gives to nobody: as when the process dies in case (d) of
 *     steady.c.
 *  4. When it cannot be opened, there is none (env is NULL), everything gives
 *     -EIO, and the next transaction tries again.
 */
#include <errno.h>
#include <sched.h>

#include "base/base.h"
#include "index/environment.h"
#include "index/extent.h"
#include "index/meta.h"
#include "index/steady.h"
#include "sys/sys.h"

enum { FILE_MODE = 0600 };

/* What may be mapped; where address space is limited, less is tried. */
static const size_t map_size_max = sizeof(size_t) > 4 ? (size_t)1 << 37
						      : (size_t)1 << 29;
static const size_t map_size_min = (size_t)1 << 28;

static const char tree_name[] = "tree";

/* These are refused only when it is open. */
static void set_sizes(MDB_env *env, size_t map_size)
{
	CHECK(mdb_env_set_maxdbs(env, 1) == 0);
	CHECK(mdb_env_set_maxreaders(env, ENVIRONMENT_READERS_MAX) == 0);
	CHECK(mdb_env_set_mapsize(env, map_size) == 0);
}

static int open_env(struct index *index)
{
	unsigned flags = MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD |
			 (index->read_only ? MDB_RDONLY : 0);
	size_t map_size = map_size_max;
	int r;

	for (;; map_size /= 2) {
		r = mdb_env_create(&index->env);
		if (r == 0) {
			set_sizes(index->env, map_size);
			r = mdb_env_open(index->env, index->path, flags,
					 FILE_MODE);
		}
		if (r == 0)
			return 0;
		/* LMDB demands this after a failed open. */
		if (index->env)
			mdb_env_close(index->env);
		index->env = NULL;
		if (r != ENOMEM || map_size <= map_size_min)
			return lmdb_error(r);
	}
}

/* LMDB leaves its file open for programs that this process executes, which
 * could write into the index. */
static int keep_from_programs(struct index *index)
{
	return sys_close_on_exec(lmdb_fd(index->env));
}

static int open_tables(struct index *index, bool format)
{
	struct index_txn txn = {.index = index, .is_write = !index->read_only};
	unsigned flags = index->read_only ? MDB_RDONLY : 0;
	int r = mdb_txn_begin(index->env, NULL, flags, &txn.txn);

	if (r != 0)
		return lmdb_error(r);
	r = lmdb_error(mdb_dbi_open(txn.txn, NULL, 0, &index->meta));
	if (r == 0)
		r = meta_refuse_old(&txn);
	/* MDB_INCOMPATIBLE and the like: a file of LMDB, but not ours */
	if (r == 0)
		r = lmdb_error(mdb_dbi_open(txn.txn, tree_name,
					    format ? MDB_CREATE : 0,
					    &index->tree));
	if (r == 0)
		r = format ? meta_format(&txn) : 0;
	if (r == 0)
		r = meta_verify(&txn);
	if (r < 0) {
		mdb_txn_abort(txn.txn);
		return r;
	}
	return lmdb_error(mdb_txn_commit(txn.txn));
}

int environment_open(struct index *index, bool format)
{
	int r = steady_begin(index);

	if (r == 0)
		r = open_env(index);
	if (r == 0)
		r = keep_from_programs(index);
	if (r == 0)
		r = extent_verify(index);
	return r < 0 ? r : open_tables(index, format);
}

void environment_enter(struct index *index)
{
	for (;;) {
		atomic_fetch_add(&index->users, 1);
		if (!atomic_load(&index->is_reopening))
			return;
		atomic_fetch_sub(&index->users, 1);
		sched_yield();
	}
}

void environment_leave(struct index *index)
{
	atomic_fetch_sub(&index->users, 1);
}

bool environment_is_there(const struct index *index)
{
	return index->env;
}

void environment_drain(struct index *index)
{
	while (index->pool_count > 0) {
		struct index_txn *txn = index->pool[--index->pool_count];

		mdb_txn_abort(txn->txn);
		free(txn);
	}
}

/* -EIO may have come from the disk as well. */
static bool is_lost(struct index *index)
{
	MDB_txn *txn;
	int r;

	if (!index->env)
		return true;
	r = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn);
	if (r == 0)
		mdb_txn_abort(txn);
	return r == MDB_PANIC;
}

static void close_env(struct index *index)
{
	environment_drain(index);
	mdb_txn_abort(index->pin);
	index->pin = NULL;
	atomic_store(&index->is_pinned, false);
	if (index->env)
		mdb_env_close(index->env);
	index->env = NULL;
	sys_close(&index->lock_fd);
}

bool environment_reopen(struct index *index)
{
	bool is_open = false;
	bool no = false;

	if (!atomic_compare_exchange_strong(&index->is_reopening, &no, true))
		return false;
	if (atomic_load(&index->users) == 0 &&
	    pthread_mutex_trylock(&index->steady_lock) == 0) {
		if (is_lost(index)) {
			close_env(index);
			is_open = environment_open(index, false) == 0;
			if (!is_open)
				close_env(index);
		}
		pthread_mutex_unlock(&index->steady_lock);
	}
	atomic_store(&index->is_reopening, false);
	return is_open;
}
