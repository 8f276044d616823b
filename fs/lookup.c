/* SPDX-License-Identifier: MIT */
/*
 * Names to nodes, and the kernel's count of them.
 *
 * What is pending on this mount goes before what the store has under the same
 * name. A pending draft is given with a lifetime of zero, and the kernel is
 * asked to let go of its name at once (see pending.c).
 */
#include <errno.h>

#include "content.h"
#include "ops.h"
#include "pending.h"
#include "readers.h"
#include "reply.h"
#include "workers.h"

/* Stored bytes; what a reader of the library has in memory at once. */
#define VERIFY_MAX (1024u * 1024)
#define VERIFY_TRIES 100

/* Fill a reply for an inode whose lookup is counted. */
static int entry_fill(struct mount *m, struct inode *inode,
		      struct fuse_entry_param *ret_entry)
{
	struct fuse_entry_param e = {.ino = inode->id};
	int r = inode_stat(m, inode, &e.attr, &e.attr_timeout);

	if (r < 0)
		return r;
	if (!content_is_draft(inode))
		e.entry_timeout = mount_entry_timeout(m, inode_kind(inode));
	*ret_entry = e;
	return 0;
}

/* The common case: what the store says is all there is. */
static void entry_fill_plainly(struct mount *m, const struct cubby_attr *attr,
			       struct fuse_entry_param *ret_entry)
{
	*ret_entry = (struct fuse_entry_param){
		.ino = attr->id,
		.attr_timeout = mount_attr_timeout(m, attr->kind),
		.entry_timeout = mount_entry_timeout(m, attr->kind),
	};
	reply_fill_stat(attr, &ret_entry->attr);
}

/*
 * An entry that the kernel is told of for the first time: is it still there,
 * and are its bytes right? What is damaged is a miss then, and no error later.
 * Of a large one only parts are read at a time, and an error may come late.
 *
 * Returns 0, -ESTALE to look again, or an error.
 */
static int verify_new(struct mount *m, uint64_t parent, const char *name,
		      const struct cubby_attr *attr)
{
	int r = 0;

	if (m->watch)
		r = cubby_watch_confirm(m->watch, parent, name, attr->id);
	if (r == 0 && attr->kind == CUBBY_ENTRY &&
	    attr->stored_size <= VERIFY_MAX) {
		workers_share();
		r = readers_verify(m->readers, m->store, attr->id);
	}
	/* It is in quarantine, or has lost its name, unless nobody may write.
	 */
	if (r == -ENOENT || (r == -EBADMSG && m->watch))
		return -ESTALE;
	return r;
}

/* Read the name and enter the node as one step, see mount.told. */
static int remember_stored(struct mount *m, uint64_t parent, const char *name,
			   struct cubby_attr *ret_attr,
			   struct inode **ret_inode)
{
	int tries = VERIFY_TRIES;
	int r;

	do {
		pthread_rwlock_rdlock(&m->told);
		r = cubby_lookup(m->store, parent, name, ret_attr);
		if (r == 0)
			r = inode_remember(m, ret_attr, parent, name,
					   ret_inode);
		pthread_rwlock_unlock(&m->told);
		if (r <= 0)
			return r;
		r = verify_new(m, parent, name, ret_attr);
		if (r < 0) {
			inode_put(m, *ret_inode);
			pending_forget(m, ret_attr->id, 1);
		}
	} while (r == -ESTALE && --tries > 0);
	/* What cannot be put aside, on a full disk, is an error. */
	return r == -ESTALE ? -EIO : r;
}

int lookup_node(struct mount *m, uint64_t parent, const char *name,
		struct fuse_entry_param *ret_entry)
{
	struct inode *inode = pending_find(m, parent, name, true);
	struct cubby_attr attr;
	int r;

	if (inode) {
		uint64_t id = inode->id;

		r = entry_fill(m, inode, ret_entry);
		inode_put(m, inode);
		if (r < 0)
			pending_forget(m, id, 1);
		return r;
	}

	r = remember_stored(m, parent, name, &attr, &inode);
	if (r < 0)
		return r;
	if (!atomic_load(&inode->content) && inode_kind(inode) == attr.kind)
		entry_fill_plainly(m, &attr, ret_entry);
	else
		r = entry_fill(m, inode, ret_entry);
	inode_put(m, inode);
	if (r < 0)
		pending_forget(m, attr.id, 1);
	return r;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *m = mount_of(req);
	struct fuse_entry_param e;
	int r = lookup_node(m, parent, name, &e);

	if (r == -ENOENT)
		reply_no_name(req);
	else if (r < 0)
		reply_result(req, r);
	else
		reply_node(req, &e);
	if (r == 0 && e.entry_timeout <= 0)
		pending_announce(m, parent, name);
}

void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t count)
{
	pending_forget(mount_of(req), id, count);
	reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	pending_forget_many(mount_of(req), forgets, count);
	reply_none(req);
}
