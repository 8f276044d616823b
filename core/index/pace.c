/* SPDX-License-Identifier: MIT */
/*
 * When a checkpoint is due, who takes it, and who has to wait for it.
 *
 * The data file grows by the pages that are freed between two checkpoints. As a
 * rule every process that writes much has a pin of its own, and takes its
 * checkpoints after so many commits of its own. Where the file is to stay short
 * (index_set_pace()) there is one pin for all, the commits of all count, and
 * who runs ahead waits. In a durable index every commit waits for one.
 *
 * A commit that frees more pages counts as several, which is called its work: a
 * row that changes may take a leaf of its own, and one that moves two.
 */
#include <errno.h>
#include <time.h>

#include "base/base.h"
#include "index/held.h"
#include "index/keeper.h"
#include "index/steady.h"

enum {
	/* Without a pin of its own, a process looks for another's at each
	 * commit; after so many it is given one. */
	COMMITS_UNPINNED = 16,
	/* What an add with an eviction changes, and a commit is taken to free
	 * (COMMIT_BYTES). */
	CHANGES = 16,
	/* A commit frees about nine pages: see due_after(). */
	DUE_PAGES = 128,
	DUE_MIN = 128,
	PACE_WAIT_NS = 500 * 1000,
	PACE_WAITS = 1000,
};

/* Is the file to stay short? Then one pin has to do for all processes: each of
 * them would hold back pages for as long as its owner takes. */
static bool is_paced(struct index *index)
{
	return atomic_load(&index->commits_max) < INDEX_PACE_MAX;
}

/*
 * After how much work of this process the keeper takes a checkpoint when it
 * looks. The file keeps the length to which the pages that wait for one have
 * made it, so of a small index that is less than commits_max. It is not called
 * for that, so that a burst of adds does not have to share the disk.
 */
static unsigned due_after(struct index *index)
{
	const unsigned max = atomic_load(&index->commits_max);
	const uint64_t share = atomic_load(&index->known_pages) / DUE_PAGES;

	if (is_paced(index) || share >= max)
		return max;
	return share < DUE_MIN ? DUE_MIN : (unsigned)share;
}

/* How much work, of any process, the pin is behind. steady_lock is held. */
static uint64_t distance(struct index *index)
{
	return index->pin
		       ? atomic_load(&index->shared->work) - index->steady_work
		       : 0;
}

/* The same, without the lock, as a reason to call somebody who has it. */
static bool is_behind(struct index *index, unsigned count)
{
	return atomic_load(&index->is_pinned) &&
	       atomic_load(&index->shared->work) -
			       atomic_load(&index->steady_work) >=
		       count;
}

/* A checkpoint by who has no pin; it does not keep one that is not needed. */
static int checkpoint_and_go(struct index *index)
{
	int r = steady_checkpoint_alone(index, false);

	if (r == 0 && is_paced(index) && steady_is_marked_by_others(index))
		r = steady_end_pin(index);
	return r;
}

/* Has so much work been done since the last checkpoint of anybody? */
static bool is_late_for_all(struct index *index, unsigned count)
{
	/* A power cut may leave any two numbers. */
	return (int64_t)(atomic_load(&index->shared->work) -
			 atomic_load(&index->shared->steady_work)) >=
	       (int64_t)count;
}

/* Wait for who has the pin to take a checkpoint; if he does not, take one. */
static void wait_for_all(struct index *index, unsigned count)
{
	const struct timespec pause = {.tv_nsec = PACE_WAIT_NS};

	for (int i = 0; i < PACE_WAITS; i++) {
		if (!is_late_for_all(index, count))
			return;
		nanosleep(&pause, NULL);
	}
	pthread_mutex_lock(&index->steady_lock);
	IGNORE(checkpoint_and_go(index));
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

/* Has this work made the sum reach the bound? */
static bool reaches(unsigned sum, unsigned work, unsigned bound)
{
	return sum >= bound && sum - work < bound;
}

void steady_committed(struct index *index, uint64_t version, unsigned changes)
{
	const unsigned work = 1 + changes / CHANGES;
	const unsigned commits = atomic_fetch_add(&index->commits, work) + work;
	const unsigned max = atomic_load(&index->commits_max);
	bool is_far;

	atomic_fetch_add(&index->shared->work, work);
	keeper_need(index);
	if (atomic_load(&index->is_durable)) {
		settle(index, version);
		return;
	}
	if (reaches(commits, work, max) || is_behind(index, max) ||
	    (reaches(commits, work, COMMITS_UNPINNED) && !is_paced(index) &&
	     !atomic_load(&index->is_pinned)))
		keeper_call(index);
	is_far = is_paced(index) ? is_behind(index, 2 * max)
				 : commits >= 2 * max;
	if (is_paced(index) && !is_far && is_late_for_all(index, 2 * max))
		wait_for_all(index, 2 * max);
	if (!is_far)
		return;
	pthread_mutex_lock(&index->steady_lock);
	/* What fails is tried again. */
	if (is_paced(index) ? distance(index) >= 2 * max
			    : atomic_load(&index->commits) >= 2 * max)
		IGNORE(steady_checkpoint_alone(index, false));
	pthread_mutex_unlock(&index->steady_lock);
}

int steady_tend(struct index *index, bool is_late)
{
	const unsigned max = atomic_load(&index->commits_max);
	unsigned commits;
	int r = 0;

	if (pthread_mutex_trylock(&index->steady_lock) != 0)
		return -EAGAIN;
	commits = atomic_load(&index->commits);
	if (index->pin && commits > 0 &&
	    (commits >= due_after(index) || distance(index) >= max ||
	     is_late)) {
		r = steady_checkpoint_alone(index, false);
		r = r < 0 ? r : 1;
	} else if (index->pin && (is_late || distance(index) >= max)) {
		/* Only others write, whom it burdens. */
		r = steady_end_pin(index);
	} else if (!index->pin &&
		   ((commits > 0 && is_late) ||
		    (commits >= COMMITS_UNPINNED && !is_paced(index)))) {
		r = checkpoint_and_go(index);
		r = r < 0 ? r : 1;
	}
	pthread_mutex_unlock(&index->steady_lock);
	return r;
}
