/* SPDX-License-Identifier: MIT */
/*
 * What a store that was opened with CUBBY_DURABLE does beside the rest; in any
 * other store these do nothing and give 0.
 *
 * The order on the disk: the bytes of a blob and its name in the directory;
 * then, by the commit, the index (index_set_durable()); then the files go that
 * the commit has forgotten. A power cut at any point leaves the old entry or
 * the new one, each with its file.
 *
 * When the disk refuses the bytes or the name, the add fails as if it could not
 * write, and the file is deleted: nothing is tried again, since the kernel
 * takes pages that it could not write for written. When it refuses the index,
 * the entry is there already, for all processes, and may be lost by a power
 * cut. Who adds is told an error then, so the entry is taken away again: what
 * has not been added is not there. That is one more commit, and if not even
 * this is possible, the entry stays: its bytes are right. An entry that it had
 * replaced is gone in any case.
 */
#ifndef CUBBY_DURABLE_H
#define CUBBY_DURABLE_H

#include "store/encoder.h"
#include "store/store.h"

/* Put the blob of the node `id`, open as `fd`, on the disk with its name. */
CUBBY_MUST_CHECK int durable_blob(struct cubby *store, uint64_t id, int fd);

/* The same for a plain file, whatever its id. */
CUBBY_MUST_CHECK int durable_draft(struct cubby *store, int fd);

/* Is what has been committed on the disk? Returns 0 or -EIO. */
CUBBY_MUST_CHECK int durable_verify(struct cubby *store);

/*
 * The encoder's entry has been committed: sets is_published. If it is not on
 * the disk, it is taken away again, and is_published is what it was.
 * Returns 0 or -EIO. Not within a write transaction.
 */
CUBBY_MUST_CHECK int durable_published(struct encoder *encoder);

#endif
