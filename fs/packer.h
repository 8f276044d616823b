/* SPDX-License-Identifier: MIT */
/*
 * The thread that compresses what has been published.
 */
#ifndef CUBBYFS_PACKER_H
#define CUBBYFS_PACKER_H

#include "mount.h"

/* From here on a rename does not wait for the compressor. Returns 0 or a
 * negative errno. Not in a mount that is read-only. */
CUBBY_MUST_CHECK int packer_start(struct mount *m);

/* End it, when all that it has to do is done. */
void packer_stop(struct mount *m);

#endif
