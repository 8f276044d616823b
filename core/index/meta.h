/* SPDX-License-Identifier: MIT */
/*
 * What the index says of the store as a whole: its format, the totals, and
 * which ids have been given out.
 */
#ifndef CUBBY_META_H
#define CUBBY_META_H

#include "cubby/cubby.h"
#include "index/index.h"

/* Returns -EPROTONOSUPPORT for a store of a version before this one, else 0. */
CUBBY_MUST_CHECK int meta_refuse_old(struct index_txn *txn);

/* Write the tables of an empty store, unless there is a store already. */
CUBBY_MUST_CHECK int meta_format(struct index_txn *txn);

/* Can this version read and write the store? Returns 0, -ENOENT when there is
 * none, -EPROTONOSUPPORT, or -EBADMSG. */
CUBBY_MUST_CHECK int meta_verify(struct index_txn *txn);

/* Take `count` ids that nobody has had; the first one is returned. */
CUBBY_MUST_CHECK int meta_reserve_ids(struct index_txn *txn, uint64_t count,
				      uint64_t *ret_first);

/* Sums over the tables, kept by the transactions that change them. */
struct totals {
	uint64_t entries;
	uint64_t directories;
	uint64_t plain_files;
	uint64_t raw_bytes;
	uint64_t stored_bytes;
	uint64_t displaced;
	uint64_t displaced_next; /* sequence number of the next one */
	uint64_t quarantined;	 /* ever */
	/* Bytes of the files that nodes have for themselves: */
	uint64_t disk_bytes;	  /* of nodes with a name */
	uint64_t displaced_bytes; /* of those without one */
	uint64_t plain_bytes;	  /* of plain files: a part of disk_bytes */
	uint64_t evicted_bytes;	  /* ever: what evicted entries took */
	uint64_t clock;		  /* the highest rank ever evicted */
	uint64_t unlisted;	  /* see store/enlist.h */
	uint64_t unlisted_rank;
};

CUBBY_MUST_CHECK int totals_get(struct index_txn *txn,
				struct totals *ret_totals);
CUBBY_MUST_CHECK int totals_put(struct index_txn *txn,
				const struct totals *totals);

#endif
