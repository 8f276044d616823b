/* SPDX-License-Identifier: MIT */
/*
 * To wake a thread on another processor may take as long as a part does, half a
 * tenth of a millisecond and more on a virtual machine. So who waits, the
 * caller for the last parts and a helper for the next call, looks for a while
 * before it sleeps; and who looks need not be woken.
 */
#include "store/team.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "sys/thread.h"

enum {
	HELPERS_MAX = 7,
	LOOK_NS = 100 * 1000,
};

struct team {
	pthread_mutex_t lock; /* guards all that is not atomic */
	pthread_cond_t work;  /* there are parts left, or it ends */
	pthread_cond_t done;
	team_fn *fn;
	void *cookie;
	size_t next;
	size_t count;
	int error;
	_Atomic(unsigned) running; /* helpers in a part */
	_Atomic(unsigned) calls;   /* that were begun, or the end */
	unsigned asleep;	   /* helpers */
	bool is_busy;
	bool is_ending;
	unsigned wanted; /* helpers */
	unsigned helpers;
	pthread_t threads[HELPERS_MAX];
};

int team_new(struct team **ret_team)
{
	struct team *team = calloc(1, sizeof(*team));
	unsigned cpus = thread_cpus();

	if (!team)
		return -ENOMEM;
	pthread_mutex_init(&team->lock, NULL);
	pthread_cond_init(&team->work, NULL);
	pthread_cond_init(&team->done, NULL);
	team->wanted = cpus > HELPERS_MAX ? HELPERS_MAX : cpus - 1;
	*ret_team = team;
	return 0;
}

void team_free(struct team *team)
{
	if (!team)
		return;
	pthread_mutex_lock(&team->lock);
	team->is_ending = true;
	atomic_fetch_add(&team->calls, 1);
	pthread_cond_broadcast(&team->work);
	pthread_mutex_unlock(&team->lock);
	for (unsigned i = 0; i < team->helpers; i++)
		(void)pthread_join(team->threads[i], NULL);
	pthread_cond_destroy(&team->done);
	pthread_cond_destroy(&team->work);
	pthread_mutex_destroy(&team->lock);
	free(team);
}

static bool has_parts(const struct team *team)
{
	return team->next < team->count && team->error == 0;
}

/* The lock is held, but not during a part. */
static void do_parts(struct team *team)
{
	while (has_parts(team)) {
		size_t index = team->next++;
		int r;

		pthread_mutex_unlock(&team->lock);
		r = team->fn(team->cookie, index);
		pthread_mutex_lock(&team->lock);
		if (r < 0 && team->error == 0)
			team->error = r;
	}
}

/* Look for a while until a number is this value, or is not. Others who are
 * ready to run here go first. The lock is not held. */
static void look(const _Atomic(unsigned) *number, unsigned value,
		 bool is_wanted)
{
	const int64_t end_ns = thread_clock_ns() + LOOK_NS;

	while ((atomic_load(number) == value) != is_wanted &&
	       thread_clock_ns() < end_ns)
		thread_yield();
}

/* Who has had no part in the last call sleeps at once. The lock is held. */
static void await_call(struct team *team, bool had_part)
{
	const unsigned calls = atomic_load(&team->calls);

	if (had_part) {
		pthread_mutex_unlock(&team->lock);
		look(&team->calls, calls, false);
		pthread_mutex_lock(&team->lock);
	}
	team->asleep++;
	while (atomic_load(&team->calls) == calls)
		pthread_cond_wait(&team->work, &team->lock);
	team->asleep--;
}

static void *help(void *arg)
{
	struct team *team = arg;
	bool had_part = false;

	pthread_mutex_lock(&team->lock);
	while (!team->is_ending) {
		had_part = has_parts(team);
		if (had_part) {
			atomic_fetch_add(&team->running, 1);
			do_parts(team);
			if (atomic_fetch_sub(&team->running, 1) == 1)
				pthread_cond_signal(&team->done);
		}
		if (!team->is_ending)
			await_call(team, had_part);
	}
	pthread_mutex_unlock(&team->lock);
	return NULL;
}

/* Wake as many as there are parts for, beside those that are awake. The lock is
 * held. */
static void call_helpers(struct team *team)
{
	atomic_fetch_add(&team->calls, 1);
	for (size_t awake = team->helpers - team->asleep;
	     awake < team->helpers && awake + 1 < team->count; awake++)
		pthread_cond_signal(&team->work);
}

/* Until no helper is in a part. The lock is held. */
static void await_helpers(struct team *team)
{
	pthread_mutex_unlock(&team->lock);
	look(&team->running, 0, true);
	pthread_mutex_lock(&team->lock);
	while (atomic_load(&team->running) > 0)
		pthread_cond_wait(&team->done, &team->lock);
}

/* The lock is held. Those that cannot be started are done without. */
static void start_helpers(struct team *team)
{
	while (team->helpers < team->wanted) {
		if (thread_start(&team->threads[team->helpers], help, team) < 0)
			team->wanted = team->helpers;
		else
			team->helpers++;
	}
}

int team_run(struct team *team, size_t count, team_fn *fn, void *cookie)
{
	bool is_helped = false;
	int r = 0;

	if (count > 1 && team->wanted > 0) {
		pthread_mutex_lock(&team->lock);
		is_helped = !team->is_busy;
		if (!is_helped)
			pthread_mutex_unlock(&team->lock);
	}
	if (!is_helped) {
		for (size_t i = 0; r == 0 && i < count; i++)
			r = fn(cookie, i);
		return r;
	}
	team->is_busy = true;
	team->fn = fn;
	team->cookie = cookie;
	team->next = 0;
	team->count = count;
	team->error = 0;
	start_helpers(team);
	call_helpers(team);
	do_parts(team);
	await_helpers(team);
	r = team->error;
	team->count = 0;
	team->is_busy = false;
	pthread_mutex_unlock(&team->lock);
	return r;
}
