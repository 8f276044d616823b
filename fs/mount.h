/* SPDX-License-Identifier: MIT */
/*
 * What all requests of one mount share.
 *
 * Locks, in the order in which they are taken:
 *   1. mount.told          a name read from the store against a node taken away
 *   2. content.lock        one file: writes against publishing (content.h)
 *   3. mount.lock          the tables of inodes and of pending drafts
 *   4. the locks of flusher.c, notify.c, readers.c, author.c and growth.c,
 * which take no other
 * That of workers.c is taken with none of these. None is held while a reply or
 * a notification is sent: the kernel may hold a lock of its own until another
 * request is answered.
 */
#ifndef CUBBYFS_MOUNT_H
#define CUBBYFS_MOUNT_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "cubby/cubby.h"
#include "cubby/tree.h"

#define MOUNT_MAGIC 0x63626d74u

struct flusher;
struct grown;
struct inode;
struct notifier;
struct reaper;
struct readers;
struct scrub;

#define MOUNT_PENDING_BUCKETS 1024u

/* What a user can set, see options.c. */
struct mount_timeouts {
	double entry_s;	   /* names of entries and directories */
	double attr_s;	   /* attributes of entries and directories */
	double negative_s; /* names that are not there */
};

struct mount_settings {
	bool read_only;
	bool writeback; /* the kernel may gather writes */
	bool has_xattr; /* there are extended attributes */
	bool durable;	/* changes wait for the disk */
	struct mount_timeouts timeouts;
	uint64_t scrub_s; /* check all entries once in this time; 0: never */
	struct access_rules access;
};

struct mount {
	uint32_t magic;
	bool read_only;
	bool writeback;
	bool has_xattr;
	bool durable;
	struct cubby *store;
	struct cubby_watch *watch; /* NULL: nobody tells us */
	struct fuse_session *session;
	_Atomic(uint64_t) offer; /* the request that handshake.c is at, or 0 */
	int store_fd;		 /* the store's directory, for statfs */
	struct mount_timeouts timeouts;
	uint64_t scrub_s;
	_Atomic(double) resolution_s; /* of the times of use */
	struct access_rules access;

	/*
	 * Shared by whoever reads a node from the store and then enters it
	 * into the table of inodes; exclusive for the reaper, while it looks
	 * up a displaced node there. So either the reaper finds the inode, or
	 * the reader reads the store after the displacement.
	 */
	pthread_rwlock_t told;

	pthread_mutex_t lock;	/* guards all below, and see inode.h */
	pthread_cond_t settled; /* a draft has been published or dropped */
	struct inode **buckets; /* by FUSE node id */
	size_t bucket_count;	/* a power of two */
	size_t inode_count;
	struct inode *pending[MOUNT_PENDING_BUCKETS]; /* by parent and name */
	size_t pending_count;

	pthread_mutex_t grown_lock; /* guards these two, see growth.c */
	struct grown *grown;
	uint64_t grown_bytes;

	struct flusher *flusher; /* NULL: without write-back */
	struct notifier *notifier;
	struct reaper *reaper;
	struct readers *readers;
	struct scrub *scrub; /* NULL: nobody checks */
};

/*
 * Set up `m` for `store`, which stays the caller's. Takes `store_fd`. Begins
 * to watch the store unless it is read-only.
 */
CUBBY_MUST_CHECK int mount_init(struct mount *m, struct cubby *store,
				int store_fd,
				const struct mount_settings *settings);

/* Start and end the threads that work beside the requests. */
CUBBY_MUST_CHECK int mount_start(struct mount *m);
void mount_stop(struct mount *m);

/* Free everything: what is still pending is dropped. No thread may be left. */
void mount_done(struct mount *m);

/* The operations, for fuse_session_new(). */
const struct fuse_lowlevel_ops *mount_ops(void);

/* The mount that a request is for. */
struct mount *mount_of(fuse_req_t req);

/* How long the kernel may keep the name and the attributes of a node. */
/* Read anew what others may have set in the store. */
CUBBY_MUST_CHECK int mount_read_resolution(struct mount *m);

double mount_entry_timeout(const struct mount *m, enum cubby_kind kind);
double mount_attr_timeout(const struct mount *m, enum cubby_kind kind);

#endif
