/* SPDX-License-Identifier: MIT */
#include "store/team.h"

#include <errno.h>
#include <stdbool.h>

#include "base/base.h"
#include "sys/thread.h"

enum { HELPERS_MAX = 7 };

struct team {
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t work;  /* there are parts left, or it ends */
	pthread_cond_t done;
	team_fn *fn;
	void *cookie;
	size_t next;
	size_t count;
	int error;
	unsigned running; /* helpers in a part */
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

static void *help(void *arg)
{
	struct team *team = arg;

	pthread_mutex_lock(&team->lock);
	while (!team->is_ending) {
		if (has_parts(team)) {
			team->running++;
			do_parts(team);
			if (--team->running == 0)
				pthread_cond_signal(&team->done);
		} else {
			pthread_cond_wait(&team->work, &team->lock);
		}
	}
	pthread_mutex_unlock(&team->lock);
	return NULL;
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
	pthread_cond_broadcast(&team->work);
	do_parts(team);
	while (team->running > 0)
		pthread_cond_wait(&team->done, &team->lock);
	r = team->error;
	team->count = 0;
	team->is_busy = false;
	pthread_mutex_unlock(&team->lock);
	return r;
}
