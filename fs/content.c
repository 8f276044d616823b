/* SPDX-License-Identifier: MIT */
/*
 * What a file has open: a descriptor, a draft, or a reader.
 *
 * An entry has no content object until it is written or loses its name; its
 * bytes come through readers.c. A plain file has one while it is in use, with
 * a descriptor. A draft has one with the descriptor of the draft.
 *
 * Invariants
 *   1. fd >= 0 with draft: the descriptor belongs to the draft, and the file
 *      can be written. fd >= 0 without draft: a plain file's, ours to close.
 *   2. A draft goes before a pin: an entry that lost its name and is written
 *      then has both, and only the draft counts.
 *   3. After a failed write, `error` stays until the file is cut to nothing
 *      and written to: what has a hole in it is never published, and neither
 *      is what its writer has cut to nothing to give up.
 *   4. A plain file without a pin can be closed at any time: it is opened
 *      again on its next use. With very many the idle ones are closed, since
 *      the kernel may know more files than there are descriptors.
 *
 * content.lock guards what content.h says. It is held while bytes are read or
 * written (bytes.c), so that publishing, which takes it exclusive, sees whole
 * writes.
 */
#include "content.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "growth.h"
#include "readers.h"

/* Plain files that may stay open, and how many are closed at a time. */
#define OPEN_MAX_IDLE 512u
#define CLOSE_BATCH 256u

static _Atomic(unsigned) pins;
static _Atomic(unsigned) open_count; /* descriptors of plain files */

unsigned content_pins(void)
{
	return atomic_load(&pins);
}

struct content *content_new(void)
{
	struct content *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (pthread_rwlock_init(&c->lock, NULL) != 0) {
		free(c);
		return NULL;
	}
	if (author_init(&c->author) < 0) {
		pthread_rwlock_destroy(&c->lock);
		free(c);
		return NULL;
	}
	c->magic = CONTENT_MAGIC;
	c->fd = -1;
	return c;
}

/* Needs content.lock exclusive, or that nobody else knows of it. */
static void plain_close(struct content *c)
{
	if (c->draft || c->fd < 0)
		return;
	growth_end(c);
	close(c->fd);
	c->fd = -1;
	atomic_fetch_sub(&open_count, 1);
}

static void plain_take(struct content *c, int fd)
{
	/* What was written through an earlier descriptor may not be known yet;
	 * that is settled with what follows. */
	c->known_bytes = c->attr.stored_size;
	c->fd = fd;
	atomic_fetch_add(&open_count, 1);
}

void content_free(struct content *c)
{
	if (!c)
		return;
	plain_close(c);
	growth_end(c);
	cubby_draft_drop(c->draft);
	cubby_reader_close(c->pin);
	if (atomic_load(&c->pinned))
		atomic_fetch_sub(&pins, 1);
	author_done(&c->author);
	pthread_rwlock_destroy(&c->lock);
	c->magic = 0;
	free(c);
}

bool content_is_spare(const struct content *c)
{
	return c->fd < 0 && !c->draft && !c->pin && c->state == PENDING_NOT &&
	       !atomic_load(&c->error) && !atomic_load(&c->pinned);
}

struct content *content_obtain(struct mount *m, struct inode *inode)
{
	struct content *c = atomic_load(&inode->content);
	struct content *made;

	if (c)
		return c;
	made = content_new();
	pthread_mutex_lock(&m->lock);
	c = atomic_load(&inode->content);
	if (!c && made) {
		atomic_store(&inode->content, made);
		c = made;
		made = NULL;
	}
	pthread_mutex_unlock(&m->lock);
	content_free(made);
	return c;
}

bool content_is_draft(struct inode *inode)
{
	struct content *c = atomic_load(&inode->content);
	bool is_draft;

	if (!c)
		return false;
	pthread_rwlock_rdlock(&c->lock);
	is_draft = c->draft && !c->temporary_s;
	pthread_rwlock_unlock(&c->lock);
	return is_draft;
}

void content_published_locked(struct inode *inode, struct content *c,
			      const struct cubby_attr *attr)
{
	growth_end(c);
	c->draft = NULL;
	c->fd = -1;
	c->temporary_s = 0;
	c->is_sync_wanted = false;
	author_forget(&c->author);
	c->attr = *attr;
	atomic_store(&inode->store_id, attr->id);
	atomic_store(&inode->kind, (uint8_t)attr->kind);
}

int content_sync_late_locked(struct content *c)
{
	int r = 0;

	if (!c->is_sync_wanted)
		return 0;
	r = cubby_draft_grow(c->draft, UINT64_MAX);
	if (r == 0 && fdatasync(c->fd) < 0)
		r = -errno;
	return r;
}

void content_take_kind_locked(struct inode *inode, struct content *c,
			      enum cubby_kind kind)
{
	if (c->draft)
		return;
	if (kind == CUBBY_ENTRY)
		plain_close(c);
	if (kind == CUBBY_PLAIN) {
		cubby_reader_close(c->pin);
		c->pin = NULL;
	}
	atomic_store(&inode->kind, (uint8_t)kind);
}

void content_change_kind(struct mount *m, struct inode *inode,
			 enum cubby_kind kind)
{
	struct content *c = content_obtain(m, inode);

	if (!c)
		return;
	pthread_rwlock_wrlock(&c->lock);
	content_take_kind_locked(inode, c, kind);
	pthread_rwlock_unlock(&c->lock);
	readers_drop(m->readers, atomic_load(&inode->store_id));
}

int content_open_plain_locked(struct mount *m, struct inode *inode,
			      struct content *c)
{
	uint64_t id = atomic_load(&inode->store_id);
	int fd, r;

	if (c->fd >= 0)
		return 0;
	r = cubby_open_plain(m->store, id, &fd);
	if (r < 0)
		return r;
	r = cubby_getattr(m->store, id, &c->attr);
	if (r < 0) {
		close(fd);
		return r;
	}
	plain_take(c, fd);
	return 0;
}

bool content_give_fd(struct content *c, const struct cubby_attr *attr, int fd)
{
	bool taken;

	pthread_rwlock_wrlock(&c->lock);
	taken = c->fd < 0;
	if (taken) {
		c->attr = *attr;
		plain_take(c, fd);
	}
	pthread_rwlock_unlock(&c->lock);
	return taken;
}

int content_pin_locked(struct mount *m, struct inode *inode, struct content *c)
{
	uint64_t id = atomic_load(&inode->store_id);
	int r = 0;

	if (c->draft || c->pin)
		return 0;
	if (inode_kind(inode) == CUBBY_PLAIN) {
		r = content_open_plain_locked(m, inode, c);
	} else {
		r = cubby_getattr(m->store, id, &c->attr);
		if (r == 0)
			r = cubby_open_entry(m->store, id, &c->pin);
	}
	if (r == 0 && !atomic_exchange(&c->pinned, true))
		atomic_fetch_add(&pins, 1);
	return r;
}

int content_pin(struct mount *m, struct inode *inode)
{
	struct content *c;
	int r = 0;

	if (inode_kind(inode) == CUBBY_DIRECTORY)
		return 0;
	c = content_obtain(m, inode);
	if (!c)
		return -ENOMEM;
	pthread_rwlock_wrlock(&c->lock);
	r = content_pin_locked(m, inode, c);
	pthread_rwlock_unlock(&c->lock);
	return r;
}

/* Some inodes of plain files that have a descriptor, each with one use. */
static size_t collect_open(struct mount *m, struct inode **inodes)
{
	size_t n = 0;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < m->bucket_count && n < CLOSE_BATCH; i++) {
		struct inode *inode = m->buckets[i];

		for (; inode && n < CLOSE_BATCH; inode = inode->next) {
			if (inode_kind(inode) != CUBBY_PLAIN ||
			    !atomic_load(&inode->content))
				continue;
			inode->refs++;
			inodes[n++] = inode;
		}
	}
	pthread_mutex_unlock(&m->lock);
	return n;
}

void content_close_idle(struct mount *m)
{
	struct inode *inodes[CLOSE_BATCH];
	size_t n;

	if (atomic_load(&open_count) <= OPEN_MAX_IDLE)
		return;
	n = collect_open(m, inodes);
	for (size_t i = 0; i < n; i++) {
		struct content *c = atomic_load(&inodes[i]->content);

		/* Who has the lock is not idle. */
		if (pthread_rwlock_trywrlock(&c->lock) == 0) {
			if (!atomic_load(&c->pinned))
				plain_close(c);
			pthread_rwlock_unlock(&c->lock);
		}
		inode_put(m, inodes[i]);
	}
}
