/* SPDX-License-Identifier: MIT */
/*
 * What an inode needs beyond its id, for the few files that need it: plain
 * files that are in use, drafts, and displaced entries.
 */
#ifndef CUBBYFS_CONTENT_H
#define CUBBYFS_CONTENT_H

#include "author.h"
#include "inode.h"

#define CONTENT_MAGIC 0x6362636eu

enum pending_state {
	PENDING_NOT,	    /* no draft, or one that nothing will publish */
	PENDING_WRITING,    /* its last close publishes it */
	PENDING_TEMPORARY,  /* a rename publishes it, see temporary.c */
	PENDING_PUBLISHING, /* who asks for the name waits */
};

struct content {
	uint32_t magic;
	/* Shared for reading and writing bytes; exclusive for what changes
	 * one of the fields up to `attr`, truncates, or publishes. */
	pthread_rwlock_t lock;
	int fd; /* of the draft, which owns it, or of the plain file; or -1 */
	struct cubby_draft *draft;
	struct cubby_reader *pin; /* of an entry that lost its name */
	/* Mode, owner and group of a draft; of a displaced node, what the
	 * store will not know any more. */
	struct cubby_attr attr;

	struct grown *grown;	/* mount.grown_lock, see growth.h */
	struct mount *grown_in; /* whose lock that is, once there was one */
	/* mount.grown_lock: of a plain file, what the store knows it takes. */
	uint64_t known_bytes;

	struct author author; /* of the draft; has a lock of its own */

	/* Of a temporary file, when it was made (temporary.c); otherwise 0. */
	_Atomic(int64_t) temporary_s;
	_Atomic(bool) is_sync_wanted; /* and fsync(2) was asked for */

	_Atomic(int) error;   /* of a failed write, a negative errno */
	_Atomic(bool) pinned; /* counted in content_pins() */

	enum pending_state state;   /* mount.lock */
	struct inode *pending_next; /* mount.lock: the bucket */
};

/* The content of an inode, made when it has none. NULL: no memory. */
struct content *content_obtain(struct mount *m, struct inode *inode);

/* Make one that belongs to nobody yet. NULL: no memory. */
struct content *content_new(void);

/* Close and free everything; a draft is dropped. Accepts NULL. */
void content_free(struct content *c);

/* Is there nothing in it that must be kept? Nobody may be using it; needs
 * mount.lock. */
bool content_is_spare(const struct content *c);

/* Is there a draft that the last close publishes? Takes the lock. */
bool content_is_draft(struct inode *inode);

/*
 * Read up to `size` bytes at `offset`, and `size` unless the content ends
 * before. Returns the bytes or a negative errno; -EBADMSG is damage.
 */
CUBBY_MUST_CHECK ssize_t content_read(struct mount *m, struct inode *inode,
				      void *buffer, size_t size,
				      uint64_t offset);

/*
 * Write all of `size` bytes at `offset`. An entry becomes a draft first. An
 * error marks the content, so that it is never published half. `by` is the
 * thread that writes, or 0.
 */
CUBBY_MUST_CHECK int content_write(struct mount *m, struct inode *inode,
				   const void *data, size_t size,
				   uint64_t offset, pid_t by);

/* Set the size. An entry becomes a draft; size 0 clears the mark. */
CUBBY_MUST_CHECK int content_truncate(struct mount *m, struct inode *inode,
				      uint64_t size, pid_t by);

/*
 * The result of a write of about `size` bytes is `r`: was the disk full, and is
 * another try worth it? What is evicted may be known to the kernel; then its
 * file goes when the reaper has been told, which takes some tries, of which
 * `*tries` is the count.
 */
bool content_try_again(struct mount *m, int r, uint64_t size, unsigned *tries);

/* fallocate(2) and fdatasync(2) of what has a descriptor. */
CUBBY_MUST_CHECK int content_allocate(struct mount *m, struct inode *inode,
				      int mode, uint64_t offset, uint64_t size);
CUBBY_MUST_CHECK int content_sync(struct mount *m, struct inode *inode);

/*
 * Keep a displaced node readable for who has it open: to be called while the
 * store still has it.
 */
CUBBY_MUST_CHECK int content_pin(struct mount *m, struct inode *inode);

/* Give it the descriptor of a plain file, unless it has one. True: taken. */
bool content_give_fd(struct content *c, const struct cubby_attr *attr, int fd);

/* When very many plain files are open, close some that are not in use. */
void content_close_idle(struct mount *m);

/* How many displaced nodes are kept at the moment, in all mounts. */
unsigned content_pins(void);

/* The store says that a file has become the other kind. */
void content_change_kind(struct mount *m, struct inode *inode,
			 enum cubby_kind kind);

/*
 * All need content.lock exclusive. content_take_kind_locked() closes what
 * does not fit the kind. The draft has been published, and is gone:
 * content_published_locked(). The fsync(2) that a temporary file was spared
 * is done by content_sync_late_locked().
 */
void content_published_locked(struct inode *inode, struct content *c,
			      const struct cubby_attr *attr);
CUBBY_MUST_CHECK int content_sync_late_locked(struct content *c);
void content_take_kind_locked(struct inode *inode, struct content *c,
			      enum cubby_kind kind);
CUBBY_MUST_CHECK int content_pin_locked(struct mount *m, struct inode *inode,
					struct content *c);
CUBBY_MUST_CHECK int content_open_plain_locked(struct mount *m,
					       struct inode *inode,
					       struct content *c);

/*
 * revise.c: give the file a descriptor that can be written, with content.lock
 * exclusive. An entry becomes a draft that starts with its content, or empty
 * when `empty`, and that its last close publishes under the entry's name.
 * After a return of 1 the caller calls revise_announce() without a lock.
 *
 * Returns 0, 1, or a negative errno.
 */
CUBBY_MUST_CHECK int revise_open_locked(struct mount *m, struct inode *inode,
					struct content *c, bool empty);
void revise_announce(struct mount *m, struct inode *inode);

#endif
