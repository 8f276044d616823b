/* SPDX-License-Identifier: MIT */
/*
 * Who may change something, and what is shown of owners and permissions.
 */
#ifndef CUBBYFS_ACCESS_H
#define CUBBYFS_ACCESS_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cubby/cubby.h"

struct fuse_req;
struct fuse_file_info;
struct mount;

struct access_rules {
	bool is_checked;  /* not everyone who is let in may change things */
	uid_t owner;	  /* the mounting user, who may */
	bool has_writers; /* the members of this group may, too */
	gid_t writers;

	bool shows_uid, shows_gid; /* of all nodes, in place of their own */
	uid_t uid;
	gid_t gid;
	mode_t umask; /* permissions that are never shown */
};

/*
 * May the caller of a request that changes something do so? Returns 0 or
 * -EACCES. Costs nothing for the mounting user, root, and everyone whose
 * primary group is that of the writers; others are looked up in /proc.
 */
CUBBY_MUST_CHECK int access_check(struct fuse_req *req);

/* The same for changes of the content of an open file. */
CUBBY_MUST_CHECK int access_check_open(struct fuse_req *req,
				       const struct fuse_file_info *fi);

/*
 * May the caller open a file like this? On success `fi->fh` is what
 * access_check_open() wants to see again.
 */
CUBBY_MUST_CHECK int access_open(struct fuse_req *req,
				 struct fuse_file_info *fi);

/* Note in the handle that who created the file may write to it. */
void access_created(struct fuse_file_info *fi);

/* Turn the owner and the permissions into those that are shown. */
void access_show(const struct mount *m, struct stat *st);

#endif
