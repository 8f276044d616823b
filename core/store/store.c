/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/base.h"
#include "index/limits.h"
#include "index/meta.h"
#include "store/figures.h"
#include "store/later.h"
#include "store/layout.h"
#include "store/room.h"
#include "store/store.h"
#include "store/team.h"
#include "sys/sys.h"

/* How many ids a handle takes at once: a transaction is saved for all but one
 * in so many, and that many may be lost at a close. There are 2^63. */
enum { ID_BATCH = 256 };

int store_verify_process(const struct cubby *store)
{
	return store->generation == index_fork_generation() ? 0 : -ECHILD;
}

int store_read(struct cubby *store, struct index_txn **ret_txn)
{
	int r = store_verify_process(store);

	return r < 0 ? r : index_read(store->index, ret_txn);
}

int store_verify_writable(const struct cubby *store)
{
	int r = store_verify_process(store);

	if (r < 0)
		return r;
	return store->read_only ? -EROFS : 0;
}

static int reserve_ids(struct cubby *store)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint64_t first;
	int r = index_write(store->index, &txn);

	if (r == 0)
		r = meta_reserve_ids(txn, ID_BATCH, &first);
	if (r == 0)
		r = index_commit(TAKE(txn));
	if (r == 0) {
		store->next_id = first;
		store->end_id = first + ID_BATCH;
	}
	return r;
}

int store_new_id(struct cubby *store, uint64_t *ret_id)
{
	int r = 0;

	pthread_mutex_lock(&store->id_lock);
	if (store->next_id == store->end_id)
		r = reserve_ids(store);
	if (r == 0)
		*ret_id = store->next_id++;
	pthread_mutex_unlock(&store->id_lock);
	return r;
}

static int make_directory(int dir_fd, const char *path)
{
	int r = sys_mkdir(dir_fd, path);

	return r == -EEXIST ? 0 : r;
}

/* Does the directory hold nothing but what a store that is just being made by
 * another process has at first? Returns 1, 0, or a negative errno. */
static int may_be_made(int dir_fd)
{
	struct stat found;
	int others = sys_count_names(dir_fd, ".", INT_MAX);

	if (others > 0 && sys_stat(dir_fd, LAYOUT_INDEX, &found) == 0 &&
	    S_ISDIR(found.st_mode)) {
		/* The files of locks, before the one of data. */
		int parts = sys_count_names(dir_fd, LAYOUT_INDEX, 4);

		if (parts < 0)
			return parts;
		others -= parts <= 3;
	}
	return others < 0 ? others : others == 0;
}

/*
 * Is there a store, or may there be one? `create` asks for the second. A store
 * that another process is just making has its index directory first, so that
 * it is never taken for somebody else's directory.
 */
static int find_store(int dir_fd, bool create)
{
	struct stat found;
	int others;
	int r = sys_stat(dir_fd, LAYOUT_INDEX_DATA, &found);

	if (r != -ENOENT)
		return r;
	if (create) {
		r = may_be_made(dir_fd);
		if (r > 0)
			return make_directory(dir_fd, LAYOUT_INDEX);
		others = 1;
	} else {
		others = sys_count_names(dir_fd, ".", 1);
		r = others;
	}
	if (r < 0)
		return r;
	/* It may have been made while we looked. */
	if (sys_stat(dir_fd, LAYOUT_INDEX_DATA, &found) == 0)
		return 0;
	return others > 0 ? -ENOTEMPTY : -ENOENT;
}

static int make_directories(struct cubby *store)
{
	static const char *const paths[] = {LAYOUT_BLOBS, LAYOUT_DRAFTS,
					    LAYOUT_QUARANTINE};
	struct stat found;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(paths); i++)
		r = make_directory(store->dir_fd, paths[i]);
	if (r == 0)
		r = sys_stat(store->dir_fd, LAYOUT_INDEX_DATA, &found);
	return r == -ENOENT ? -EIO : r; /* deleted meanwhile */
}

static int read_resolution(struct cubby *store)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct cubby_limits limits;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = limits_get(txn, &limits);
	if (r == 0)
		store->resolution_ns =
			(int64_t)limits.resolution_s * 1000000000;
	return r;
}

/* `is_new`: nothing was there before. */
static int open_parts(struct cubby *store, const char *path, bool create,
		      bool is_new)
{
	char index_path[PATH_MAX];
	int r;

	if (snprintf(index_path, sizeof(index_path), "%s/" LAYOUT_INDEX,
		     path) >= (int)sizeof(index_path))
		return -ENAMETOOLONG;
	r = index_open(index_path, store->read_only, create, &store->index);
	if (r == 0 && store->is_durable)
		index_set_durable(store->index);
	if (r == 0 && !store->read_only)
		r = make_directories(store);
	if (r == 0)
		r = read_resolution(store);
	if (r == 0)
		store->figures = figures_open(store);
	if (r == 0 && is_new)
		r = index_sync(store->index);
	if (r == 0 && is_new)
		r = sys_fsync(store->dir_fd);
	return r;
}

/* An absolute path without symlinks, so that a later chdir(2) of the process
 * changes nothing. */
static int open_directory(struct cubby *store, const char *path, bool create,
			  char **ret_path)
{
	int r;

	if (create) {
		r = sys_mkdir_following(path);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	r = sys_real_path(path, ret_path);
	if (r < 0)
		return r;
	store->dir_fd = sys_open(AT_FDCWD, *ret_path, O_RDONLY | O_DIRECTORY);
	return store->dir_fd < 0 ? store->dir_fd : 0;
}

int cubby_open(const char *path, unsigned flags, struct cubby **ret_store)
{
	const bool create = flags & CUBBY_CREATE;
	SCOPED_FREE char *real_path = NULL;
	struct cubby *store;
	struct stat found;
	bool is_new = false;
	int r = 0;

	if ((flags & ~(unsigned)(CUBBY_CREATE | CUBBY_READ_ONLY |
				 CUBBY_DURABLE | CUBBY_COMPRESS_LATER)) ||
	    (flags & CUBBY_READ_ONLY && flags != CUBBY_READ_ONLY))
		return -EINVAL;
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->dir_fd = -1;
	store->read_only = flags & CUBBY_READ_ONLY;
	store->is_durable = flags & CUBBY_DURABLE;
	pthread_mutex_init(&store->id_lock, NULL);
	uses_init(&store->uses);
	hot_init(&store->hot);

	r = open_directory(store, path, create, &real_path);
	if (r == 0)
		is_new = sys_stat(store->dir_fd, LAYOUT_INDEX_DATA, &found) ==
			 -ENOENT;
	if (r == 0)
		r = find_store(store->dir_fd, create);
	if (r == 0)
		r = open_parts(store, real_path, create, is_new);
	if (r == 0)
		r = team_new(&store->team);
	store->generation = index_fork_generation();
	if (r == 0 && flags & CUBBY_COMPRESS_LATER)
		r = later_begin(store);
	if (r < 0) {
		cubby_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

void cubby_close(struct cubby *store)
{
	if (!store)
		return;
	if (store->index && store_verify_process(store) == 0) {
		later_close(store);
		/* What cannot be noted any more are only uses. */
		IGNORE(uses_flush(store, true));
		team_free(store->team);
	}
	figures_close(store->figures);
	index_close(store->index);
	uses_done(&store->uses);
	hot_done(&store->hot);
	sys_close(&store->dir_fd);
	pthread_mutex_destroy(&store->id_lock);
	free(store);
}

int cubby_get_stats(struct cubby *store, struct cubby_stats *ret_stats)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct totals totals;
	int r = store_read(store, &txn);

	if (r == 0)
		r = totals_get(txn, &totals);
	if (r < 0)
		return r;
	*ret_stats = (struct cubby_stats){
		.entries = totals.entries,
		.directories = totals.directories,
		.plain_files = totals.plain_files,
		.raw_bytes = totals.raw_bytes,
		.stored_bytes = totals.stored_bytes,
		.plain_bytes = totals.plain_bytes,
		.disk_bytes = totals.disk_bytes + totals.displaced_bytes +
			      ROOM_OVERHEAD + index_file_bytes(store->index),
		.displaced = totals.displaced,
		.index_bytes = index_bytes(store->index),
		.quarantined = totals.quarantined,
	};
	return 0;
}
