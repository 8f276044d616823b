/* SPDX-License-Identifier: MIT */
/*
 * What a row deleted cuts off, the next count finds: so it counts and deletes
 * until nothing is left but sums, and these it takes from the last count.
 */
#include "store/repair.h"

#include <errno.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/addressed.h"
#include "index/nodes.h"
#include "store/recount.h"

static int repair_node(struct update *update, uint64_t id)
{
	struct record record;
	int r = nodes_get(update->txn, id, &record);

	if (id == CUBBY_ROOT_ID)
		return nodes_put_root(update->txn);
	if (r == 0)
		r = update_drop_bytes(update, id, &record);
	else if (r == -EBADMSG)
		r = small_delete(update->txn, id); /* a file is for gc */
	if (r < 0 && r != -ENOENT)
		return r;
	return nodes_delete(update->txn, id);
}

static int repair_row(struct update *update, const struct issue *issue)
{
	struct index_txn *txn = update->txn;

	switch (issue->finding) {
	case CUBBY_FOUND_NAME:
		return names_delete(txn, issue->parent, issue->name,
				    issue->name_size);
	case CUBBY_FOUND_NODE:
		return repair_node(update, issue->id);
	case CUBBY_FOUND_USE:
		return issue->is_missing ? recent_put(txn, &issue->row)
					 : recent_delete(txn, &issue->row);
	case CUBBY_FOUND_BYTES:
		return small_delete(txn, issue->id);
	case CUBBY_FOUND_SETTINGS:
		return addressed_put(txn, NULL, 0);
	default:
		CHECK(issue->finding == CUBBY_FOUND_QUOTA);
		return group_delete(txn, issue->id);
	}
}

static int put_sums(struct update *update, const struct recount *recount)
{
	int r = 0;

	update->totals = recount->totals;
	for (size_t i = 0; r == 0 && i < recount->group_count; i++)
		r = group_put(update->txn, &recount->groups[i]);
	return r;
}

/* One count. Returns 1 when rows were put right, 0 when all is, -EBADMSG for
 * rows that no repair reaches, or another error. */
static int run_pass(struct update *update)
{
	SCOPED_RECOUNT struct recount recount = {.txn = NULL};
	bool is_found = false;
	bool is_changed = false;
	int r = recount_run(&recount, update->txn);

	for (size_t i = 0; r == 0 && i < recount.issue_count; i++) {
		if (recount.issues[i].is_sum)
			continue;
		is_found = true;
		r = repair_row(update, &recount.issues[i]);
		is_changed |= r == 0;
		/* Two findings of one row. */
		if (r == -ENOENT)
			r = 0;
	}
	if (r < 0 || is_changed)
		return r < 0 ? r : 1;
	return is_found ? -EBADMSG : put_sums(update, &recount);
}

int repair_index(struct update *update)
{
	int r;

	/* Each pass deletes a row, or puts one that was missing. */
	do
		r = run_pass(update);
	while (r > 0);
	return r;
}
