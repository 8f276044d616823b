/* SPDX-License-Identifier: MIT */
/*
 * What has lost its name, and is held by nobody any more, goes: its record and
 * its bytes.
 */
#ifndef CUBBY_PURGE_H
#define CUBBY_PURGE_H

#include "store/update.h"

/* One that has no name. */
CUBBY_MUST_CHECK int purge_node(struct update *update, uint64_t id);

/* As many of the displaced nodes that all watches have been told of as one
 * transaction may. Returns 1 when there are more, 0, or a negative errno. */
CUBBY_MUST_CHECK int purge(struct update *update);

struct purged {
	uint64_t nodes;
	uint64_t files; /* that these had */
	uint64_t bytes; /* of disk, of the files */
};

/* All of them, by as many transactions as it takes. They are added to `purged`.
 */
CUBBY_MUST_CHECK int purge_all(struct cubby *store, struct purged *purged);
/* Only add to `purged` what that would be. */
CUBBY_MUST_CHECK int purge_count(struct cubby *store, struct purged *purged);

#endif
