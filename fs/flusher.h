/* SPDX-License-Identifier: MIT */
/*
 * Threads for what has to wait for the kernel to write its pages back.
 */
#ifndef CUBBYFS_FLUSHER_H
#define CUBBYFS_FLUSHER_H

#include "mount.h"

/* One piece of work; it frees `job`. */
typedef void flusher_fn(void *job);

/* Start the threads, and end them when all that was put in is done. */
CUBBY_MUST_CHECK int flusher_start(struct mount *m);
void flusher_stop(struct mount *m);

/* Have `run` called with `job`, soon. Returns 0 or -ENOMEM. */
CUBBY_MUST_CHECK int flusher_put(struct mount *m, flusher_fn *run, void *job);

/*
 * Have the kernel write back all pages of the node `id`, and drop them. In
 * threads of the flusher only: it lasts until the writes have been answered.
 */
void flusher_flush(struct mount *m, uint64_t id);

#endif
