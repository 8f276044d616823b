/* SPDX-License-Identifier: MIT */
/*
 * Where results become replies: the only file that answers the kernel.
 *
 * A reply fails when the request was given up meanwhile. That matters where
 * the reply hands the kernel a node: then its lookup is taken back.
 */
#include "reply.h"

#include <errno.h>
#include <sys/stat.h>

#include "pending.h"

#define BLOCK_SIZE (128 * 1024)

/*
 * What the library says is a negative errno already, so this is a list of
 * exceptions.
 */
static int reply_errno(int r)
{
	switch (-r) {
	case EBADMSG:	      /* damage, which is in quarantine by now */
	case EPROTONOSUPPORT: /* an entry of a newer version */
	case ECHILD:
		return EIO;
	default:
		return -r;
	}
}

void reply_result(fuse_req_t req, int r)
{
	fuse_reply_err(req, r < 0 ? reply_errno(r) : 0);
}

void reply_renamed(fuse_req_t req, int r)
{
	if (r == -EBADMSG)
		fuse_reply_err(req, EBADMSG);
	else
		reply_result(req, r);
}

void reply_node(fuse_req_t req, const struct fuse_entry_param *e)
{
	struct mount *m = mount_of(req);
	struct fuse_entry_param shown = *e;

	access_show(m, &shown.attr);
	if (fuse_reply_entry(req, &shown) != 0)
		pending_forget(m, e->ino, 1);
}

void reply_created(fuse_req_t req, const struct fuse_entry_param *e,
		   struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct fuse_entry_param shown = *e;

	access_show(m, &shown.attr);
	access_created(fi);
	fi->keep_cache = 1;
	if (fuse_reply_create(req, &shown, fi) != 0)
		pending_forget(m, e->ino, 1);
}

void reply_no_name(fuse_req_t req)
{
	struct mount *m = mount_of(req);
	struct fuse_entry_param e = {.entry_timeout = m->timeouts.negative_s};

	if (m->timeouts.negative_s > 0)
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, ENOENT);
}

void reply_attr(fuse_req_t req, const struct stat *st, double timeout_s)
{
	struct stat shown = *st;

	access_show(mount_of(req), &shown);
	fuse_reply_attr(req, &shown, timeout_s);
}

int reply_data(fuse_req_t req, const void *data, size_t size)
{
	return fuse_reply_buf(req, data, size);
}

void reply_written(fuse_req_t req, size_t size)
{
	fuse_reply_write(req, size);
}

int reply_opened(fuse_req_t req, const struct fuse_file_info *fi)
{
	return fuse_reply_open(req, fi);
}

void reply_statfs(fuse_req_t req, const struct statvfs *st)
{
	fuse_reply_statfs(req, st);
}

void reply_xattr(fuse_req_t req, const char *data, size_t size, size_t room)
{
	if (room == 0)
		fuse_reply_xattr(req, size);
	else if (size > room)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, data, size);
}

void reply_none(fuse_req_t req)
{
	fuse_reply_none(req);
}

void reply_fill_stat(const struct cubby_attr *attr, struct stat *ret_st)
{
	bool is_dir = attr->kind == CUBBY_DIRECTORY;
	int64_t s = attr->mtime_ns / 1000000000;
	int64_t ns = attr->mtime_ns % 1000000000;

	if (ns < 0) {
		ns += 1000000000;
		s--;
	}
	*ret_st = (struct stat){
		.st_ino = attr->id,
		.st_mode = (is_dir ? S_IFDIR : S_IFREG) | (attr->mode & 07777),
		.st_nlink = is_dir ? 2 : 1,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_size = (off_t)attr->size,
		.st_blocks = (blkcnt_t)((attr->stored_size + 511) / 512),
		.st_blksize = BLOCK_SIZE,
		.st_mtim = {.tv_sec = s, .tv_nsec = ns},
		.st_ctim = {.tv_sec = s, .tv_nsec = ns},
		.st_atim = {.tv_sec = s, .tv_nsec = ns},
	};
}
