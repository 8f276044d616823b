/* SPDX-License-Identifier: MIT */
/*
 * Renaming, in its three forms: publish (a plain file gets an entry name),
 * unpublish (an entry gets another one), and move (all else). The bytes are
 * made before the update; if the node is not what it was by then, the whole
 * starts again.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"
#include "index/nodes.h"
#include "store/digest.h"
#include "store/draft.h"
#include "store/durable.h"
#include "store/figures.h"
#include "store/node.h"
#include "store/publish.h"
#include "store/reader.h"
#include "store/room.h"
#include "store/tree.h"
#include "store/walk.h"
#include "sys/sys.h"

struct move {
	struct cubby *store;
	uint64_t parent;
	const char *name;
	uint64_t new_parent;
	const char *new_name;
	bool replace;
	struct node node; /* what is moved, as it was found */
};

/* Begin the update: the node is still there, and has lost its old name. */
static int begin(struct move *move, struct update *update)
{
	struct node node;
	uint64_t id;
	int r = update_begin(move->store, update);

	if (r == 0)
		r = node_find(update->txn, move->parent, move->name,
			      strlen(move->name), &node);
	if (r < 0)
		return r;
	if (node.id != move->node.id ||
	    node.record.kind != move->node.record.kind)
		return -ERESTART;
	if (!move->replace &&
	    names_get(update->txn, move->new_parent, move->new_name,
		      strlen(move->new_name), &id) == 0)
		return -EEXIST;
	/* What it is by now: others may have set its owner or its size. */
	move->node = node;
	move->node.record.name = move->node.name;
	return update_detach(update, &move->node);
}

static void take_owner(struct record *record, const struct node *node)
{
	record->mode = node->record.mode;
	record->uid = node->record.uid;
	record->gid = node->record.gid;
}

static int publish(struct move *move, struct record *ret_record)
{
	SCOPED_FD int fd = draft_open_file(move->store, move->node.id);
	SCOPED_PUBLICATION struct publication publication = PUBLICATION_NONE;
	SCOPED_UPDATE struct update update = {.store = NULL};
	int r;

	if (fd < 0)
		return fd;
	r = publication_from_draft(&publication, move->store, move->node.id, fd,
				   move->new_parent, move->new_name);
	if (r == 0)
		r = begin(move, &update);
	if (r < 0)
		return r;
	take_owner(&publication.record, &move->node);
	r = publish_insert(&update, move->new_parent, move->new_name,
			   move->node.id, &publication.encoder,
			   &publication.record);
	if (r == 0)
		r = update_drop_bytes(&update, move->node.id,
				      &move->node.record);
	if (r == 0)
		r = update_commit(&update);
	if (r < 0)
		return r;
	r = durable_published(&publication.encoder);
	if (r < 0)
		return r;
	figures_add(move->store->figures, move->new_parent,
		    publication.record.size);
	*ret_record = publication.record;
	return 0;
}

static int unpublish(struct move *move, struct record *ret_record)
{
	SCOPED_FD int fd = draft_create_file(move->store, move->node.id);
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct record record = {.kind = CUBBY_PLAIN, .name = ""};
	struct stat file = {.st_size = 0};
	int r;

	/* Another process is at it, or died at it. */
	if (fd < 0)
		return fd == -EEXIST ? -EBUSY : fd;
	r = draft_load(move->store, move->node.id, fd);
	if (r == 0)
		r = durable_draft(move->store, fd);
	if (r == 0)
		r = sys_fstat(fd, &file);
	record.stored_size = (uint64_t)file.st_blocks * 512;
	if (r == 0)
		r = begin(move, &update);
	take_owner(&record, &move->node);
	record.mtime_ns = move->node.record.mtime_ns;
	if (r == 0)
		r = update_drop_bytes(&update, move->node.id,
				      &move->node.record);
	if (r == 0)
		r = update_insert(&update, move->new_parent, move->new_name,
				  strlen(move->new_name), move->node.id,
				  &record);
	if (r == 0)
		r = update_commit(&update);
	if (r < 0) {
		draft_delete_file(move->store, move->node.id);
		return r;
	}
	*ret_record = record;
	return durable_verify(move->store);
}

/* A directory stays in its group, as its entries are in the list of that: who
 * moves it has to copy, as between disks. */
static int verify_group(const struct move *move, struct update *update)
{
	uint64_t from = 0;
	uint64_t to = 0;
	int r = update_group(update, move->parent, &from);

	if (r == 0)
		r = update_group(update, move->new_parent, &to);
	return r < 0 ? r : from == to ? 0 : -EXDEV;
}

/* Nor does it go to where its entries have to hash to their names, unless they
 * had to before: nobody has checked them. */
static int verify_rule(const struct move *move, struct update *update)
{
	enum cubby_content from;
	enum cubby_content to = CUBBY_CONTENT_NONE;
	int r = digest_rule(update->txn, move->node.id, &from);

	if (r == 0)
		r = digest_rule(update->txn, move->new_parent, &to);
	if (r < 0 || from == to || to == CUBBY_CONTENT_NONE)
		return r;
	return -EXDEV;
}

static int move_node(struct move *move, struct record *ret_record)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	int r = begin(move, &update);

	if (r == 0 && move->node.record.kind == CUBBY_DIRECTORY) {
		r = walk_is_above(update.txn, move->node.id, move->new_parent);
		if (r > 0)
			r = -EINVAL;
		if (r == 0)
			r = verify_group(move, &update);
		if (r == 0)
			r = verify_rule(move, &update);
	}
	if (r == 0)
		r = update_insert(&update, move->new_parent, move->new_name,
				  strlen(move->new_name), move->node.id,
				  &move->node.record);
	if (r == 0)
		r = update_commit(&update);
	if (r == 0)
		*ret_record = move->node.record;
	return r < 0 ? r : durable_verify(move->store);
}

/* An entry that gets another name, or another directory: may it? */
static int verify_content(struct move *move)
{
	SCOPED_DIGEST struct digest digest = {.builder = NULL};
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = index_read(move->store->index, &txn);

	if (r == 0)
		r = digest_begin(&digest, txn, move->new_parent,
				 move->new_name);
	index_end(TAKE(txn));
	if (r < 0 || !digest.builder)
		return r;
	r = reader_verify(move->store, move->node.id, &digest);
	if (r < 0)
		return r;
	r = digest_verify(&digest);
	if (r == -EBADMSG)
		figures_refuse(move->store->figures);
	return r;
}

static int find(struct move *move)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = index_read(move->store->index, &txn);

	return r < 0 ? r
		     : node_find(txn, move->parent, move->name,
				 strlen(move->name), &move->node);
}

static int rename_found(struct move *move, struct record *ret_record)
{
	const bool to_entry = name_is_entry(move->new_name);
	int r = 0;

	if (move->node.record.kind == CUBBY_PLAIN && to_entry)
		return publish(move, ret_record);
	if (move->node.record.kind == CUBBY_ENTRY && !to_entry)
		return unpublish(move, ret_record);
	if (move->node.record.kind == CUBBY_ENTRY)
		r = verify_content(move);
	return r < 0 ? r : move_node(move, ret_record);
}

static int rename_once(struct move *move, struct record *ret_record)
{
	uint64_t id;
	int r = find(move);

	if (r < 0)
		return r;
	if (move->parent == move->new_parent &&
	    strcmp(move->name, move->new_name) == 0) {
		*ret_record = move->node.record;
		return move->replace ? 0 : -EEXIST;
	}
	id = move->node.id;
	r = rename_found(move, ret_record);
	/* What has been replaced meanwhile has no bytes any more. */
	if (r == -ENOENT && find(move) == 0 && move->node.id != id)
		return -ERESTART;
	return r;
}

int cubby_rename(struct cubby *store, uint64_t parent, const char *name,
		 uint64_t new_parent, const char *new_name, unsigned flags,
		 struct cubby_attr *ret_attr)
{
	struct move move = {
		.store = store,
		.parent = parent,
		.name = name,
		.new_parent = new_parent,
		.new_name = new_name,
		.replace = !(flags & CUBBY_RENAME_NOREPLACE),
	};
	struct record record;
	int r = store_verify_writable(store);

	if (flags & ~(unsigned)CUBBY_RENAME_NOREPLACE)
		return -EINVAL;
	if (r == 0)
		r = name_verify(name, strlen(name));
	if (r == 0)
		r = name_verify(new_name, strlen(new_name));
	if (r < 0)
		return r;
	do
		r = rename_once(&move, &record);
	while (r == -ERESTART);
	/* Not for an entry: it might be what goes. */
	if (r < 0 && move.node.record.kind == CUBBY_PLAIN &&
	    room_was_made(store, r, FRAME_SIZE))
		do
			r = rename_once(&move, &record);
		while (r == -ERESTART);
	if (r == 0)
		tree_attr(store, move.node.id, &record, ret_attr);
	return r;
}
