/* SPDX-License-Identifier: MIT */
#include "store/enlist.h"

#include <errno.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/nodes.h"
#include "index/recent.h"

enum { UNLISTED_MAX = 64 }; /* ids */

static int row_of(struct update *update, uint64_t id,
		  const struct record *record, struct recent *ret_row)
{
	*ret_row = (struct recent){.is_blob = record->place == PLACE_BLOB,
				   .rank = record->rank,
				   .id = id};
	return update_group(update, record->parent, &ret_row->group);
}

/* The row of an entry, which is counted in (1) or out (-1) of the sums of its
 * group. */
static int count_row(struct update *update, uint64_t id,
		     const struct record *record, int sign,
		     struct recent *ret_row)
{
	const uint64_t one = (uint64_t)(int64_t)sign;
	struct group group;
	int r = row_of(update, id, record, ret_row);

	if (r < 0 || ret_row->group == 0)
		return r;
	r = group_get(update->txn, ret_row->group, &group);
	if (r < 0)
		return r;
	group.bytes += one * update_cost(record);
	group.entries += one;
	return group_put(update->txn, &group);
}

int enlist_put(struct update *update, uint64_t id, const struct record *record)
{
	struct recent row;
	int r;

	if (record->kind != CUBBY_ENTRY)
		return 0;
	r = count_row(update, id, record, 1, &row);
	if (r < 0)
		return r;
	update->newest = id;
	update->newest_group = row.group;
	if (id < update->totals.unlisted)
		return recent_put(update->txn, &row);
	enlist_rank(update, id, row.rank);
	return 0;
}

void enlist_rank(struct update *update, uint64_t id, uint64_t rank)
{
	struct totals *totals = &update->totals;

	if (id >= totals->unlisted && rank < totals->unlisted_rank)
		totals->unlisted_rank = rank;
}

int enlist_drop(struct update *update, uint64_t id, const struct record *record)
{
	struct recent row;
	int r;

	if (record->kind != CUBBY_ENTRY)
		return 0;
	r = count_row(update, id, record, -1, &row);
	if (r < 0)
		return r;
	r = recent_delete(update->txn, &row);
	return r == -ENOENT ? 0 : r;
}

/* Write the row of an entry that has its name. */
static int write_row(struct update *update, uint64_t id)
{
	struct record record;
	struct recent row;
	uint64_t named;
	int r = nodes_get(update->txn, id, &record);

	if (r < 0 || record.kind != CUBBY_ENTRY)
		return r;
	r = names_get(update->txn, record.parent, record.name, record.name_size,
		      &named);
	if (r < 0 || named != id)
		return r;
	r = row_of(update, id, &record, &row);
	return r < 0 ? r : recent_put(update->txn, &row);
}

int enlist_rest(struct update *update)
{
	uint64_t id = update->totals.unlisted - 1;
	int found = 0;
	int r;

	while ((r = nodes_next(update->txn, &id)) == 0) {
		r = write_row(update, id);
		/* What is damaged, or displaced, is in no list. */
		if (r < 0 && !node_is_lost(r))
			return r;
		found = 1;
		update->totals.unlisted = id + 1;
	}
	if (r != -ENOENT)
		return r;
	update->totals.unlisted_rank = UINT64_MAX;
	return found;
}

int enlist_due(struct update *update)
{
	int r = 0;

	if (update->newest >= update->totals.unlisted + UNLISTED_MAX)
		r = enlist_rest(update);
	return r < 0 ? r : 0;
}
