/* SPDX-License-Identifier: MIT */
/*
 * From paths to nodes and back, within a transaction.
 */
#ifndef CUBBY_WALK_H
#define CUBBY_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "store/update.h"

/* The directory `path` ("a/b", "" for the root), which walk_verify() has let
 * pass, here and below. Returns 0, -ENOENT, -ENOTDIR, or an error of the index.
 */
CUBBY_MUST_CHECK int walk_find(struct index_txn *txn, const char *path,
			       uint64_t *ret_id);

/* The same, or of what there is of it: the directory above what is missing. */
CUBBY_MUST_CHECK int walk_nearest(struct index_txn *txn, const char *path,
				  uint64_t *ret_id);

/* Ids for directories to be made. They are got before the transaction, in which
 * none may be asked for. */
struct walk_ids {
	uint64_t *ids;
	size_t count;
};

/* As walk_find(), making what is missing with ids from walk_new_ids().
 * -ERESTART, which no system call gives, when there are too few of them:
 * somebody has deleted directories since. */
CUBBY_MUST_CHECK int walk_make(struct update *update, const char *path,
			       struct walk_ids *ids, uint64_t *ret_id);

/* As many ids as `path` has names that do not exist. The caller frees
 * ids->ids. */
CUBBY_MUST_CHECK int walk_new_ids(struct cubby *store, const char *path,
				  struct walk_ids *ret_ids);

/* Is `path` a path of names? Returns 0, -EINVAL or -ENAMETOOLONG. */
CUBBY_MUST_CHECK int walk_verify(const char *path);

/* The path of the directory `id`, "" for the root, and "" also when it would
 * not fit. Returns 0, -ENOENT or an error of the index. */
CUBBY_MUST_CHECK int walk_path(struct index_txn *txn, uint64_t id,
			       char ret_path[CUBBY_PATH_MAX + 1]);

/* Is `id` the directory `below` or one above it? Returns 1, 0, or an error. */
CUBBY_MUST_CHECK int walk_is_above(struct index_txn *txn, uint64_t id,
				   uint64_t below);

#endif
