/* SPDX-License-Identifier: MIT */
/*
 * A small process that frees who waits when the daemon was killed.
 */
#ifndef CUBBYFS_GUARD_H
#define CUBBYFS_GUARD_H

#include "cubby/cubby.h"
#include "mountpoint.h"

struct guard;

/*
 * Start it, from the main thread, before the store is open and any other
 * thread exists. `mountpoint` is absolute.
 */
CUBBY_MUST_CHECK int guard_begin(const char *mountpoint,
				 struct guard **ret_guard);

/* Say what is mounted: once. */
void guard_set_id(struct guard *guard, const struct mountpoint_id *id);

/* Free the handle; the process ends with this one. Accepts NULL. */
void guard_end(struct guard *guard);

#endif
