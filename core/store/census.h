/* SPDX-License-Identifier: MIT */
/*
 * All nodes that have a name, one after the other, in the order of their ids.
 * They are fetched in pages, each from one instant, so that no transaction is
 * open while somebody looks at one; it may be gone by then. What is added
 * meanwhile is not visited.
 */
#ifndef CUBBY_CENSUS_H
#define CUBBY_CENSUS_H

#include "store/store.h"

/* `record` is without its name. Return 0 to go on, anything else to end with
 * it. */
typedef int census_fn(void *cookie, uint64_t id, const struct record *record);

/* Returns 0, what `fn` returned, or an error of the index. A damaged record,
 * and one of a newer version, is passed by. */
CUBBY_MUST_CHECK int census_run(struct cubby *store, census_fn *fn,
				void *cookie);

#endif
