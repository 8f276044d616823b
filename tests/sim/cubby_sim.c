/* SPDX-License-Identifier: MIT */
/*
 * cubby_sim: which eviction policy suits a compile cache.
 *
 *   cubby_sim --table [TRACE...]   a row per workload: means over the limits,
 *                                  and how often a policy beats the first one
 *   cubby_sim --all [TRACE...]     a table per workload, with each limit
 *
 * Without TRACE, the recorded ones in traces/ and those of generate.c. Prints
 * Markdown; the same traces give the same text.
 */
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "generate.h"
#include "must.h"

enum { TRACES_MAX = 32, LIMITS = 5, POLICIES_MAX = 32 };

static const unsigned limits[LIMITS] = {5, 10, 25, 50, 75}; /* per cent */

/* What is in the short table: those that an index can do. */
static const char *const in_table[] = {
	"lru-60",   "lru",	    "slru-60b",	     "sieve-60b", "s3fifo-60b",
	"gdsf-60b", "gdsf-8k-2-60", "gdsf-8k-2-60b", "belady",
};
enum { IN_TABLE = sizeof(in_table) / sizeof(in_table[0]) };

struct workload {
	struct trace *trace;
	bool recorded;
	struct result results[POLICIES_MAX][LIMITS];
};

struct run {
	struct workload workloads[TRACES_MAX];
	size_t count;
};

static void run_add(struct run *run, struct trace *trace, bool recorded)
{
	MUST(run->count < TRACES_MAX);
	run->workloads[run->count++] =
		(struct workload){.trace = trace, .recorded = recorded};
}

static void run_read(struct run *run, char **paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_add(run, trace_read(paths[i]), true);
}

/* The recorded traces, and the generated ones, which have their sizes. */
static void run_read_all(struct run *run)
{
	struct costs costs = {0};
	glob_t found;

	MUST(glob(SIM_TRACES "/*.zst", 0, NULL, &found) == 0);
	run_read(run, found.gl_pathv, found.gl_pathc);
	globfree(&found);
	for (size_t i = 0; i < run->count; i++)
		costs_add(&costs, run->workloads[i].trace);
	run_add(run, generate_zipf("zipf-0.6", &costs, 0.6, 0), false);
	run_add(run, generate_zipf("zipf-0.8", &costs, 0.8, 0), false);
	run_add(run, generate_zipf("zipf-1.0", &costs, 1.0, 0), false);
	run_add(run, generate_zipf("zipf-0.8-scan", &costs, 0.8, 1), false);
	run_add(run, generate_weeks("weeks", &costs, 0), false);
	run_add(run, generate_weeks("weeks-scan", &costs, 1), false);
	costs_free(&costs);
}

static void run_simulate(struct run *run)
{
	MUST(policies_count <= POLICIES_MAX);
	for (size_t w = 0; w < run->count; w++) {
		struct workload *workload = &run->workloads[w];
		const struct trace *trace = workload->trace;

		for (size_t p = 0; p < policies_count; p++) {
			for (int l = 0; l < LIMITS; l++)
				workload->results[p][l] = cache_run(
					&policies[p], trace,
					trace->footprint / 100 * limits[l]);
		}
	}
}

static double object_rate(const struct result *result)
{
	return 100.0 * (double)result->hits / (double)result->requests;
}

static double byte_rate(const struct result *result)
{
	return 100.0 * (double)result->bytes_hit / (double)result->bytes;
}

typedef double rate_fn(const struct result *result);

static double mean(const struct result *results, rate_fn *rate)
{
	double sum = 0;

	for (int l = 0; l < LIMITS; l++)
		sum += rate(&results[l]);
	return sum / LIMITS;
}

/* What a cache without a limit would have. */
static struct result unlimited(const struct trace *trace)
{
	return cache_run(&policies[0], trace, UINT64_MAX);
}

static void print_line(size_t columns)
{
	(void)printf("|---|");
	for (size_t i = 1; i < columns; i++)
		(void)printf("---|");
	(void)printf("\n");
}

static void print_all(const struct run *run)
{
	for (size_t w = 0; w < run->count; w++) {
		const struct workload *workload = &run->workloads[w];
		struct result all = unlimited(workload->trace);

		(void)printf("\n%s: %" PRIu64 " requests, %" PRIu32
			     " keys, %.1f MiB; without a limit %.1f / %.1f\n\n",
			     workload->trace->name, all.requests,
			     workload->trace->keys,
			     (double)workload->trace->footprint / 1048576,
			     object_rate(&all), byte_rate(&all));
		(void)printf("| policy |");
		for (int l = 0; l < LIMITS; l++)
			(void)printf(" %u %% |", limits[l]);
		(void)printf("\n");
		print_line(LIMITS + 1);
		for (size_t p = 0; p < policies_count; p++) {
			(void)printf("| %s |", policies[p].name);
			for (int l = 0; l < LIMITS; l++)
				(void)printf(
					" %.1f / %.1f |",
					object_rate(&workload->results[p][l]),
					byte_rate(&workload->results[p][l]));
			(void)printf("\n");
		}
	}
}

static void print_means(const struct run *run)
{
	(void)printf("| workload |");
	for (size_t i = 0; i < IN_TABLE; i++)
		(void)printf(" %s |", in_table[i]);
	(void)printf(" no limit |\n");
	print_line(IN_TABLE + 2);
	for (size_t w = 0; w < run->count; w++) {
		const struct workload *workload = &run->workloads[w];
		struct result all = unlimited(workload->trace);

		(void)printf("| %s |", workload->trace->name);
		for (size_t i = 0; i < IN_TABLE; i++) {
			const struct policy *policy = policy_find(in_table[i]);
			const struct result *results =
				workload->results[policy - policies];

			(void)printf(" %.1f / %.1f |",
				     mean(results, object_rate),
				     mean(results, byte_rate));
		}
		(void)printf(" %.1f / %.1f |\n", object_rate(&all),
			     byte_rate(&all));
	}
}

/* In how many pairs of workload and limit a policy is 2 points better than the
 * first, and in how many half a point worse. */
static void print_count(const struct run *run, size_t p, bool recorded,
			rate_fn *rate)
{
	unsigned better = 0, worse = 0, of = 0;

	for (size_t w = 0; w < run->count; w++) {
		const struct workload *workload = &run->workloads[w];

		for (int l = 0; l < LIMITS; l++) {
			double gain = rate(&workload->results[p][l]) -
				      rate(&workload->results[0][l]);

			if (workload->recorded != recorded)
				continue;
			better += gain >= 2;
			worse += gain < -0.5;
			of++;
		}
	}
	(void)printf(" %u, %u of %u |", better, worse, of);
}

static void print_counts(const struct run *run)
{
	(void)printf("\n| against %s: better, worse | recorded, objects | "
		     "recorded, bytes | generated, objects | generated, "
		     "bytes |\n",
		     policies[0].name);
	print_line(5);
	for (size_t p = 1; p < policies_count; p++) {
		(void)printf("| %s |", policies[p].name);
		print_count(run, p, true, object_rate);
		print_count(run, p, true, byte_rate);
		print_count(run, p, false, object_rate);
		print_count(run, p, false, byte_rate);
		(void)printf("\n");
	}
}

int main(int argc, char **argv)
{
	static struct run run;
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;

	if (argc < 2 || (!all && strcmp(argv[1], "--table") != 0)) {
		(void)fprintf(stderr,
			      "usage: cubby_sim --table|--all [TRACE...]\n");
		return 2;
	}
	if (argc > 2)
		run_read(&run, argv + 2, (size_t)argc - 2);
	else
		run_read_all(&run);
	run_simulate(&run);
	if (all) {
		print_all(&run);
	} else {
		print_means(&run);
		print_counts(&run);
	}
	for (size_t w = 0; w < run.count; w++)
		trace_free(run.workloads[w].trace);
	return 0;
}
