/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the core, with every call of it failing.
 *
 *   faults           each call with some errors, once or for ever, other ones
 *                    for the next call; each allocation; each call to LMDB; and
 *                    1,000 random pairs of faults. With DEEP=1 in the
 *                    environment, each call with each error, once and for ever,
 *                    and 100,000 pairs
 *   faults OP        all but the pairs, as with DEEP=1, for one operation
 *   faults OP FAULT [FAULT]
 *                    one trial, with the stack of each call that fails. FAULT
 *                    is as the program prints it: "call", "heap" or "lmdb", the
 *                    first call that fails, how many, and the errno
 *
 * What AddressSanitizer costs leaves no time for each error of each call, nor
 * for many pairs: see fault_pairs.c.
 */
#include <errno.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "deep.h"
#include "jobs.h"
#include "must.h"
#include "pairs.h"
#include "setting.h"
#include "sweep.h"
#include "trial.h"

enum {
	/* The quick form is to take a minute of two processors. */
	PAIRS_QUICK = 1000,
	STRIDE_QUICK = 7,
	PAIRS_DEEP = 100000,
};

/* What is freed may be used again soon: new memory costs more than the rest. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=2:malloc_context_size=6";
}

/* ---------------------------------------------------------------- program */

static void died(void)
{
	setting_describe("something", "the sanitizer ends the process");
}

static struct fault parse_fault(const char *text)
{
	struct fault fault;
	char domain[5];

	MUST(sscanf(text, "%4[a-z]:%u:%u:%d", domain, &fault.at, &fault.times,
		    &fault.error) == 4);
	fault.domain = strcmp(domain, "heap") == 0   ? FAULT_HEAP
		       : strcmp(domain, "lmdb") == 0 ? FAULT_INDEX
						     : FAULT_CALLS;
	return fault;
}

static int try_one(unsigned index, int count, char **words)
{
	struct fault_plan plan = {.faults = {{.at = 0}}};
	struct fault_tally tally;
	bool good;

	for (int i = 0; i < count && i < FAULTS_MAX; i++)
		plan.faults[i] = parse_fault(words[i]);
	fault_trace = true;
	good = trial(op_at(index), &plan, &tally);
	printf("%s - %s: %u failed\n", good ? "ok" : "not ok",
	       op_at(index)->name, tally.fired);
	return good ? 0 : 1;
}

static unsigned find_op(const char *name)
{
	for (unsigned i = 0; i < op_count(); i++)
		if (strcmp(op_at(i)->name, name) == 0)
			return i;
	printf("%s: no such operation\n", name);
	exit(1);
}

int main(int argc, char **argv)
{
	unsigned index;
	int r;

	__sanitizer_set_death_callback(died);
	jobs_begin();
	trial_rehearse();
	if (argc < 2) {
		r = sweep_run(0, (unsigned)op_count(), often(STRIDE_QUICK, 1));
		r |= pairs_run(often(PAIRS_QUICK, PAIRS_DEEP));
	} else {
		index = find_op(argv[1]);
		r = argc == 2 ? sweep_run(index, index + 1, 1)
			      : try_one(index, argc - 2, argv + 2);
	}
	jobs_end();
	return r;
}
