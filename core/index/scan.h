/* SPDX-License-Identifier: MIT */
/*
 * Every row of a table, one after the other: for who verifies an index. A scan
 * ends with what its function returns, when that is not 0; -EBADMSG of the scan
 * itself means that the table cannot be read to its end.
 */
#ifndef CUBBY_SCAN_H
#define CUBBY_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "format/record.h"
#include "index/index.h"
#include "index/recent.h"

/* `name` is not ended by a zero. */
typedef int scan_name_fn(void *cookie, uint64_t parent, const char *name,
			 size_t size, uint64_t id);
CUBBY_MUST_CHECK int scan_names(struct index_txn *txn, scan_name_fn *fn,
				void *cookie);

/* `record` is NULL when it is damaged, or of a newer version: nodes_get() tells
 * which. The scan begins with the id `from`. */
typedef int scan_node_fn(void *cookie, uint64_t id,
			 const struct record *record);
CUBBY_MUST_CHECK int scan_nodes(struct index_txn *txn, uint64_t from,
				scan_node_fn *fn, void *cookie);
/* The largest id of a node. */
CUBBY_MUST_CHECK int scan_last_node(struct index_txn *txn, uint64_t *ret_id);

/* One row of stored bytes; an entry has one or two. */
typedef int scan_small_fn(void *cookie, uint64_t id, size_t size);
CUBBY_MUST_CHECK int scan_small(struct index_txn *txn, scan_small_fn *fn,
				void *cookie);

typedef int scan_recent_fn(void *cookie, const struct recent *row);
CUBBY_MUST_CHECK int scan_recent(struct index_txn *txn, scan_recent_fn *fn,
				 void *cookie);

#endif
