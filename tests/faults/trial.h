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

/* Where the store of this process is. */
void trial_at(const char *path);

/* Returns whether all was right; says what was not. `ret_tally` is of the
 * operation. */
bool trial(const struct op *op, const struct fault_plan *plan,
	   struct fault_tally *ret_tally);

/* Do not say what was not right. */
extern bool trial_is_silent;

/* Say what is being tried, for who finds that it ends the process or hangs. */
void trial_describe(const char *call, const char *what);

#endif
