/* SPDX-License-Identifier: MIT */
/*
 * A store that is mounted for a test. Whatever happens to the test, the
 * guardian unmounts it and ends its daemon.
 */
#ifndef TESTS_MOUNTED_H
#define TESTS_MOUNTED_H

#include <stdbool.h>
#include <sys/types.h>

struct mounted {
	char *store; /* the directory of the store */
	char *at;    /* where it is mounted */
	char *log;   /* the file with what the daemon printed */
	pid_t pid;   /* of the daemon; 0 when it is not running */
};

/* Why nothing can be mounted here, or NULL when it can be. */
const char *mounted_refusal(void);

/*
 * Mount `store`, a directory that a store can be made in, on a new directory,
 * and wait until it is there. `options` is what stands behind -o, or NULL.
 */
void mounted_start(struct mounted *mounted, const char *store,
		   const char *options);

/* Mount the store again on the same directory, for one whose daemon ended. */
void mounted_restart(struct mounted *mounted);

/* Unmount it; the daemon must then end by itself with exit status 0. */
void mounted_stop(struct mounted *mounted);

/* The daemon must end by itself, within bounds: its exit status, or 128 + the
 * signal that ended it. */
int mounted_wait(struct mounted *mounted);

/* Is something mounted there, be it stale? */
bool mounted_is(const char *at);

/* Free what the structure holds; mounted_stop() does so by itself. */
void mounted_forget(struct mounted *mounted);

#endif
