/* SPDX-License-Identifier: MIT */
/*
 * Taking names away. Who has the file open keeps it: a draft because it lives
 * with its inode, what the store has because of the watch (reaper.c).
 */
#include <errno.h>

#include "inode.h"
#include "ops.h"
#include "pending.h"
#include "reply.h"

static int file_unlink(struct mount *m, uint64_t parent, const char *name)
{
	struct inode *pending = pending_find(m, parent, name, false);
	struct cubby_attr attr;
	bool stored;
	int r;

	/* The store has it, or has nothing of that name. */
	if (pending && inode_kind(pending) == CUBBY_PLAIN) {
		bool removed = pending_remove(m, pending);

		inode_put(m, pending);
		if (removed)
			return 0;
		pending = pending_find(m, parent, name, false);
	}
	stored = cubby_lookup(m->store, parent, name, &attr) == 0;
	r = cubby_unlink(m->store, parent, name);
	if (r == 0 && stored)
		inode_mark_unnamed(m, attr.id);
	if (r == -ENOENT && pending)
		r = 0;
	if (r == 0)
		pending_remove(m, pending);
	inode_put(m, pending);
	return r;
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int r = access_check(req);

	if (r == 0)
		r = file_unlink(mount_of(req), parent, name);
	reply_result(req, r);
}

/* What is pending in a directory is in it, though the store does not know. */
static int dir_remove(struct mount *m, uint64_t parent, const char *name)
{
	struct cubby_attr attr;
	int r = cubby_lookup(m->store, parent, name, &attr);

	if (r < 0)
		return r;
	if (pending_any_in(m, attr.id))
		return -ENOTEMPTY;
	r = cubby_rmdir(m->store, parent, name);
	if (r == 0)
		inode_mark_unnamed(m, attr.id);
	return r;
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int r = access_check(req);

	if (r == 0)
		r = dir_remove(mount_of(req), parent, name);
	reply_result(req, r);
}
