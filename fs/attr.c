/* SPDX-License-Identifier: MIT */
/*
 * Attributes of files, and of the file system.
 *
 * Tools set modes, owners and times of what they keep in a cache, and take an
 * error as a reason not to use it. So all that is accepted; what a draft gets
 * is remembered until it is published, and a time of last access is not kept.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "content.h"
#include "cubby/manage.h"
#include "ops.h"
#include "reply.h"

#define SET_ATIME_ANY (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)
#define SET_MTIME_ANY (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)

static int64_t ns_of(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

static unsigned wanted(const struct stat *st, int what,
		       struct cubby_attr *ret_attr)
{
	struct timespec now;
	unsigned set = 0;

	*ret_attr = (struct cubby_attr){
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime_ns = ns_of(&st->st_mtim),
		.used_ns = ns_of(&st->st_atim),
	};
	if (what & FUSE_SET_ATTR_MODE)
		set |= CUBBY_SET_MODE;
	if (what & FUSE_SET_ATTR_UID)
		set |= CUBBY_SET_UID;
	if (what & FUSE_SET_ATTR_GID)
		set |= CUBBY_SET_GID;
	if (what & SET_MTIME_ANY)
		set |= CUBBY_SET_MTIME;
	if (what & SET_ATIME_ANY)
		set |= CUBBY_SET_USED;
	clock_gettime(CLOCK_REALTIME, &now);
	if (what & FUSE_SET_ATTR_MTIME_NOW)
		ret_attr->mtime_ns = ns_of(&now);
	if (what & FUSE_SET_ATTR_ATIME_NOW)
		ret_attr->used_ns = ns_of(&now);
	/* The present is exact enough for all times that are set. */
	if (what & FUSE_SET_ATTR_MTIME_NOW &&
	    (!(what & SET_ATIME_ANY) || what & FUSE_SET_ATTR_ATIME_NOW))
		set |= CUBBY_SET_NOW;
	return set;
}

/* Change what is remembered in place of the store. */
static int kept_set(struct content *c, unsigned set,
		    const struct cubby_attr *attr)
{
	int r = 0;

	if (set & CUBBY_SET_MODE)
		c->attr.mode = attr->mode & 0777;
	if (set & CUBBY_SET_UID)
		c->attr.uid = attr->uid;
	if (set & CUBBY_SET_GID)
		c->attr.gid = attr->gid;
	if (set & CUBBY_SET_MTIME) {
		struct timespec times[2] = {
			{.tv_nsec = UTIME_OMIT},
			{.tv_sec = (time_t)(attr->mtime_ns / 1000000000),
			 .tv_nsec = (long)(attr->mtime_ns % 1000000000)},
		};

		c->attr.mtime_ns = attr->mtime_ns;
		if (times[1].tv_nsec < 0) {
			times[1].tv_nsec += 1000000000;
			times[1].tv_sec--;
		}
		if (c->fd >= 0 && futimens(c->fd, times) < 0)
			r = -errno;
	}
	return r;
}

static int attr_set(struct mount *m, struct inode *inode, unsigned set,
		    const struct cubby_attr *attr)
{
	struct content *c = atomic_load(&inode->content);
	struct cubby_attr changed;
	int r;

	if (!c)
		return cubby_setattr(m->store, atomic_load(&inode->store_id),
				     set, attr, &changed);

	pthread_rwlock_wrlock(&c->lock);
	if (c->draft) {
		r = kept_set(c, set, attr);
	} else {
		r = cubby_setattr(m->store, atomic_load(&inode->store_id), set,
				  attr, &changed);
		if (r == 0)
			c->attr = changed;
		else if (r == -ENOENT && (c->fd >= 0 || c->pin))
			r = kept_set(c, set, attr);
	}
	pthread_rwlock_unlock(&c->lock);
	return r;
}

static int setattr_and_stat(struct mount *m, struct inode *inode,
			    const struct stat *st, int what, pid_t by,
			    struct stat *ret_st, double *ret_timeout_s)
{
	struct cubby_attr attr;
	unsigned set = wanted(st, what, &attr);
	int r = 0;

	if (what & FUSE_SET_ATTR_SIZE)
		r = st->st_size < 0
			    ? -EINVAL
			    : content_truncate(m, inode, (uint64_t)st->st_size,
					       by);
	if (r == 0 && set)
		r = attr_set(m, inode, set, &attr);
	return r < 0 ? r : inode_stat(m, inode, ret_st, ret_timeout_s);
}

void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *st, int what,
		struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct inode *inode = inode_find(m, id);
	struct stat changed;
	double timeout_s = 0;
	/* The kernel gives a handle for ftruncate(2) only. */
	int r = access_check_open(req, fi);

	if (r == 0)
		r = inode ? setattr_and_stat(m, inode, st, what,
					     fuse_req_ctx(req)->pid, &changed,
					     &timeout_s)
			  : -ESTALE;
	inode_put(m, inode);
	if (r < 0)
		reply_result(req, r);
	else
		reply_attr(req, &changed, timeout_s);
}

void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct inode *inode = inode_find(m, id);
	struct stat st;
	double timeout_s = 0;
	int r = -ESTALE;

	(void)fi;
	if (inode)
		r = inode_stat(m, inode, &st, &timeout_s);
	inode_put(m, inode);
	if (r < 0)
		reply_result(req, r);
	else
		reply_attr(req, &st, timeout_s);
}

/* Has nobody the permission to execute this file? */
static bool is_no_program(struct mount *m, fuse_ino_t id)
{
	struct inode *inode = inode_find(m, id);
	struct stat st;
	double timeout_s;
	bool stated = inode && inode_stat(m, inode, &st, &timeout_s) == 0;

	inode_put(m, inode);
	if (!stated || !S_ISREG(st.st_mode))
		return false;
	access_show(m, &st);
	return !(st.st_mode & 0111);
}

/*
 * access(2) and chdir(2) ask this. Everyone may read, and the kernel does not
 * look at the bits for executing when it asks. With ENOSYS it grants all from
 * then on without asking.
 */
void op_access(fuse_req_t req, fuse_ino_t id, int mask)
{
	struct mount *m = mount_of(req);
	int r = 0;

	if (!m->access.is_checked)
		r = -ENOSYS;
	else if (mask & W_OK)
		r = access_check(req);
	if (r == 0 && mask & X_OK && is_no_program(m, id))
		r = -EACCES;
	reply_result(req, r);
}

/* Where the store has a limit, the room is what is left of that. What may be
 * evicted is not counted as free: `df` is to show the use. */
static int limit_statfs(struct mount *m, struct statvfs *st)
{
	struct cubby_limits limits;
	struct cubby_stats stats;
	fsblkcnt_t size, left;
	int r = cubby_get_limits(m->store, &limits);

	if (r == 0)
		r = cubby_get_stats(m->store, &stats);
	if (r < 0 || limits.max_size == 0)
		return r;
	size = limits.max_size / st->f_frsize;
	left = stats.disk_bytes < limits.max_size
		       ? (limits.max_size - stats.disk_bytes) / st->f_frsize
		       : 0;
	if (size < st->f_blocks)
		st->f_blocks = size;
	if (left < st->f_bavail)
		st->f_bavail = left;
	st->f_bfree = st->f_bavail;
	return 0;
}

/* The room is that of the disk which the store is on, within the limit. */
void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct mount *m = mount_of(req);
	struct statvfs st;
	int r = fstatvfs(m->store_fd, &st) < 0 ? -errno : 0;

	(void)id;
	if (r == 0)
		r = limit_statfs(m, &st);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	st.f_namemax = CUBBY_NAME_MAX;
	reply_statfs(req, &st);
}
