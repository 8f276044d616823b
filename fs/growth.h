/* SPDX-License-Identifier: MIT */
/*
 * What the files of this mount take of the disk that the store does not know
 * of: drafts, and what has been written to plain files a moment ago.
 */
#ifndef CUBBYFS_GROWTH_H
#define CUBBYFS_GROWTH_H

#include "content.h"

/* The file of `c` has been written or cut: look at it. With content.lock held.
 * Costs one fstat(2), and nothing for a draft in memory. */
void growth_note(struct mount *m, struct inode *inode, struct content *c);

/* What `c` has open is not its any more: the file was closed, or became an
 * entry. Nobody else uses it. */
void growth_end(struct content *c);

/* It is being published, and counts as an entry from that transaction on: do
 * not count it twice in that. After a failure growth_note() is to be called.
 * With content.lock held exclusive. */
void growth_hand_over(struct content *c);

/* Tell the store of the plain files that have been idle for a while; or of all,
 * when the mount ends. Only one thread at a time. */
void growth_settle(struct mount *m, bool all);

#endif
