/* SPDX-License-Identifier: MIT */
/*
 * What power_cut.c and power_cut_store.c share: what has been done to the keys
 * of a store, in memory that outlives a writer.
 */
#ifndef TESTS_POWER_CUT_H
#define TESTS_POWER_CUT_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	THREADS_MAX = 6, /* of all writers */
	KEYS = 24,	 /* of each thread */
};

/*
 * Operations of a key are numbered from 1; one in five is a deletion. `begun`
 * only grows. What `safe` and the ones before it did must be seen after a cut,
 * or what one after it did. `seen` is the number of the content that was found
 * after the last cut, or 0, and `seen_at` was `begun` then.
 *
 * What returns when the cut has begun does not count as done: no program sees
 * that of a power cut. XFS lets fsync(2) of a directory succeed for an instant
 * after its shutdown, although the change is lost.
 */
struct key_state {
	_Atomic(uint32_t) begun;
	_Atomic(uint32_t) done;
	_Atomic(uint32_t) safe;
	uint32_t seen;
	uint32_t seen_at;
};

struct shared {
	unsigned round;
	const char *scene;
	_Atomic(bool) is_cut; /* or is about to be */
	_Atomic(uint64_t) changes;
	uint64_t lost;
	struct {
		_Atomic(unsigned) count; /* operations in this round */
	} threads[THREADS_MAX];
	struct key_state keys[2][THREADS_MAX][KEYS]; /* [1]: durable */
};

extern struct shared *shared;

struct job {
	const char *path; /* of the store, or where it is mounted */
	bool is_durable;
	bool is_full; /* so that what is added may be evicted */
	bool is_mounted;
	unsigned first; /* thread of this writer */
	unsigned threads;
};

/* Say what is wrong, and end. */
_Noreturn void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Change the store until it is cut off; in a process of its own. */
_Noreturn void writer_run(const struct job *job);

/* Open the store after the cut and do nothing; in a process of its own. */
_Noreturn void open_run(const struct job *job);

/* After the cut: is all as it must be, and is the store usable? */
void verify_run(const struct job *job);

#endif
