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

/* Before a write transaction: see to it that a snapshot is protected. */
CUBBY_MUST_CHECK int steady_protect(struct index *index);

/* After a commit: a checkpoint, when enough has changed. */
void steady_committed(struct index *index);

/* Take a checkpoint now, if anything has changed since the last one. */
CUBBY_MUST_CHECK int steady_checkpoint(struct index *index);

/* The same when some time has passed or something has changed since the last
 * one: for who can wait. */
void steady_tick(struct index *index);

/* End the pin, before the environment is closed. */
void steady_close(struct index *index);

#endif
