/* SPDX-License-Identifier: MIT */
/*
 * Names: which ones are allowed, and which of them are names of entries.
 */
#ifndef CUBBY_NAME_H
#define CUBBY_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cubby/cubby.h"

/* Is this the name of an entry: 32 to 128 lower-case hex digits, optionally
 * "-" and 1 to 8 of [a-z0-9]? */
bool name_is_entry(const char *name);

/* The digest of its content that an entry name can stand for: 64 hex digits, by
 * themselves or followed by "-d", as Go names outputs. Its "-a" names stand for
 * what was done, not for content. False for all other names. */
bool name_take_digest(const char *name, struct cubby_key *ret_digest);

/* May a node have this name of `size` bytes? Returns 0, -EINVAL, or
 * -ENAMETOOLONG. */
int name_verify(const char *name, size_t size);

/*
 * The name as a part of a key of the index: no longer than the name, and half
 * as long where it begins with a key. Returns the size.
 */
enum { NAME_PACKED_MAX = CUBBY_NAME_MAX };
size_t name_pack(const char *name, size_t size,
		 uint8_t ret_packed[NAME_PACKED_MAX]);
/* The name, which is not ended by a zero. Returns its size, or -EBADMSG. */
CUBBY_MUST_CHECK ssize_t name_unpack(const void *packed, size_t size,
				     char ret_name[CUBBY_NAME_MAX]);

/*
 * Take the first name off a path: `*path` moves past it and the slash behind
 * it. Returns the size of the name, 0 when the path is empty, or a negative
 * errno as name_verify(); an empty name, as in "a//b", is -EINVAL.
 */
long name_next(const char **path, const char **ret_name);

#endif
