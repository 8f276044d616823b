/* SPDX-License-Identifier: MIT */
#include "generate.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "must.h"
#include "random.h"

enum {
	ZIPF_KEYS = 12000,
	ZIPF_BUILDS = 400,
	ZIPF_REQUESTS = 200,
	SCAN = 2000,
	SCAN_EVERY = 20,
	GAP_MS = 600 * 1000,
	REQUEST_MS = 40,

	BRANCHES = 4, /* the first is main */
	FILES = 1200,
	DAYS = 28,
	BUILDS = 6, /* of a branch, a day */
	NIGHT_MS = 10 * 3600 * 1000,
};

void costs_add(struct costs *costs, const struct trace *trace)
{
	bool *seen = calloc(trace->keys + 1, sizeof(*seen));

	costs->costs = realloc(costs->costs, (costs->count + trace->keys + 1) *
						     sizeof(*costs->costs));
	MUST(seen && costs->costs);
	for (size_t i = 0; i < trace->count; i++) {
		const struct event *event = &trace->events[i];

		if (!seen[event->key])
			costs->costs[costs->count++] = event->cost;
		seen[event->key] = true;
	}
	free(seen);
}

void costs_free(struct costs *costs)
{
	free(costs->costs);
}

/* What is being generated. */
struct draft {
	struct trace *trace;
	const struct costs *costs;
	struct random random;
	uint64_t now_ms;
	uint32_t keys;
};

static struct draft draft_begin(const char *name, const struct costs *costs)
{
	MUST(costs->count > 0);
	return (struct draft){
		.trace = trace_new(name),
		.costs = costs,
		.random = random_begin(7),
	};
}

/* A key costs the same whenever it is asked for. */
static void ask(struct draft *draft, uint32_t key)
{
	struct random random = random_begin(key);
	const struct costs *costs = draft->costs;
	uint64_t pick = random_below(&random, costs->count);
	struct event event = event_of(key, costs->costs[pick]);

	draft->now_ms += REQUEST_MS;
	event.time_ms = draft->now_ms;
	trace_add(draft->trace, event);
}

static void scan(struct draft *draft)
{
	for (uint32_t i = 0; i < SCAN; i++)
		ask(draft, draft->keys++);
	draft->now_ms += GAP_MS;
}

/* The place of `part` in sums that grow to 1. */
static uint32_t place(const double *sums, uint32_t count, double part)
{
	uint32_t low = 0, high = count - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sums[middle] < part)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct trace *generate_zipf(const char *name, const struct costs *costs,
			    double exponent, int scans)
{
	struct draft draft = draft_begin(name, costs);
	double *sums = calloc(ZIPF_KEYS, sizeof(*sums)), sum = 0;

	MUST(sums);
	draft.keys = ZIPF_KEYS;
	for (uint32_t i = 0; i < ZIPF_KEYS; i++)
		sums[i] = sum += pow(i + 1, -exponent);
	for (uint32_t build = 0; build < ZIPF_BUILDS; build++) {
		for (uint32_t i = 0; i < ZIPF_REQUESTS; i++)
			ask(&draft, place(sums, ZIPF_KEYS,
					  random_part(&draft.random) * sum));
		draft.now_ms += GAP_MS;
		if (scans && build % SCAN_EVERY == SCAN_EVERY - 1)
			scan(&draft);
	}
	free(sums);
	trace_end(draft.trace);
	return draft.trace;
}

/* What each file of each branch is made into, and by whom it was asked for. */
struct program {
	uint32_t version[BRANCHES][FILES];
	uint32_t built[BRANCHES][FILES];
};

static void build(struct draft *draft, struct program *program, unsigned branch,
		  bool from_nothing)
{
	for (unsigned i = 0; i < FILES; i++) {
		uint32_t version = program->version[branch][i];

		if (from_nothing || program->built[branch][i] != version)
			ask(draft, version);
		program->built[branch][i] = version;
	}
	draft->now_ms += GAP_MS;
}

/* Some files near each other; now and then a header, which many depend on. */
static void edit(struct draft *draft, uint32_t *versions)
{
	uint64_t first = random_below(&draft->random, FILES / 4);
	uint64_t count = 1 + random_below(&draft->random, 6);

	/* Half of the time it is one of a few files that are worked on. */
	if (random_below(&draft->random, 2))
		first = random_below(&draft->random, FILES / 40);
	if (random_below(&draft->random, 10) == 0)
		count = FILES / 20 + random_below(&draft->random, FILES / 4);
	for (uint64_t i = 0; i < count; i++)
		versions[(first * 4 + i) % FILES] = draft->keys++;
}

static void day(struct draft *draft, struct program *program)
{
	for (unsigned n = 0; n < BUILDS; n++) {
		for (unsigned branch = 0; branch < BRANCHES; branch++) {
			edit(draft, program->version[branch]);
			build(draft, program, branch, false);
		}
	}
	/* One is merged into main and all have main from then on; another
	 * changes to main and back. */
	unsigned one = 1 + (unsigned)random_below(&draft->random, BRANCHES - 1);
	unsigned two = 1 + one % (BRANCHES - 1);

	memcpy(program->version[0], program->version[one],
	       sizeof(program->version[0]));
	build(draft, program, 0, false);
	memcpy(program->built[two], program->version[0],
	       sizeof(program->built[two]));
	build(draft, program, two, false);
}

struct trace *generate_weeks(const char *name, const struct costs *costs,
			     int scans)
{
	struct draft draft = draft_begin(name, costs);
	struct program *program = calloc(1, sizeof(*program));

	MUST(program);
	for (unsigned i = 0; i < FILES; i++)
		program->version[0][i] = draft.keys++;
	for (unsigned branch = 0; branch < BRANCHES; branch++) {
		memcpy(program->version[branch], program->version[0],
		       sizeof(program->version[0]));
		build(&draft, program, branch, true);
	}
	for (unsigned n = 0; n < DAYS; n++) {
		day(&draft, program);
		build(&draft, program, 0, true);
		build(&draft, program, 1 + n % (BRANCHES - 1), true);
		if (scans && n % 3 == 2)
			scan(&draft);
		draft.now_ms += NIGHT_MS;
	}
	free(program);
	trace_end(draft.trace);
	return draft.trace;
}
