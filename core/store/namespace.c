/* SPDX-License-Identifier: MIT */
/*
 * The cache interface: get, add, delete in a directory that is known by its
 * path.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"
#include "index/addressed.h"
#include "store/durable.h"
#include "store/figures.h"
#include "store/namespace.h"
#include "store/node.h"
#include "store/publish.h"
#include "store/quarantine.h"
#include "store/reader.h"
#include "store/room.h"
#include "store/tree.h"
#include "store/walk.h"
#include "sys/sys.h"

int cubby_ns_open(struct cubby *store, const char *path,
		  struct cubby_ns **ret_ns)
{
	struct cubby_ns *ns;
	int r = store_verify_process(store);

	if (r == 0)
		r = walk_verify(path);
	if (r < 0)
		return r;
	ns = calloc(1, sizeof(*ns));
	if (ns)
		ns->path = strdup(path);
	if (!ns || !ns->path) {
		free(ns);
		return -ENOMEM;
	}
	ns->store = store;
	*ret_ns = ns;
	return 0;
}

void cubby_ns_close(struct cubby_ns *ns)
{
	if (!ns)
		return;
	free(ns->path);
	free(ns);
}

int namespace_verify(const struct cubby_ns *ns, const char *name)
{
	int r = store_verify_process(ns->store);

	if (r < 0)
		return r;
	return name_is_entry(name) ? 0 : -EINVAL;
}

/* The entry of that name, in a directory. What is no entry is none. */
static int find_below(struct index_txn *txn, uint64_t directory,
		      const char *name, struct node *ret_node)
{
	int r = node_find(txn, directory, name, strlen(name), ret_node);

	if (r == 0 && ret_node->record.kind != CUBBY_ENTRY)
		r = -ENOENT;
	return r == -ENOTDIR ? -ENOENT : r;
}

/* The directory of the namespace; -ENOENT when it does not exist. */
static int find_directory(struct index_txn *txn, struct cubby_ns *ns,
			  uint64_t *ret_directory)
{
	const uint64_t version = index_seen_version(txn);
	struct hot *hot = &ns->store->hot;
	uint64_t directory = hot_find_place(hot, &ns->place, version);
	int r = 0;

	if (directory == 0) {
		r = walk_find(txn, ns->path, &directory);
		if (r == 0)
			hot_put_place(hot, &ns->place, directory, version);
	}
	if (r == 0)
		*ret_directory = directory;
	return r == -ENOTDIR ? -ENOENT : r;
}

/* `*ret_directory` is left alone when the namespace does not exist. The caller
 * ends the transaction. */
static int find_in(struct index_txn **ret_txn, struct cubby_ns *ns,
		   const char *name, uint64_t *ret_directory,
		   struct node *ret_node)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = index_read(ns->store->index, &txn);

	if (r == 0)
		r = find_directory(txn, ns, ret_directory);
	if (r == 0)
		r = find_below(txn, *ret_directory, name, ret_node);
	if (r == 0)
		*ret_txn = TAKE(txn);
	index_end(TAKE(txn));
	if (r == -EBADMSG && *ret_directory != 0)
		quarantine_name(ns->store, *ret_directory, name);
	return r;
}

static int find(struct cubby_ns *ns, const char *name, uint64_t *ret_directory,
		struct node *ret_node)
{
	SCOPED_TXN struct index_txn *txn = NULL;

	return find_in(&txn, ns, name, ret_directory, ret_node);
}

/* Open what was got lately. What has been damaged in memory is looked for in
 * the index. */
static bool open_hot(struct cubby *store, struct hot_entry *entry,
		     struct cubby_reader **ret_reader)
{
	return reader_open_content(store, entry->id, TAKE(entry->content),
				   entry->size, &entry->check, ret_reader) == 0;
}

/* Open what the index has; `*txn` ends. Returns as reader_open_found(). */
static int open_found(struct cubby_ns *ns, const char *name,
		      const struct node *node, struct index_txn **txn,
		      struct cubby_reader **ret_reader,
		      struct hot_entry *ret_entry)
{
	const struct record *record = &node->record;
	const bool may_be_hot =
		record->place == PLACE_INDEX && record->size <= HOT_SIZE_MAX;
	const uint64_t version = index_seen_version(*txn);
	struct hot_entry entry = {.id = node->id,
				  .directory = record->parent,
				  .used_ns = record->used_ns,
				  .size = (size_t)record->size};
	struct hot *hot = &ns->store->hot;
	const uint8_t *content = NULL;
	int r;

	*ret_entry = entry;
	if (may_be_hot && hot_get_node(hot, version, name, &entry) &&
	    open_hot(ns->store, &entry, ret_reader)) {
		index_end(TAKE(*txn));
		return 0;
	}
	r = reader_open_found(ns->store, node->id, txn, record, ret_reader);
	if (r == 0 && may_be_hot && hot_is_wanted(hot, record->parent, name))
		content = reader_decode_whole(*ret_reader, &entry.check);
	if (content)
		hot_put(hot, version, name, &entry, content);
	return r;
}

/* Find it in the index, and open it. */
static int get_found(struct cubby_ns *ns, const char *name,
		     struct cubby_reader **ret_reader,
		     struct hot_entry *ret_entry)
{
	struct node node;
	int r;

	/* The node may be replaced and purged between finding and opening;
	 * every round means that somebody else has made progress. */
	do {
		SCOPED_TXN struct index_txn *txn = NULL;
		uint64_t directory = 0;

		r = find_in(&txn, ns, name, &directory, &node);
		if (r == -ENOENT)
			figures_miss(ns->store->figures, directory, name);
		if (r < 0)
			return r;
		r = open_found(ns, name, &node, &txn, ret_reader, ret_entry);
	} while (r == -ENOENT || r == -EINVAL);
	return r;
}

int cubby_get_name(struct cubby_ns *ns, const char *name,
		   struct cubby_reader **ret_reader)
{
	struct hot_entry entry;
	int r = namespace_verify(ns, name);

	if (r < 0)
		return r;
	if (!hot_get(&ns->store->hot, &ns->place,
		     index_version(ns->store->index), name, &entry) ||
	    !open_hot(ns->store, &entry, ret_reader))
		r = get_found(ns, name, ret_reader, &entry);
	if (r == 0) {
		figures_hit(ns->store->figures, entry.directory, entry.size);
		uses_note(ns->store, entry.id, entry.used_ns);
	}
	return r;
}

int cubby_get(struct cubby_ns *ns, const struct cubby_key *key,
	      struct cubby_reader **ret_reader)
{
	char name[CUBBY_KEY_TEXT_SIZE];

	cubby_key_format(key, name);
	return cubby_get_name(ns, name, ret_reader);
}

int cubby_stat_name(struct cubby_ns *ns, const char *name,
		    struct cubby_attr *ret_attr)
{
	uint64_t directory = 0;
	struct node node;
	int r = namespace_verify(ns, name);

	if (r == 0)
		r = find(ns, name, &directory, &node);
	if (r == 0)
		*ret_attr = record_attr(node.id, &node.record);
	return r;
}

int cubby_stat(struct cubby_ns *ns, const struct cubby_key *key,
	       struct cubby_attr *ret_attr)
{
	char name[CUBBY_KEY_TEXT_SIZE];

	cubby_key_format(key, name);
	return cubby_stat_name(ns, name, ret_attr);
}

/* A name that leads to what is no entry of this version can go, too: what it
 * led to stays. */
static int remove_entry(struct update *update, const struct cubby_ns *ns,
			const char *name, uint64_t *ret_directory)
{
	struct node node;
	int r;

	*ret_directory = 0;
	r = walk_find(update->txn, ns->path, ret_directory);
	if (r == 0)
		r = find_below(update->txn, *ret_directory, name, &node);
	if (r == -ENOTDIR)
		return -ENOENT;
	if (r == -EPROTONOSUPPORT && *ret_directory != 0)
		return names_delete(update->txn, *ret_directory, name,
				    strlen(name));
	return r < 0 ? r : update_remove(update, &node);
}

int cubby_delete_name(struct cubby_ns *ns, const char *name)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	uint64_t directory = 0;
	struct node node;
	int r = namespace_verify(ns, name);

	if (r == 0)
		r = store_verify_writable(ns->store);
	/* Without the lock of the writers first: most often it is a miss. */
	if (r == 0)
		r = find(ns, name, &directory, &node);
	if (r == 0 || r == -EPROTONOSUPPORT)
		r = update_begin(ns->store, &update);
	if (r == 0)
		r = remove_entry(&update, ns, name, &directory);
	if (r == 0)
		r = update_commit(&update);
	if (r == 0) {
		figures_delete(ns->store->figures, directory);
		r = durable_verify(ns->store);
	}
	return r == -ENOENT ? 0 : r;
}

int cubby_delete(struct cubby_ns *ns, const struct cubby_key *key)
{
	char name[CUBBY_KEY_TEXT_SIZE];

	cubby_key_format(key, name);
	return cubby_delete_name(ns, name);
}

static int insert(struct cubby_ns *ns, const char *name,
		  const struct encoder *encoder, const struct record *record)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct walk_ids ids = {.ids = NULL};
	uint64_t directory;
	int r = walk_new_ids(ns->store, ns->path, &ids);

	if (r == 0)
		r = update_begin(ns->store, &update);
	if (r == 0)
		r = walk_make(&update, ns->path, &ids, &directory);
	if (r == 0)
		r = publish_insert(&update, directory, name, encoder->id,
				   encoder, record);
	if (r == 0)
		r = update_commit(&update);
	if (r == 0)
		figures_add(ns->store->figures, directory, record->size);
	free(ids.ids);
	return r;
}

int namespace_begin_digest(struct cubby_ns *ns, const char *name,
			   struct digest *digest)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint64_t directory;
	int r = index_read(ns->store->index, &txn);

	if (r == 0)
		r = addressed_exist(txn);
	if (r <= 0)
		return r;
	/* What is wrong with the path is said when the entry is published. */
	if (walk_nearest(txn, ns->path, &directory) < 0)
		return 0;
	return digest_begin(digest, txn, directory, name);
}

int namespace_publish(struct cubby_ns *ns, const char *name,
		      struct encoder *encoder)
{
	const struct origin origin = {.path = ns->path, .name = name};
	struct record record;
	bool retried = false;
	int r = encoder_finish(encoder, &origin, &record);

	if (r < 0)
		return r;
	record.mode = 0644;
	record.uid = sys_uid();
	record.gid = sys_gid();
	record.name = "";
	/* Again when directories were deleted between count and update. */
	do
		r = insert(ns, name, encoder, &record);
	while (r == -ERESTART ||
	       (!retried &&
		(retried = room_was_made(ns->store, r, encoder->stored_size))));
	if (r == -EFBIG && encoder->reserved > 0) {
		/* For a limit. Compressed, it may be less. */
		r = encoder_compress_now(encoder);
		return r < 0 ? r : namespace_publish(ns, name, encoder);
	}
	return r < 0 ? r : durable_published(encoder);
}
