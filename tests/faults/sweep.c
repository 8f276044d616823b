/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/base.h"
#include "jobs.h"
#include "must.h"
#include "sweep.h"
#include "trial.h"

enum {
	SWEEP_MAX = 2000, /* calls of one operation */
	BLAMES_MAX = 10,  /* that one job says */
};

static unsigned stride_wanted;

/* Would nothing fail, as this call does all of its work or none? */
static bool is_idle(unsigned number, const struct fault *fault)
{
	const struct fault_tally *calls = trial_rehearsed(number);

	return fault->domain == FAULT_CALLS && fault->error == FAULT_SHORT &&
	       fault->times == 1 && fault->at <= calls->counts[FAULT_CALLS] &&
	       !calls->in_parts[fault->at];
}

/* Did what was to fail for ever fail once? Then it has been tried to fail once,
 * too: no call came after it. (But the store may be expected to bear less.) */
static bool is_once(const struct op *op, const struct fault_tally *tally)
{
	return tally->fired == 1 && !op->may_stay;
}

/* Each call of one domain, for one operation. Returns how many trials went
 * wrong. */
static unsigned sweep(unsigned number, enum fault_domain domain,
		      unsigned *ret_trials)
{
	const struct op *op = op_at(number);
	static const unsigned spans[] = {FAULT_FOR_EVER, 1};
	const struct fault_ways how = fault_ways_of(domain);
	struct fault_plan plan = {.faults = {{.domain = domain}}};
	const size_t ways = ARRAY_SIZE(spans) * how.count;
	const size_t stride = min_size(stride_wanted, ways);
	struct fault_tally tally;
	size_t last = ways; /* that was tried of this call */
	unsigned bad = 0;
	unsigned fired = 1;

	for (unsigned at = 1; fired > 0 && bad < BLAMES_MAX; at++) {
		MUST(at < SWEEP_MAX);
		fired = 0;
		last = ways;
		/* Others for the same call of the next operation. */
		for (size_t i = (at + number) % stride; i < ways; i += stride) {
			struct fault *fault = &plan.faults[0];

			fault->at = at;
			fault->error = how.errors[i / 2];
			fault->times = trial_times(fault->error, spans[i % 2]);
			if (is_idle(number, fault) ||
			    (i % 2 == 1 && i == last + 1 &&
			     is_once(op, &tally)))
				continue;
			last = i;
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

int sweep_run(unsigned first, unsigned end, unsigned stride)
{
	stride_wanted = stride;
	return jobs_run(FAULT_DOMAINS * first, FAULT_DOMAINS * end, run_job) >
	       0;
}
