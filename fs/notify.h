/* SPDX-License-Identifier: MIT */
/*
 * Tell the kernel to let go of names and pages, from a thread of its own.
 */
#ifndef CUBBYFS_NOTIFY_H
#define CUBBYFS_NOTIFY_H

#include "mount.h"

/* Start and end the thread. What is queued at the end is not sent. */
CUBBY_MUST_CHECK int notify_start(struct mount *m);
void notify_stop(struct mount *m);

/*
 * Queue: the kernel shall forget the name `name` in `parent`, or the pages and
 * attributes of `id`. Never blocks. Out of memory, nothing is queued: then the
 * timeouts of the name do the work, later.
 */
void notify_name(struct mount *m, uint64_t parent, const char *name);
void notify_pages(struct mount *m, uint64_t id);

#endif
