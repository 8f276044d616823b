/* SPDX-License-Identifier: MIT */
#include "store/coldest.h"

#include <errno.h>

#include "base/base.h"

static void add_lists(struct coldest *coldest, uint64_t group)
{
	for (int i = 0; i < 2; i++) {
		coldest->lists[coldest->count] =
			(struct recent){.group = group, .is_blob = i};
		coldest->is_at_end[coldest->count++] = false;
	}
}

void coldest_begin_group(struct coldest *coldest, struct index_txn *txn,
			 uint64_t group)
{
	coldest->txn = txn;
	coldest->count = 0;
	add_lists(coldest, group);
}

int coldest_begin(struct coldest *coldest, struct index_txn *txn)
{
	struct group groups[CUBBY_QUOTAS_MAX];
	size_t count;
	int r = groups_list(txn, groups, &count);

	coldest_begin_group(coldest, txn, 0);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!groups[i].is_pinned)
			add_lists(coldest, groups[i].id);
	return r;
}

void coldest_rewind(struct coldest *coldest)
{
	for (size_t i = 0; i < coldest->count; i++) {
		coldest->lists[i].rank = coldest->lists[i].id = 0;
		coldest->is_at_end[i] = false;
	}
}

int coldest_next(struct coldest *coldest, bool blobs_only,
		 struct recent *ret_row)
{
	struct recent first = {.id = 0};
	size_t from = 0;

	for (size_t i = 0; i < coldest->count; i++) {
		struct recent row = coldest->lists[i];
		int r = -ENOENT;

		if (blobs_only && !row.is_blob)
			continue;
		if (!coldest->is_at_end[i])
			r = recent_next(coldest->txn, &row);
		if (r == -ENOENT) {
			coldest->is_at_end[i] = true;
		} else if (r < 0) {
			return r;
		} else if (first.id == 0 || row.rank < first.rank) {
			first = row;
			from = i;
		}
	}
	if (first.id == 0)
		return -ENOENT;
	coldest->lists[from] = first;
	*ret_row = first;
	return 0;
}
