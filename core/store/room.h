/* SPDX-License-Identifier: MIT */
/*
 * Making room: which entries go when the store is over a limit.
 */
#ifndef CUBBY_ROOM_H
#define CUBBY_ROOM_H

#include "store/update.h"

/* Directories below blobs/, the figures, the watches, all together. */
enum { ROOM_OVERHEAD = 2 * 1024 * 1024 };

/* The rank of an entry that is used at the time its record says. */
uint64_t room_rank(const struct update *update, const struct record *record);

/* Would an entry that takes so much of the disk, or has so much content, fit
 * if nothing else was there, in the store and in its quota? Returns 0, -EFBIG,
 * or an error of the index. */
CUBBY_MUST_CHECK int room_verify(struct update *update,
				 const struct record *record);

/*
 * Evict until everything fits, but not the node update->newest. At most some
 * thousand go in one transaction. When all that may go is gone, that is it:
 * what is left over the limit is plain files, pinned, or the index.
 */
CUBBY_MUST_CHECK int room_make(struct update *update);

/* Evict to give at least so many bytes back to the disk, in a transaction of
 * its own. Returns 1 when something went, 0, or a negative errno. */
CUBBY_MUST_CHECK int room_free(struct cubby *store, uint64_t bytes);

/* The result of a write of about so many bytes, outside of a transaction, is
 * `r`: was it that the disk is full, and is there room for another try? */
bool room_was_made(struct cubby *store, int r, uint64_t bytes);

/* Bytes of the disk that the store takes. */
CUBBY_MUST_CHECK int room_use(struct update *update, uint64_t *ret_bytes);
/* Put them into the history. */
CUBBY_MUST_CHECK int room_sample(struct update *update);

#endif
