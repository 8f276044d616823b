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
 * What AddressSanitizer costs leaves no time for many pairs: see fault_pairs.c.
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
#include "trial.h"

enum {
	/* The quick form is to take a minute of one processor. */
	PAIRS_QUICK = 1000,
	STRIDE_QUICK = 7,
	PAIRS_DEEP = 100000,
	SWEEP_MAX = 2000, /* calls of one operation */
	BLAMES_MAX = 10,  /* that one job says */
};

/* What is freed may be used again soon: new memory costs more than the rest. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=2:malloc_context_size=6";
}

static bool is_full; /* every way, not every seventh */

/* ------------------------------------------------------------------- jobs */

/* Each call of one domain, for one operation. Returns how many trials went
 * wrong. */
static unsigned sweep(unsigned number, enum fault_domain domain,
		      unsigned *ret_trials)
{
	const struct op *op = op_at(number);
	static const unsigned spans[] = {1, FAULT_FOR_EVER};
	const struct fault_ways how = fault_ways_of(domain);
	struct fault_plan plan = {.faults = {{.domain = domain}}};
	const size_t ways = ARRAY_SIZE(spans) * how.count;
	const size_t stride = is_full ? 1 : min_size(STRIDE_QUICK, ways);
	struct fault_tally tally;
	unsigned bad = 0;
	unsigned fired = 1;

	for (unsigned at = 1; fired > 0 && bad < BLAMES_MAX; at++) {
		MUST(at < SWEEP_MAX);
		fired = 0;
		/* Others for the same call of the next operation. */
		for (size_t i = (at + number) % stride; i < ways; i += stride) {
			struct fault *fault = &plan.faults[0];

			fault->at = at;
			fault->error = how.errors[i / 2];
			fault->times = trial_times(fault->error, spans[i % 2]);
			bad += !trial(op, &plan, &tally);
			fired += tally.fired;
			++*ret_trials;
		}
	}
	return bad;
}

/* In a child: FAULT_DOMAINS jobs, one after the other, are the sweeps of an
 * operation. */
static unsigned run_job(unsigned job)
{
	const enum fault_domain domain = job % FAULT_DOMAINS;
	const struct op *op = op_at(job / FAULT_DOMAINS);
	const unsigned calls =
		trial_rehearsed(job / FAULT_DOMAINS)->counts[domain];
	unsigned trials = 0;
	unsigned bad = sweep(job / FAULT_DOMAINS, domain, &trials);

	printf("%s - %s: each of its %u %s fails (%u trials)\n",
	       bad ? "not ok" : "ok", op->name, calls, fault_ways_of(domain).of,
	       trials);
	return bad;
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
	const unsigned sweeps = FAULT_DOMAINS * (unsigned)op_count();
	unsigned index;
	int r;

	__sanitizer_set_death_callback(died);
	jobs_begin();
	trial_rehearse();
	is_full = argc > 1 || often(0, 1);
	if (argc < 2) {
		r = jobs_run(0, sweeps, run_job) > 0;
		r |= pairs_run(often(PAIRS_QUICK, PAIRS_DEEP));
	} else {
		index = find_op(argv[1]);
		r = argc == 2
			    ? jobs_run(FAULT_DOMAINS * index,
				       FAULT_DOMAINS * (index + 1), run_job) > 0
			    : try_one(index, argc - 2, argv + 2);
	}
	jobs_end();
	return r;
}
