/* SPDX-License-Identifier: MIT */
/*
 * Entries that were published as they are, and are to be compressed. See
 * cubby_later_begin() in cubby/tree.h.
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

/* When the store is closed: what is queued stays as it is. Accepts NULL. */
void later_free(struct later *later);

#endif
