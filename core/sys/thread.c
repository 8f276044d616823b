/* SPDX-License-Identifier: MIT */
#include "sys/thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

enum { NICENESS = 10 };
enum { STACK_SIZE = 256 * 1024 }; /* address space, hardly any memory */

int thread_start(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t before;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret_thread, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

void thread_be_nice(void)
{
	/* On Linux of this thread alone. Without it the work is done as well.
	 */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

void thread_yield(void)
{
	(void)sched_yield(); /* always succeeds on Linux */
}

int64_t thread_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return INT64_C(1000000000) * now.tv_sec + now.tv_nsec;
}

unsigned thread_cpus(void)
{
	cpu_set_t cpus;

	/* Of a machine with more than fit into the set: one will do. */
	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0
		       ? 1
		       : (unsigned)CPU_COUNT(&cpus);
}
