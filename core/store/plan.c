/* SPDX-License-Identifier: MIT */
/*
 * The choice is made by what evicts, not by a copy of it, as what the index
 * takes is known only when the rows have gone. Ids are kept, and their paths
 * looked for when the update is dropped: nobody waits for who is told of them.
 *
 * So what is listed fits into one transaction. More of them would have LMDB
 * write pages before it knows that they are dropped, and its file never becomes
 * shorter.
 */
#include "store/plan.h"

#include <errno.h>

#include "base/base.h"
#include "index/nodes.h"
#include "store/room.h"
#include "store/update.h"
#include "store/walk.h"

void plan_add(struct plan *plan, uint64_t id, uint64_t disk_bytes)
{
	plan->freed += disk_bytes;
	if (plan->count < ARRAY_SIZE(plan->ids))
		plan->ids[plan->count++] = id;
}

/* What cubby_trim() does, without its commits. */
static int make_plan(struct cubby *store, struct plan *plan)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	uint64_t last;
	int r = update_begin(store, &update);

	if (r < 0)
		return r;
	update.plan = plan;
	do {
		last = update.evicted;
		r = room_make(&update);
	} while (r == 0 && update.evicted > last &&
		 plan->count < ARRAY_SIZE(plan->ids));
	return r;
}

static int find(struct cubby *store, uint64_t id, struct cubby_attr *ret_attr,
		char ret_path[CUBBY_PATH_MAX + 1])
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct record record;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = nodes_get(txn, id, &record);
	if (r == 0)
		r = walk_path(txn, id, ret_path);
	if (r == 0)
		*ret_attr = record_attr(id, &record);
	return r;
}

int cubby_list_trim(struct cubby *store, cubby_list_fn *fn, void *cookie)
{
	SCOPED_FREE struct plan *plan = calloc(1, sizeof(*plan));
	char path[CUBBY_PATH_MAX + 1];
	struct cubby_attr attr;
	int r;

	if (!plan)
		return -ENOMEM;
	r = make_plan(store, plan);
	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		r = find(store, plan->ids[i], &attr, path);
		if (r == 0)
			r = fn(cookie, path, &attr);
		else if (node_is_lost(r))
			r = 0; /* it has gone meanwhile */
	}
	return r;
}
