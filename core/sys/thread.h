/* SPDX-License-Identifier: MIT */
/* Threads of the library inside of somebody else's program. */
#ifndef CUBBY_THREAD_H
#define CUBBY_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "cubby/cubby.h"

/* Start a thread with a small stack, which takes no signals: they are the
 * program's. The caller joins it. Returns 0 or a negative errno. */
CUBBY_MUST_CHECK int thread_start(pthread_t *ret_thread, void *(*fn)(void *),
				  void *arg);

/* Let others be served before this thread, not the whole process. */
void thread_be_nice(void);

/* For who looks for something instead of sleeping: let others run, and a clock
 * that is never set. */
void thread_yield(void);
int64_t thread_clock_ns(void);

/* How many processors this process may run on, at least 1. */
unsigned thread_cpus(void);

#endif
