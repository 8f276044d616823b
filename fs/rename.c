/* SPDX-License-Identifier: MIT */
/*
 * Renaming: the way in which most tools publish.
 *
 * The inode of a plain file that becomes an entry stays what it is for the
 * kernel, pages included: a fresh entry is read without decoding it.
 *
 * A pending draft that is renamed is published at once under its new name,
 * since who renames has finished. When it is an entry that was being
 * rewritten, the kernel's node id is that of the old entry and the store's
 * that of the new one. The inode then keeps the old node id for the kernel
 * and the new one as its store_id, is pinned, and the kernel is told to ask
 * for the name anew.
 *
 * With -o writeback the kernel may have bytes of the file that it has not
 * written yet, when a program renames a file that it has open. They are asked
 * for first. No more can come during the rename, since the kernel holds the
 * lock of the inode, which write(2) needs, until the answer. It is done by a
 * thread of flusher.c; see there why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "flusher.h"
#include "growth.h"
#include "notify.h"
#include "ops.h"
#include "pending.h"
#include "readers.h"
#include "reply.h"
#include "temporary.h"

/* How often the source may go into the store while it is renamed. */
#define TRIES 8

struct move {
	struct mount *m;
	uint64_t parent;
	const char *name;
	uint64_t new_parent;
	const char *new_name;
	bool replaces; /* else a file of the new name is an error */
};

/* What the store has under the new name: its id, or 0. */
static uint64_t replaced_id(const struct move *v)
{
	struct cubby_attr attr;

	return cubby_lookup(v->m->store, v->new_parent, v->new_name, &attr) == 0
		       ? attr.id
		       : 0;
}

/* The kernel has moved the name: what was there has lost it. */
static void note_moved(const struct move *v, uint64_t replaced,
		       struct inode *target)
{
	pending_remove(v->m, target);
	if (replaced)
		inode_mark_unnamed(v->m, replaced);
}

/* The older version, which the store has under the old name, goes too. */
static void remove_older(const struct move *v)
{
	struct cubby_attr attr;

	if (cubby_lookup(v->m->store, v->parent, v->name, &attr) < 0 ||
	    attr.kind == CUBBY_DIRECTORY)
		return;
	/* The new name is published: too late to report an error. */
	if (cubby_unlink(v->m->store, v->parent, v->name) == 0)
		inode_mark_unnamed(v->m, attr.id);
}

/* Publish the draft; content.lock is held exclusive. */
static int draft_publish_locked(const struct move *v, struct inode *inode,
				struct content *c)
{
	struct cubby_owner owner = {c->attr.mode, c->attr.uid, c->attr.gid};
	bool is_entry = cubby_name_is_entry(v->new_name);
	struct cubby_attr attr;
	int r = 0;

	if (!c->draft) /* another thread has put it into the store */
		return -EAGAIN;
	if (is_entry || !c->temporary_s)
		r = atomic_load(&c->error);
	else
		r = content_sync_late_locked(c);
	if (r < 0)
		return r;
	growth_hand_over(c);
	r = cubby_draft_publish(c->draft, v->new_parent, v->new_name, &owner,
				&attr);
	if (r < 0) {
		growth_note(v->m, inode, c);
		return r;
	}
	content_published_locked(inode, c, &attr);
	/* The reaper is told of the store's id, under which it finds no
	 * inode. Without a pin the store is asked, as long as it knows. */
	if (attr.id != inode->id)
		(void)!content_pin_locked(v->m, inode, c);
	return 0;
}

static int draft_rename(const struct move *v, struct inode *inode,
			struct inode *target)
{
	struct content *c = atomic_load(&inode->content);
	uint64_t replaced = replaced_id(v);
	bool is_revision;
	int r;

	if (!v->replaces && replaced)
		return -EEXIST;
	pthread_rwlock_wrlock(&c->lock);
	is_revision = !c->temporary_s;
	r = draft_publish_locked(v, inode, c);
	pthread_rwlock_unlock(&c->lock);
	if (r < 0)
		return r;
	note_moved(v, replaced, target);
	pending_remove(v->m, inode);
	if (is_revision)
		remove_older(v);
	inode_set_place(v->m, inode, v->new_parent, v->new_name);
	if (atomic_load(&inode->store_id) != inode->id)
		notify_name(v->m, v->new_parent, v->new_name);
	return 0;
}

/* The store renames; content.lock is held exclusive when there is one. */
static int stored_rename_locked(const struct move *v, struct inode *inode,
				struct content *c)
{
	unsigned flags = v->replaces ? 0 : CUBBY_RENAME_NOREPLACE;
	bool publishes = cubby_name_is_entry(v->new_name);
	struct cubby_attr attr;
	int r = c && publishes ? atomic_load(&c->error) : 0;

	if (r < 0)
		return r;
	if (c && publishes)
		growth_hand_over(c);
	r = cubby_rename(v->m->store, v->parent, v->name, v->new_parent,
			 v->new_name, flags, &attr);
	if (r < 0 && c && publishes)
		growth_note(v->m, inode, c);
	if (r < 0)
		return r;
	if (c && attr.id == atomic_load(&inode->store_id)) {
		if (attr.kind != inode_kind(inode)) {
			content_take_kind_locked(inode, c, attr.kind);
			readers_drop(v->m->readers, attr.id);
		}
		c->attr = attr;
	}
	return 0;
}

static int stored_rename(const struct move *v, struct inode *target)
{
	struct cubby_attr attr, old;
	struct inode *inode;
	struct content *c = NULL;
	uint64_t replaced = replaced_id(v);
	int r = cubby_lookup(v->m->store, v->parent, v->name, &attr);

	if (r < 0)
		return r;
	if (replaced && pending_any_in(v->m, replaced))
		return -ENOTEMPTY;
	if (attr.kind == CUBBY_DIRECTORY && target &&
	    cubby_lookup(v->m->store, v->new_parent, v->new_name, &old) < 0)
		return -ENOTDIR;

	inode = inode_find(v->m, attr.id);
	if (inode && attr.kind != CUBBY_DIRECTORY) {
		c = content_obtain(v->m, inode);
		if (!c) {
			inode_put(v->m, inode);
			return -ENOMEM;
		}
		pthread_rwlock_wrlock(&c->lock);
	}
	r = stored_rename_locked(v, inode, c);
	if (c)
		pthread_rwlock_unlock(&c->lock);
	if (r == 0) {
		note_moved(v, replaced, target);
		if (c)
			inode_set_place(v->m, inode, v->new_parent,
					v->new_name);
	}
	inode_put(v->m, inode);
	return r;
}

static int move_once(const struct move *v)
{
	struct inode *inode = pending_find(v->m, v->parent, v->name, false);
	struct inode *target =
		pending_find(v->m, v->new_parent, v->new_name, false);
	int r;

	/* Not to come into the store after what replaces it. */
	if (target != inode)
		(void)!temporary_store(v->m, target); /* it is replaced */
	if (target && !v->replaces)
		r = -EEXIST;
	else if (inode && inode == target)
		r = 0;
	else if (inode)
		r = draft_rename(v, inode, target);
	else
		r = stored_rename(v, target);
	inode_put(v->m, inode);
	inode_put(v->m, target);
	return r;
}

static int move_run(const struct move *v)
{
	unsigned full = 0;
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		do
			r = move_once(v);
		while (content_try_again(v->m, r, 0, &full));
	}
	return r == -EAGAIN ? -ENOENT : r;
}

/* A rename that is done by the flusher, with a copy of the names. */
struct later {
	fuse_req_t req;
	struct move v;
	char names[];
};

/* Have the bytes that the kernel still has of what is being renamed. */
static void source_flush(const struct move *v)
{
	struct inode *inode = pending_find(v->m, v->parent, v->name, false);
	struct cubby_attr attr;

	if (inode)
		flusher_flush(v->m, inode->id);
	else if (cubby_lookup(v->m->store, v->parent, v->name, &attr) == 0 &&
		 attr.kind != CUBBY_DIRECTORY)
		flusher_flush(v->m, attr.id);
	inode_put(v->m, inode);
}

static void later_run(void *job)
{
	struct later *later = job;

	source_flush(&later->v);
	reply_renamed(later->req, move_run(&later->v));
	free(later);
}

/* Hand the request to the flusher. Returns 0 or -ENOMEM. */
static int move_later(fuse_req_t req, const struct move *v)
{
	size_t size = strlen(v->name) + 1;
	size_t new_size = strlen(v->new_name) + 1;
	struct later *later = calloc(1, sizeof(*later) + size + new_size);
	int r;

	if (!later)
		return -ENOMEM;
	later->req = req;
	later->v = *v;
	later->v.name = memcpy(later->names, v->name, size);
	later->v.new_name = memcpy(later->names + size, v->new_name, new_size);
	r = flusher_put(v->m, later_run, later);
	if (r < 0)
		free(later);
	return r;
}

/* Can it publish, or move what is not yet published? */
static bool needs_all_bytes(const struct move *v)
{
	return v->m->writeback && (cubby_name_is_entry(v->new_name) ||
				   cubby_name_is_entry(v->name));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	struct move v = {.m = mount_of(req),
			 .parent = parent,
			 .name = name,
			 .new_parent = new_parent,
			 .new_name = new_name,
			 .replaces = !(flags & RENAME_NOREPLACE)};

	int r = access_check(req);

	if (r == 0 && flags & ~(unsigned)RENAME_NOREPLACE)
		r = -EINVAL;
	if (r == 0 && needs_all_bytes(&v)) {
		r = move_later(req, &v);
		if (r == 0)
			return;
	}
	if (r == 0)
		r = move_run(&v);
	reply_renamed(req, r);
}
