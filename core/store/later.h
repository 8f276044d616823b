/* SPDX-License-Identifier: MIT */
/*
 * Entries that were published as they are, and are to be compressed. See
 * CUBBY_COMPRESS_LATER, and cubby_later_begin() in cubby/tree.h.
 */
#ifndef CUBBY_LATER_H
#define CUBBY_LATER_H

#include "store/store.h"

/* May content of `size` bytes be published as it is? Takes its share of the
 * queue if so: the caller gives it back with later_put() or later_drop(). */
bool later_reserve(struct cubby *store, uint64_t size);
void later_drop(struct cubby *store, uint64_t size);

/* The entry `id` is published. Without memory for it, it stays as it is. */
void later_put(struct cubby *store, uint64_t id, uint64_t size);

/* What CUBBY_COMPRESS_LATER asks for: a queue with a thread of its own, which
 * starts when somebody first takes a share. Returns 0 or -ENOMEM. */
CUBBY_MUST_CHECK int later_begin(struct cubby *store);

/* When the store is closed: with a thread of its own, compress what is queued;
 * otherwise that stays as it is. Not in a child after fork(2), where the lock
 * may be that of a thread of the parent. */
void later_close(struct cubby *store);

#endif
