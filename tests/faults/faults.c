/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the core, with every call of it failing.
 *
 *   faults [PAIRS]   each call with some errors, once or for ever, other ones
 *                    for the next call; each allocation; and 1,000 random pairs
 *                    of faults. With DEEP=1 in the environment, each call with
 *                    each error, once and for ever, and 4,000,000 pairs
 *   faults OP        all but the pairs, as with DEEP=1, for one operation
 *   faults OP FAULT [FAULT]
 *                    one trial, with the stack of each call that fails. FAULT
 *                    is as the program prints it: "call" or "heap", the first
 *                    call that fails, how many, and the errno
 */
#include <errno.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "jobs.h"
#include "must.h"
#include "setting.h"
#include "trial.h"

enum {
	/* The quick form is to take a minute of one processor. */
	PAIRS_QUICK = 1000,
	STRIDE_QUICK = 7,
	PAIRS_DEEP = 4000000,
	PAIRS_OF_JOB = 500,
	SWEEP_MAX = 2000, /* calls of one operation */
	BLAMES_MAX = 10,  /* that one job says */
};

/* What is freed may be used again soon: new memory costs more than the rest. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=2:malloc_context_size=6";
}

static const int errors[] = {
	EIO,	EFBIG, ENOSPC, EDQUOT, EMFILE, ENFILE,	    ENOMEM,
	EACCES, EROFS, EINTR,  EAGAIN, ENODEV, FAULT_SHORT,
};

static bool is_deep; /* every way, not every seventh */

static unsigned times_of(int error, unsigned times)
{
	return error == EINTR && times == FAULT_FOR_EVER ? EINTR_STORM : times;
}

/* Twice without a fault: what is kept for the next time is there then. Returns
 * the calls of the second. */
static struct fault_tally rehearse(const struct op *op)
{
	const struct fault_plan none = {.faults = {{.at = 0}}};
	struct fault_tally tally;

	setting_is_silent = true; /* it keeps memory for the next time */
	(void)trial(op, &none, &tally);
	setting_is_silent = false;
	if (!trial(op, &none, &tally)) {
		printf("# fails without a fault\n");
		exit(1);
	}
	return tally;
}

/* ------------------------------------------------------------------- jobs */

/* Each call of one domain. Returns how many trials went wrong. */
static unsigned sweep(const struct op *op, enum fault_domain domain,
		      unsigned *ret_trials)
{
	static const unsigned spans[] = {1, FAULT_FOR_EVER};
	const size_t count = domain == FAULT_HEAP ? 1 : ARRAY_SIZE(errors);
	struct fault_plan plan = {.faults = {{.domain = domain}}};
	const size_t ways = ARRAY_SIZE(spans) * count;
	const size_t stride = is_deep ? 1 : min_size(STRIDE_QUICK, ways);
	struct fault_tally tally;
	unsigned bad = 0;
	unsigned fired = 1;

	for (unsigned at = 1; fired > 0 && bad < BLAMES_MAX; at++) {
		MUST(at < SWEEP_MAX);
		fired = 0;
		for (size_t i = at % stride; i < ways; i += stride) {
			struct fault *fault = &plan.faults[0];

			fault->at = at;
			fault->error =
				domain == FAULT_HEAP ? ENOMEM : errors[i / 2];
			fault->times = times_of(fault->error, spans[i % 2]);
			bad += !trial(op, &plan, &tally);
			fired += tally.fired;
			++*ret_trials;
		}
	}
	return bad;
}

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

static struct fault random_fault(uint64_t *state,
				 const struct fault_tally *tally)
{
	static const unsigned spans[] = {1, 1, 1, 2, 5, FAULT_FOR_EVER};
	const bool heap = below(state, 4) == 0;
	const enum fault_domain domain = heap ? FAULT_HEAP : FAULT_CALLS;
	/* Who handles a fault makes more calls than who meets none. */
	const unsigned at = 1 + below(state, tally->counts[domain] + 8);
	const int error =
		heap ? ENOMEM : errors[below(state, ARRAY_SIZE(errors))];
	const unsigned span = spans[below(state, ARRAY_SIZE(spans))];

	return (struct fault){.domain = domain,
			      .at = at,
			      .error = error,
			      .times = times_of(error, span)};
}

/* Random pairs; the job's number is the seed. */
static unsigned pairs(unsigned job, unsigned *ret_trials)
{
	const size_t count = op_count();
	struct fault_tally *tallies = calloc(count, sizeof(*tallies));
	uint64_t state = job;
	struct fault_tally tally;
	unsigned bad = 0;

	MUST(tallies);
	for (unsigned i = 0; i < PAIRS_OF_JOB && bad < BLAMES_MAX; i++) {
		const size_t index = below(&state, count);
		struct fault_plan plan;

		if (tallies[index].counts[FAULT_CALLS] == 0)
			tallies[index] = rehearse(op_at(index));
		for (int j = 0; j < FAULTS_MAX; j++)
			plan.faults[j] = random_fault(&state, &tallies[index]);
		bad += !trial(op_at(index), &plan, &tally);
		++*ret_trials;
	}
	free(tallies);
	return bad;
}

/* In a child: job 2i and 2i + 1 are the sweeps of an operation, the rest are
 * pairs. */
static unsigned run_job(unsigned job)
{
	const unsigned sweeps = 2 * (unsigned)op_count();
	struct fault_tally tally;
	const struct op *op;
	unsigned trials = 0;
	unsigned bad;

	if (job >= sweeps)
		return pairs(job, &trials);
	op = op_at(job / 2);
	tally = rehearse(op);
	if (job % 2 == 0)
		bad = sweep(op, FAULT_CALLS, &trials);
	else
		bad = sweep(op, FAULT_HEAP, &trials);
	printf("%s - %s: each of its %u %s fails (%u trials)\n",
	       bad ? "not ok" : "ok", op->name,
	       tally.counts[job % 2 ? FAULT_HEAP : FAULT_CALLS],
	       job % 2 ? "allocations" : "calls", trials);
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
	fault.domain = strcmp(domain, "heap") == 0 ? FAULT_HEAP : FAULT_CALLS;
	return fault;
}

static int try_one(unsigned index, int count, char **words)
{
	struct fault_plan plan = {.faults = {{.at = 0}}};
	struct fault_tally tally;
	bool good;

	jobs_enter(index);
	for (int i = 0; i < count && i < FAULTS_MAX; i++)
		plan.faults[i] = parse_fault(words[i]);
	(void)rehearse(op_at(index));
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

static int run_all(unsigned pair_count)
{
	const unsigned sweeps = 2 * (unsigned)op_count();
	unsigned bad = jobs_run(0, sweeps, run_job);
	int r = bad > 0;

	bad = jobs_run(sweeps, sweeps + pair_count / PAIRS_OF_JOB, run_job);
	printf("%s - %u random pairs of faults\n", bad ? "not ok" : "ok",
	       pair_count);
	return r || bad > 0;
}

int main(int argc, char **argv)
{
	const char *deep = getenv("DEEP");
	unsigned pair_count;
	const bool is_number = argc == 2 && argv[1][0] <= '9';
	unsigned index;
	int r;

	__sanitizer_set_death_callback(died);
	jobs_begin();
	is_deep = deep && strcmp(deep, "1") == 0;
	pair_count = is_deep ? PAIRS_DEEP : PAIRS_QUICK;
	if (is_number)
		pair_count = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc < 2 || is_number) {
		r = run_all(pair_count);
	} else {
		is_deep = true;
		index = find_op(argv[1]);
		r = argc == 2 ? jobs_run(2 * index, 2 * index + 2, run_job) > 0
			      : try_one(index, argc - 2, argv + 2);
	}
	jobs_end();
	return r;
}
