/* SPDX-License-Identifier: MIT */
/*
 * Reading one entry, found by its id.
 */
#ifndef CUBBY_READER_H
#define CUBBY_READER_H

#include <stdint.h>

#include "store/digest.h"
#include "store/store.h"

/*
 * Open the entry `id`. Returns 0, -ENOENT when there is no such node (any
 * more), -EISDIR, -EINVAL for a plain file, -EBADMSG for damage, which has then
 * been put into quarantine, or an error of read(2).
 */
CUBBY_MUST_CHECK int reader_open(struct cubby *store, uint64_t id,
				 struct cubby_reader **ret_reader);

/* The same for a node whose record has just been found in `*txn`: the first
 * attempt needs no other transaction, and this one ends with it. */
CUBBY_MUST_CHECK int reader_open_found(struct cubby *store, uint64_t id,
				       struct index_txn **txn,
				       const struct record *record,
				       struct cubby_reader **ret_reader);

/* The same of content that is in memory. `content` becomes the reader's,
 * whatever the result. Returns 0, -EBADMSG when it is not what `check` is of,
 * as that of the first frame of `id`, or -ENOMEM. */
CUBBY_MUST_CHECK int reader_open_content(struct cubby *store, uint64_t id,
					 uint8_t *content, size_t size,
					 const struct check *check,
					 struct cubby_reader **ret_reader);

/* All content of an entry of one frame, decoded; it stays the reader's, and
 * `*ret_check` is what reader_open_content() takes. NULL: it cannot be decoded,
 * for what reason a read will tell. */
const uint8_t *reader_decode_whole(struct cubby_reader *reader,
				   struct check *ret_check);

/* Open the entry, check and decode all of it, and hand it to `digest`. Changes
 * nothing. Returns as reader_open(), or an error of the digest. */
CUBBY_MUST_CHECK int reader_verify(struct cubby *store, uint64_t id,
				   struct digest *digest);

/* The level that its content was compressed with, or 0 when that is not known.
 */
unsigned reader_level(const struct cubby_reader *reader);

#endif
