/* SPDX-License-Identifier: MIT */
/*
 * Drafts that have a name on this mount only, and their publication.
 *
 * The kernel does not tell when a file is closed (see op_open() in file.c).
 * But it forgets an inode as soon as nobody has it open or mapped and no name
 * leads to it. So whenever the kernel has been given the name of a draft, it
 * is asked through notify.c to let go of the name; the open file keeps the
 * inode alive, and the forget that follows its last close is the moment to
 * publish. A lifetime of zero for the name does not do this: the kernel then
 * asks about the name on each use, but keeps it. Once a second all pending
 * names are asked for again, because an answer that was on its way meanwhile
 * may have brought one back.
 *
 * Temporary files are drafts as well, and are found here (temporary.c).
 *
 * Invariants
 *   1. One pending draft per (parent, name), found in mount.pending by it.
 *   2. PENDING_PUBLISHING means: not in the table of inodes any more, and
 *      until the state changes nobody can tell whether the store has the name.
 *      So who asks waits for mount.settled.
 *   3. What is marked failed is never published, nor what was written last by
 *      a process that was killed (author.h).
 *
 * mount.lock guards the table, the states and the places of pending drafts.
 */
#include "pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "growth.h"
#include "notify.h"

static struct content *content_of(struct inode *inode)
{
	return atomic_load(&inode->content);
}

static struct inode **bucket_of(struct mount *m, uint64_t parent,
				const char *name)
{
	uint64_t h = parent * UINT64_C(0x9e3779b97f4a7c15);

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return &m->pending[(h >> 20) % MOUNT_PENDING_BUCKETS];
}

static struct inode *find_locked(struct mount *m, uint64_t parent,
				 const char *name)
{
	struct inode *inode = *bucket_of(m, parent, name);

	while (inode &&
	       (inode->parent != parent || strcmp(inode->name, name) != 0))
		inode = content_of(inode)->pending_next;
	return inode;
}

static int add_locked(struct mount *m, struct inode *inode)
{
	struct inode **bucket;

	if (!inode->name)
		return -ENOMEM;
	if (find_locked(m, inode->parent, inode->name))
		return -EEXIST;
	bucket = bucket_of(m, inode->parent, inode->name);
	content_of(inode)->pending_next = *bucket;
	content_of(inode)->state = content_of(inode)->temporary_s
					   ? PENDING_TEMPORARY
					   : PENDING_WRITING;
	*bucket = inode;
	m->pending_count++;
	return 0;
}

static void remove_locked(struct mount *m, struct inode *inode)
{
	struct inode **p = bucket_of(m, inode->parent, inode->name);

	while (*p != inode)
		p = &content_of(*p)->pending_next;
	*p = content_of(inode)->pending_next;
	content_of(inode)->pending_next = NULL;
	content_of(inode)->state = PENDING_NOT;
	m->pending_count--;
	pthread_cond_broadcast(&m->settled);
}

struct inode *pending_find(struct mount *m, uint64_t parent, const char *name,
			   bool counted)
{
	struct inode *inode;

	pthread_mutex_lock(&m->lock);
	inode = find_locked(m, parent, name);
	while (inode && content_of(inode)->state == PENDING_PUBLISHING) {
		pthread_cond_wait(&m->settled, &m->lock);
		inode = find_locked(m, parent, name);
	}
	if (inode) {
		inode->refs++;
		if (counted)
			inode->nlookup++;
	}
	pthread_mutex_unlock(&m->lock);
	return inode;
}

int pending_enter(struct mount *m, struct inode *inode)
{
	int r;

	pthread_mutex_lock(&m->lock);
	r = add_locked(m, inode);
	if (r == 0) {
		inode->nlookup = 1;
		inode_insert_locked(m, inode);
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

int pending_add(struct mount *m, struct inode *inode)
{
	int r;

	pthread_mutex_lock(&m->lock);
	r = add_locked(m, inode);
	pthread_mutex_unlock(&m->lock);
	return r;
}

/* Is it pending, and nobody is publishing it? */
static bool is_at_rest_locked(struct inode *inode)
{
	struct content *c = content_of(inode);

	return c &&
	       (c->state == PENDING_WRITING || c->state == PENDING_TEMPORARY);
}

bool pending_remove(struct mount *m, struct inode *inode)
{
	bool removed;

	if (!inode)
		return false;
	pthread_mutex_lock(&m->lock);
	removed = is_at_rest_locked(inode);
	if (removed)
		remove_locked(m, inode);
	pthread_mutex_unlock(&m->lock);
	return removed;
}

bool pending_claim(struct mount *m, struct inode *inode)
{
	bool claimed;

	pthread_mutex_lock(&m->lock);
	claimed = content_of(inode)->state == PENDING_TEMPORARY;
	if (claimed)
		content_of(inode)->state = PENDING_PUBLISHING;
	pthread_mutex_unlock(&m->lock);
	return claimed;
}

void pending_settle(struct mount *m, struct inode *inode, bool is_stored)
{
	pthread_mutex_lock(&m->lock);
	if (is_stored) {
		remove_locked(m, inode);
	} else {
		content_of(inode)->state = PENDING_TEMPORARY;
		pthread_cond_broadcast(&m->settled);
	}
	pthread_mutex_unlock(&m->lock);
}

size_t pending_find_old(struct mount *m, int64_t time_s, struct inode **inodes,
			size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; m->pending_count && i < MOUNT_PENDING_BUCKETS; i++) {
		struct inode *inode = m->pending[i];

		for (; inode; inode = content_of(inode)->pending_next) {
			if (n == max ||
			    content_of(inode)->state != PENDING_TEMPORARY ||
			    content_of(inode)->temporary_s > time_s)
				continue;
			inode->refs++;
			inodes[n++] = inode;
		}
	}
	pthread_mutex_unlock(&m->lock);
	return n;
}

bool pending_any_in(struct mount *m, uint64_t dir)
{
	bool any = false;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; m->pending_count && i < MOUNT_PENDING_BUCKETS; i++) {
		struct inode *inode = m->pending[i];

		for (; inode; inode = content_of(inode)->pending_next)
			any = any || inode->parent == dir;
	}
	pthread_mutex_unlock(&m->lock);
	return any;
}

/*
 * Publish a draft which nobody has open. There is nobody to tell of an error:
 * then the draft ends with the inode, and the name has what it had.
 */
static void publish_content(struct mount *m, struct inode *inode)
{
	struct content *c = content_of(inode);
	struct cubby_attr old, attr;
	struct cubby_owner owner;
	bool replaces;

	pthread_rwlock_wrlock(&c->lock);
	owner = (struct cubby_owner){c->attr.mode, c->attr.uid, c->attr.gid};
	replaces =
		cubby_lookup(m->store, inode->parent, inode->name, &old) == 0;
	growth_hand_over(c);
	if (c->draft && cubby_draft_publish(c->draft, inode->parent,
					    inode->name, &owner, &attr) == 0) {
		growth_end(c);
		c->draft = NULL;
		c->fd = -1;
		if (replaces)
			inode_mark_unnamed(m, old.id);
	}
	pthread_rwlock_unlock(&c->lock);
}

/* End what has been claimed. What its author was killed over is no content. */
static void settle(struct mount *m, struct inode *inode, bool was_killed)
{
	if (!was_killed)
		publish_content(m, inode);
	pthread_mutex_lock(&m->lock);
	remove_locked(m, inode);
	pthread_mutex_unlock(&m->lock);
}

/* Needs mount.lock. True when the caller has to settle(). */
static bool claim_locked(struct mount *m, struct inode *inode)
{
	struct content *c = content_of(inode);

	if (!is_at_rest_locked(inode))
		return false;
	if (atomic_load(&c->error) && c->state == PENDING_WRITING) {
		remove_locked(m, inode);
		return false;
	}
	c->state = PENDING_PUBLISHING;
	return true;
}

/* An inode that the kernel has forgotten. */
struct forgotten {
	struct inode *inode; /* NULL: it has not */
	bool is_claimed;
	bool was_killed; /* its author */
};

static struct forgotten forget_begin(struct mount *m, uint64_t id,
				     uint64_t count)
{
	struct forgotten f = {0};
	struct inode *inode;

	pthread_mutex_lock(&m->lock);
	inode = id == CUBBY_ROOT_ID ? NULL : inode_find_locked(m, id);
	if (inode && inode->nlookup > count) {
		inode->nlookup -= count;
	} else if (inode) {
		inode->nlookup = 0;
		inode_remove_locked(m, inode);
		f.inode = inode;
		f.is_claimed = claim_locked(m, inode);
	}
	pthread_mutex_unlock(&m->lock);
	if (f.is_claimed)
		f.was_killed = author_was_killed(&content_of(inode)->author);
	return f;
}

static void forget_end(struct mount *m, const struct forgotten *f)
{
	if (f->is_claimed)
		settle(m, f->inode, f->was_killed);
	inode_put(m, f->inode);
}

void pending_forget(struct mount *m, uint64_t id, uint64_t count)
{
	struct forgotten f = forget_begin(m, id, count);

	forget_end(m, &f);
}

void pending_forget_many(struct mount *m, const struct fuse_forget_data *data,
			 size_t count)
{
	struct forgotten *all = calloc(count, sizeof(*all));

	for (size_t i = 0; !all && i < count; i++)
		pending_forget(m, data[i].ino, data[i].nlookup);
	for (size_t i = 0; all && i < count; i++)
		all[i] = forget_begin(m, data[i].ino, data[i].nlookup);
	for (size_t i = 0; all && i < count; i++)
		forget_end(m, &all[i]);
	free(all);
}

void pending_announce(struct mount *m, uint64_t parent, const char *name)
{
	struct inode *inode;

	pthread_mutex_lock(&m->lock);
	inode = m->pending_count ? find_locked(m, parent, name) : NULL;
	if (inode && content_of(inode)->state != PENDING_TEMPORARY)
		notify_name(m, parent, name);
	pthread_mutex_unlock(&m->lock);
}

void pending_announce_all(struct mount *m)
{
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; m->pending_count && i < MOUNT_PENDING_BUCKETS; i++) {
		struct inode *inode = m->pending[i];

		for (; inode; inode = content_of(inode)->pending_next)
			if (content_of(inode)->state != PENDING_TEMPORARY)
				notify_name(m, inode->parent, inode->name);
	}
	pthread_mutex_unlock(&m->lock);
}

void pending_publish_all(struct mount *m)
{
	for (size_t i = 0; i < MOUNT_PENDING_BUCKETS; i++) {
		for (;;) {
			struct inode *inode;
			bool ours;

			pthread_mutex_lock(&m->lock);
			inode = m->pending[i];
			ours = inode && claim_locked(m, inode);
			pthread_mutex_unlock(&m->lock);
			if (!inode)
				break;
			if (ours)
				settle(m, inode,
				       author_was_killed(
					       &content_of(inode)->author));
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct pending_name *x = a;
	const struct pending_name *y = b;

	return strcmp(x->name, y->name);
}

/* The inodes of interest, each with one use, and their names. */
static int collect(struct mount *m, uint64_t dir, const char *after,
		   struct pending_name *names, struct inode **inodes)
{
	size_t n = 0;

	for (size_t i = 0; i < MOUNT_PENDING_BUCKETS; i++) {
		struct inode *inode = m->pending[i];

		for (; inode; inode = content_of(inode)->pending_next) {
			if (inode->parent != dir ||
			    strcmp(inode->name, after) <= 0)
				continue;
			names[n].name = strdup(inode->name);
			if (!names[n].name)
				return -ENOMEM;
			inode->refs++;
			inodes[n++] = inode;
		}
	}
	return 0;
}

void pending_list_free(struct pending_name *names, size_t count)
{
	for (size_t i = 0; names && i < count; i++)
		free(names[i].name);
	free(names);
}

/* Fill in the attributes, and leave out what has ended meanwhile. */
static size_t fill_stats(struct mount *m, struct pending_name *names,
			 struct inode **inodes, size_t capacity)
{
	size_t kept = 0;

	for (size_t i = 0; i < capacity; i++) {
		double timeout_s;

		if (!inodes[i])
			continue;
		if (inode_stat(m, inodes[i], &names[i].st, &timeout_s) == 0)
			names[kept++] = names[i];
		else
			free(names[i].name);
		inode_put(m, inodes[i]);
	}
	return kept;
}

int pending_list(struct mount *m, uint64_t dir, const char *after,
		 struct pending_name **ret_names, size_t *ret_count)
{
	struct pending_name *names;
	struct inode **inodes;
	size_t capacity, count = 0;
	int r = -ENOMEM;

	pthread_mutex_lock(&m->lock);
	capacity = m->pending_count;
	names = calloc(capacity + 1, sizeof(*names));
	inodes = calloc(capacity + 1, sizeof(struct inode *));
	if (names && inodes)
		r = capacity ? collect(m, dir, after, names, inodes) : 0;
	pthread_mutex_unlock(&m->lock);

	if (names && inodes)
		count = fill_stats(m, names, inodes, capacity);
	free(inodes);
	if (r < 0) {
		pending_list_free(names, count);
		return r;
	}
	qsort(names, count, sizeof(*names), compare_names);
	*ret_names = names;
	*ret_count = count;
	return 0;
}
