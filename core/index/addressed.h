/* SPDX-License-Identifier: MIT */
/*
 * Which directories say that what is below them hashes to its name, as the
 * index keeps it: one short row for all, so that an add which nobody asks this
 * of pays for one look-up.
 */
#ifndef CUBBY_ADDRESSED_H
#define CUBBY_ADDRESSED_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/manage.h"
#include "index/index.h"

struct addressed {
	uint64_t id; /* of the directory */
	enum cubby_content content;
};

/* All that say something, in the order in which they began to; it may be a
 * digest of a newer version, which is above CUBBY_CONTENT_SHA256. Returns 0, or
 * an error of the index. */
CUBBY_MUST_CHECK int
addressed_list(struct index_txn *txn,
	       struct addressed ret_rows[CUBBY_CONTENTS_MAX],
	       size_t *ret_count);
/* Are there any? Returns 1, 0, or a negative errno. */
CUBBY_MUST_CHECK int addressed_exist(struct index_txn *txn);
CUBBY_MUST_CHECK int addressed_put(struct index_txn *txn,
				   const struct addressed *rows, size_t count);

/* The directory `id` says nothing any more. No error when it did not. */
CUBBY_MUST_CHECK int addressed_delete(struct index_txn *txn, uint64_t id);

#endif
