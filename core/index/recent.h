/* SPDX-License-Identifier: MIT */
/*
 * Entries in the order in which they are to be evicted, in two lists for each
 * group (see limits.h), where 0 stands for all that are in none: one of those
 * that have a file of their own, one of those in the index. A row is its key.
 * The record of the entry says the same, so its row is found without a search.
 */
#ifndef CUBBY_RECENT_H
#define CUBBY_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "index/index.h"

struct recent {
	uint64_t group;
	bool is_blob;  /* it has a file of its own: another list */
	uint64_t rank; /* what has less goes earlier */
	uint64_t id;
};

CUBBY_MUST_CHECK int recent_put(struct index_txn *txn,
				const struct recent *row);
CUBBY_MUST_CHECK int recent_delete(struct index_txn *txn,
				   const struct recent *row);

/* Make `row` the first row of its list that comes after it. Returns 0, or
 * -ENOENT when it was the last one. Begin with zeroes for rank and id. */
CUBBY_MUST_CHECK int recent_next(struct index_txn *txn, struct recent *row);

#endif
