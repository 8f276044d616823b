/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/addressed.h"
#include "index/displaced.h"
#include "index/held.h"
#include "index/nodes.h"
#include "store/enlist.h"
#include "store/figures.h"
#include "store/layout.h"
#include "store/node.h"
#include "store/purge.h"
#include "store/room.h"
#include "store/update.h"
#include "store/uses.h"
#include "sys/sys.h"

/* What an entry takes of the index beside its content, about. */
enum { ENTRY_COST = 256 };

int update_begin(struct cubby *store, struct update *ret_update)
{
	struct update update = {.store = store, .watched = -1};
	int r = store_verify_writable(store);

	if (r == 0)
		r = index_write(store->index, &update.txn);
	if (r == 0)
		r = totals_get(update.txn, &update.totals);
	if (r == 0)
		r = limits_get(update.txn, &update.limits);
	if (r < 0) {
		index_end(update.txn);
		return r;
	}
	store->resolution_ns = (int64_t)update.limits.resolution_s * 1000000000;
	*ret_update = update;
	return 0;
}

int update_commit(struct update *update)
{
	int r = uses_write(update);

	if (r == 0)
		r = enlist_due(update);
	if (r == 0 && update->grew)
		r = room_make(update);
	if (r == 0 && figures_sample_is_due(update->store->figures))
		r = room_sample(update);
	if (r == 0)
		r = totals_put(update->txn, &update->totals);
	if (r == 0)
		r = index_commit(TAKE(update->txn));
	for (size_t i = 0; r == 0 && i < update->doomed_count; i++) {
		char path[LAYOUT_PATH_SIZE];

		if (update->doomed[i].is_blob)
			layout_blob(update->doomed[i].id,
				    update->doomed[i].codec, path);
		else
			layout_draft(update->doomed[i].id, path);
		/* Nothing refers to it any more; what cannot be deleted is
		 * only disk space. */
		IGNORE(sys_unlink(update->store->dir_fd, path));
	}
	update_end(update);
	return r;
}

void update_end(struct update *update)
{
	index_end(TAKE(update->txn));
	free(TAKE(update->doomed));
}

static int doom(struct update *update, uint64_t id, bool is_blob,
		enum codec codec)
{
	if (update->doomed_count == update->doomed_capacity) {
		size_t capacity = update->doomed_capacity * 2 + 8;
		struct doomed *more =
			realloc(update->doomed, capacity * sizeof(*more));

		if (!more)
			return -ENOMEM;
		update->doomed = more;
		update->doomed_capacity = capacity;
	}
	update->doomed[update->doomed_count++] =
		(struct doomed){.id = id, .is_blob = is_blob, .codec = codec};
	return 0;
}

void update_count(struct totals *totals, const struct record *record, int sign)
{
	const uint64_t one = (uint64_t)(int64_t)sign;
	const uint64_t disk_bytes = one * record_disk_size(record);

	totals->disk_bytes += disk_bytes;
	if (record->kind == CUBBY_DIRECTORY) {
		totals->directories += one;
	} else if (record->kind == CUBBY_PLAIN) {
		totals->plain_files += one;
		totals->plain_bytes += disk_bytes;
	} else {
		totals->entries += one;
		totals->raw_bytes += one * record->size;
		totals->stored_bytes += one * record->stored_size;
	}
}

uint64_t update_cost(const struct record *record)
{
	return ENTRY_COST + (record->place == PLACE_BLOB
				     ? record_disk_size(record)
				     : record->stored_size);
}

int update_group(struct update *update, uint64_t parent, uint64_t *ret_group)
{
	struct record directory;
	struct group group;
	unsigned depth = 0;
	int r = groups_exist(update->txn);

	*ret_group = 0;
	while (r > 0 && parent != CUBBY_ROOT_ID) {
		r = group_get(update->txn, parent, &group);
		if (r == 0)
			*ret_group = parent;
		if (r != -ENOENT)
			return r;
		r = nodes_get(update->txn, parent, &directory);
		if (r < 0)
			return r;
		/* A damaged index may have a ring of directories. */
		if (++depth == CUBBY_PATH_MAX)
			return -EBADMSG;
		parent = directory.parent;
		r = 1;
	}
	return r < 0 ? r : 0;
}

int update_drop_bytes(struct update *update, uint64_t id,
		      const struct record *record)
{
	int r = 0;

	if (record->kind == CUBBY_PLAIN)
		return doom(update, id, false, CODEC_RAW);
	if (record->place == PLACE_BLOB)
		return doom(update, id, true, record->codec);
	if (record->place == PLACE_INDEX)
		r = small_delete(update->txn, id);
	return r == -ENOENT ? 0 : r;
}

int update_replace_bytes(struct update *update, const struct node *node,
			 const struct record *bytes)
{
	struct record record = node->record;
	int r;

	record.codec = bytes->codec;
	record.place = bytes->place;
	record.stored_size = bytes->stored_size;
	record.check = bytes->check;
	update_count(&update->totals, &node->record, -1);
	update_count(&update->totals, &record, 1);
	r = enlist_drop(update, node->id, &node->record);
	record.rank = room_rank(update, &record);
	if (r == 0)
		r = enlist_put(update, node->id, &record);
	if (r == 0)
		r = update_drop_bytes(update, node->id, &node->record);
	return r < 0 ? r : nodes_put(update->txn, node->id, &record);
}

int update_resize(struct update *update, const struct node *node,
		  uint64_t stored_size)
{
	struct record record = node->record;
	uint64_t found = 0;
	int r = names_get(update->txn, record.parent, record.name,
			  record.name_size, &found);

	if (r < 0 && r != -ENOENT)
		return r;
	record.stored_size = stored_size;
	if (found == node->id) {
		update_count(&update->totals, &node->record, -1);
		update_count(&update->totals, &record, 1);
		update->grew = true;
	} else {
		update->totals.displaced_bytes +=
			record_disk_size(&record) -
			record_disk_size(&node->record);
	}
	return nodes_put(update->txn, node->id, &record);
}

/* Does anybody watch? Returns 1, 0, or a negative errno. */
static int is_watched(struct update *update)
{
	uint64_t horizon;
	int r;

	if (update->watched < 0) {
		r = watches_horizon(update->txn, update->totals.displaced_next,
				    &horizon);
		if (r < 0)
			return r;
		update->watched = r;
	}
	return update->watched;
}

/* Tell the watches that the node `id`, or 0, has lost this name. */
static int tell(struct update *update, uint64_t id, const struct record *record)
{
	update->totals.displaced++;
	return displaced_put(update->txn, update->totals.displaced_next++, id,
			     record->parent, record->name, record->name_size);
}

static int delete_name(struct update *update, uint64_t id,
		       const struct record *record)
{
	uint64_t found;
	int r = names_get(update->txn, record->parent, record->name,
			  record->name_size, &found);

	if (r < 0)
		return r;
	if (found != id)
		return -EBADMSG; /* a record that contradicts its name */
	update_count(&update->totals, record, -1);
	r = enlist_drop(update, id, record);
	return r < 0 ? r
		     : names_delete(update->txn, record->parent, record->name,
				    record->name_size);
}

int update_detach(struct update *update, const struct node *node)
{
	int r = delete_name(update, node->id, &node->record);

	if (r < 0 || node->record.kind == CUBBY_PLAIN)
		return r;
	r = is_watched(update);
	return r > 0 ? tell(update, 0, &node->record) : r;
}

int update_remove(struct update *update, const struct node *node)
{
	int r = delete_name(update, node->id, &node->record);

	if (r == 0 && node->record.kind == CUBBY_DIRECTORY) {
		r = group_delete(update->txn, node->id);
		r = r == -ENOENT ? 0 : r; /* it was no group */
		if (r == 0)
			r = addressed_delete(update->txn, node->id);
	}
	if (r == 0)
		r = held_find(update->txn, node->id);
	if (r < 0)
		return r;
	if (r > 0) {
		update->totals.displaced_bytes +=
			record_disk_size(&node->record);
		return tell(update, node->id, &node->record);
	}
	/* What a dead watch has left behind goes too. */
	r = update->totals.displaced > 0 ? is_watched(update) : 1;
	if (r == 0)
		r = purge(update);
	return r < 0 ? r : purge_node(update, node->id);
}

/* Make room for a node of `new_kind` under a name that leads to `id`. */
static int displace(struct update *update, uint64_t id,
		    enum cubby_kind new_kind, uint64_t parent, const char *name,
		    size_t name_size)
{
	const bool to_directory = new_kind == CUBBY_DIRECTORY;
	struct node node;
	int r = node_get(update->txn, id, &node);

	/* The name of a damaged index, which will lead to a good node now. */
	if (node_is_lost(r) ||
	    (r == 0 && !node_has_name(&node, parent, name, name_size)))
		return 0;
	if (r < 0)
		return r;
	if (to_directory != (node.record.kind == CUBBY_DIRECTORY))
		return to_directory ? -ENOTDIR : -EISDIR;
	if (to_directory)
		r = node_make_empty(update->txn, id);
	return r < 0 ? r : update_remove(update, &node);
}

int update_insert(struct update *update, uint64_t parent, const char *name,
		  size_t name_size, uint64_t id, const struct record *record)
{
	struct record named = *record;
	struct record directory;
	uint64_t existing;
	int r = nodes_get(update->txn, parent, &directory);

	if (r < 0)
		return r;
	if (directory.kind != CUBBY_DIRECTORY)
		return -ENOTDIR;
	if (index_is_full(update->txn))
		return -ENOSPC;
	/* A displaced directory still has a record, but is gone. */
	if (parent != CUBBY_ROOT_ID) {
		r = names_get(update->txn, directory.parent, directory.name,
			      directory.name_size, &existing);
		if (r < 0 || existing != parent)
			return r < 0 ? r : -ENOENT;
	}
	r = names_get(update->txn, parent, name, name_size, &existing);
	if (r == 0)
		r = displace(update, existing, record->kind, parent, name,
			     name_size);
	if (r < 0 && r != -ENOENT)
		return r;
	named.parent = parent;
	named.name = name;
	named.name_size = (uint16_t)name_size;
	if (named.kind == CUBBY_ENTRY && named.added_ns == 0) {
		named.added_ns = named.used_ns = sys_now_ns();
		named.rank = room_rank(update, &named);
	}
	r = room_verify(update, &named);
	if (r < 0)
		return r;
	update->grew = true;
	update_count(&update->totals, &named, 1);
	r = enlist_put(update, id, &named);
	if (r == 0)
		r = names_put(update->txn, parent, name, name_size, id);
	return r < 0 ? r : nodes_put(update->txn, id, &named);
}
