/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"
#include "index/nodes.h"
#include "store/node.h"
#include "store/walk.h"
#include "sys/sys.h"

/* Deeper than any path can be: ends a walk up a damaged index. */
enum { DEPTH_MAX = 64 * 1024 };

/* Walk down as far as there are directories; `*path` is what is left. */
static int walk_down(struct index_txn *txn, const char **path, uint64_t *ret_id)
{
	const char *rest = *path;
	uint64_t id = CUBBY_ROOT_ID;
	struct node node;
	const char *name;
	long size;
	int r;

	while ((size = name_next(&rest, &name)) > 0) {
		r = node_find(txn, id, name, (size_t)size, &node);
		if (r == -ENOENT)
			break;
		if (r < 0)
			return r;
		if (node.record.kind != CUBBY_DIRECTORY)
			return -ENOTDIR;
		id = node.id;
		*path = rest;
	}
	CHECK(size >= 0); /* the caller has asked walk_verify() */
	*ret_id = id;
	return 0;
}

int walk_nearest(struct index_txn *txn, const char *path, uint64_t *ret_id)
{
	return walk_down(txn, &path, ret_id);
}

int walk_find(struct index_txn *txn, const char *path, uint64_t *ret_id)
{
	uint64_t id;
	int r = walk_down(txn, &path, &id);

	if (r < 0)
		return r;
	if (*path != '\0')
		return -ENOENT;
	*ret_id = id;
	return 0;
}

int walk_verify(const char *path)
{
	const char *name;
	long size;

	if (strlen(path) > CUBBY_PATH_MAX)
		return -ENAMETOOLONG;
	while ((size = name_next(&path, &name)) > 0)
		continue;
	return (int)size;
}

int walk_new_ids(struct cubby *store, const char *path,
		 struct walk_ids *ret_ids)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct walk_ids ids = {.ids = NULL};
	const char *name;
	uint64_t id;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = walk_down(txn, &path, &id);
	index_end(TAKE(txn));
	if (r < 0 || *path == '\0') {
		if (r == 0)
			*ret_ids = ids;
		return r;
	}
	ids.ids = calloc(strlen(path), sizeof(*ids.ids));
	if (!ids.ids)
		return -ENOMEM;
	while (r == 0 && name_next(&path, &name) > 0)
		r = store_new_id(store, &ids.ids[ids.count++]);
	if (r < 0)
		free(ids.ids);
	else
		*ret_ids = ids;
	return r;
}

int walk_make(struct update *update, const char *path, struct walk_ids *ids,
	      uint64_t *ret_id)
{
	struct record directory = {
		.kind = CUBBY_DIRECTORY, .mode = 0755, .name = ""};
	const char *name;
	uint64_t id = CUBBY_ROOT_ID;
	long size;
	int r = walk_down(update->txn, &path, &id);

	if (r == 0 && *path != '\0') {
		directory.uid = sys_uid();
		directory.gid = sys_gid();
		directory.mtime_ns = sys_now_ns();
	}
	while (r == 0 && (size = name_next(&path, &name)) > 0) {
		/* Somebody has deleted directories since they were counted. */
		if (ids->count == 0)
			return -ERESTART;
		ids->count--;
		r = update_insert(update, id, name, (size_t)size,
				  ids->ids[ids->count], &directory);
		id = ids->ids[ids->count];
	}
	if (r == 0)
		*ret_id = id;
	return r;
}

int walk_path(struct index_txn *txn, uint64_t id,
	      char ret_path[CUBBY_PATH_MAX + 1])
{
	char path[CUBBY_PATH_MAX + 1];
	size_t at = sizeof(path) - 1;
	struct record record;
	int r;

	path[at] = '\0';
	while (id != CUBBY_ROOT_ID) {
		r = nodes_get(txn, id, &record);
		if (r < 0)
			return r;
		if (at < (size_t)record.name_size + 1) {
			ret_path[0] = '\0';
			return 0;
		}
		if (path[at] != '\0')
			path[--at] = '/';
		at -= record.name_size;
		memcpy(path + at, record.name, record.name_size);
		id = record.parent;
	}
	memcpy(ret_path, path + at, sizeof(path) - at);
	return 0;
}

int walk_is_above(struct index_txn *txn, uint64_t id, uint64_t below)
{
	struct record record;
	int r;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		if (below == id)
			return 1;
		if (below == CUBBY_ROOT_ID)
			return 0;
		r = nodes_get(txn, below, &record);
		if (r < 0)
			return r;
		below = record.parent;
	}
	return -EBADMSG;
}
