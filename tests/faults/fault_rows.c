/* SPDX-License-Identifier: MIT */
/*
 * The operations of rows_ops.c with each call to LMDB failing, each allocation,
 * and each system call: as faults.c, without sanitizers, so that it takes a few
 * seconds.
 *
 *   fault_rows [OP]
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "jobs.h"
#include "must.h"
#include "rows_ops.h"
#include "setting.h"
#include "trial.h"

enum {
	SWEEP_MAX = 2000, /* calls of one operation */
	BLAMES_MAX = 10,  /* that one job says */
	LARGE = 1 << 20,
};

static const struct {
	enum fault_domain domain;
	int error;
	const char *of;
} ways[] = {
	{FAULT_INDEX, EIO, "calls to LMDB"},
	{FAULT_HEAP, ENOMEM, "allocations"},
	{FAULT_CALLS, ENOSPC, "calls"},
};

/* In a child: one operation, in one way, once and for ever. */
static unsigned run_job(unsigned job)
{
	static const unsigned spans[] = {1, FAULT_FOR_EVER};
	const struct op *op = &rows_ops[job / ARRAY_SIZE(ways)];
	const size_t way = job % ARRAY_SIZE(ways);
	struct fault_plan plan = {.faults = {{.domain = ways[way].domain,
					      .error = ways[way].error}}};
	unsigned trials = 0;
	unsigned fired = 1;
	unsigned bad = 0;
	struct fault_tally tally = trial_rehearse(op);
	const unsigned calls = tally.counts[ways[way].domain];

	for (unsigned at = 1; fired > 0 && bad < BLAMES_MAX; at++) {
		MUST(at < SWEEP_MAX);
		fired = 0;
		for (size_t i = 0; i < ARRAY_SIZE(spans); i++, trials++) {
			plan.faults[0].at = at;
			plan.faults[0].times = spans[i];
			bad += !trial(op, &plan, &tally);
			fired += tally.fired;
		}
	}
	printf("%s - %s: each of its %u %s gives %s (%u trials)\n",
	       bad ? "not ok" : "ok", op->name, calls, ways[way].of,
	       strerrorname_np(ways[way].error), trials);
	return bad;
}

int main(int argc, char **argv)
{
	unsigned first = 0;
	unsigned end = (unsigned)rows_ops_count;
	unsigned bad;

	if (argc > 1) {
		while (first < end &&
		       strcmp(rows_ops[first].name, argv[1]) != 0)
			first++;
		MUST(first < end);
		end = first + 1;
	}
	/* As fault_pairs.c does, and for the same reason. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	jobs_begin();
	bad = jobs_run(first * (unsigned)ARRAY_SIZE(ways),
		       end * (unsigned)ARRAY_SIZE(ways), run_job);
	jobs_end();
	return bad > 0;
}
