/* SPDX-License-Identifier: MIT */
/*
 * When a checkpoint is due, who takes it, and who has to wait for it.
 *
 * The data file grows by the pages that are freed between two checkpoints: each
 * pin holds back what was freed after it. So there is one pin for all
 * processes. Who has it takes the checkpoints for all, even if only others
 * write; who has none takes one when that one does not.
 *
 * What a commit counts for is the pages that it has freed, which is called its
 * work. A checkpoint is due after so much work, and after twice as much who
 * commits waits for its end. From halfway between the two each commit waits for
 * a moment: who adds faster than the disk writes has to wait, and many short
 * waits are better than a long one. In a durable index every commit waits for a
 * checkpoint, and several processes have pins.
 */
#include <errno.h>
#include <time.h>

#include "base/base.h"
#include "index/held.h"
#include "index/keeper.h"
#include "index/steady.h"

enum {
	/* See due_after(). */
	DUE_SHARE = 5,
	DUE_MIN = 128 * STEADY_COMMIT_PAGES,
	PACE_WAIT_NS = 500 * 1000,
	PACE_WAITS = 1000,
	MOMENT_NS = 1200 * 1000, /* the longest */
	MOMENTS = 4,
};

/* Is the file to stay short, because there is a limit? */
static bool is_short(struct index *index)
{
	return atomic_load(&index->commits_max) < INDEX_PACE_MAX;
}

/* After how much work a checkpoint is due. */
static unsigned work_max(struct index *index)
{
	return atomic_load(&index->commits_max) * STEADY_COMMIT_PAGES;
}

/*
 * After how much work the keeper takes a checkpoint when it looks. The file
 * keeps the length to which the pages that wait for one have made it, so of a
 * small index that is less than work_max(). It is not called for that, so that
 * a burst of adds does not have to share the disk.
 */
static unsigned due_after(struct index *index)
{
	const unsigned max = work_max(index);
	const uint64_t share = atomic_load(&index->known_pages) / DUE_SHARE;

	if (is_short(index) || share >= max)
		return max;
	return share < DUE_MIN ? DUE_MIN : (unsigned)share;
}

/* However little commits free, one is due after INDEX_PACE_MAX of them. */
static unsigned work_of(struct index *index, uint64_t freed_pages)
{
	const unsigned least =
		(work_max(index) + INDEX_PACE_MAX - 1) / INDEX_PACE_MAX;
	const unsigned most = work_max(index) * 2; /* more is no worse */

	/* Other processes that commit at the same time free as many. */
	freed_pages *= 2;
	if (freed_pages > most)
		return most;
	return freed_pages > least ? (unsigned)freed_pages : least;
}

/* How much work, of any process, the pin is behind. steady_lock is held. */
static uint64_t distance(struct index *index)
{
	return index->pin
		       ? atomic_load(&index->shared->work) - index->steady_work
		       : 0;
}

/* The same, without the lock, as a reason to call somebody who has it. */
static bool is_behind(struct index *index, unsigned work)
{
	return atomic_load(&index->is_pinned) &&
	       atomic_load(&index->shared->work) -
			       atomic_load(&index->steady_work) >=
		       work;
}

/* How much work, of any process, the oldest pin is behind. A power cut may
 * leave any two numbers. */
static int64_t lead(struct index *index)
{
	return (int64_t)(atomic_load(&index->shared->work) -
			 atomic_load(&index->shared->steady_work));
}

static void pause_for(long ns)
{
	const struct timespec pause = {.tv_nsec = ns};

	nanosleep(&pause, NULL);
}

/* Who is ahead of the disk waits for it, the longer the further ahead. */
static void wait_a_moment(struct index *index, unsigned max)
{
	const int64_t half = max / 2;

	for (int i = 0; i < MOMENTS; i++) {
		int64_t beyond = lead(index) - max - half;

		if (beyond < 0)
			return;
		pause_for(beyond < half ? MOMENT_NS * beyond / half
					: MOMENT_NS);
	}
}

/* Wait for who has the pin to take a checkpoint; if he does not, or has ended
 * it, take one. */
static void wait_for_all(struct index *index, unsigned work)
{
	for (int i = 0; i < PACE_WAITS && steady_is_marked_by_others(index);
	     i++) {
		if (lead(index) < work)
			return;
		pause_for(PACE_WAIT_NS);
	}
	pthread_mutex_lock(&index->steady_lock);
	/* His pin is a burden, but nobody is to wait for him again. */
	if (steady_checkpoint_once(index, false) == 0)
		atomic_store(&index->shared->steady_work, index->steady_work);
	pthread_mutex_unlock(&index->steady_lock);
}

void pace_init(struct index *index)
{
	pthread_mutex_init(&index->steady_lock, NULL);
	pthread_mutex_init(&index->settling_lock, NULL);
	pthread_cond_init(&index->settled, NULL);
}

void pace_done(struct index *index)
{
	pthread_cond_destroy(&index->settled);
	pthread_mutex_destroy(&index->settling_lock);
	pthread_mutex_destroy(&index->steady_lock);
}

/*
 * One thread takes a checkpoint for all who have committed by then; the others
 * wait for its end, and most find theirs on the disk. They do not just wait for
 * steady_lock: who had it last gets it again before anybody has woken up.
 */
static void settle(struct index *index, uint64_t version)
{
	pthread_mutex_lock(&index->settling_lock);
	while (index->steady_version < version && index->is_settling)
		pthread_cond_wait(&index->settled, &index->settling_lock);
	if (index->steady_version < version) {
		index->is_settling = true;
		pthread_mutex_unlock(&index->settling_lock);
		pthread_mutex_lock(&index->steady_lock);
		if (index->steady_version < version)
			/* What fails is noted there. */
			IGNORE(steady_checkpoint_alone(index, true));
		pthread_mutex_unlock(&index->steady_lock);
		pthread_mutex_lock(&index->settling_lock);
		index->is_settling = false;
		pthread_cond_broadcast(&index->settled);
	}
	pthread_mutex_unlock(&index->settling_lock);
}

/* Does a checkpoint of another process cover all commits of this one? Then
 * there is nothing left to do for them. */
static bool is_covered(struct index *index)
{
	const unsigned commits = atomic_load(&index->commits);

	if ((int64_t)(atomic_load(&index->shared->steady_work) -
		      atomic_load(&index->last_work)) < 0)
		return false;
	atomic_fetch_sub(&index->commits, commits);
	return true;
}

/* What is counted here is found in last_work: see is_covered(). */
static void count_work(struct index *index, unsigned work)
{
	const uint64_t sum =
		atomic_fetch_add(&index->shared->work, work) + work;
	uint64_t last = atomic_load(&index->last_work);

	while ((int64_t)(sum - last) > 0 &&
	       !atomic_compare_exchange_weak(&index->last_work, &last, sum)) {
	}
	atomic_fetch_add(&index->commits, work);
}

bool steady_is_close(struct index *index)
{
	return atomic_load(&index->is_pinned) &&
	       (is_short(index) || is_behind(index, work_max(index) / 2));
}

void steady_committed(struct index *index, uint64_t version,
		      uint64_t freed_pages)
{
	const unsigned max = work_max(index);
	const unsigned work = work_of(index, freed_pages);
	/* Another one like this is not to pass the bound. */
	const unsigned far = 2 * max - (work < max ? work : max);

	count_work(index, work);
	keeper_need(index);
	if (atomic_load(&index->is_durable)) {
		settle(index, version);
		return;
	}
	if (is_behind(index, max))
		keeper_call(index);
	wait_a_moment(index, max);
	if (!is_behind(index, far)) {
		if (lead(index) >= far)
			wait_for_all(index, far);
		return;
	}
	pthread_mutex_lock(&index->steady_lock);
	if (distance(index) >= far)
		/* What fails is tried again. */
		IGNORE(steady_checkpoint_alone(index, false));
	pthread_mutex_unlock(&index->steady_lock);
}

/* steady_lock is held. */
static int tend_pin(struct index *index, bool is_late)
{
	const uint64_t waiting = distance(index);
	int r;

	/* Of two pins that of who only looks on goes. */
	if (waiting == 0 ? is_late
			 : atomic_load(&index->commits) == 0 &&
				   steady_is_marked_by_others(index))
		return steady_end_pin(index);
	if (waiting < due_after(index) && !is_late)
		return 0;
	r = steady_checkpoint_alone(index, false);
	/* Or that of who finds another one at it. */
	if (r == -EAGAIN && steady_is_marked_by_others(index))
		return steady_end_pin(index);
	return r < 0 ? r : 1;
}

int steady_tend(struct index *index, bool is_late)
{
	int r = 0;

	if (pthread_mutex_trylock(&index->steady_lock) != 0)
		return -EAGAIN;
	if (index->pin) {
		r = tend_pin(index, is_late);
	} else if (is_late && atomic_load(&index->commits) > 0 &&
		   !is_covered(index)) {
		r = steady_checkpoint_once(index, false);
		r = r < 0 ? r : 1;
	}
	pthread_mutex_unlock(&index->steady_lock);
	return r;
}
