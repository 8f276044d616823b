/* SPDX-License-Identifier: MIT */
/*
 * What a file has grown counts against the limit of the store from the moment
 * it is written: the sum is handed to the watch. The store learns the size of a
 * draft when it is published, and that of a plain file from here, when nobody
 * has written to it for a second: to write it into the index each time would
 * cost more than the write.
 *
 * Invariants
 *   1. m->grown_bytes is the sum of `bytes` over the list m->grown.
 *   2. A plain file stays in the list until the store has been told, also when
 *      its content has gone. Only growth_settle() takes it out.
 *
 * mount.grown_lock guards the list, all in it, and content.grown.
 */
#include "growth.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define IDLE_MS 1000
#define BATCH 256

struct grown {
	struct mount *m;
	struct grown *next;
	struct grown **link;	 /* what points to it */
	struct content *content; /* NULL: it has gone */
	uint64_t id;
	bool is_plain;
	uint64_t known; /* to the store */
	uint64_t now;	/* on the disk */
	uint64_t bytes; /* of it that count: what `now` is more */
	int64_t changed_ms;
	unsigned changes;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void set_bytes_locked(struct grown *g, uint64_t bytes)
{
	struct mount *m = g->m;

	m->grown_bytes += bytes - g->bytes;
	g->bytes = bytes;
	if (m->watch)
		cubby_watch_set_pending(m->watch, m->grown_bytes);
}

static void remove_locked(struct grown *g)
{
	set_bytes_locked(g, 0);
	*g->link = g->next;
	if (g->next)
		g->next->link = g->link;
	if (g->content)
		g->content->grown = NULL;
	free(g);
}

/* Without memory it is not counted before the next mount. */
static struct grown *obtain_locked(struct mount *m, struct content *c,
				   uint64_t id)
{
	struct grown *g = c->grown;

	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct grown){
		.m = m,
		.next = m->grown,
		.link = &m->grown,
		.content = c,
		.id = id,
		.is_plain = !c->draft,
		.known = c->draft ? 0 : c->known_bytes,
	};
	if (g->next)
		g->next->link = &g->next;
	m->grown = g;
	c->grown = g;
	c->grown_in = m;
	return g;
}

void growth_note(struct mount *m, struct inode *inode, struct content *c)
{
	struct grown *g;
	struct stat st;

	if (c->fd < 0 ||
	    (c->draft && cubby_draft_must_grow(c->draft, UINT64_MAX)) ||
	    fstat(c->fd, &st) < 0)
		return;
	pthread_mutex_lock(&m->grown_lock);
	g = obtain_locked(m, c, atomic_load(&inode->store_id));
	if (g) {
		g->now = (uint64_t)st.st_blocks * 512;
		g->changed_ms = now_ms();
		g->changes++;
		set_bytes_locked(g, g->now > g->known ? g->now - g->known : 0);
	}
	pthread_mutex_unlock(&m->grown_lock);
}

void growth_end(struct content *c)
{
	struct mount *m = c->grown_in;

	if (!m)
		return;
	pthread_mutex_lock(&m->grown_lock);
	if (c->grown && !c->grown->is_plain) {
		remove_locked(c->grown);
	} else if (c->grown) {
		c->grown->content = NULL;
		c->grown = NULL;
	}
	pthread_mutex_unlock(&m->grown_lock);
}

void growth_hand_over(struct content *c)
{
	struct mount *m = c->grown_in;

	if (!m)
		return;
	pthread_mutex_lock(&m->grown_lock);
	if (c->grown)
		set_bytes_locked(c->grown, 0);
	pthread_mutex_unlock(&m->grown_lock);
}

static size_t collect_locked(struct mount *m, bool all, struct grown **found,
			     uint64_t *ids, unsigned *changes)
{
	const int64_t idle_since = now_ms() - IDLE_MS;
	size_t n = 0;

	for (struct grown *g = m->grown; g && n < BATCH; g = g->next) {
		if (!g->is_plain ||
		    (!all && g->content && g->changed_ms > idle_since))
			continue;
		found[n] = g;
		changes[n] = g->changes;
		ids[n++] = g->id;
	}
	return n;
}

void growth_settle(struct mount *m, bool all)
{
	struct grown *found[BATCH];
	unsigned changes[BATCH];
	uint64_t ids[BATCH];
	size_t n;

	do {
		pthread_mutex_lock(&m->grown_lock);
		n = collect_locked(m, all, found, ids, changes);
		pthread_mutex_unlock(&m->grown_lock);
		/* What fails is settled the next time, or by the next mount. */
		if (n == 0 || cubby_settle_plain(m->store, ids, n) < 0)
			return;
		pthread_mutex_lock(&m->grown_lock);
		for (size_t i = 0; i < n; i++) {
			/* Written to meanwhile: settled again. */
			if (found[i]->content &&
			    found[i]->changes != changes[i])
				continue;
			if (found[i]->content)
				found[i]->content->known_bytes = found[i]->now;
			remove_locked(found[i]);
		}
		pthread_mutex_unlock(&m->grown_lock);
	} while (n == BATCH);
}
