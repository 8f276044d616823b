/* SPDX-License-Identifier: MIT */
/*
 * Belady with sizes: it knows the trace, and evicts what has the largest
 * product of its size and the time to its next get; what is never asked for
 * again goes first. It looks at all that is in the cache if that is little, or
 * else at SAMPLE of it, picked by a generator with a fixed seed. The best with
 * sizes is hard to compute; this comes near, but it is no proof that nothing
 * is better. It is not told about what a hit is worth without another entry.
 */
#include <stdlib.h>

#include "must.h"
#include "policy.h"
#include "random.h"

enum { SAMPLE = 128 };

struct belady {
	uint32_t *keys; /* in the cache, in no order */
	uint32_t *at;	/* of each key, where in `keys` */
	uint32_t count;
	uint32_t *next; /* of each key, the next get, or EVENT_NONE */
	uint64_t *cost;
	const struct event *events;
	uint32_t now;
	struct random random;
};

static void *belady_begin(const struct trace *trace, uint64_t limit,
			  int parameter)
{
	struct belady *b = calloc(1, sizeof(*b));
	size_t keys = trace->keys + 1;

	(void)limit;
	(void)parameter;
	MUST(b);
	b->keys = calloc(keys, sizeof(*b->keys));
	b->at = calloc(keys, sizeof(*b->at));
	b->next = calloc(keys, sizeof(*b->next));
	b->cost = calloc(keys, sizeof(*b->cost));
	MUST(b->keys && b->at && b->next && b->cost);
	b->events = trace->events;
	b->random = random_begin(1);
	return b;
}

static void belady_end(void *state)
{
	struct belady *b = state;

	free(b->keys);
	free(b->at);
	free(b->next);
	free(b->cost);
	free(b);
}

static void belady_used(void *state, const struct event *event)
{
	struct belady *b = state;

	b->now = (uint32_t)(event - b->events);
	b->next[event->key] = event->next;
	b->cost[event->key] = event->cost;
}

static void belady_added(void *state, const struct event *event)
{
	struct belady *b = state;

	b->at[event->key] = b->count;
	b->keys[b->count++] = event->key;
	belady_used(b, event);
}

static void belady_removed(void *state, uint32_t key)
{
	struct belady *b = state;
	uint32_t last = b->keys[--b->count];

	b->keys[b->at[key]] = last;
	b->at[last] = b->at[key];
}

static double burden(const struct belady *b, uint32_t key)
{
	double wait = 1e18;

	if (b->next[key] != EVENT_NONE)
		wait = (double)b->next[key] - (double)b->now + 1;
	return wait * (double)b->cost[key];
}

static uint32_t belady_evicted(void *state)
{
	struct belady *b = state;
	uint32_t looked = b->count < SAMPLE ? b->count : SAMPLE;
	uint32_t worst = KEY_NONE;
	double most = -1;

	for (uint32_t i = 0; i < looked; i++) {
		uint32_t at = i;

		if (looked < b->count)
			at = (uint32_t)random_below(&b->random, b->count);
		if (burden(b, b->keys[at]) > most) {
			worst = b->keys[at];
			most = burden(b, worst);
		}
	}
	belady_removed(b, worst);
	return worst;
}

const struct policy_ops policy_belady = {
	.begin = belady_begin,
	.end = belady_end,
	.added = belady_added,
	.used = belady_used,
	.removed = belady_removed,
	.evicted = belady_evicted,
};
