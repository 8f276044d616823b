/* SPDX-License-Identifier: MIT */
#include "store/purge.h"

#include <errno.h>

#include "base/base.h"
#include "index/displaced.h"
#include "index/nodes.h"
#include "store/node.h"

/* So many go with one transaction, so that none takes long. */
enum { PURGE_BATCH = 256 };

int purge_node(struct update *update, uint64_t id)
{
	struct record record;
	int r = nodes_get(update->txn, id, &record);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = update_drop_bytes(update, id, &record);
	else if (node_is_lost(r))
		r = 0; /* nobody knows where its bytes are */
	return r < 0 ? r : nodes_delete(update->txn, id);
}

/* The same for one that was displaced; an id of 0 is no node. */
static int purge_displaced(struct update *update, uint64_t id)
{
	struct record record;
	int r = nodes_get(update->txn, id, &record);

	if (r == 0)
		update->totals.displaced_bytes -= record_disk_size(&record);
	return purge_node(update, id);
}

struct purging {
	uint64_t horizon;
	size_t count;
	bool is_full;
	uint64_t numbers[PURGE_BATCH];
	uint64_t ids[PURGE_BATCH];
};

static int collect(void *cookie, uint64_t number, uint64_t id, uint64_t parent,
		   const char *name, size_t name_size)
{
	struct purging *purging = cookie;

	(void)parent;
	(void)name;
	(void)name_size;
	if (number >= purging->horizon)
		return 1;
	if (purging->count == PURGE_BATCH) {
		purging->is_full = true;
		return 1;
	}
	purging->numbers[purging->count] = number;
	purging->ids[purging->count++] = id;
	return 0;
}

int purge(struct update *update)
{
	struct purging purging = {.count = 0};
	int r = watches_horizon(update->txn, update->totals.displaced_next,
				&purging.horizon);

	if (r < 0)
		return r;
	update->watched = r;
	r = displaced_scan(update->txn, 0, collect, &purging);
	if (r < 0)
		return r;
	for (size_t i = 0; i < purging.count; i++) {
		r = purge_displaced(update, purging.ids[i]);
		if (r == 0)
			r = displaced_delete(update->txn, purging.numbers[i]);
		if (r < 0)
			return r;
		update->totals.displaced--;
	}
	return purging.is_full;
}

/* Returns 1 when there are more, 0, or a negative errno. */
static int purge_some(struct cubby *store, struct purged *purged)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct totals before;
	int left = 0;
	int r = update_begin(store, &update);

	before = update.totals;
	if (r == 0)
		r = left = purge(&update);
	before.displaced -= update.totals.displaced;
	before.displaced_bytes -= update.totals.displaced_bytes;
	if (r < 0 || before.displaced == 0)
		return r;
	purged->nodes += before.displaced;
	purged->files += update.doomed_count;
	purged->bytes += before.displaced_bytes;
	r = update_commit(&update);
	return r < 0 ? r : left;
}

int purge_all(struct cubby *store, struct purged *purged)
{
	int r;

	do {
		r = purge_some(store, purged);
	} while (r > 0);
	return r;
}

struct counting {
	struct index_txn *txn;
	uint64_t horizon;
	struct purged *purged;
};

static int count_one(void *cookie, uint64_t number, uint64_t id,
		     uint64_t parent, const char *name, size_t name_size)
{
	struct counting *counting = cookie;
	struct record record;
	int r;

	(void)parent;
	(void)name;
	(void)name_size;
	if (number >= counting->horizon)
		return 1;
	counting->purged->nodes++;
	r = nodes_get(counting->txn, id, &record);
	if (r == -ENOENT || node_is_lost(r))
		return 0;
	if (r == 0) {
		counting->purged->files += record.kind == CUBBY_PLAIN ||
					   record.place == PLACE_BLOB;
		counting->purged->bytes += record_disk_size(&record);
	}
	return r;
}

int purge_count(struct cubby *store, struct purged *purged)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	SCOPED_TXN struct index_txn *txn = NULL;
	struct counting counting = {.purged = purged};
	int r = update_begin(store, &update);

	if (r == 0)
		r = watches_horizon(update.txn, update.totals.displaced_next,
				    &counting.horizon);
	/* Nobody has to wait while there may be many to look at. */
	update_end(&update);
	if (r >= 0)
		r = index_read(store->index, &txn);
	counting.txn = txn;
	if (r == 0)
		r = displaced_scan(txn, 0, count_one, &counting);
	return r < 0 ? r : 0;
}
