/* SPDX-License-Identifier: MIT */
/*
 * One trial: an operation on a fresh store with faults, and everything that
 * must hold afterwards.
 */
#ifndef FAULTS_TRIAL_H
#define FAULTS_TRIAL_H

#include "fault.h"
#include "ops.h"

/* How often EINTR comes "for ever": a signal does not, and it is retried. */
enum { EINTR_STORM = 50 };

/* What the calls of a domain fail with; FAULT_SHORT is one of them. */
struct fault_ways {
	const int *errors;
	size_t count;
	const char *of; /* what fails */
};

struct fault_ways fault_ways_of(enum fault_domain domain);

/* How often, if it is `times` at other errors. */
unsigned trial_times(int error, unsigned times);

/* All operations twice without a fault, before the jobs: what is kept for the
 * next time is there then, in each of them. */
void trial_rehearse(void);
/* The calls of an operation without a fault. */
const struct fault_tally *trial_rehearsed(size_t op);

/* Returns whether all was right; says what was not. `ret_tally` is of the
 * operation. */
bool trial(const struct op *op, const struct fault_plan *plan,
	   struct fault_tally *ret_tally);

#endif
