/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "store/durable.h"
#include "store/node.h"
#include "store/update.h"
#include "sys/sys.h"

static int sync_directory(struct cubby *store, const char *path)
{
	SCOPED_FD int fd =
		sys_open(store->dir_fd, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : sys_fsync(fd);
}

/* The directory of a blob may have been made by anybody a moment ago, so each
 * handle has its name put on the disk once. */
static int sync_shard(struct cubby *store, uint64_t id)
{
	_Atomic(bool) *is_known = &store->is_shard_synced[layout_shard(id)];
	char path[LAYOUT_PATH_SIZE];
	int r;

	layout_blob_directory(id, path);
	r = sync_directory(store, path);
	if (r < 0 || atomic_load(is_known))
		return r;
	r = sync_directory(store, LAYOUT_BLOBS);
	if (r == 0)
		atomic_store(is_known, true);
	return r;
}

/* -EIO whatever it was: a full disk would have the add tried again. */
int durable_blob(struct cubby *store, uint64_t id, int fd)
{
	int r;

	if (!store->is_durable)
		return 0;
	r = sys_fsync(fd);
	if (r == 0)
		r = sync_shard(store, id);
	return r < 0 ? -EIO : 0;
}

int durable_draft(struct cubby *store, int fd)
{
	int r;

	if (!store->is_durable)
		return 0;
	r = sys_fsync(fd);
	return r < 0 ? r : sync_directory(store, LAYOUT_DRAFTS);
}

/* -EIO, too: a rename that has been committed would be tried again. */
int durable_verify(struct cubby *store)
{
	int r = store->is_durable ? index_verify_durable(store->index) : 0;

	return r < 0 ? -EIO : 0;
}

static int take_away(struct cubby *store, uint64_t id)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct node node;
	uint64_t named = 0;
	int r = update_begin(store, &update);

	if (r == 0)
		r = node_get(update.txn, id, &node);
	if (r == 0)
		r = names_get(update.txn, node.record.parent, node.name,
			      node.record.name_size, &named);
	/* Replaced, renamed, or deleted by somebody since. */
	if (r == -ENOENT || (r == 0 && named != id))
		return 0;
	if (r == 0)
		r = update_remove(&update, &node);
	return r < 0 ? r : update_commit(&update);
}

int durable_published(struct encoder *encoder)
{
	int r = durable_verify(encoder->store);

	encoder->is_published =
		r == 0 || take_away(encoder->store, encoder->id) < 0;
	return r;
}

int cubby_sync_names(struct cubby *store)
{
	int r = store_verify_writable(store);

	if (r == 0)
		r = sync_directory(store, LAYOUT_DRAFTS);
	return r < 0 ? r : index_sync(store->index);
}
