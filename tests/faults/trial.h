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

/* Returns whether all was right; says what was not. `ret_tally` is of the
 * operation. */
bool trial(const struct op *op, const struct fault_plan *plan,
	   struct fault_tally *ret_tally);

#endif
