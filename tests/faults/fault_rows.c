/* SPDX-License-Identifier: MIT */
/*
 * The operations of rows_ops.c with each of their calls failing: as faults.c,
 * without sanitizers, so that it takes a few seconds.
 */
#include <malloc.h>

#include "jobs.h"
#include "sweep.h"
#include "trial.h"

enum { STRIDE = 7, LARGE = 1 << 20 };

int main(void)
{
	int r;

	/* As fault_pairs.c does, and for the same reason. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	jobs_begin();
	trial_rehearse();
	r = sweep_run(0, (unsigned)op_count(), STRIDE);
	jobs_end();
	return r;
}
