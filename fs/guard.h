/* SPDX-License-Identifier: MIT */
/*
 * A small process that frees who waits when the daemon was killed.
 */
#ifndef CUBBYFS_GUARD_H
#define CUBBYFS_GUARD_H

#include <sys/types.h>

#include "cubby/cubby.h"

struct guard;

/*
 * Start it, from the main thread, before the store is open and any other
 * thread exists. `mountpoint` is absolute.
 */
CUBBY_MUST_CHECK int guard_begin(const char *mountpoint,
				 struct guard **ret_guard);

/* Say what is mounted. Accepts NULL. */
void guard_set_device(struct guard *guard, dev_t device);

/* Free the handle; the process ends with this one. Accepts NULL. */
void guard_end(struct guard *guard);

#endif
