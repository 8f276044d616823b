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

/* What a call fails with; FAULT_SHORT is one of them. */
extern const int fault_errors[];
extern const size_t fault_errors_count;

/* How often, if it is `times` at other errors. */
unsigned trial_times(int error, unsigned times);

/* Twice without a fault: what is kept for the next time is there then. Returns
 * the calls of the second. */
struct fault_tally trial_rehearse(const struct op *op);

/* Returns whether all was right; says what was not. `ret_tally` is of the
 * operation. */
bool trial(const struct op *op, const struct fault_plan *plan,
	   struct fault_tally *ret_tally);

#endif
