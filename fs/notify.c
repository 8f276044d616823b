/* SPDX-License-Identifier: MIT */
/*
 * Tell the kernel to let go of names and pages.
 *
 * A notification about a name waits in the kernel for the lock of the
 * directory, and whoever holds that may wait for a request to be answered. So
 * it must never be sent by a thread that answers requests, or while a lock is
 * held that such a thread may want. Here is the one thread that sends; others
 * put into its queue and go on.
 *
 * When nothing is to be sent it wakes once a second, for
 * pending_announce_all().
 *
 * notifier.lock guards the queue.
 */
#include "notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pending.h"

#define ANNOUNCE_S 1

struct note {
	struct note *next;
	uint64_t id; /* the directory, or the file whose pages go */
	bool is_name;
	char name[];
};

struct notifier {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct note *first;
	struct note **last;
	bool ending;
};

static void note_put(struct mount *m, uint64_t id, const char *name)
{
	struct notifier *n = m->notifier;
	size_t size = name ? strlen(name) + 1 : 1;
	struct note *note;

	if (!n)
		return;
	note = calloc(1, sizeof(*note) + size);
	if (!note)
		return;
	note->id = id;
	note->is_name = name != NULL;
	if (name)
		memcpy(note->name, name, size);

	pthread_mutex_lock(&n->lock);
	*n->last = note;
	n->last = &note->next;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
}

void notify_name(struct mount *m, uint64_t parent, const char *name)
{
	note_put(m, parent, name);
}

void notify_pages(struct mount *m, uint64_t id)
{
	note_put(m, id, NULL);
}

/* Take the next note, or NULL when a second has passed or it is the end. */
static struct note *note_take(struct notifier *n, bool *ret_ending)
{
	struct timespec until;
	struct note *note;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ANNOUNCE_S;
	pthread_mutex_lock(&n->lock);
	while (!n->first && !n->ending && r == 0)
		r = pthread_cond_timedwait(&n->wake, &n->lock, &until);
	note = n->ending ? NULL : n->first;
	if (note) {
		n->first = note->next;
		if (!n->first)
			n->last = &n->first;
	}
	*ret_ending = n->ending;
	pthread_mutex_unlock(&n->lock);
	return note;
}

static void *notify_run(void *arg)
{
	struct mount *m = arg;
	bool ending = false;

	while (!ending) {
		struct note *note = note_take(m->notifier, &ending);

		/* The results say whether the kernel knew the name or the
		 * inode, which makes no difference. */
		if (note && note->is_name)
			(void)fuse_lowlevel_notify_inval_entry(
				m->session, note->id, note->name,
				strlen(note->name));
		else if (note)
			(void)fuse_lowlevel_notify_inval_inode(m->session,
							       note->id, 0, 0);
		else if (!ending)
			pending_announce_all(m);
		free(note);
	}
	return NULL;
}

int notify_start(struct mount *m)
{
	struct notifier *n = calloc(1, sizeof(*n));
	pthread_condattr_t attr;
	int r;

	if (!n)
		return -ENOMEM;
	n->last = &n->first;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&n->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&n->lock, NULL);
	m->notifier = n;
	r = pthread_create(&n->thread, NULL, notify_run, m);
	if (r != 0) {
		m->notifier = NULL;
		pthread_mutex_destroy(&n->lock);
		pthread_cond_destroy(&n->wake);
		free(n);
	}
	return -r;
}

void notify_stop(struct mount *m)
{
	struct notifier *n = m->notifier;

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->ending = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);

	m->notifier = NULL;
	while (n->first) {
		struct note *note = n->first;

		n->first = note->next;
		free(note);
	}
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->wake);
	free(n);
}
