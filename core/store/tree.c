/* SPDX-License-Identifier: MIT */
/*
 * The tree of nodes, as cubby/tree.h presents it: look and change. Renaming,
 * which may publish, is in move.c.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"
#include "index/nodes.h"
#include "store/draft.h"
#include "store/durable.h"
#include "store/figures.h"
#include "store/node.h"
#include "store/quarantine.h"
#include "store/reader.h"
#include "store/tree.h"
#include "store/update.h"
#include "sys/sys.h"

void tree_attr(struct cubby *store, uint64_t id, const struct record *record,
	       struct cubby_attr *ret_attr)
{
	char path[LAYOUT_PATH_SIZE];
	struct stat file;

	*ret_attr = record_attr(id, record);
	if (record->kind == CUBBY_ENTRY)
		uses_overlay(store, ret_attr);
	if (record->kind != CUBBY_PLAIN)
		return;
	layout_draft(id, path);
	/* A file that is gone shows as an empty one; opening it tells. */
	if (sys_stat(store->dir_fd, path, &file) < 0)
		return;
	ret_attr->size = (uint64_t)file.st_size;
	ret_attr->stored_size = (uint64_t)file.st_blocks * 512;
	ret_attr->mtime_ns = (int64_t)file.st_mtim.tv_sec * 1000000000 +
			     file.st_mtim.tv_nsec;
}

int cubby_lookup(struct cubby *store, uint64_t parent, const char *name,
		 struct cubby_attr *ret_attr)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct node node;
	int r = store_verify_process(store);

	if (r == 0)
		r = name_verify(name, strlen(name));
	if (r == 0)
		r = index_read(store->index, &txn);
	if (r == 0)
		r = node_find(txn, parent, name, strlen(name), &node);
	index_end(TAKE(txn));
	if (r == -EBADMSG)
		quarantine_name(store, parent, name);
	if (r == 0 && node.record.kind == CUBBY_ENTRY) {
		figures_hit(store->figures, parent, node.record.size);
		uses_note(store, node.id, node.record.used_ns);
	} else if (r == -ENOENT && name_is_entry(name)) {
		figures_miss(store->figures, parent, name);
	}
	if (r == 0)
		tree_attr(store, node.id, &node.record, ret_attr);
	return r;
}

static int get_node(struct cubby *store, uint64_t id, struct node *ret_node)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = store_read(store, &txn);

	return r < 0 ? r : node_get(txn, id, ret_node);
}

int cubby_getattr(struct cubby *store, uint64_t id, struct cubby_attr *ret_attr)
{
	struct node node;
	int r = get_node(store, id, &node);

	if (r == 0)
		tree_attr(store, id, &node.record, ret_attr);
	return r;
}

int cubby_get_storage(struct cubby *store, uint64_t id,
		      struct cubby_storage *ret_storage)
{
	struct node node;
	int r = get_node(store, id, &node);

	if (r < 0)
		return r;
	if (node.record.kind != CUBBY_ENTRY)
		return node.record.kind == CUBBY_DIRECTORY ? -EISDIR : -EINVAL;
	static_assert(sizeof(ret_storage->check) == CHECK_SIZE, "all of it");
	ret_storage->codec = codec_name(node.record.codec);
	memcpy(ret_storage->check, node.record.check.bytes, CHECK_SIZE);
	return 0;
}

int cubby_parent(struct cubby *store, uint64_t id, uint64_t *ret_parent)
{
	struct node node;
	int r = get_node(store, id, &node);

	if (r == 0)
		*ret_parent = node.record.parent;
	return r;
}

int cubby_open_plain(struct cubby *store, uint64_t id, int *ret_fd)
{
	struct node node;
	int r = get_node(store, id, &node);

	if (r < 0)
		return r;
	if (node.record.kind != CUBBY_PLAIN)
		return node.record.kind == CUBBY_DIRECTORY ? -EISDIR : -EINVAL;
	r = draft_open_file(store, id);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

struct listing {
	struct cubby *store;
	struct index_txn *txn;
	uint64_t dir;
	size_t left;
	cubby_readdir_fn *fn;
	void *cookie;
};

/* Ends a listing that has reached its limit: no result of a callback. */
static const int limit_reached = INT32_MIN;

/* What a look-up would not find is left out. */
static int list_name(void *cookie, const char *name, size_t size, uint64_t id)
{
	struct listing *listing = cookie;
	struct cubby_attr attr;
	struct node node;
	int r = node_get(listing->txn, id, &node);

	if (node_is_lost(r) ||
	    (r == 0 && !node_has_name(&node, listing->dir, name, size)))
		return 0;
	if (r < 0)
		return r;
	tree_attr(listing->store, id, &node.record, &attr);
	r = listing->fn(listing->cookie, node.name, &attr);
	if (r == 0 && --listing->left == 0)
		r = limit_reached;
	return r;
}

int cubby_readdir(struct cubby *store, uint64_t dir, const char *after,
		  size_t limit, cubby_readdir_fn *fn, void *cookie)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct listing listing = {.store = store,
				  .dir = dir,
				  .left = limit ? limit : SIZE_MAX,
				  .fn = fn,
				  .cookie = cookie};
	struct record record;
	int r = store_verify_process(store);

	if (strlen(after) > CUBBY_NAME_MAX)
		return -ENAMETOOLONG;
	if (r == 0)
		r = index_read(store->index, &txn);
	if (r == 0)
		r = nodes_get(txn, dir, &record);
	if (r == 0 && record.kind != CUBBY_DIRECTORY)
		r = -ENOTDIR;
	if (r < 0)
		return r;
	listing.txn = txn;
	r = names_scan(txn, dir, after, strlen(after), list_name, &listing);
	return r == limit_reached ? 0 : r;
}

/* ----------------------------------------------------------------- changes */

/* Set the times of an entry, and use it at the later one. */
static void set_times(struct record *record, unsigned what,
		      const struct cubby_attr *attr)
{
	int64_t used = INT64_MIN;
	int64_t now = sys_now_ns();

	if (what & CUBBY_SET_MTIME)
		record->mtime_ns = used = attr->mtime_ns;
	if ((what & CUBBY_SET_USED) && attr->used_ns > used)
		used = attr->used_ns;
	if (what & (CUBBY_SET_MTIME | CUBBY_SET_USED))
		record->used_ns = used < 0 ? 0 : used > now ? now : used;
}

/* Only times are set, to the present, of an entry: that is noted. Returns 1
 * when it was. */
static int touch(struct cubby *store, uint64_t id, unsigned what,
		 struct cubby_attr *ret_attr)
{
	const unsigned times = CUBBY_SET_MTIME | CUBBY_SET_USED;
	struct node node;
	int r = store_verify_writable(store);

	if (r < 0 || !(what & CUBBY_SET_NOW) || !(what & CUBBY_SET_MTIME) ||
	    (what & ~(times | CUBBY_SET_NOW)))
		return r;
	r = get_node(store, id, &node);
	if (r < 0 || node.record.kind != CUBBY_ENTRY)
		return r;
	uses_touch(store, id);
	tree_attr(store, id, &node.record, ret_attr);
	return 1;
}

int cubby_setattr(struct cubby *store, uint64_t id, unsigned what,
		  const struct cubby_attr *attr, struct cubby_attr *ret_attr)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	char path[LAYOUT_PATH_SIZE];
	struct node node;
	int r = touch(store, id, what, ret_attr);

	if (r != 0)
		return r < 0 ? r : 0;
	r = update_begin(store, &update);
	/* What was noted before comes before. */
	if (r == 0)
		r = uses_write(&update);
	if (r == 0)
		r = node_get(update.txn, id, &node);
	if (r < 0)
		return r;
	if (what & CUBBY_SET_MODE)
		node.record.mode = draft_mode(attr->mode);
	if (what & CUBBY_SET_UID)
		node.record.uid = attr->uid;
	if (what & CUBBY_SET_GID)
		node.record.gid = attr->gid;
	if ((what & CUBBY_SET_MTIME) && node.record.kind == CUBBY_PLAIN) {
		layout_draft(id, path);
		r = sys_set_mtime(store->dir_fd, path, attr->mtime_ns);
	} else if (node.record.kind == CUBBY_ENTRY) {
		set_times(&node.record, what, attr);
	} else if (what & CUBBY_SET_MTIME) {
		node.record.mtime_ns = attr->mtime_ns;
	}
	if (r == 0 && node.record.kind == CUBBY_ENTRY)
		r = uses_set(&update, id, &node.record);
	else if (r == 0)
		r = nodes_put(update.txn, id, &node.record);
	if (r == 0)
		r = update_commit(&update);
	if (r == 0)
		tree_attr(store, id, &node.record, ret_attr);
	return r;
}

/* Insert a node whose name must be free. */
static int insert_new(struct cubby *store, uint64_t parent, const char *name,
		      uint64_t id, const struct record *record)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	uint64_t existing;
	int r = update_begin(store, &update);

	if (r < 0)
		return r;
	if (names_get(update.txn, parent, name, strlen(name), &existing) == 0)
		return -EEXIST;
	r = update_insert(&update, parent, name, strlen(name), id, record);
	return r < 0 ? r : update_commit(&update);
}

static struct record new_record(enum cubby_kind kind,
				const struct cubby_owner *owner)
{
	return (struct record){
		.kind = kind,
		.mode = draft_mode(owner->mode),
		.uid = owner->uid,
		.gid = owner->gid,
		.mtime_ns = sys_now_ns(),
		.name = "",
	};
}

int cubby_mkdir(struct cubby *store, uint64_t parent, const char *name,
		const struct cubby_owner *owner, struct cubby_attr *ret_attr)
{
	const struct record record = new_record(CUBBY_DIRECTORY, owner);
	uint64_t id;
	int r = store_verify_writable(store);

	if (r == 0)
		r = name_verify(name, strlen(name));
	if (r == 0)
		r = store_new_id(store, &id);
	if (r == 0)
		r = insert_new(store, parent, name, id, &record);
	if (r == 0)
		r = durable_verify(store);
	if (r == 0)
		tree_attr(store, id, &record, ret_attr);
	return r;
}

int cubby_create(struct cubby *store, uint64_t parent, const char *name,
		 const struct cubby_owner *owner, struct cubby_attr *ret_attr,
		 int *ret_fd)
{
	const struct record record = new_record(CUBBY_PLAIN, owner);
	uint64_t id;
	int fd;
	int r = store_verify_writable(store);

	if (r == 0)
		r = name_verify(name, strlen(name));
	if (r == 0 && name_is_entry(name))
		r = -EINVAL;
	if (r == 0)
		r = store_new_id(store, &id);
	if (r < 0)
		return r;
	fd = draft_create_file(store, id);
	if (fd < 0)
		return fd;
	r = insert_new(store, parent, name, id, &record);
	if (r < 0) {
		draft_delete_file(store, id);
		sys_close(&fd);
		return r;
	}
	*ret_attr = record_attr(id, &record);
	*ret_fd = fd;
	return 0;
}

static int remove_name(struct cubby *store, uint64_t parent, const char *name,
		       bool is_directory)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct node node;
	int r = name_verify(name, strlen(name));

	if (r == 0)
		r = update_begin(store, &update);
	if (r == 0)
		r = node_find(update.txn, parent, name, strlen(name), &node);
	/* Of a newer version: the name can go, what it led to stays. */
	if (r == -EPROTONOSUPPORT && !is_directory) {
		r = names_delete(update.txn, parent, name, strlen(name));
		return r < 0 ? r : update_commit(&update);
	}
	if (r < 0)
		return r;
	if (is_directory != (node.record.kind == CUBBY_DIRECTORY))
		return is_directory ? -ENOTDIR : -EISDIR;
	if (is_directory)
		r = node_make_empty(update.txn, node.id);
	if (r == 0)
		r = update_remove(&update, &node);
	if (r == 0)
		r = update_commit(&update);
	if (r == 0 && node.record.kind == CUBBY_ENTRY)
		figures_delete(store->figures, parent);
	return r < 0 ? r : durable_verify(store);
}

int cubby_rmdir(struct cubby *store, uint64_t parent, const char *name)
{
	return remove_name(store, parent, name, true);
}

int cubby_unlink(struct cubby *store, uint64_t parent, const char *name)
{
	return remove_name(store, parent, name, false);
}

int cubby_open_entry(struct cubby *store, uint64_t id,
		     struct cubby_reader **ret_reader)
{
	int r = store_verify_process(store);

	return r < 0 ? r : reader_open(store, id, ret_reader);
}
