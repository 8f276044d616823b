/* SPDX-License-Identifier: MIT */
/*
 * Names: which ones are allowed, and which of them are names of entries.
 */
#ifndef CUBBY_NAME_H
#define CUBBY_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Is this the name of an entry: 32 to 128 lower-case hex digits, optionally
 * "-" and 1 to 8 of [a-z0-9]? */
bool name_is_entry(const char *name);

/* May a node have this name of `size` bytes? Returns 0, -EINVAL, or
 * -ENAMETOOLONG. */
int name_verify(const char *name, size_t size);

/*
 * Take the first name off a path: `*path` moves past it and the slash behind
 * it. Returns the size of the name, 0 when the path is empty, or a negative
 * errno as name_verify(); an empty name, as in "a//b", is -EINVAL.
 */
long name_next(const char **path, const char **ret_name);

#endif
