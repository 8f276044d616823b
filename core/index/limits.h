/* SPDX-License-Identifier: MIT */
/*
 * What bounds the store, as the index keeps it: the limits of the whole, and
 * the groups, which are directories with a quota or a pin of their own. Groups
 * are never inside one another.
 */
#ifndef CUBBY_LIMITS_H
#define CUBBY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "cubby/manage.h"
#include "index/index.h"

/* The limits, or those of a store that has none. */
CUBBY_MUST_CHECK int limits_get(struct index_txn *txn,
				struct cubby_limits *ret_limits);
CUBBY_MUST_CHECK int limits_put(struct index_txn *txn,
				const struct cubby_limits *limits);

struct group {
	uint64_t id;	/* of its directory */
	uint64_t quota; /* bytes, or 0 */
	bool is_pinned;
	uint64_t bytes; /* what its entries take: see group_cost() */
	uint64_t entries;
};

/* Returns 0, or -ENOENT when the directory `id` is no group. */
CUBBY_MUST_CHECK int group_get(struct index_txn *txn, uint64_t id,
			       struct group *ret_group);
CUBBY_MUST_CHECK int group_put(struct index_txn *txn,
			       const struct group *group);
CUBBY_MUST_CHECK int group_delete(struct index_txn *txn, uint64_t id);

/* Are there any groups? Returns 1, 0, or a negative errno. */
CUBBY_MUST_CHECK int groups_exist(struct index_txn *txn);

/* The groups in the order of their ids, at most CUBBY_QUOTAS_MAX. */
CUBBY_MUST_CHECK int groups_list(struct index_txn *txn,
				 struct group ret_groups[CUBBY_QUOTAS_MAX],
				 size_t *ret_count);

#endif
