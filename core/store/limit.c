/* SPDX-License-Identifier: MIT */
/*
 * Setting limits and quotas. What a quota changes for the entries below its
 * directory is the list that they are in.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/limits.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "store/room.h"
#include "store/update.h"
#include "store/uses.h"
#include "store/walk.h"

/* Directories are no deeper than a path can name. */
enum { DEPTH_MAX = CUBBY_PATH_MAX };

int cubby_get_limits(struct cubby *store, struct cubby_limits *ret_limits)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = store_read(store, &txn);

	return r < 0 ? r : limits_get(txn, ret_limits);
}

/* Evict, one transaction after the other, as long as that gets anywhere. */
int cubby_trim(struct cubby *store, uint64_t *ret_evicted)
{
	uint64_t evicted = 0;
	uint64_t last;
	uint64_t use = 0;
	uint64_t limit;
	int r;

	do {
		SCOPED_UPDATE struct update update = {.store = NULL};

		r = update_begin(store, &update);
		if (r == 0)
			r = room_make(&update);
		if (r == 0)
			r = room_use(&update, &use);
		last = update.evicted;
		limit = update.limits.max_size;
		if (r == 0)
			r = update_commit(&update);
		evicted += last;
	} while (r == 0 && last > 0);
	if (r == 0 && limit > 0 && use > limit)
		r = -EFBIG;
	if (r == 0)
		*ret_evicted = evicted;
	return r;
}

static int verify(const struct cubby_limits *limits, struct index_txn *txn)
{
	struct group groups[CUBBY_QUOTAS_MAX];
	size_t count;
	int r;

	if ((limits->max_size > 0 && limits->max_size < CUBBY_LIMIT_MIN) ||
	    limits->min_free_percent > 99 || limits->policy > CUBBY_GDSF ||
	    (limits->policy != CUBBY_LRU && limits->max_age_s > 0))
		return -EINVAL;
	r = groups_list(txn, groups, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (limits->max_size > 0 && groups[i].quota > limits->max_size)
			return -EDOM;
	return r;
}

/* Another policy has other ranks: give them to all, in the order of their ids,
 * which is about that of their adding. */
static int rank_all(struct update *update)
{
	uint64_t id = CUBBY_ROOT_ID;
	struct node node;
	int r;

	/* From here on one may be greater than what time was. */
	update->totals.clock = 0;
	while ((r = nodes_next(update->txn, &id)) == 0) {
		r = node_get(update->txn, id, &node);
		if (r == 0 && node.record.kind == CUBBY_ENTRY)
			r = uses_set(update, id, &node.record);
		if (r < 0 && !node_is_lost(r))
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

int cubby_set_limits(struct cubby *store, const struct cubby_limits *limits)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	uint64_t evicted;
	bool is_other;
	int r = update_begin(store, &update);

	if (r == 0)
		r = verify(limits, update.txn);
	if (r == 0)
		r = limits_put(update.txn, limits);
	is_other = update.limits.policy != limits->policy;
	update.limits = *limits;
	if (r == 0 && is_other)
		r = rank_all(&update);
	if (r == 0)
		r = update_commit(&update);
	return r < 0 ? r : cubby_trim(store, &evicted);
}

/* ----------------------------------------------------------------- quotas */

struct relisting {
	struct update *update;
	uint64_t from;
	uint64_t to;
	struct group *group; /* what it has is summed up */
	unsigned depth;
};

static int relist_name(void *cookie, const char *name, size_t size,
		       uint64_t id);

static int relist(struct relisting *relisting, uint64_t dir)
{
	int r;

	if (relisting->depth == DEPTH_MAX)
		return -EBADMSG;
	relisting->depth++;
	r = names_scan(relisting->update->txn, dir, "", 0, relist_name,
		       relisting);
	relisting->depth--;
	return r;
}

/* The scan goes on where it was: LMDB keeps the cursors of a transaction in
 * their places, and the names are not changed here. */
static int relist_name(void *cookie, const char *name, size_t size, uint64_t id)
{
	struct relisting *relisting = cookie;
	struct index_txn *txn = relisting->update->txn;
	struct recent row = {.group = relisting->from, .id = id};
	struct record record;
	int r = nodes_get(txn, id, &record);

	(void)name;
	(void)size;
	if (r < 0)
		return node_is_lost(r) ? 0 : r;
	if (record.kind == CUBBY_DIRECTORY)
		return relist(relisting, id);
	if (record.kind != CUBBY_ENTRY)
		return 0;
	relisting->group->bytes += update_cost(&record);
	relisting->group->entries++;
	row.is_blob = record.place == PLACE_BLOB;
	row.rank = record.rank;
	r = recent_delete(txn, &row);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	row.group = relisting->to;
	return recent_put(txn, &row);
}

/* Is a group above or below the directory? */
static int verify_alone(struct update *update, uint64_t dir)
{
	struct group groups[CUBBY_QUOTAS_MAX];
	uint64_t above;
	size_t count = 0;
	int r = groups_list(update->txn, groups, &count);

	if (r == 0 && count == CUBBY_QUOTAS_MAX)
		return -ENOSPC;
	if (r == 0)
		r = update_group(update, dir, &above);
	if (r == 0 && above != 0)
		return -EBUSY;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = walk_is_above(update->txn, dir, groups[i].id);
		if (r > 0)
			return -EBUSY;
	}
	return r;
}

/* Is `id` a directory that may have a quota? A displaced one still has a
 * record, but is gone. */
static int verify_directory(struct index_txn *txn, uint64_t id)
{
	struct record record;
	uint64_t named;
	int r;

	if (id == CUBBY_ROOT_ID)
		return -EINVAL;
	r = nodes_get(txn, id, &record);
	if (r == 0 && record.kind != CUBBY_DIRECTORY)
		r = -ENOTDIR;
	if (r == 0)
		r = names_get(txn, record.parent, record.name, record.name_size,
			      &named);
	if (r < 0)
		return r;
	return named == id ? 0 : -ENOENT;
}

static int find_directory(struct index_txn *txn, const char *path,
			  uint64_t *ret_id)
{
	int r = walk_verify(path);

	if (r == 0)
		r = walk_find(txn, path, ret_id);
	return r == 0 && *ret_id == CUBBY_ROOT_ID ? -EINVAL : r;
}

static int set_quota(struct update *update, uint64_t dir,
		     const struct cubby_quota *quota)
{
	const bool is_group = quota->quota > 0 || quota->is_pinned;
	struct group group;
	struct relisting relisting = {.update = update, .group = &group};
	int r = group_get(update->txn, dir, &group);

	if (r == -ENOENT) {
		if (!is_group)
			return 0;
		r = verify_alone(update, dir);
		group = (struct group){.id = dir};
		relisting.to = dir;
		if (r == 0)
			r = relist(&relisting, dir);
	} else if (r == 0 && !is_group) {
		relisting.from = dir;
		r = relist(&relisting, dir);
		return r < 0 ? r : group_delete(update->txn, dir);
	}
	group.quota = quota->quota;
	group.is_pinned = quota->is_pinned;
	update->grew = true;
	update->newest_group = dir;
	return r < 0 ? r : group_put(update->txn, &group);
}

/* Set it, and evict what it does not leave room for. */
static int apply_quota(struct update *update, uint64_t dir,
		       const struct cubby_quota *quota)
{
	struct cubby *store = update->store;
	uint64_t evicted;
	int r;

	if (update->limits.max_size > 0 &&
	    quota->quota > update->limits.max_size)
		return -EDOM;
	r = set_quota(update, dir, quota);
	if (r == 0)
		r = update_commit(update);
	if (r == 0)
		r = cubby_trim(store, &evicted);
	return r == -EFBIG ? 0 : r;
}

int cubby_set_quota(struct cubby *store, const char *path,
		    const struct cubby_quota *quota)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	uint64_t dir = 0;
	int r = update_begin(store, &update);

	if (r == 0)
		r = find_directory(update.txn, path, &dir);
	return r < 0 ? r : apply_quota(&update, dir, quota);
}

int cubby_set_quota_of(struct cubby *store, uint64_t id,
		       const struct cubby_quota *quota)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	int r = update_begin(store, &update);

	if (r == 0)
		r = verify_directory(update.txn, id);
	return r < 0 ? r : apply_quota(&update, id, quota);
}

static struct cubby_quota quota_of(const struct group *group)
{
	return (struct cubby_quota){
		.quota = group->quota,
		.is_pinned = group->is_pinned,
		.bytes = group->bytes,
		.entries = group->entries,
	};
}

static int get_quota(struct index_txn *txn, uint64_t dir,
		     struct cubby_quota *ret_quota)
{
	struct group group = {.id = 0};
	int r = group_get(txn, dir, &group);

	if (r < 0 && r != -ENOENT)
		return r;
	*ret_quota = quota_of(&group);
	return 0;
}

int cubby_get_quota(struct cubby *store, const char *path,
		    struct cubby_quota *ret_quota)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint64_t dir = 0;
	int r = store_read(store, &txn);

	if (r == 0)
		r = find_directory(txn, path, &dir);
	return r < 0 ? r : get_quota(txn, dir, ret_quota);
}

int cubby_get_quota_of(struct cubby *store, uint64_t id,
		       struct cubby_quota *ret_quota)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = store_read(store, &txn);

	if (r == 0)
		r = verify_directory(txn, id);
	return r < 0 ? r : get_quota(txn, id, ret_quota);
}

int cubby_list_quotas(struct cubby *store, cubby_quota_fn *fn, void *cookie)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct group groups[CUBBY_QUOTAS_MAX];
	char path[CUBBY_PATH_MAX + 1];
	size_t count = 0;
	int r = store_read(store, &txn);

	if (r == 0)
		r = groups_list(txn, groups, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct cubby_quota quota = quota_of(&groups[i]);

		r = walk_path(txn, groups[i].id, path);
		if (r == 0)
			r = fn(cookie, path, &quota);
	}
	return r;
}
