/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/base.h"
#include "deep.h"
#include "jobs.h"
#include "must.h"
#include "pairs.h"
#include "trial.h"

enum {
	PAIRS_OF_JOB = 500,
	BEYOND = 8,
	BLAMES_MAX = 10, /* that one job says */
};

static _Atomic unsigned *tried; /* by all jobs */
static int64_t begin_ms;

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(uint64_t *state, size_t limit)
{
	return (unsigned)(random_next(state) % limit);
}

/* One of the calls that an operation makes, or of those that it makes beyond:
 * who handles a fault makes more than who meets none. */
static struct fault
random_fault(uint64_t *state, const struct fault_tally *tally, unsigned beyond)
{
	static const unsigned spans[] = {1, 1, 1, 2, 5, FAULT_FOR_EVER};
	static const enum fault_domain domains[] = {FAULT_CALLS, FAULT_CALLS,
						    FAULT_HEAP, FAULT_INDEX};
	const enum fault_domain domain =
		domains[below(state, ARRAY_SIZE(domains))];
	const struct fault_ways ways = fault_ways_of(domain);
	const unsigned at = 1 + below(state, tally->counts[domain] + beyond);
	const int error = ways.errors[below(state, ways.count)];
	const unsigned span = spans[below(state, ARRAY_SIZE(spans))];

	return (struct fault){.domain = domain,
			      .at = at,
			      .error = error,
			      .times = trial_times(error, span)};
}

/* In a child. The job's number is the seed. */
static unsigned run_job(unsigned job)
{
	uint64_t state = job;
	struct fault_tally tally;
	unsigned bad = 0;

	for (unsigned i = 0;
	     storm_goes_on(i, PAIRS_OF_JOB, begin_ms) && bad < BLAMES_MAX;
	     i++) {
		const size_t op = below(&state, op_count());
		const struct fault_tally *calls = trial_rehearsed(op);
		struct fault_plan plan;

		plan.faults[0] = random_fault(&state, calls, 1);
		plan.faults[1] = random_fault(&state, calls, BEYOND);
		bad += !trial(op_at(op), &plan, &tally);
		++*tried;
	}
	return bad;
}

int pairs_run(unsigned count)
{
	/* The numbers before are of the sweeps. */
	const unsigned first = FAULT_DOMAINS * (unsigned)op_count();
	const unsigned jobs = (count + PAIRS_OF_JOB - 1) / PAIRS_OF_JOB;
	unsigned bad;

	tried = mmap(NULL, sizeof(*tried), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(tried != MAP_FAILED);
	begin_ms = now_ms();
	bad = jobs_run(first, first + jobs, run_job);
	printf("%s - random pairs of faults\n# %u of %u pairs\n",
	       bad ? "not ok" : "ok", *tried, jobs * PAIRS_OF_JOB);
	return bad > 0;
}
