/* SPDX-License-Identifier: MIT */
/*
 * What eviction would take, in an update that is to be dropped: with a plan,
 * room_make() notes what goes, and leaves the figures alone.
 */
#ifndef CUBBY_PLAN_H
#define CUBBY_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/manage.h"

struct plan {
	uint64_t freed; /* bytes that the disk would get back */
	size_t count;
	uint64_t ids[CUBBY_TRIM_LIST_MAX]; /* in the order in which they go */
};

/* An entry goes, which takes so many bytes of the disk. */
void plan_add(struct plan *plan, uint64_t id, uint64_t disk_bytes);

#endif
