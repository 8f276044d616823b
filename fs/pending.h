/* SPDX-License-Identifier: MIT */
/*
 * Drafts that have a name on this mount only: entries that are being written
 * under their final name. The last close publishes them.
 */
#ifndef CUBBYFS_PENDING_H
#define CUBBYFS_PENDING_H

#include <sys/stat.h>

#include "inode.h"

struct pending_name {
	char *name;
	struct stat st;
};

/*
 * The pending draft `name` in `parent`, or NULL. Waits while it is being
 * published: then it is in the store, and NULL is returned. The caller ends
 * it with inode_put(). With `counted`, a lookup is counted, too.
 */
struct inode *pending_find(struct mount *m, uint64_t parent, const char *name,
			   bool counted);

/*
 * Enter a new draft, whose content and place are set, into the table of inodes
 * with one lookup counted, and make it pending. Takes `inode` on success.
 * Returns 0, -EEXIST when the name is pending already, or -ENOMEM.
 */
CUBBY_MUST_CHECK int pending_enter(struct mount *m, struct inode *inode);

/* Make a known inode, which has a draft, pending at the place that it has.
 * Returns 0, or -EEXIST when the name is pending already. */
CUBBY_MUST_CHECK int pending_add(struct mount *m, struct inode *inode);

/* Take the name away: the draft is dropped when it is forgotten. No effect on
 * what is not pending. Accepts NULL. Returns whether it was pending. */
bool pending_remove(struct mount *m, struct inode *inode);

/*
 * For temporary.c. Claim a temporary file, to put it into the store: who asks
 * for its name waits. False: it is none any more. Settle it: it has the name in
 * the store now, or all is as it was. Find some made before `time_s`, each with
 * one use.
 */
bool pending_claim(struct mount *m, struct inode *inode);
void pending_settle(struct mount *m, struct inode *inode, bool is_stored);
size_t pending_find_old(struct mount *m, int64_t time_s, struct inode **inodes,
			size_t max);

/* Does the directory have pending drafts? */
bool pending_any_in(struct mount *m, uint64_t dir);

/*
 * The pending drafts in `dir` with names greater than `after`, in order. The
 * caller frees them with pending_list_free().
 */
CUBBY_MUST_CHECK int pending_list(struct mount *m, uint64_t dir,
				  const char *after,
				  struct pending_name **ret_names,
				  size_t *ret_count);
void pending_list_free(struct pending_name *names, size_t count);

/*
 * The kernel forgets `count` lookups of the node `id`. The last one ends the
 * inode, and publishes it when it is a pending draft.
 */
void pending_forget(struct mount *m, uint64_t id, uint64_t count);

/*
 * The same for several. What became of their authors is found out for all
 * before the first is published, which takes a while.
 */
void pending_forget_many(struct mount *m, const struct fuse_forget_data *data,
			 size_t count);

/*
 * The kernel has been given `name`: when it is that of a pending draft, ask
 * for it back. To be called after the reply.
 */
void pending_announce(struct mount *m, uint64_t parent, const char *name);

/* Ask the kernel again to let go of the names of all pending drafts. */
void pending_announce_all(struct mount *m);

/* Publish everything that is pending: nobody has anything open any more. */
void pending_publish_all(struct mount *m);

#endif
