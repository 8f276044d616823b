/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "index/nodes.h"
#include "store/figures.h"
#include "store/layout.h"
#include "store/quarantine.h"
#include "store/update.h"
#include "sys/sys.h"

enum {
	FILES_MAX = 64,
	FILE_SIZE_MAX = 16 * 1024 * 1024,
};

static void keep_small(struct update *update, uint64_t id,
		       const struct record *record, const char *target)
{
	const size_t size = (size_t)record->stored_size;
	SCOPED_FREE uint8_t *data = NULL;

	if (record->stored_size > SMALL_BYTES_MAX)
		return;
	data = malloc(size + 1);
	if (data && small_get(update->txn, id, data, size) == 0) {
		SCOPED_FD int fd =
			sys_create_new(update->store->dir_fd, target, O_WRONLY);

		if (fd >= 0)
			IGNORE(sys_pwrite(fd, data, size, 0)); /* best effort */
	}
}

/* Keep the damaged bytes, if there is room for them. */
static void keep(struct update *update, uint64_t id,
		 const struct record *record)
{
	const int dir_fd = update->store->dir_fd;
	char blob[LAYOUT_PATH_SIZE];
	char target[LAYOUT_PATH_SIZE];

	if (record->stored_size > FILE_SIZE_MAX ||
	    sys_count_names(dir_fd, LAYOUT_QUARANTINE, FILES_MAX) >= FILES_MAX)
		return;
	layout_quarantine(id, target);
	if (record->place == PLACE_INDEX) {
		keep_small(update, id, record, target);
		return;
	}
	layout_blob(id, record->codec, blob);
	IGNORE(sys_rename(dir_fd, blob, target)); /* it may be gone */
}

/* The entry `id`, if this very node still has its name and the bytes that were
 * seen: a good one may have replaced it meanwhile, or its bytes may have been
 * compressed. Returns 0, or -ENOENT. */
static int find(struct update *update, uint64_t id, const struct record *seen,
		struct node *ret_node)
{
	uint64_t found = 0;
	int r = node_get(update->txn, id, ret_node);

	if (r == 0 && (ret_node->record.kind != CUBBY_ENTRY ||
		       !check_equal(&ret_node->record.check, &seen->check)))
		return -ENOENT;
	if (r == 0)
		r = names_get(update->txn, ret_node->record.parent,
			      ret_node->name, ret_node->record.name_size,
			      &found);
	return r == 0 && found != id ? -ENOENT : r;
}

/* Commit, if `r` is 0, and count what was in the directory `parent`. When that
 * fails the next reader tries again. */
static void commit(struct update *update, uint64_t parent, int r)
{
	struct figures *figures = update->store->figures;

	update->totals.quarantined++;
	if (r == 0 && update_commit(update) == 0)
		figures_corrupt(figures, parent);
}

void quarantine_entry(struct cubby *store, uint64_t id,
		      const struct record *seen)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct node node;
	int r = update_begin(store, &update);

	if (r == 0)
		r = find(&update, id, seen, &node);
	if (r < 0)
		return;
	keep(&update, id, &node.record);
	r = update_remove(&update, &node);
	commit(&update, node.record.parent, r);
}

int quarantine_lost(struct cubby *store, uint64_t id, const struct record *seen)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct node node;
	int r = update_begin(store, &update);

	if (r == 0)
		r = find(&update, id, seen, &node);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = update_remove(&update, &node);
	return r < 0 ? r : update_commit(&update);
}

void quarantine_name(struct cubby *store, uint64_t parent, const char *name)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	const size_t size = strlen(name);
	struct node node;
	int r = update_begin(store, &update);

	if (r == 0)
		r = node_find(update.txn, parent, name, size, &node);
	if (r != -EBADMSG)
		return;
	r = names_delete(update.txn, parent, name, size);
	commit(&update, parent, r);
}
