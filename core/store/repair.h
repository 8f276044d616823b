/* SPDX-License-Identifier: MIT */
#ifndef CUBBY_REPAIR_H
#define CUBBY_REPAIR_H

#include "store/update.h"

/* Put right what recount_run() finds, in an update that the caller commits.
 * Returns 0, -EBADMSG when it cannot be, or an error of the index. */
CUBBY_MUST_CHECK int repair_index(struct update *update);

#endif
