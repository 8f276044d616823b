/* SPDX-License-Identifier: MIT */
/*
 * Entries in the order in which they are to be evicted, in one list for each
 * group (see limits.h) and one, 0, for all that are in no group. A row is its
 * key: group, rank, id. Its record says the same, so the row of an entry is
 * found without a search.
 */
#ifndef CUBBY_RECENT_H
#define CUBBY_RECENT_H

#include <stdint.h>

#include "cubby/cubby.h"
#include "index/index.h"

struct recent {
	uint64_t group;
	uint64_t rank; /* what has less goes earlier */
	uint64_t id;
};

CUBBY_MUST_CHECK int recent_put(struct index_txn *txn,
				const struct recent *row);
CUBBY_MUST_CHECK int recent_delete(struct index_txn *txn,
				   const struct recent *row);

/* Make `row` the first row of its group that comes after it. Returns 0, or
 * -ENOENT when it was the last one. Begin with zeroes beside the group. */
CUBBY_MUST_CHECK int recent_next(struct index_txn *txn, struct recent *row);

#endif
