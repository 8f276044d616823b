/* SPDX-License-Identifier: MIT */
/*
 * The nodes that the kernel knows.
 *
 * An inode is in the table as long as the kernel's count of lookups is not
 * zero. Its id is the FUSE node id; the id in the store is the same, except
 * after a rename of a rewritten entry, see rename.c.
 */
#ifndef CUBBYFS_INODE_H
#define CUBBYFS_INODE_H

#include <assert.h>

#include "mount.h"

#define INODE_MAGIC 0x63626964u

struct content;

struct inode {
	uint32_t magic;
	uint32_t refs; /* mount.lock: one for the table, one per user */
	uint64_t id;
	_Atomic(uint64_t) store_id;
	uint64_t nlookup;   /* mount.lock */
	struct inode *next; /* mount.lock: the bucket */
	uint64_t parent;    /* mount.lock: the last known place, of files */
	char *name;	    /* mount.lock: NULL for directories */
	_Atomic(struct content *) content; /* see content.h */
	_Atomic(uint8_t) kind;		   /* enum cubby_kind */
	/* mount.lock: this mount took its name away, so that the kernel does
	 * not have that name for it any more. */
	bool unnamed_here;
	bool is_cold; /* mount.lock: the kernel was asked to let go of it */
};

static_assert(sizeof(struct inode) <= 96, "100,000 of them stay small");

static inline enum cubby_kind inode_kind(const struct inode *inode)
{
	return (enum cubby_kind)atomic_load(&inode->kind);
}

/* Set up the table with the root in it, and free it with all that it has. */
CUBBY_MUST_CHECK int inode_table_init(struct mount *m);
void inode_table_done(struct mount *m);

/* Make one that is in no table, with one use. NULL: no memory. */
struct inode *inode_new(uint64_t id, enum cubby_kind kind, uint64_t parent,
			const char *name);

/* Find an inode. The caller ends it with inode_put(). NULL: not known. */
struct inode *inode_find(struct mount *m, uint64_t id);

/* End one use. Accepts NULL. */
void inode_put(struct mount *m, struct inode *inode);

/*
 * Count a lookup of the node `attr`, which is called `name` in `parent`, and
 * enter it when it is new. To be called before the kernel is told of it; who
 * cannot tell the kernel takes it back with pending_forget().
 *
 * The caller ends the use of `*ret_inode` with inode_put(). Returns 1 when it
 * is new: then what was read of it may be out of date, see cubby_watch_hold().
 */
CUBBY_MUST_CHECK int inode_remember(struct mount *m,
				    const struct cubby_attr *attr,
				    uint64_t parent, const char *name,
				    struct inode **ret_inode);

/* Note the new place of a file. Out of memory, the place becomes unknown. */
void inode_set_place(struct mount *m, struct inode *inode, uint64_t parent,
		     const char *name);

/*
 * Copy the place of a file. The caller frees `*ret_name`. Returns 0, -ENOENT
 * when it is not known, or -ENOMEM.
 */
CUBBY_MUST_CHECK int inode_get_place(struct mount *m, struct inode *inode,
				     uint64_t *ret_parent, char **ret_name);

/* This mount is taking the name of the node `id` away. */
void inode_mark_unnamed(struct mount *m, uint64_t id);

/*
 * The attributes of an inode, whatever it is at the moment, and how long the
 * kernel may keep them.
 */
CUBBY_MUST_CHECK int inode_stat(struct mount *m, struct inode *inode,
				struct stat *ret_st, double *ret_timeout_s);

/* For pending.c, which decides about drafts. All need mount.lock; the last
 * leaves the use of the table to the caller. */
struct inode *inode_find_locked(struct mount *m, uint64_t id);
void inode_insert_locked(struct mount *m, struct inode *inode);
void inode_remove_locked(struct mount *m, struct inode *inode);

#endif
