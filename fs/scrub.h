/* SPDX-License-Identifier: MIT */
/*
 * The thread that checks what is in the store.
 */
#ifndef CUBBYFS_SCRUB_H
#define CUBBYFS_SCRUB_H

#include "mount.h"

/* From here on every entry is checked about once in m->scrub_s seconds of being
 * mounted. Returns 0 or a negative errno. Not in a mount that is read-only. */
CUBBY_MUST_CHECK int scrub_start(struct mount *m);

/* End it; waits for the entry that is being read. */
void scrub_stop(struct mount *m);

#endif
