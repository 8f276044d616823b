/* SPDX-License-Identifier: MIT */
/*
 * Verifying the file of one node. Changes nothing.
 */
#ifndef CUBBY_VERIFY_H
#define CUBBY_VERIFY_H

#include "cubby/upkeep.h"
#include "format/record.h"
#include "store/store.h"

struct verdict {
	enum cubby_finding finding;
	char path[CUBBY_PATH_MAX + CUBBY_NAME_MAX + 2];
};

/*
 * Read, check and decode all bytes of an entry, or see that a plain file has
 * its file. `record` is how it was found, its name may be NULL.
 *
 * Returns 0; -EBADMSG for a finding, which is then in `*ret_verdict`; -ENOENT
 * for a node that is something else by now, or a newer version's; or an error
 * of read(2), which says nothing of the bytes.
 */
CUBBY_MUST_CHECK int verify_node(struct cubby *store, uint64_t id,
				 const struct record *record,
				 struct verdict *ret_verdict);

#endif
