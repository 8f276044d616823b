/* SPDX-License-Identifier: MIT */
/*
 * Uses of entries on their way into the index: noted without a transaction,
 * and written by the next update of this handle, or when there are many.
 */
#ifndef CUBBY_USES_H
#define CUBBY_USES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "format/record.h"

struct update;

/* In one update: each may change three pages of the index. */
enum { USES_MAX = 64 };

struct use {
	uint64_t id;
	int64_t when_ns;
	bool sets_mtime; /* somebody has asked for it to be set to that */
};

struct uses {
	pthread_mutex_t lock; /* guards all; a leaf in the order of locks */
	size_t count;
	_Atomic(size_t) mtimes; /* how many set the time of last change */
	int64_t first_ns;	/* when the first of these was noted */
	struct use uses[USES_MAX];
};

void uses_init(struct uses *uses);
void uses_done(struct uses *uses);

/* The entry `id`, which was last used then as its record says, is used: note
 * it, unless that is as good as now. No transaction may be open in this thread.
 */
void uses_note(struct cubby *store, uint64_t id, int64_t used_ns);

/* Its time is to be set to now: the same, exactly. Returns the time. */
int64_t uses_touch(struct cubby *store, uint64_t id);

/* Put the time that an entry will have into its attributes. */
void uses_overlay(struct cubby *store, struct cubby_attr *attr);

/* Write what has been noted. */
CUBBY_MUST_CHECK int uses_write(struct update *update);

/* The same with a transaction of its own, when something has been noted that
 * has waited for a while, or at once. */
CUBBY_MUST_CHECK int uses_flush(struct cubby *store, bool at_once);

/* Move an entry to another place among the recent ones. */
CUBBY_MUST_CHECK int uses_set(struct update *update, uint64_t id,
			      const struct record *record);

#endif
