/* SPDX-License-Identifier: MIT */
/*
 * The thread that learns from the store what was replaced or deleted, keeps
 * what users of this mount have open, and takes stale names from the kernel.
 */
#ifndef CUBBYFS_REAPER_H
#define CUBBYFS_REAPER_H

#include "mount.h"

CUBBY_MUST_CHECK int reaper_start(struct mount *m);
void reaper_stop(struct mount *m);

#endif
