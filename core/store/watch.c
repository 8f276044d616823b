/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/displaced.h"
#include "index/held.h"
#include "index/nodes.h"
#include "store/coldest.h"
#include "store/draft.h"
#include "store/figures.h"
#include "store/purge.h"
#include "store/room.h"
#include "store/update.h"
#include "sys/sys.h"

/* So many are told before they may be purged. */
enum {
	TELL_BATCH = 128,
	COLD_MAX = 1024, /* in one call */
	COLD_SHARE = 16, /* of the limit */
};
static const int64_t upkeep_interval_ns = 1000 * 1000 * 1000;
static const int64_t look_interval_ns = INT64_C(10) * 1000 * 1000 * 1000;

struct cubby_watch {
	struct cubby *store;
	int fd; /* holds the lock that shows that this watch lives */
	uint32_t slot;
	uint64_t told;	  /* all displaced nodes below have been told */
	uint64_t version; /* of the index, when all was told */
	struct held *held;
	int64_t upkeep_ns; /* when upkeep() was done last, and the look */
	int64_t look_ns;   /* at limits that nobody's change has to do with */
	uint64_t upkeep_version; /* of the index then */
	uint64_t upkeep_pending;
	uint64_t cold_version; /* of the index at the last cubby_watch_cold() */
	_Atomic(uint64_t) pending;
};

struct told_node {
	uint64_t id;
	uint64_t parent;
	char name[CUBBY_NAME_MAX + 1];
};

struct telling {
	size_t count;
	uint64_t next;
	struct told_node nodes[TELL_BATCH];
};

/* What has been told, below `next`, may go as far as this watch is concerned.
 * Returns 1 when it has not all gone yet, 0, or an error. */
static int purge_told(struct cubby_watch *watch, uint64_t next)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	int left = 0;
	int r = update_begin(watch->store, &update);

	if (r == 0)
		r = watches_set(update.txn, watch->slot, next);
	if (r == 0)
		r = left = purge(&update);
	if (r >= 0)
		r = update_commit(&update);
	if (r < 0)
		return r;
	watch->told = next;
	return left;
}

int cubby_watch_new(struct cubby *store, struct cubby_watch **ret_watch)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	SCOPED_FREE struct cubby_watch *watch = calloc(1, sizeof(*watch));
	bool has_displaced;
	int r;

	if (!watch)
		return -ENOMEM;
	watch->store = store;
	watch->fd = -1;
	r = update_begin(store, &update);
	if (r < 0)
		return r;
	watch->told = update.totals.displaced_next;
	has_displaced = update.totals.displaced > 0;
	r = watches_add(update.txn, watch->told, &watch->fd, &watch->slot);
	if (r == 0)
		r = held_open(update.txn, watch->slot, &watch->held);
	if (r == 0)
		r = update_commit(&update);
	if (r < 0) {
		held_close(watch->held);
		sys_close(&watch->fd);
		return r;
	}
	/* Who presents the tree makes the drafts, so it also clears them up. */
	draft_sweep(store);
	/* And of what dead watches have left as much as does not take long: it
	 * may die itself before the first poll. */
	if (has_displaced)
		IGNORE(purge_told(watch, watch->told));
	*ret_watch = TAKE(watch);
	return 0;
}

static int collect(void *cookie, uint64_t number, uint64_t id, uint64_t parent,
		   const char *name, size_t name_size)
{
	struct telling *telling = cookie;
	struct told_node *node;

	if (telling->count == TELL_BATCH)
		return 1;
	node = &telling->nodes[telling->count++];
	node->id = id;
	node->parent = parent;
	memcpy(node->name, name, name_size);
	node->name[name_size] = '\0';
	telling->next = number + 1;
	return 0;
}

/* What is new, and is there anything that waits to be purged? */
static int look(struct cubby_watch *watch, struct telling *telling,
		uint64_t *ret_displaced)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct totals totals = {0};
	int r = index_read(watch->store->index, &txn);

	telling->count = 0;
	telling->next = watch->told;
	if (r == 0)
		r = totals_get(txn, &totals);
	if (r == 0 && totals.displaced > 0)
		r = displaced_scan(txn, watch->told, collect, telling);
	if (r < 0)
		return r;
	*ret_displaced = totals.displaced;
	return 0;
}

/* May anything be over a limit now that was not when this was asked last? Time
 * and the disk move without a change of the store. An idle mount takes no lock.
 */
static int has_moved(struct cubby_watch *watch, int64_t now)
{
	const uint64_t version = index_version(watch->store->index);
	const uint64_t pending = atomic_load(&watch->pending);
	struct cubby_limits limits;
	bool moved = version != watch->upkeep_version ||
		     pending != watch->upkeep_pending;
	int r = cubby_get_limits(watch->store, &limits);

	if (r < 0)
		return r;
	if (now - watch->look_ns >= look_interval_ns &&
	    (limits.max_age_s || limits.min_free || limits.min_free_percent)) {
		watch->look_ns = now;
		moved = true;
	}
	watch->upkeep_version = version;
	watch->upkeep_pending = pending;
	return moved;
}

/* What an add would have to do otherwise. */
static int upkeep(struct cubby_watch *watch)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct cubby *store = watch->store;
	const int64_t now = sys_now_ns();
	int r;

	if (now - watch->upkeep_ns < upkeep_interval_ns)
		return 0;
	watch->upkeep_ns = now;
	r = uses_flush(store, false);
	if (r == 0)
		r = has_moved(watch, now);
	if (r <= 0)
		return r;
	r = update_begin(store, &update);
	if (r == 0)
		r = room_make(&update);
	if (r == 0)
		r = room_sample(&update);
	if (r < 0)
		return r;
	figures_set_scale(store->figures, update.limits.max_size,
			  &update.totals);
	return update.evicted > 0 ? update_commit(&update) : 0;
}

int cubby_watch_poll(struct cubby_watch *watch, cubby_displaced_fn *fn,
		     void *cookie)
{
	SCOPED_FREE struct telling *telling = NULL;
	struct purged purged = {.nodes = 0};
	uint64_t version;
	uint64_t displaced;
	int r = store_verify_writable(watch->store);

	if (r < 0)
		return r;
	r = upkeep(watch);
	if (r < 0)
		return r;
	version = index_version(watch->store->index);
	if (version == watch->version)
		return 0;
	telling = malloc(sizeof(*telling));
	if (!telling)
		return -ENOMEM;
	do {
		r = look(watch, telling, &displaced);
		for (size_t i = 0; r == 0 && i < telling->count; i++)
			fn(cookie, telling->nodes[i].id,
			   telling->nodes[i].parent, telling->nodes[i].name);
		/* Also without news: another watch may have died. */
		if (r == 0 && displaced > 0)
			r = purge_told(watch, telling->next);
		if (r > 0)
			r = purge_all(watch->store, &purged);
	} while (r == 0 && telling->count == TELL_BATCH);
	/* The one from before: what came meanwhile is for the next call. */
	if (r == 0)
		watch->version = version;
	return r;
}

/* ---------------------------------------------------------------- holding */

void cubby_watch_hold(struct cubby_watch *watch, uint64_t id)
{
	held_add(watch->held, id);
}

void cubby_watch_release(struct cubby_watch *watch, uint64_t id)
{
	held_drop(watch->held, id);
}

void cubby_watch_set_pending(struct cubby_watch *watch, uint64_t bytes)
{
	atomic_store(&watch->pending, bytes);
	held_set_pending(watch->held, bytes);
}

int cubby_watch_settle(struct cubby_watch *watch)
{
	int r = store_verify_process(watch->store);

	return r < 0 ? r : held_settle(watch->held, watch->store->index);
}

int cubby_watch_confirm(struct cubby_watch *watch, uint64_t parent,
			const char *name, uint64_t id)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint64_t found;
	int r = cubby_watch_settle(watch);

	if (r == 0)
		r = index_read(watch->store->index, &txn);
	if (r == 0)
		r = names_get(txn, parent, name, strlen(name), &found);
	if (r == -ENOENT || (r == 0 && found != id))
		return -ESTALE;
	return r;
}

struct cold {
	size_t count;
	struct told_node nodes[COLD_MAX];
};

/* Collect what is held of what would go next. */
static int look_cold(struct cubby_watch *watch, struct cold *cold)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct cubby_limits limits = {0};
	struct coldest coldest;
	struct totals totals = {0};
	struct recent row;
	struct record record;
	uint64_t bytes = 0;
	int r = index_read(watch->store->index, &txn);

	if (r == 0)
		r = limits_get(txn, &limits);
	if (r == 0)
		r = totals_get(txn, &totals);
	if (r < 0 ||
	    totals.disk_bytes + index_file_bytes(watch->store->index) <
		    limits.max_size - limits.max_size / COLD_SHARE * 2 ||
	    limits.max_size == 0)
		return r;
	r = coldest_begin(&coldest, txn);
	for (int i = 0;
	     r == 0 && i < COLD_MAX && bytes < limits.max_size / COLD_SHARE;
	     i++) {
		r = coldest_next(&coldest, false, &row);
		if (r == 0)
			r = nodes_get(txn, row.id, &record);
		if (r < 0)
			break;
		bytes += update_cost(&record);
		if (held_has(watch->held, row.id)) {
			struct told_node *node = &cold->nodes[cold->count++];

			node->id = row.id;
			node->parent = record.parent;
			memcpy(node->name, record.name, record.name_size);
			node->name[record.name_size] = '\0';
		}
	}
	return r == -ENOENT ? 0 : r;
}

int cubby_watch_cold(struct cubby_watch *watch, cubby_cold_fn *fn, void *cookie)
{
	SCOPED_FREE struct cold *cold = NULL;
	const uint64_t version = index_version(watch->store->index);
	int r = store_verify_process(watch->store);

	/* Only who adds evicts. */
	if (r < 0 || version == watch->cold_version)
		return r;
	cold = malloc(sizeof(*cold));
	if (!cold)
		return -ENOMEM;
	watch->cold_version = version;
	cold->count = 0;
	r = look_cold(watch, cold);
	for (size_t i = 0; r == 0 && i < cold->count; i++)
		fn(cookie, cold->nodes[i].id, cold->nodes[i].parent,
		   cold->nodes[i].name);
	return r;
}

void cubby_watch_close(struct cubby_watch *watch)
{
	if (!watch)
		return;
	if (store_verify_process(watch->store) == 0) {
		SCOPED_UPDATE struct update update = {.store = NULL};
		struct purged purged = {.nodes = 0};
		int r = update_begin(watch->store, &update);

		if (r == 0)
			r = watches_delete(update.txn, watch->slot);
		if (r == 0)
			r = purge(&update);
		/* Otherwise the freed lock says the same. */
		if (r >= 0)
			IGNORE(update_commit(&update));
		if (r > 0)
			IGNORE(purge_all(watch->store, &purged));
	}
	held_close(watch->held);
	sys_close(&watch->fd);
	free(watch);
}
