/* SPDX-License-Identifier: MIT */
/*
 * Files of content that is not published: drafts and plain files, named by id.
 */
#ifndef CUBBY_DRAFT_H
#define CUBBY_DRAFT_H

#include "cubby/tree.h"
#include "store/encoder.h"
#include "store/store.h"

/* Make the file of a new id. Returns a descriptor, which shows, as long as it
 * is open, that the file is not abandoned. */
CUBBY_MUST_CHECK int draft_create_file(struct cubby *store, uint64_t id);
CUBBY_MUST_CHECK int draft_open_file(struct cubby *store, uint64_t id);
void draft_delete_file(struct cubby *store, uint64_t id);

/*
 * Delete the drafts of processes that died: files that no node has, that nobody
 * has locked, and that have not been touched for a minute. What cannot be
 * deleted now is left for the next time. The plain files that they have not
 * settled are.
 */
void draft_sweep(struct cubby *store);

/* Append the content of an entry to an empty file. */
CUBBY_MUST_CHECK int draft_load(struct cubby *store, uint64_t entry, int fd);

/* The permission bits that a node may have. */
uint32_t draft_mode(uint32_t mode);

#endif
