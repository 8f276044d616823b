/* SPDX-License-Identifier: MIT */
/*
 * Transactions, and who shares an environment (which is in environment.c):
 * everything about LMDB that is a trap.
 *
 *  1. One environment per process and path: the registry hands out the one
 *     that is open. Opened twice, the closing of one would drop the other's
 *     locks.
 *  2. Never across fork: a child counts a generation up, and an environment of
 *     an older generation is never used, shared, or closed.
 *  3. Reader slots: read transactions are kept and renewed, so that a read
 *     neither takes the lock of the slots nor makes a system call. Slots of
 *     dead processes are cleared after each checkpoint.
 *  4. The map size bounds the index: it is address space, not memory or disk.
 *     A full map is a full store (-ENOSPC).
 *  5. Commits are not synced. After the death of a process nothing is lost;
 *     after a power cut the index goes back to a snapshot: see steady.c.
 *  6. The lock of the writers is a mutex, too, in the order of the others:
 *     after the registry's and after steady_lock, before that of a pool.
 *
 * The registry's lock guards the registry and the reference counts; the lock of
 * an index guards its pool. They are never held together.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "index/environment.h"
#include "index/extent.h"
#include "index/held.h"
#include "index/keeper.h"
#include "index/lmdb_index.h"
#include "index/meta.h"
#include "index/steady.h"
#include "sys/sys.h"

enum {
	PAGE_SIZE = 4096,
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct index *registry; /* guarded by registry_lock */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static unsigned fork_generation; /* written only in a child with one thread */

static void forked(void)
{
	fork_generation++;
	/* Another thread of the parent may have held it, so what is read here
	 * is a list that is whole at any instant. */
	pthread_mutex_init(&registry_lock, NULL);
	/* Or the parent's locks would outlive it. */
	for (struct index *index = registry; index; index = index->next)
		sys_close(&index->watch_fd);
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, forked); /* only ENOMEM, at start */
}

unsigned index_fork_generation(void)
{
	return fork_generation;
}

/* ------------------------------------------------------------ transactions */

static int read_once(struct index *index, struct index_txn **ret_txn)
{
	struct index_txn *txn = NULL;
	int r;

	pthread_mutex_lock(&index->lock);
	if (index->pool_count > 0)
		txn = index->pool[--index->pool_count];
	pthread_mutex_unlock(&index->lock);
	if (txn) {
		r = lmdb_error(mdb_txn_renew(txn->txn));
		if (r == 0) {
			*ret_txn = txn;
			return 0;
		}
		mdb_txn_abort(txn->txn);
		free(txn);
		return r;
	}

	txn = calloc(1, sizeof(*txn));
	if (!txn)
		return -ENOMEM;
	txn->index = index;
	r = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn->txn);
	if (r == MDB_READERS_FULL && !index->read_only &&
	    steady_clear_dead(index) == 0)
		r = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn->txn);
	if (r != 0) {
		free(txn);
		return lmdb_error(r);
	}
	*ret_txn = txn;
	return 0;
}

static void end_once(struct index_txn *txn)
{
	struct index *index = txn->index;

	if (!txn->is_write) {
		mdb_txn_reset(txn->txn);
		pthread_mutex_lock(&index->lock);
		if (index->pool_count < TXN_POOL_SIZE) {
			index->pool[index->pool_count++] = txn;
			txn = NULL;
		}
		pthread_mutex_unlock(&index->lock);
	}
	if (txn) {
		mdb_txn_abort(txn->txn);
		free(txn);
	}
}

int index_read(struct index *index, struct index_txn **ret_txn)
{
	int r;

	do {
		environment_enter(index);
		r = environment_is_there(index) ? read_once(index, ret_txn)
						: -EIO;
		if (r < 0)
			environment_leave(index);
	} while (r == -EIO && environment_reopen(index));
	return r;
}

/* With the lock of the writers held, the steady snapshot stays as protected as
 * it is found. */
static int begin_protected(struct index *index, MDB_txn **ret_txn)
{
	MDB_txn *txn;
	int r;

	do {
		r = lmdb_error(mdb_txn_begin(index->env, NULL, 0, &txn));
		if (r < 0)
			return r;
		r = steady_verify(index);
		if (r > 0) {
			*ret_txn = txn;
			return 0;
		}
		mdb_txn_abort(txn);
		if (r == 0)
			r = steady_protect(index);
	} while (r == 0);
	return r;
}

int index_write(struct index *index, struct index_txn **ret_txn)
{
	struct index_txn *txn;
	int r;

	if (index->read_only)
		return -EROFS;
	txn = calloc(1, sizeof(*txn));
	if (!txn)
		return -ENOMEM;
	txn->index = index;
	txn->is_write = true;
	txn->watch_count = -1;
	do {
		environment_enter(index);
		r = environment_is_there(index)
			    ? begin_protected(index, &txn->txn)
			    : -EIO;
		if (r < 0)
			environment_leave(index);
	} while (r == -EIO && environment_reopen(index));
	if (r < 0) {
		free(txn);
		return r;
	}
	*ret_txn = txn;
	return 0;
}

/* Pages that the commit of `version` has freed: LMDB has them in a list of that
 * number, whose first word is how many, until they are used again. */
static uint64_t count_freed(struct index *index, uint64_t version)
{
	struct index_txn *txn;
	MDB_cursor *cursor;
	size_t number = version;
	size_t count = STEADY_COMMIT_PAGES; /* if it cannot be found out */
	MDB_val key = {.mv_size = sizeof(number), .mv_data = &number};
	MDB_val value;
	int r;

	if (read_once(index, &txn) < 0)
		return count;
	if (mdb_cursor_open(txn->txn, FREE_DBI, &cursor) == 0) {
		r = mdb_cursor_get(cursor, &key, &value, MDB_SET);
		if (r == 0 && value.mv_size >= sizeof(count))
			memcpy(&count, value.mv_data, sizeof(count));
		else if (r == MDB_NOTFOUND)
			count = 0;
		mdb_cursor_close(cursor);
	}
	end_once(txn);
	return count;
}

int index_commit(struct index_txn *txn)
{
	struct index *index = txn->index;
	uint64_t version = mdb_txn_id(txn->txn);
	int r = mdb_txn_commit(txn->txn);

	CHECK(txn->is_write);
	free(txn);
	if (r == 0) {
		extent_keep(index);
		steady_committed(index, version, count_freed(index, version));
	} else if (r == EIO && extent_was_full(index)) {
		r = ENOSPC;
	}
	environment_leave(index);
	return lmdb_error(r);
}

bool index_is_full(struct index_txn *txn)
{
	return extent_is_full(txn->index);
}

void index_end(struct index_txn *txn)
{
	struct index *index;

	if (!txn)
		return;
	index = txn->index;
	end_once(txn);
	environment_leave(index);
}

/* ---------------------------------------------------------- open and close */

/* After going back, ids that were given out since then have left files behind,
 * and may be known elsewhere: go on far beyond them. */
static int skip_lost_ids(struct index *index)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint64_t first;
	int r = index_write(index, &txn);

	if (r == 0)
		r = meta_reserve_ids(txn, UINT64_C(1) << 32, &first);
	return r < 0 ? r : index_commit(TAKE(txn));
}

static void destroy(struct index *index)
{
	environment_drain(index);
	/* A failed sync loses nothing but the promise to a power cut, which
	 * close cannot report. */
	keeper_done(index);
	steady_close(index);
	held_done(index);
	if (index->env)
		mdb_env_close(index->env);
	/* Not before: it ends the locks of LMDB on that file. */
	sys_close(&index->lock_fd);
	sys_close(&index->watch_fd);
	free(index->path);
	free(index->watches_path);
	pace_done(index);
	pthread_mutex_destroy(&index->lock);
	free(index);
}

void index_join(char ret_path[PATH_MAX], const char *path, const char *name)
{
	int size = snprintf(ret_path, PATH_MAX, "%s/%s", path, name);

	CHECK(size < PATH_MAX);
}

static int open_parts(struct index *index, const char *path, bool format)
{
	bool went_back;
	int r;

	index->path = strdup(path);
	if (!index->path ||
	    asprintf(&index->watches_path, "%s/watches", path) < 0) {
		index->watches_path = NULL;
		return -ENOMEM;
	}
	r = steady_open(path, index->read_only, &index->watch_fd);
	went_back = r > 0;
	if (r >= 0)
		r = lmdb_verify_files(path);
	if (r == 0 && !index->read_only)
		r = held_begin(index, path);
	if (r == 0)
		r = environment_open(index, format);
	if (r == 0 && went_back)
		r = skip_lost_ids(index);
	return r;
}

static int make(const char *path, bool read_only, bool format,
		struct index **ret_index)
{
	struct index *index = calloc(1, sizeof(*index));
	int r;

	if (!index)
		return -ENOMEM;
	pthread_mutex_init(&index->lock, NULL);
	pace_init(index);
	keeper_init(index);
	index->references = 1;
	index->generation = fork_generation;
	index->read_only = read_only;
	index->watch_fd = -1;
	index->held_fd = -1;
	index->lock_fd = -1;
	index->commits_max = INDEX_PACE_MAX;
	r = open_parts(index, path, format);
	if (r < 0) {
		destroy(index);
		return r;
	}
	*ret_index = index;
	return 0;
}

int index_open(const char *path, bool read_only, bool format,
	       struct index **ret_index)
{
	struct index *index = NULL;
	struct stat directory;
	int r;

	if (strlen(path) + sizeof("/data.mdb") > PATH_MAX) /* the longest */
		return -ENAMETOOLONG;
	(void)pthread_once(&fork_once, watch_forks); /* cannot fail */
	r = sys_stat(AT_FDCWD, path, &directory);
	if (r < 0)
		return r;

	pthread_mutex_lock(&registry_lock);
	for (index = registry; index; index = index->next)
		if (index->generation == fork_generation &&
		    index->dev == directory.st_dev &&
		    index->ino == directory.st_ino)
			break;
	if (index && index->read_only && !read_only) {
		r = -EBUSY;
	} else if (index) {
		index->references++;
	} else {
		r = make(path, read_only, format, &index);
		if (r == 0) {
			index->dev = directory.st_dev;
			index->ino = directory.st_ino;
			index->next = registry;
			registry = index;
		}
	}
	pthread_mutex_unlock(&registry_lock);
	if (r == 0)
		*ret_index = index;
	return r;
}

void index_close(struct index *index)
{
	struct index **link = &registry;
	bool last;

	/* Of a parent process: closing it would reach into the parent. */
	if (!index || index->generation != fork_generation)
		return;
	pthread_mutex_lock(&registry_lock);
	last = --index->references == 0;
	if (last) {
		while (*link != index)
			link = &(*link)->next;
		*link = index->next;
		destroy(index);
	}
	pthread_mutex_unlock(&registry_lock);
}

int index_sync(struct index *index)
{
	return steady_checkpoint(index);
}

void index_set_durable(struct index *index)
{
	atomic_store(&index->is_durable, true);
}

int index_verify_durable(struct index *index)
{
	return atomic_load(&index->steady_error);
}

uint64_t index_set_pace(struct index *index, unsigned commits)
{
	CHECK(commits > 0 && commits <= INDEX_PACE_MAX);
	atomic_store(&index->commits_max, commits);
	/* Who commits waits for a checkpoint when twice as many have come;
	 * others may be at it at the same time. */
	return (uint64_t)(commits * 9 / 4 + 2) * STEADY_COMMIT_PAGES *
		       PAGE_SIZE +
	       extent_slack(index);
}

uint64_t index_version(struct index *index)
{
	MDB_envinfo info = {.me_last_txnid = 0};

	environment_enter(index);
	(void)mdb_env_info(index->env, &info); /* fails when there is none */
	environment_leave(index);
	return info.me_last_txnid;
}

uint64_t index_seen_version(struct index_txn *txn)
{
	return mdb_txn_id(txn->txn);
}

uint64_t index_file_bytes(struct index *index)
{
	struct stat file;
	int r = -EIO;

	environment_enter(index);
	if (environment_is_there(index))
		r = sys_fstat(lmdb_fd(index->env), &file);
	environment_leave(index);
	return r < 0 ? 0 : (uint64_t)file.st_blocks * 512;
}

int index_live_bytes(struct index_txn *txn, uint64_t *ret_bytes)
{
	enum { META_PAGES = 2 };
	const MDB_dbi all[] = {FREE_DBI, txn->index->meta, txn->index->tree};
	uint64_t pages = META_PAGES;
	MDB_stat stat;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int r = mdb_stat(txn->txn, all[i], &stat);

		if (r != 0)
			return lmdb_error(r);
		pages += stat.ms_branch_pages + stat.ms_leaf_pages +
			 stat.ms_overflow_pages;
	}
	*ret_bytes = pages * stat.ms_psize;
	return 0;
}

uint64_t index_bytes(struct index *index)
{
	uint64_t bytes = 0;

	environment_enter(index);
	if (environment_is_there(index))
		bytes = (lmdb_info(index->env).me_last_pgno + 1) *
			lmdb_page_size(index->env);
	environment_leave(index);
	return bytes;
}
