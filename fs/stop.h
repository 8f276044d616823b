/* SPDX-License-Identifier: MIT */
/*
 * Ending on a signal.
 */
#ifndef CUBBYFS_STOP_H
#define CUBBYFS_STOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cubby/cubby.h"
#include "mountpoint.h"

struct fuse_session;

struct stopper {
	pthread_t thread;
	pthread_t main;
	struct fuse_session *session;
	const char *mountpoint;
	struct mountpoint_id id;
	_Atomic(bool) loop_over;
	_Atomic(bool) detached; /* files were open: what is unfinished goes */
};

/* Block the signals that end the mount, before any thread is started. */
void stop_block_signals(void);

/*
 * Start the thread that waits for them. `s` has session, mountpoint and id; the
 * session loop is to run in this thread.
 */
CUBBY_MUST_CHECK int stop_begin(struct stopper *s);

/* The session loop has ended, for whatever reason. */
void stop_loop_over(struct stopper *s);

/* End the thread. */
void stop_end(struct stopper *s);

#endif
