/* SPDX-License-Identifier: MIT */
/*
 * Displaced nodes, and who must hear of them before they go.
 *
 * A node that loses its name while somebody watches is put into a queue,
 * numbered in order. Every watch remembers up to which number it has been told.
 * What all live watches have been told of can be purged. A watch lives as long
 * as it holds the lock of its byte in the watches file, so that the kernel ends
 * it with its process.
 */
#ifndef CUBBY_DISPLACED_H
#define CUBBY_DISPLACED_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "index/index.h"

/*
 * Up to which number, exclusive, all watches have been told; `next`, the number
 * of the next one, when nobody watches. Forgets dead watches.
 * Returns 1 when somebody watches, 0 when nobody does, or a negative errno.
 */
CUBBY_MUST_CHECK int watches_horizon(struct index_txn *txn, uint64_t next,
				     uint64_t *ret_horizon);

/* Put the slots of the living into the transaction. */
CUBBY_MUST_CHECK int watches_list(struct index_txn *txn);

/* Register a watch that has been told everything below `next`. The watch lives
 * until `*ret_fd` is closed. */
CUBBY_MUST_CHECK int watches_add(struct index_txn *txn, uint64_t next,
				 int *ret_fd, uint32_t *ret_slot);
CUBBY_MUST_CHECK int watches_set(struct index_txn *txn, uint32_t slot,
				 uint64_t next);
CUBBY_MUST_CHECK int watches_delete(struct index_txn *txn, uint32_t slot);

CUBBY_MUST_CHECK int displaced_put(struct index_txn *txn, uint64_t number,
				   uint64_t id, uint64_t parent,
				   const char *name, size_t name_size);
CUBBY_MUST_CHECK int displaced_delete(struct index_txn *txn, uint64_t number);

/* One displaced node. Return 0 to go on, anything else to end the scan. */
typedef int displaced_fn(void *cookie, uint64_t number, uint64_t id,
			 uint64_t parent, const char *name, size_t name_size);

/* Visit those numbered `from` and up, in order. */
CUBBY_MUST_CHECK int displaced_scan(struct index_txn *txn, uint64_t from,
				    displaced_fn *fn, void *cookie);

#endif
