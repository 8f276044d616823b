/* SPDX-License-Identifier: MIT */
/*
 * Which entries are in the lists by which they are evicted (index/recent.h).
 *
 * Rows of new entries are written for some dozens at once, since all of them go
 * to the same few pages, which each add would change otherwise. totals.unlisted
 * is the first id that may be without a row; an entry with a smaller one that
 * has its name has its row, too. No entry without a row has a rank below
 * totals.unlisted_rank: who evicts in order writes the rows before he goes
 * beyond it.
 */
#ifndef CUBBY_ENLIST_H
#define CUBBY_ENLIST_H

#include "store/update.h"

/* An entry gets its name, or is about to lose it. Sums of quotas follow. Other
 * kinds of nodes are in no list. */
CUBBY_MUST_CHECK int enlist_put(struct update *update, uint64_t id,
				const struct record *record);
CUBBY_MUST_CHECK int enlist_drop(struct update *update, uint64_t id,
				 const struct record *record);

/* The rank of an entry that may have no row is about to change. */
void enlist_rank(struct update *update, uint64_t id, uint64_t rank);

/* Write the rows that are missing, if it is time. */
CUBBY_MUST_CHECK int enlist_due(struct update *update);
/* Write them all. Returns whether there were any, or a negative errno. */
CUBBY_MUST_CHECK int enlist_rest(struct update *update);

#endif
