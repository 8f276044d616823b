/* SPDX-License-Identifier: MIT */
/*
 * What failed its check is put aside: no longer an entry, kept for a look, in
 * bounded number and size.
 */
#ifndef CUBBY_QUARANTINE_H
#define CUBBY_QUARANTINE_H

#include <stdint.h>

#include "format/record.h"
#include "store/store.h"

/* Take the entry `id` out of the tree, if it is still there with the stored
 * bytes of the record `seen`, by which they were found damaged. Works as far as
 * it can: a store that cannot be written keeps what it has. */
void quarantine_entry(struct cubby *store, uint64_t id,
		      const struct record *seen);

/* The file of the entry `id` is gone, as after a power cut: take its name away,
 * so that it is a miss. Returns 0 when it has none any more, or an error. */
CUBBY_MUST_CHECK int quarantine_lost(struct cubby *store, uint64_t id,
				     const struct record *seen);

/* Delete a name that leads to no node, or to one of another name. */
void quarantine_name(struct cubby *store, uint64_t parent, const char *name);

#endif
