/* SPDX-License-Identifier: MIT */
/*
 * The limits that a mount sets in the store.
 */
#ifndef CUBBYFS_BOUNDS_H
#define CUBBYFS_BOUNDS_H

#include <stdbool.h>

#include "cubby/manage.h"

struct bounds {
	bool has_max_size, has_policy;
	uint64_t max_size;
	enum cubby_policy policy;
};

/* Read a size: a number with K, M, G or T (powers of 1024), or "none". */
bool bounds_take_size(const char *text, uint64_t *ret_size);
bool bounds_take_policy(const char *text, enum cubby_policy *ret_policy);

/* Set what was given, and leave the other limits of the store as they are.
 * Returns as cubby_set_limits(). */
CUBBY_MUST_CHECK int bounds_apply(const struct bounds *bounds,
				  struct cubby *store);

#endif
