/* SPDX-License-Identifier: MIT */
/*
 * Which call fails, how, and how often.
 *
 * The seam is the dynamic linker: this program defines openat, pwrite, malloc
 * and so on itself (wrap_calls.c, wrap_heap.c or wrap_plain_heap.c), so that
 * the calls of the core, of LMDB, of zstd and of OpenSSL all come here first;
 * and so do the core's calls to LMDB (wrap_lmdb.c).
 * So the product has no seam that could cost something or be wrong, its own
 * core/sys/sys.c is tested with the rest, and there is one mechanism for what
 * the core calls and for what the libraries below it call.
 *
 * Calls are counted and failed only while a plan is armed. One thread.
 */
#ifndef FAULTS_FAULT_H
#define FAULTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum fault_domain {
	FAULT_CALLS, /* system calls */
	FAULT_HEAP,  /* allocations, which give NULL */
	FAULT_INDEX, /* what the core calls of LMDB */
	FAULT_DOMAINS,
};

enum {
	/* In the place of an errno: a read or write does a part of its work
	 * only. */
	FAULT_SHORT = 0,
	/* The process is killed in the place of the call, */
	FAULT_KILL = -1,
	/* or at the next call after a part of this one. */
	FAULT_HALF_AND_KILL = -2,
};
/* As `times`: all calls from there on. */
#define FAULT_FOR_EVER (~0U)

struct fault {
	enum fault_domain domain;
	unsigned at; /* the first call that fails, from 1; 0: none */
	unsigned times;
	int error;
};

enum { FAULTS_MAX = 2, FAULT_CALLS_MAX = 1024 };

struct fault_plan {
	struct fault faults[FAULTS_MAX];
};

/* What happened while the plan was armed. */
struct fault_tally {
	unsigned counts[FAULT_DOMAINS]; /* calls of each domain */
	bool in_parts[FAULT_CALLS_MAX]; /* of the system calls: it may be */
	unsigned fired;			/* of them, how many failed */
	const char *first;		/* the first that failed */
	bool first_by_core;	 /* called by the core itself, not by LMDB */
	unsigned lost_unlinks;	 /* files that could not be deleted */
	unsigned lost_truncates; /* files that could not be cut */
	bool lmdb_was_short;	 /* a write of LMDB was cut */
	bool lmdb_lost_meta;	 /* LMDB could not write its meta page */
	bool lmdb_lost_lock;	 /* LMDB could not lock */
};

void fault_arm(const struct fault_plan *plan);
struct fault_tally fault_disarm(void);

/* Print the stack of each call that fails. */
extern bool fault_trace;

/* From now on, the store is on another mount than it was. */
void fault_move_mount(bool moved);

/* What is allocated, in bytes. */
size_t fault_heap_bytes(void);

/* For the wrappers: does this call, made from `caller`, fail? `*ret_error` is
 * how; FAULT_SHORT only if it `may_be_short`. */
bool fault_hits(enum fault_domain domain, const char *name, const void *caller,
		bool may_be_short, int *ret_error);
/* Is `caller` in this program, not in a library? */
bool fault_is_core(const void *caller);
/* More for the tally. */
struct fault_tally *fault_note(void);

#endif
