/* SPDX-License-Identifier: MIT */
/*
 * Temporary files: what tools write before they rename it to an entry name.
 */
#ifndef CUBBYFS_TEMPORARY_H
#define CUBBYFS_TEMPORARY_H

#include "inode.h"

/* Is `name` one that a file has only until it is renamed? */
bool temporary_has_name(const char *name);

/* Seconds on a clock that only goes forward, never 0. */
int64_t temporary_now_s(void);

/* Put a temporary file into the store, under the name that it has. No effect
 * on other inodes. What fails is left as it was. Accepts NULL. Returns 0 or an
 * error of the store. */
CUBBY_MUST_CHECK int temporary_store(struct mount *m, struct inode *inode);

/* Put those into the store that have not been renamed for a while. */
void temporary_store_old(struct mount *m);

#endif
