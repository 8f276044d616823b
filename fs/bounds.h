/* SPDX-License-Identifier: MIT */
/*
 * The limits that a mount sets in the store.
 */
#ifndef CUBBYFS_BOUNDS_H
#define CUBBYFS_BOUNDS_H

#include <stdbool.h>

#include "cubby/manage.h"

struct bounds {
	bool has_max_size, has_min_free, has_max_entry, has_max_age, has_policy;
	struct cubby_limits limits; /* those that it has */
};

/* Read a size: a number with K, M, G or T (powers of 1024), or "none". */
bool bounds_take_size(const char *text, uint64_t *ret_size);
/* The same, or a share of up to 99%; the other one is 0. */
bool bounds_take_share(const char *text, uint64_t *ret_size,
		       uint32_t *ret_percent);
/* Read a time: a number with s, m, h, d or w, or "none". */
bool bounds_take_time(const char *text, uint64_t *ret_seconds);
bool bounds_take_policy(const char *text, enum cubby_policy *ret_policy);

/* Is there anything to set? */
bool bounds_are_given(const struct bounds *bounds);

/* Set what was given, and leave the other limits of the store as they are.
 * Returns as cubby_set_limits(). */
CUBBY_MUST_CHECK int bounds_apply(const struct bounds *bounds,
				  struct cubby *store);

#endif
