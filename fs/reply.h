/* SPDX-License-Identifier: MIT */
/*
 * Where results become replies to the kernel.
 */
#ifndef CUBBYFS_REPLY_H
#define CUBBYFS_REPLY_H

#include "mount.h"

/* Reply with the error `r`, a negative errno, or with success for 0. */
void reply_result(fuse_req_t req, int r);
/* The same of a rename, which may be refused with -EBADMSG: the content is not
 * what the new name says. */
void reply_renamed(fuse_req_t req, int r);

/* Reply with a node of which a lookup has been counted; take that back when
 * the kernel does not get it. */
void reply_node(fuse_req_t req, const struct fuse_entry_param *e);
void reply_created(fuse_req_t req, const struct fuse_entry_param *e,
		   struct fuse_file_info *fi);

/* Reply that there is no such name, which the kernel may remember. */
void reply_no_name(fuse_req_t req);

void reply_attr(fuse_req_t req, const struct stat *st, double timeout_s);
/* Not 0: the kernel has given the request up. */
int reply_data(fuse_req_t req, const void *data, size_t size);
void reply_written(fuse_req_t req, size_t size);
int reply_opened(fuse_req_t req, const struct fuse_file_info *fi);
void reply_statfs(fuse_req_t req, const struct statvfs *st);

/* Reply with an extended attribute, or a list of their names, of `size` bytes
 * to who has `room` for it, or asks with 0 how much he needs. */
void reply_xattr(fuse_req_t req, const char *data, size_t size, size_t room);

/* Nothing is to be replied to a forget. */
void reply_none(fuse_req_t req);

/* Turn attributes of the store into those of stat(2). */
void reply_fill_stat(const struct cubby_attr *attr, struct stat *ret_st);

#endif
