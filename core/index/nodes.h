/* SPDX-License-Identifier: MIT */
/*
 * The tables of nodes: names (parent and name to id), records (id to record),
 * and small entries (id to stored bytes).
 */
#ifndef CUBBY_NODES_H
#define CUBBY_NODES_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "format/record.h"
#include "index/index.h"

/* The id of a name of `size` bytes. Returns 0 or -ENOENT. */
CUBBY_MUST_CHECK int names_get(struct index_txn *txn, uint64_t parent,
			       const char *name, size_t size, uint64_t *ret_id);
CUBBY_MUST_CHECK int names_put(struct index_txn *txn, uint64_t parent,
			       const char *name, size_t size, uint64_t id);
CUBBY_MUST_CHECK int names_delete(struct index_txn *txn, uint64_t parent,
				  const char *name, size_t size);

/* One name of a directory; `name` is not ended by a zero. Return 0 to go on,
 * anything else to end the scan with it. */
typedef int names_fn(void *cookie, const char *name, size_t size, uint64_t id);

/* Visit the names of `parent` that are greater than `after`, in order. */
CUBBY_MUST_CHECK int names_scan(struct index_txn *txn, uint64_t parent,
				const char *after, size_t after_size,
				names_fn *fn, void *cookie);

/* `ret_record->name` points into the index, and may change with the next write
 * to any table. Returns 0, -ENOENT, or as
 * record_decode(). */
CUBBY_MUST_CHECK int nodes_get(struct index_txn *txn, uint64_t id,
			       struct record *ret_record);
CUBBY_MUST_CHECK int nodes_put(struct index_txn *txn, uint64_t id,
			       const struct record *record);
/* The root as it begins: this user's, and empty. */
CUBBY_MUST_CHECK int nodes_put_root(struct index_txn *txn);
CUBBY_MUST_CHECK int nodes_delete(struct index_txn *txn, uint64_t id);

/* Make `*id` the first id of a node after it. Returns 0 or -ENOENT. */
CUBBY_MUST_CHECK int nodes_next(struct index_txn *txn, uint64_t *id);

/* The stored bytes of a small entry, at most SMALL_BYTES_MAX. Returns 0,
 * -ENOENT, or -EBADMSG when they are not `size`. small_delete() deletes what
 * there is of them, however many parts that are. */
enum { SMALL_PARTS_MAX = 4, SMALL_BYTES_MAX = SMALL_PARTS_MAX * (4096 - 16) };
CUBBY_MUST_CHECK int small_get(struct index_txn *txn, uint64_t id, void *buffer,
			       size_t size);
CUBBY_MUST_CHECK int small_put(struct index_txn *txn, uint64_t id,
			       const void *data, size_t size);
CUBBY_MUST_CHECK int small_delete(struct index_txn *txn, uint64_t id);

#endif
