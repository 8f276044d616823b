/* SPDX-License-Identifier: MIT */
/*
 * All entries that may be evicted for the store as a whole, or of them those
 * with a file of their own, the coldest first: the lists of recent ones,
 * merged. Entries may go between two steps.
 */
#ifndef CUBBY_COLDEST_H
#define CUBBY_COLDEST_H

#include "index/limits.h"
#include "index/recent.h"

struct coldest {
	struct index_txn *txn;
	struct recent lists[2 * (CUBBY_QUOTAS_MAX + 1)]; /* where each is */
	bool is_at_end[2 * (CUBBY_QUOTAS_MAX + 1)];
	size_t count;
};

CUBBY_MUST_CHECK int coldest_begin(struct coldest *coldest,
				   struct index_txn *txn);
/* The same for one group. */
void coldest_begin_group(struct coldest *coldest, struct index_txn *txn,
			 uint64_t group);

/* Begin again, without reading the groups again. */
void coldest_rewind(struct coldest *coldest);

/* Step on, to one that has a file if `blobs_only`. Returns 0, or -ENOENT at the
 * end. */
CUBBY_MUST_CHECK int coldest_next(struct coldest *coldest, bool blobs_only,
				  struct recent *ret_row);

#endif
