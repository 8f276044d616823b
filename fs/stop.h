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
struct workers;

/* Interrupts a thread and does nothing else. */
#define STOP_KICK_SIGNAL SIGUSR1

struct stopper {
	pthread_t thread;
	struct fuse_session *session;
	struct workers *workers;
	const char *mountpoint;
	struct mountpoint_id id;
	_Atomic(bool) loop_over;
	_Atomic(bool) detached; /* files were open: what is unfinished goes */
};

/* Block the signals that end the mount, before any thread is started. */
void stop_block_signals(void);

/*
 * Start the thread that waits for them. `s` has session, workers, mountpoint
 * and id.
 */
CUBBY_MUST_CHECK int stop_begin(struct stopper *s);

/* The session loop has ended, for whatever reason. */
void stop_loop_over(struct stopper *s);

/* End the thread. */
void stop_end(struct stopper *s);

#endif
