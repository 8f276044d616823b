/* SPDX-License-Identifier: MIT */
/*
 * The steady snapshot: a state of the index that is whole on the disk, to go
 * back to after a power cut.
 *
 * Commits are not synced, so after a power cut the data file may hold any
 * mixture of old and new pages. But LMDB never overwrites a page that a live
 * reader's snapshot can reach. A checkpoint takes a snapshot, keeps a read
 * transaction on it, the pin, syncs the data file, and puts the meta page of
 * the snapshot into a file of its own. Until the next checkpoint all pages of
 * that snapshot stay as they are; to go back is to write its meta page back.
 *
 * A pin also keeps all that is freed after it from being used again, so who
 * has nothing to write ends it: see keeper.h.
 */
#ifndef CUBBY_STEADY_H
#define CUBBY_STEADY_H

#include "index/lmdb_index.h"

/*
 * Before the environment is opened: take part in the use of the index in
 * `path`, and when nobody else does, and the machine or the file system has
 * been down since the snapshot was taken, go back to it. `*ret_fd` holds the
 * locks until it is closed.
 *
 * Returns 1 when it went back, 0, -EBADMSG when it would have to but
 * `read_only` forbids it, or an error of the disk.
 */
CUBBY_MUST_CHECK int steady_open(const char *path, bool read_only, int *ret_fd);

/* Before LMDB opens the environment. Returns 0, -ENOSPC, or an error of open(2)
 * if the index is to be written to. */
CUBBY_MUST_CHECK int steady_begin(struct index *index);

/* Within a write transaction, before it changes anything: is a snapshot
 * protected? Then it is until the transaction ends. Returns 1, 0, or an error
 * of the disk. Makes at most one system call. */
CUBBY_MUST_CHECK int steady_verify(struct index *index);

/* If not: see to it that one is. Not within a write transaction. */
CUBBY_MUST_CHECK int steady_protect(struct index *index);

/* Pages that a commit with an add and an eviction frees: measured, the largest
 * case. */
enum { STEADY_COMMIT_PAGES = 28 };

/* After the commit of `version`, which has freed so many pages: have a
 * checkpoint taken when one is due. Waits for the disk only when it is far
 * behind, or if the index is durable: then until a checkpoint covers the
 * commit, or has failed. */
void steady_committed(struct index *index, uint64_t version,
		      uint64_t freed_pages);

/* Take a checkpoint now, if anything has changed since the last one. */
CUBBY_MUST_CHECK int steady_checkpoint(struct index *index);

/* Give back the slots of readers that have died, with a pin of our own: they
 * may be all that protects the snapshot. */
CUBBY_MUST_CHECK int steady_clear_dead(struct index *index);

/*
 * For the keeper: take a checkpoint if one is due, or else end the pin if it
 * serves no more. `is_late`: some time has passed since the last checkpoint.
 *
 * Returns 1 when it took a checkpoint, 0, -EAGAIN when somebody else is at it,
 * or an error of the disk.
 */
CUBBY_MUST_CHECK int steady_tend(struct index *index, bool is_late);

/* Has this process the pin, and is a checkpoint due soon? Others who commit
 * cannot say so. */
bool steady_is_close(struct index *index);

/* A checkpoint if this process has changed anything, then the end of the pin;
 * before the environment is closed. */
void steady_close(struct index *index);

/* The locks of an index; see pace.c. */
void pace_init(struct index *index);
void pace_done(struct index *index);

/* For pace.c, with steady_lock held: take a checkpoint (without `wait`, -EAGAIN
 * while another process is at it); the same, but keep no pin beside another's;
 * end the pin; has another process one? */
CUBBY_MUST_CHECK int steady_checkpoint_alone(struct index *index, bool wait);
CUBBY_MUST_CHECK int steady_checkpoint_once(struct index *index, bool wait);
CUBBY_MUST_CHECK int steady_end_pin(struct index *index);
bool steady_is_marked_by_others(struct index *index);

#endif
