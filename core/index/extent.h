/* SPDX-License-Identifier: MIT */
/*
 * The length of the data file. LMDB reads it through a map, so a page that is
 * missing at its end would end the process with SIGBUS.
 */
#ifndef CUBBY_EXTENT_H
#define CUBBY_EXTENT_H

#include "index/lmdb_index.h"

/* When an index is opened: may every page be read? Returns 0, -EBADMSG for a
 * file that has been cut off, or an error of the disk. */
CUBBY_MUST_CHECK int extent_verify(struct index *index);

/* After a commit: see to it that extent_verify() has nothing to do. */
void extent_keep(struct index *index);

/* How much longer than need be the file may be made, in bytes. */
uint64_t extent_slack(struct index *index);

/* Is the disk so full that there is only room for deleting? */
bool extent_is_full(struct index *index);

/* LMDB gives EIO also when the disk takes a part of a write only: was it that?
 */
bool extent_was_full(struct index *index);

#endif
