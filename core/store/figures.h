/* SPDX-License-Identifier: MIT */
/*
 * What is counted beside the index: a file that all processes map, with numbers
 * that are added to without a lock. Nothing depends on it; without it (a store
 * that is opened for reading only, a full disk) nothing is counted.
 *
 * Ghosts: of a sample of the evicted keys the file remembers how much had been
 * evicted when they went. When one of them is missed, what was evicted since
 * then is how much larger the limit would have had to be.
 */
#ifndef CUBBY_FIGURES_H
#define CUBBY_FIGURES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cubby/manage.h"
#include "index/meta.h"
#include "store/store.h"

struct figures;

/* Map the file of the store, making it when it is missing. NULL: no figures. */
struct figures *figures_open(const struct cubby *store);
void figures_close(struct figures *figures);

/* All of these accept NULL. `dir` is the directory of the entry. */
void figures_hit(struct figures *figures, uint64_t dir, uint64_t size);
void figures_miss(struct figures *figures, uint64_t dir, const char *name);
void figures_add(struct figures *figures, uint64_t dir, uint64_t size);
void figures_delete(struct figures *figures, uint64_t dir);
/* A damaged entry that was taken out of the tree. */
void figures_corrupt(struct figures *figures, uint64_t dir);

/* An add whose content is not what its name says. */
void figures_refuse(struct figures *figures);

/* What scrubbing.c counts, and how far it is: see struct cubby_checks. */
struct scrub_figures {
	_Atomic(uint64_t) last_id; /* that was looked at in this round */
	_Atomic(uint64_t) rounds;
	_Atomic(uint64_t) begun_s;
	_Atomic(uint64_t) ended_s;
	_Atomic(uint64_t) round_checked;
	_Atomic(uint64_t) checked;
	_Atomic(uint64_t) damaged;
	_Atomic(uint64_t) misnamed;
	_Atomic(uint64_t) unreadable;
};
/* NULL without figures. */
struct scrub_figures *figures_scrub(struct figures *figures);

struct eviction {
	uint64_t dir;
	const char *name;
	int64_t age_ns;		/* since its last use */
	uint64_t evicted_bytes; /* of the store ever, with this one */
};
void figures_evict(struct figures *figures, const struct eviction *eviction);

/* Before a miss is counted: the limit, and how much has been evicted, which
 * change seldom enough to be remembered. */
void figures_set_scale(struct figures *figures, uint64_t max_size,
		       const struct totals *totals);

/* A sample for the history, if one is due. */
bool figures_sample_is_due(struct figures *figures);
void figures_sample(struct figures *figures, const struct totals *totals,
		    uint64_t disk_bytes);

#endif
