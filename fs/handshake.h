/* SPDX-License-Identifier: MIT */
/*
 * What is agreed with the kernel and libfuse does not know of.
 */
#ifndef CUBBYFS_HANDSHAKE_H
#define CUBBYFS_HANDSHAKE_H

#include "mount.h"

/*
 * For a mount with extended attributes, when m->session is mounted and nothing
 * has been read from it: have the kernel ask for security.capability once for
 * each file that is written, and not before each write. Where the kernel does
 * not offer that, it changes nothing. Returns 0 or a negative errno.
 */
CUBBY_MUST_CHECK int handshake_begin(struct mount *m);

#endif
