/* SPDX-License-Identifier: MIT */
/*
 * Which process writes a draft, and whether it was killed.
 */
#ifndef CUBBYFS_AUTHOR_H
#define CUBBYFS_AUTHOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cubby/cubby.h"

struct author {
	pthread_mutex_t lock;	/* taken last; guards `pid` and `pidfd` */
	_Atomic(pid_t) last_id; /* the thread that was noted last; or 0 */
	pid_t pid;		/* its process */
	int pidfd;		/* of the process; -1: nothing is known */
};

/* Set up, with nothing known. Returns 0 or -ENOMEM. */
CUBBY_MUST_CHECK int author_init(struct author *author);
void author_done(struct author *author);

/*
 * The thread `id` makes or writes the draft. To be called while its request is
 * not answered, since only then it cannot end. An id of 0, which requests of
 * the kernel itself have, changes nothing. Cheap for the same thread.
 */
void author_note(struct author *author, pid_t id);

/* Forget whoever was noted: the draft has ended. */
void author_forget(struct author *author);

/*
 * Was the process ended by a signal? To be asked when the last descriptor of
 * the draft has been closed; false when that cannot be known. May wait for up
 * to 50 ms while a process of another user is ending.
 */
bool author_was_killed(struct author *author);

#endif
