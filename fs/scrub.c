/* SPDX-License-Identifier: MIT */
/*
 * The thread that checks what is in the store, so that damage is found before
 * somebody needs what it hit.
 *
 * The work of a round is spread evenly over its time. The entries that are due
 * are counted up while it waits, as their number may change; it wakes up at
 * most once a second, and at least once a minute. What was not done while
 * nothing was mounted is not made up for.
 *
 * It is nicer than any other thread; but its reads are not of the idle class,
 * which may wait for as long as the disk is busy: what it finds damaged it
 * takes away in a transaction, for which all writers wait.
 */
#include "scrub.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cubby/upkeep.h"

#define NICENESS 19
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_LOWEST_BEST_EFFORT (2 << 13 | 7)
#define WAIT_MIN_S 1.0
#define WAIT_MAX_S 60.0

struct scrub {
	pthread_mutex_t lock; /* guards `ending` */
	pthread_cond_t wake;
	pthread_t thread;
	bool ending;
};

/* Wait for so many seconds. False: it is to end. */
static bool wait_for(struct scrub *s, double seconds)
{
	struct timespec end;
	bool ending;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	end.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (end.tv_nsec >= 1000000000L) {
		end.tv_nsec -= 1000000000L;
		end.tv_sec++;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->ending && r == 0)
		r = pthread_cond_timedwait(&s->wake, &s->lock, &end);
	ending = s->ending;
	pthread_mutex_unlock(&s->lock);
	return !ending;
}

/* How many entries are to be checked in a second. */
static double pace(struct mount *m)
{
	struct cubby_stats stats;

	if (cubby_get_stats(m->store, &stats) < 0)
		return 0;
	return (double)stats.entries / (double)m->scrub_s;
}

/* Check so many entries. What an error leaves undone is not made up for. */
static void check(struct mount *m, unsigned long count)
{
	int r = 1;

	while (count > 0 && wait_for(m->scrub, 0)) {
		int last = r;

		r = cubby_scrub(m->store);
		/* The end of a round is no entry; two are an empty store. */
		if (r < 0 || r + last == 0)
			return;
		count -= (unsigned long)r;
	}
}

static void *scrub_run(void *arg)
{
	struct mount *m = arg;
	double due = 0;
	double wait_s = WAIT_MIN_S;

	/* Both are of this thread alone. Without them it works all the same. */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		      IOPRIO_LOWEST_BEST_EFFORT);
	while (wait_for(m->scrub, wait_s)) {
		double per_s = pace(m);

		due += per_s * wait_s;
		check(m, (unsigned long)due);
		due -= (double)(unsigned long)due;
		wait_s = per_s > 0 ? 1 / per_s : WAIT_MAX_S;
		if (wait_s < WAIT_MIN_S)
			wait_s = WAIT_MIN_S;
		if (wait_s > WAIT_MAX_S)
			wait_s = WAIT_MAX_S;
	}
	return NULL;
}

static void scrub_free(struct scrub *s)
{
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int scrub_start(struct mount *m)
{
	struct scrub *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int r;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	m->scrub = s;
	r = pthread_create(&s->thread, NULL, scrub_run, m);
	if (r != 0) {
		scrub_free(s);
		m->scrub = NULL;
	}
	return -r;
}

void scrub_stop(struct mount *m)
{
	struct scrub *s = m->scrub;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	scrub_free(s);
	m->scrub = NULL;
}
