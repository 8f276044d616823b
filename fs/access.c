/* SPDX-License-Identifier: MIT */
/*
 * Who may change something.
 *
 * Without allow_other the kernel lets only the mounting user in, and nothing
 * is checked. With it everyone may read, and the mounting user, root and the
 * members of one group may change things: not more, since modes of entries are
 * what their tools happened to ask for. The kernel's own check, the mount
 * option default_permissions, goes by owners and modes: it would refuse the
 * explicit utimens(2) with which some tools mark the entries of others as used.
 *
 * So every request that changes something is checked here by its caller. That
 * alone would not do: who has a file open for writing may also map it shared
 * and store into the kernel's pages, which all others read. No request comes
 * before the pages are written back, and that one comes from the kernel. So in
 * a mount that is checked, opening is not answered with ENOSYS (see op_open()
 * in file.c), and opening for writing is refused at once. Hits cost a request
 * then; who wants to read without that takes a second mount with -o ro.
 *
 * What was opened for writing may be written by whoever holds the descriptor,
 * as in any file system: the handle says so, and a write needs no check.
 */
#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "mount.h"

/* The handle of a file that was opened for writing. */
#define WRITABLE UINT64_C(0x63627772)

#define GROUPS_AT_FIRST 64

static const struct access_rules *rules_of(fuse_req_t req)
{
	return &mount_of(req)->access;
}

static bool contains(const gid_t *groups, int count, gid_t group)
{
	for (int i = 0; i < count; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

/* Is the group one of the caller's supplementary groups? */
static bool is_supplementary(fuse_req_t req, gid_t group)
{
	gid_t some[GROUPS_AT_FIRST];
	gid_t *all;
	bool found;
	int n = fuse_req_getgroups(req, GROUPS_AT_FIRST, some);

	/* Whose groups cannot be read, say in another pid namespace, is no
	 * member. */
	if (n <= GROUPS_AT_FIRST)
		return contains(some, n, group);
	all = calloc((size_t)n, sizeof(*all));
	if (!all)
		return false;
	found = fuse_req_getgroups(req, n, all) == n && contains(all, n, group);
	free(all);
	return found;
}

int access_check(fuse_req_t req)
{
	const struct access_rules *rules = rules_of(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	if (!rules->is_checked || ctx->uid == 0 || ctx->uid == rules->owner)
		return 0;
	if (rules->has_writers && (ctx->gid == rules->writers ||
				   is_supplementary(req, rules->writers)))
		return 0;
	return -EACCES;
}

int access_check_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	if (!rules_of(req)->is_checked)
		return 0;
	/* Pages that the kernel writes back come without a caller; whoever
	 * made them dirty had to open the file for writing. */
	if (fi && (fi->writepage || fi->fh == WRITABLE))
		return 0;
	return access_check(req);
}

int access_open(fuse_req_t req, struct fuse_file_info *fi)
{
	int r;

	fi->fh = 0;
	if ((fi->flags & O_ACCMODE) == O_RDONLY)
		return 0;
	r = access_check(req);
	if (r == 0)
		fi->fh = WRITABLE;
	return r;
}

void access_created(struct fuse_file_info *fi)
{
	fi->fh = WRITABLE;
}

void access_show(const struct mount *m, struct stat *st)
{
	const struct access_rules *rules = &m->access;

	if (rules->shows_uid)
		st->st_uid = rules->uid;
	if (rules->shows_gid)
		st->st_gid = rules->gid;
	st->st_mode &= ~rules->umask;
}
