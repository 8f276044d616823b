/* SPDX-License-Identifier: MIT */
/* Files that no record refers to. */
#ifndef CUBBY_GC_H
#define CUBBY_GC_H

#include "cubby/upkeep.h"
#include "store/store.h"

/* As cubby_gc(), but without what is displaced, and so without a lock: delete
 * them, or if `is_dry` only find them, and add them to `summary`. */
CUBBY_MUST_CHECK int gc_files(struct cubby *store, bool is_dry,
			      uint64_t quarantine_age_s,
			      struct cubby_gc_summary *summary);

#endif
