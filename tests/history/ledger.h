/* SPDX-License-Identifier: MIT */
/*
 * The history of a run: what each operation did to which key, and between which
 * two ticks of one clock; and whether all of it can have happened one after the
 * other, each operation at one instant between its two ticks (it is
 * linearizable).
 *
 * No two adds of a key add the same value, so this need not be searched for
 * (Gibbons and Korach, "Testing shared memories", 1997). The zone of a value
 * lies between the first end and the last begin of its add and its hits. Where
 * the end is first, the key has that value from there to the begin at least: no
 * two such zones of a key may overlap, and nothing else may lie in one as a
 * whole: no add, delete or miss that begins and ends in it.
 *
 * A miss has no value of its own, so it is asked besides whether a delete may
 * be the last change before it.
 */
#ifndef TESTS_LEDGER_H
#define TESTS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ledger_act {
	LEDGER_NONE, /* the record was not used */
	LEDGER_ADD,
	LEDGER_HIT,
	LEDGER_MISS,
	LEDGER_DELETE,
	/* A hit of who learns late: of something that was added before. */
	LEDGER_LATE_HIT,
};

struct ledger_record {
	uint64_t begin; /* ticks: no two of them are the same */
	uint64_t end;
	uint32_t value; /* of an add or a hit; from 1 */
	uint16_t key;
	uint16_t act; /* enum ledger_act */
};

struct ledger_tally {
	uint64_t adds;
	uint64_t hits;
	uint64_t misses;
	uint64_t deletes;
	uint64_t late_hits;
	/* Hits and misses while the key was being changed: for those, more
	 * than one answer may have been right. */
	uint64_t races;
};

/*
 * Check `count` records, which are put into another order. `may_evict`: a miss
 * needs no delete before it. Values are at most `count`.
 *
 * Returns NULL and adds to `*tally`; or what is wrong, in static storage.
 */
const char *ledger_check(struct ledger_record *records, size_t count,
			 bool may_evict, struct ledger_tally *tally);

/* Short histories that cannot be, each of which must be found, and some that
 * can be. */
void ledger_test(void);

#endif
