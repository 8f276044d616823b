/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the core with two faults at once, at random: what
 * faults.c does, without sanitizers, which are most of what a trial costs.
 *
 *   fault_pairs [PAIRS]   50,000, with DEEP=1 in the environment 4,000,000
 *
 * A pair that goes wrong is tried alone by the program `faults`.
 */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "deep.h"
#include "jobs.h"
#include "pairs.h"
#include "setting.h"
#include "trial.h"

enum { PAIRS_QUICK = 50000, PAIRS_DEEP = 4000000, LARGE = 1 << 20 };

static void on_signal(int number)
{
	setting_describe("something", number == SIGSEGV
					      ? "reads what is not there"
					      : "reads beyond a file");
	_exit(1);
}

int main(int argc, char **argv)
{
	unsigned count = often(PAIRS_QUICK, PAIRS_DEEP);
	int r;

	if (argc > 1)
		count = (unsigned)strtoul(argv[1], NULL, 10);
	/* So that the 3 MiB that LMDB takes for each environment, and hardly
	 * touches, are not cleared each time. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	(void)signal(SIGSEGV, on_signal);
	(void)signal(SIGBUS, on_signal);
	jobs_begin();
	trial_rehearse();
	r = pairs_run(count);
	jobs_end();
	return r;
}
