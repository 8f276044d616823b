/* SPDX-License-Identifier: MIT */
/*
 * All entries that may be evicted for the store as a whole, the coldest first:
 * the lists of recent ones, merged. Entries may go between two steps.
 */
#ifndef CUBBY_COLDEST_H
#define CUBBY_COLDEST_H

#include "index/limits.h"
#include "index/recent.h"

struct coldest {
	struct index_txn *txn;
	struct recent lists[CUBBY_QUOTAS_MAX + 1]; /* where each stands */
	bool is_at_end[CUBBY_QUOTAS_MAX + 1];
	size_t count;
};

CUBBY_MUST_CHECK int coldest_begin(struct coldest *coldest,
				   struct index_txn *txn);

/* Step on. Returns 0, or -ENOENT at the end. */
CUBBY_MUST_CHECK int coldest_next(struct coldest *coldest,
				  struct recent *ret_row);

#endif
