/* SPDX-License-Identifier: MIT */
/* The simulator itself: the cache, against one by brute force, and traces. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache.h"
#include "must.h"
#include "random.h"
#include "runner.h"
#include "scratch.h"

enum { KEYS = 40, EVENTS = 4000, COST_MAX = 100, SEEDS = 20 };

static enum op random_op(struct random *random)
{
	switch (random_below(random, 20)) {
	case 0:
		return OP_DELETE;
	case 1:
		return OP_TOUCH;
	case 2:
		return OP_ADD;
	default:
		return OP_GET;
	}
}

/* Each add may give a key another cost; `equal` is the cost of all, or 0. */
static struct trace *random_trace(uint64_t seed, uint64_t equal)
{
	struct random random = random_begin(seed);
	struct trace *trace = trace_new("random");
	uint64_t costs[KEYS], time_ms = 0;

	for (int i = 0; i < KEYS; i++)
		costs[i] = equal ? equal : 1 + random_below(&random, COST_MAX);
	for (int i = 0; i < EVENTS; i++) {
		uint32_t key = (uint32_t)random_below(
			&random, 1 + random_below(&random, KEYS));
		struct event event;

		time_ms += random_below(&random, 20000);
		event = event_of(key, 0);
		event.time_ms = time_ms;
		event.op = equal ? OP_GET : random_op(&random);
		if (event.op == OP_ADD)
			costs[key] = 1 + random_below(&random, COST_MAX);
		event.cost = costs[key];
		trace_add(trace, event);
	}
	trace_end(trace);
	return trace;
}

/* LRU with a clock for each key and no list. */
struct plain_lru {
	uint64_t cost[KEYS];
	uint64_t last[KEYS];
	bool known[KEYS];
	uint64_t limit;
	struct result result;
};

static uint64_t plain_sum(const struct plain_lru *lru)
{
	uint64_t sum = 0;

	for (int i = 0; i < KEYS; i++)
		sum += lru->cost[i];
	return sum;
}

static void plain_add(struct plain_lru *lru, const struct event *event)
{
	lru->cost[event->key] = 0;
	while (event->cost <= lru->limit &&
	       plain_sum(lru) + event->cost > lru->limit) {
		int oldest = -1;

		for (int i = 0; i < KEYS; i++) {
			if (lru->cost[i] > 0 &&
			    (oldest < 0 || lru->last[i] < lru->last[oldest]))
				oldest = i;
		}
		lru->cost[oldest] = 0;
		lru->result.evictions++;
	}
	if (event->cost <= lru->limit)
		lru->cost[event->key] = event->cost;
	lru->known[event->key] = true;
}

static struct result plain_run(const struct trace *trace, uint64_t limit)
{
	struct plain_lru lru = {.limit = limit};

	for (size_t i = 0; i < trace->count; i++) {
		const struct event *event = &trace->events[i];
		uint32_t key = event->key;
		bool there = lru.cost[key] > 0;

		if (event->op == OP_DELETE) {
			lru.cost[key] = 0;
			continue;
		}
		if (event->op == OP_GET ||
		    (event->op == OP_ADD && !lru.known[key])) {
			lru.result.requests++;
			lru.result.bytes += event->cost;
			lru.result.hits += there;
			lru.result.bytes_hit += there ? event->cost : 0;
		}
		if (event->op == OP_ADD || (event->op == OP_GET && !there))
			plain_add(&lru, event);
		lru.last[key] = i + 1;
	}
	return lru.result;
}

Test(sim, lru_is_what_a_plain_lru_does)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct trace *trace = random_trace(seed, 0);

		for (uint64_t limit = 50; limit < 2000; limit += 150) {
			struct result want = plain_run(trace, limit);
			struct result got =
				cache_run(policy_find("lru"), trace, limit);

			MUST_BE(got.requests, want.requests);
			MUST_BE(got.hits, want.hits);
			MUST_BE(got.bytes, want.bytes);
			MUST_BE(got.bytes_hit, want.bytes_hit);
			MUST_BE(got.evictions, want.evictions);
		}
		trace_free(trace);
	}
}

Test(sim, no_policy_exceeds_the_limit)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct trace *trace = random_trace(seed, 0);

		for (size_t p = 0; p < policies_count; p++) {
			struct result got = cache_run(&policies[p], trace, 700);

			MUST(got.most <= 700);
			MUST(got.most > 600);
			MUST(got.evictions > 100);
		}
		trace_free(trace);
	}
}

Test(sim, without_a_limit_all_policies_have_the_same_hits)
{
	struct trace *trace = random_trace(1, 0);
	struct result want = plain_run(trace, UINT64_MAX);

	for (size_t p = 0; p < policies_count; p++) {
		struct result got = cache_run(&policies[p], trace, UINT64_MAX);

		MUST_BE(got.hits, want.hits);
		MUST_BE(got.evictions, 0);
	}
	trace_free(trace);
}

Test(sim, with_equal_sizes_none_has_more_hits_than_belady)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct trace *trace = random_trace(seed, 10);
		const struct policy *belady = policy_find("belady");
		struct result most = cache_run(belady, trace, 100);

		for (size_t p = 0; p < policies_count; p++) {
			struct result got = cache_run(&policies[p], trace, 100);

			MUST(got.hits <= most.hits);
			MUST(&policies[p] == belady || got.hits < most.hits);
		}
		trace_free(trace);
	}
}

/* Entries 0 and 1 are added, 0 is used `use_ms` later, and 2 is added at
 * `add_ms`, when only two fit. Is 0 still there? */
static bool stays(const char *policy, uint64_t use_ms, uint64_t add_ms)
{
	const uint32_t keys[] = {0, 1, 0, 2, 0};
	const uint64_t times[] = {0, 0, use_ms, add_ms, add_ms};
	struct trace *trace = trace_new("stays");
	struct result got;

	for (int i = 0; i < 5; i++) {
		struct event event = event_of(keys[i], 10);

		event.time_ms = times[i];
		trace_add(trace, event);
	}
	trace_end(trace);
	got = cache_run(policy_find(policy), trace, 20);
	trace_free(trace);
	MUST_BE(got.requests, 5);
	MUST_BE(got.evictions, got.hits == 2 ? 1 : 2);
	return got.hits == 2;
}

Test(sim, a_use_counts_from_the_resolution_on)
{
	MUST(stays("lru", 1, 2));
	MUST(!stays("fifo", 61000, 62000));
	MUST(!stays("lru-60", 59999, 90000));
	MUST(stays("lru-60", 60000, 60001));
	MUST(!stays("lru-60b", 59000, 59999));
	MUST(stays("lru-60b", 59000, 60000));
	MUST(!stays("lru-60b", 61000, 119999));
}

Test(sim, a_hit_needs_what_the_entry_is_about)
{
	struct trace *trace = trace_new("needs");
	struct result got;

	for (uint32_t i = 0; i < 4; i++) {
		struct event event = event_of(i / 2, i / 2 ? 100 : 10);

		event.op = i % 2 ? OP_GET : OP_ADD;
		event.needs = i < 2 ? 1 : KEY_NONE;
		trace_add(trace, event);
	}
	trace_add(trace, trace->events[1]);
	trace_end(trace);
	got = cache_run(policy_find("lru"), trace, 110);
	MUST_BE(got.requests, 5);
	MUST_BE(got.hits, 2); /* not the first get of 0: 1 came later */
	MUST_BE(cache_run(policy_find("lru"), trace, 50).hits, 0);
	trace_free(trace);
}

Test(sim, a_trace_is_read_as_it_is_written)
{
	char *path = scratch_path("some.zst");
	struct trace *trace;

	shell_do("printf '5 0 100 add 1\n7 1 16320 add\n7 0 100 get 1\n"
		 "90 1 16321 touch\n91 1 16321 delete\n' | zstd -q -o %s",
		 path);
	trace = trace_read(path);
	MUST(strcmp(trace->name, "some") == 0);
	MUST_BE(trace->count, 5);
	MUST_BE(trace->keys, 2);
	MUST_BE(trace->footprint, 100 + 150 + 16384 + 150);
	MUST_BE(trace->events[0].needs, 1);
	MUST_BE(trace->events[1].needs, KEY_NONE);
	MUST_BE(trace->events[1].cost, 16320 + 150);
	MUST_BE(trace->events[0].next, 2);
	MUST_BE(trace->events[2].next, EVENT_NONE);
	MUST_BE(trace->events[3].time_ms, 90);
	MUST_BE(trace->events[3].op, OP_TOUCH);
	MUST_BE(trace->events[4].op, OP_DELETE);
	trace_free(trace);
	free(path);
	scratch_end();
}

/* Whoever records again must get a trace that can be read and says something.
 */
Test(sim, what_was_recorded_tells_policies_apart)
{
	glob_t found;

	MUST(glob(SIM_TRACES "/*.zst", 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct trace *trace = trace_read(found.gl_pathv[i]);
		uint64_t limit = trace->footprint / 4, least = UINT64_MAX;
		struct result all =
			cache_run(&policies[0], trace, trace->footprint);
		uint64_t most = 0;

		for (size_t p = 0; p < policies_count; p++) {
			struct result got =
				cache_run(&policies[p], trace, limit);

			MUST(got.most <= limit);
			MUST_BE(got.requests, all.requests);
			MUST(got.hits <= all.hits);
			least = got.hits < least ? got.hits : least;
			most = got.hits > most ? got.hits : most;
		}
		MUST(all.requests > 1000);
		MUST(least < most);
		trace_free(trace);
	}
	globfree(&found);
}

Test(sim, a_table_is_the_same_twice)
{
	const char *sim = program("CUBBY_SIM");
	char *one = shell_text("'%s' --table %s/git_lfs.zst", sim, SIM_TRACES);
	char *two = shell_text("'%s' --table %s/git_lfs.zst", sim, SIM_TRACES);

	MUST(strstr(one, "| git_lfs | "));
	MUST(strstr(one, "| gdsf-8k-2-60b | "));
	MUST(strcmp(one, two) == 0);
	free(one);
	free(two);
}
