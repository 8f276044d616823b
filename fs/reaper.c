/* SPDX-License-Identifier: MIT */
/*
 * What was replaced or deleted, by whomever.
 *
 * The store keeps a displaced node until every watch has been told of it. So
 * here, before the telling ends, an inode that the kernel knows gets what it
 * needs to be read on without the store: a reader, or a descriptor. And the
 * kernel is told to let go of the name, unless it was this mount that took the
 * name away: then the kernel has done so itself, and the name may already be
 * another's.
 *
 * Most inodes that the kernel knows are not open, and a pinned entry may hold
 * a mebibyte. When several are pinned, the next is first given a moment to be
 * forgotten.
 */
#include "reaper.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "content.h"
#include "growth.h"
#include "notify.h"
#include "readers.h"
#include "temporary.h"

#define POLL_NS (100L * 1000 * 1000)
#define POLLS_PER_LIMITS 10u /* once a second */
#define PINS_WITHOUT_WAIT 16u
#define FORGET_WAIT_NS (200L * 1000)
#define FORGET_WAITS 10

struct reaper {
	pthread_mutex_t lock; /* guards `ending` */
	pthread_cond_t wake;
	pthread_t thread;
	bool ending;
};

/* Wait a little for the kernel to forget the inode. Has it? */
static bool is_forgotten(struct mount *m, struct inode *inode)
{
	const struct timespec pause = {.tv_nsec = FORGET_WAIT_NS};

	for (int i = 0; i < FORGET_WAITS; i++) {
		bool forgotten;

		nanosleep(&pause, NULL);
		pthread_mutex_lock(&m->lock);
		forgotten = inode->nlookup == 0;
		pthread_mutex_unlock(&m->lock);
		if (forgotten)
			return true;
	}
	return false;
}

/*
 * A node was renamed. If it was here, the kernel has moved the name itself, and
 * what is there now came later. A directory is then left alone: somebody may be
 * in it, and its path must not end. For a file this costs a lookup.
 */
static void renamed(struct mount *m, uint64_t parent, const char *name)
{
	struct cubby_attr attr;
	struct inode *inode = NULL;

	if (cubby_lookup(m->store, parent, name, &attr) == 0 &&
	    attr.kind == CUBBY_DIRECTORY)
		inode = inode_find(m, attr.id);
	if (!inode)
		notify_name(m, parent, name);
	inode_put(m, inode);
}

static void displaced(void *cookie, uint64_t id, uint64_t parent,
		      const char *name)
{
	struct mount *m = cookie;
	struct inode *inode;
	bool by_us = false;

	if (id == 0) {
		renamed(m, parent, name);
		return;
	}

	pthread_rwlock_wrlock(&m->told);
	inode = inode_find(m, id);
	pthread_rwlock_unlock(&m->told);
	if (!inode)
		return;

	pthread_mutex_lock(&m->lock);
	by_us = inode->unnamed_here;
	pthread_mutex_unlock(&m->lock);

	if (!by_us)
		notify_name(m, parent, name);
	if (content_pins() < PINS_WITHOUT_WAIT || by_us ||
	    !is_forgotten(m, inode)) {
		/* On failure whoever has it open gets an error when he reads
		 * what the kernel does not have: nobody can be told here. */
		(void)!content_pin(m, inode);
	}
	inode_put(m, inode);
}

/* What would be evicted next, but may be open here: if it is not, the kernel
 * forgets it, and then it can go. */
static void cold(void *cookie, uint64_t id, uint64_t parent, const char *name)
{
	struct mount *m = cookie;
	struct inode *inode = inode_find(m, id);
	bool asked = true;

	if (!inode)
		return;
	pthread_mutex_lock(&m->lock);
	if (inode->nlookup > 0) {
		asked = inode->is_cold;
		inode->is_cold = true;
	}
	pthread_mutex_unlock(&m->lock);
	if (!asked)
		notify_name(m, parent, name);
	inode_put(m, inode);
}

static bool reaper_pause(struct reaper *reaper)
{
	struct timespec until;
	bool ending;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += POLL_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&reaper->lock);
	while (!reaper->ending && r == 0)
		r = pthread_cond_timedwait(&reaper->wake, &reaper->lock,
					   &until);
	ending = reaper->ending;
	pthread_mutex_unlock(&reaper->lock);
	return !ending;
}

static void *reaper_run(void *arg)
{
	struct mount *m = arg;
	unsigned polls = 0;

	while (reaper_pause(m->reaper)) {
		/* What fails is told again the next time. */
		if (m->watch) {
			(void)!cubby_watch_poll(m->watch, displaced, m);
			(void)!cubby_watch_cold(m->watch, cold, m);
		}
		/* On failure what was read last holds on. */
		if (++polls % POLLS_PER_LIMITS == 0)
			(void)!mount_read_resolution(m);
		readers_drop_idle(m->readers);
		content_close_idle(m);
		growth_settle(m, false);
		temporary_store_old(m);
	}
	return NULL;
}

int reaper_start(struct mount *m)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));
	pthread_condattr_t attr;
	int r;

	if (!reaper)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&reaper->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&reaper->lock, NULL);
	m->reaper = reaper;
	r = pthread_create(&reaper->thread, NULL, reaper_run, m);
	if (r != 0) {
		m->reaper = NULL;
		pthread_mutex_destroy(&reaper->lock);
		pthread_cond_destroy(&reaper->wake);
		free(reaper);
	}
	return -r;
}

void reaper_stop(struct mount *m)
{
	struct reaper *reaper = m->reaper;

	if (!reaper)
		return;
	pthread_mutex_lock(&reaper->lock);
	reaper->ending = true;
	pthread_cond_signal(&reaper->wake);
	pthread_mutex_unlock(&reaper->lock);
	pthread_join(reaper->thread, NULL);

	m->reaper = NULL;
	pthread_mutex_destroy(&reaper->lock);
	pthread_cond_destroy(&reaper->wake);
	free(reaper);
}
