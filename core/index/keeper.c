/* SPDX-License-Identifier: MIT */
/*
 * The thread looks after the index some times a second, or when it is called,
 * and what it does then is in pace.c. With nothing to do for INTERVAL_MS it
 * has let go of the pin, and ends; the next commit starts another. So a
 * process that only reads has none, nor has one that has been idle for long.
 *
 *  1. A commit is counted, and a pin noted, before `is_running` is looked at,
 *     and the thread looks at both after it has said that it no longer runs:
 *     one of them sees the other.
 *  2. The thread never waits for another process but for the lock of the
 *     writers, so that to close the index takes no longer than to write.
 *  3. A child after fork(2) has no thread and no handle; it touches neither.
 *  4. When no thread can be made, the next commit tries again, and those that
 *     are far ahead take checkpoints themselves (steady_committed()).
 *
 * The order of locks: none is taken with keeper->lock held.
 */
#include <errno.h>
#include <time.h>

#include "base/base.h"
#include "index/keeper.h"
#include "index/steady.h"
#include "sys/thread.h"

enum {
	POLL_MS = 20,
	POLL_CLOSE_MS = 2,
	RETRY_MS = 1000, /* after an error of the disk */
	INTERVAL_MS = 5000,
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The lock is held. Returns false when the thread has to end. */
static bool pause_ms(struct keeper *keeper, int64_t ms)
{
	int64_t until_ms = now_ms() + ms;
	const struct timespec until = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};
	int r = 0;

	while (!keeper->is_ending && !keeper->is_called && r == 0)
		r = pthread_cond_timedwait(&keeper->wake, &keeper->lock,
					   &until);
	keeper->is_called = false;
	return !keeper->is_ending;
}

/* The lock is held: rule 1. */
static bool may_end(struct index *index)
{
	atomic_store(&index->keeper.is_running, false);
	if (atomic_load(&index->commits) == 0 &&
	    !atomic_load(&index->is_pinned))
		return true;
	atomic_store(&index->keeper.is_running, true);
	return false;
}

static int64_t pause_of(struct index *index, int r)
{
	if (r < 0 && r != -EAGAIN)
		return RETRY_MS;
	return steady_is_close(index) ? POLL_CLOSE_MS : POLL_MS;
}

static void *keeper_run(void *arg)
{
	struct index *index = arg;
	struct keeper *keeper = &index->keeper;
	int64_t since_ms = now_ms(); /* the last checkpoint */
	int r = 0;

	pthread_mutex_lock(&keeper->lock);
	while (pause_ms(keeper, pause_of(index, r))) {
		bool is_late = now_ms() - since_ms >= INTERVAL_MS;

		pthread_mutex_unlock(&keeper->lock);
		r = steady_tend(index, is_late);
		if (r > 0)
			since_ms = now_ms();
		pthread_mutex_lock(&keeper->lock);
		if (r == 0 && is_late && may_end(index))
			break;
	}
	pthread_mutex_unlock(&keeper->lock);
	return NULL;
}

/* The lock is held. */
static void start(struct index *index)
{
	struct keeper *keeper = &index->keeper;

	if (keeper->has_thread)
		(void)pthread_join(keeper->thread, NULL); /* it has ended */
	keeper->has_thread =
		thread_start(&keeper->thread, keeper_run, index) == 0;
	atomic_store(&keeper->is_running, keeper->has_thread);
}

void keeper_init(struct index *index)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&index->keeper.wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&index->keeper.lock, NULL);
}

void keeper_need(struct index *index)
{
	struct keeper *keeper = &index->keeper;

	if (atomic_load(&keeper->is_running))
		return;
	pthread_mutex_lock(&keeper->lock);
	if (!atomic_load(&keeper->is_running))
		start(index);
	pthread_mutex_unlock(&keeper->lock);
}

void keeper_call(struct index *index)
{
	struct keeper *keeper = &index->keeper;

	pthread_mutex_lock(&keeper->lock);
	keeper->is_called = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->lock);
}

void keeper_done(struct index *index)
{
	struct keeper *keeper = &index->keeper;

	pthread_mutex_lock(&keeper->lock);
	keeper->is_ending = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->lock);
	if (keeper->has_thread)
		(void)pthread_join(keeper->thread, NULL);
	pthread_mutex_destroy(&keeper->lock);
	pthread_cond_destroy(&keeper->wake);
}
