/* SPDX-License-Identifier: MIT */
/*
 * Some threads of a store that share the work of one call, such as the frames
 * of a large entry. They are started when they are first needed, as many as
 * this process has processors beside the one that calls, and end with the
 * store.
 */
#ifndef CUBBY_TEAM_H
#define CUBBY_TEAM_H

#include <stddef.h>

#include "cubby/cubby.h"

struct team;

CUBBY_MUST_CHECK int team_new(struct team **ret_team);
/* Accepts NULL. Not in a child after fork(2), where there are no threads. */
void team_free(struct team *team);

/* Part `index` of the work. Returns 0 or a negative errno. */
typedef int team_fn(void *cookie, size_t index);

/*
 * Have all parts from 0 to `count` done, in any order, by the caller and who is
 * free; one call at a time is helped. Returns 0, or the error of a part; then
 * others may not have been begun.
 */
CUBBY_MUST_CHECK int team_run(struct team *team, size_t count, team_fn *fn,
			      void *cookie);

#endif
