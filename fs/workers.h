/* SPDX-License-Identifier: MIT */
/*
 * The threads that answer requests.
 */
#ifndef CUBBYFS_WORKERS_H
#define CUBBYFS_WORKERS_H

#include "mount.h"

struct workers;

/* For `max` threads at most, which is at least two. */
CUBBY_MUST_CHECK int workers_new(struct fuse_session *session, unsigned max,
				 struct workers **ret_workers);
void workers_free(struct workers *workers);

/*
 * Answer requests in this thread and others, until the session ends. Returns
 * when all others have ended.
 */
void workers_run(struct workers *workers);

/* The session is to end: see to it that the one that waits for a request sees
 * that. From any thread, again and again until workers_run() has returned. */
void workers_kick(struct workers *workers);

/*
 * What answers a request will take longer than it takes to wake a thread: let
 * another one take the next request, if one waits. Nothing in other threads.
 */
void workers_share(void);

#endif
