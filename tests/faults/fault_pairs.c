/* SPDX-License-Identifier: MIT */
/*
 * What faults.c does, without sanitizers, which are most of what a trial costs:
 * so here is time for all of it.
 *
 *   fault_pairs [PAIRS]   two faults at once, at random: 50,000 pairs, with
 *                         DEEP=1 in the environment 4,000,000
 *   fault_pairs each      each call of each operation, with each error, once
 *                         and for ever
 *
 * What goes wrong is tried alone by the program `faults`.
 */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deep.h"
#include "jobs.h"
#include "pairs.h"
#include "setting.h"
#include "sweep.h"
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
	const char *what = argc > 1 ? argv[1] : "";
	unsigned count = often(PAIRS_QUICK, PAIRS_DEEP);
	int r;

	if (*what)
		count = (unsigned)strtoul(what, NULL, 10);
	/* So that the 3 MiB that LMDB takes for each environment, and hardly
	 * touches, are not cleared each time. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	(void)signal(SIGSEGV, on_signal);
	(void)signal(SIGBUS, on_signal);
	jobs_begin();
	trial_rehearse();
	if (strcmp(what, "each") == 0)
		r = sweep_run(0, (unsigned)op_count(), 1);
	else
		r = pairs_run(count);
	jobs_end();
	return r;
}
