/* SPDX-License-Identifier: MIT */
/*
 * S3-FIFO (Yang and others, SOSP 2023), with bytes in place of objects: what
 * comes goes into a small queue, a tenth of the limit. At its end, what was
 * used at least twice goes on to the main queue, with its count cleared; the
 * rest is evicted and remembered in the ghost queue, until that has nine tenths
 * of the limit. What is remembered when it comes goes to the main queue at
 * once. There a count above zero buys another round, and one is taken off.
 */
#include <stdlib.h>

#include "list.h"
#include "must.h"
#include "policy.h"

enum { COUNT_MAX = 3, COUNT_TO_STAY = 2 };

enum where { NOWHERE, SMALL, MAIN, GHOST };

struct s3fifo {
	/* They share the arrays: a key is in one of them. */
	struct list queues[GHOST + 1];
	uint64_t bytes[GHOST + 1];
	uint64_t small_max;
	uint64_t ghost_max;
	uint64_t *cost;
	uint8_t *where;
	uint8_t *count;
};

static void *s3fifo_begin(const struct trace *trace, uint64_t limit,
			  int parameter)
{
	struct s3fifo *s = calloc(1, sizeof(*s));

	(void)parameter;
	MUST(s);
	s->queues[SMALL] = list_begin(trace->keys);
	s->queues[MAIN] = s->queues[SMALL];
	s->queues[GHOST] = s->queues[SMALL];
	s->small_max = limit / 10;
	s->ghost_max = limit - s->small_max;
	s->cost = calloc(trace->keys + 1, sizeof(*s->cost));
	s->where = calloc(trace->keys + 1, sizeof(*s->where));
	s->count = calloc(trace->keys + 1, sizeof(*s->count));
	MUST(s->cost && s->where && s->count);
	return s;
}

static void s3fifo_end(void *state)
{
	struct s3fifo *s = state;

	list_end(&s->queues[SMALL]);
	free(s->cost);
	free(s->where);
	free(s->count);
	free(s);
}

static void take(struct s3fifo *s, uint32_t key)
{
	list_take(&s->queues[s->where[key]], key);
	s->bytes[s->where[key]] -= s->cost[key];
	s->where[key] = NOWHERE;
}

static void put(struct s3fifo *s, uint32_t key, enum where where)
{
	list_push(&s->queues[where], key);
	s->where[key] = (uint8_t)where;
	s->bytes[where] += s->cost[key];
}

static void s3fifo_added(void *state, const struct event *event)
{
	struct s3fifo *s = state;
	uint32_t key = event->key;
	enum where where = s->where[key] == GHOST ? MAIN : SMALL;

	if (where == MAIN)
		take(s, key);
	s->cost[key] = event->cost;
	s->count[key] = 0;
	put(s, key, where);
}

static void s3fifo_used(void *state, const struct event *event)
{
	struct s3fifo *s = state;

	if (s->count[event->key] < COUNT_MAX)
		s->count[event->key]++;
}

static void s3fifo_removed(void *state, uint32_t key)
{
	take(state, key);
}

/* From the small queue, or KEY_NONE if all of it went on to the main one. */
static uint32_t small_evicted(struct s3fifo *s)
{
	while (s->queues[SMALL].tail != KEY_NONE) {
		uint32_t key = s->queues[SMALL].tail;

		take(s, key);
		if (s->count[key] < COUNT_TO_STAY) {
			put(s, key, GHOST);
			while (s->bytes[GHOST] > s->ghost_max)
				take(s, s->queues[GHOST].tail);
			return key;
		}
		s->count[key] = 0;
		put(s, key, MAIN);
	}
	return KEY_NONE;
}

static uint32_t main_evicted(struct s3fifo *s)
{
	for (;;) {
		uint32_t key = s->queues[MAIN].tail;

		take(s, key);
		if (s->count[key] == 0)
			return key;
		s->count[key]--;
		put(s, key, MAIN);
	}
}

static uint32_t s3fifo_evicted(void *state)
{
	struct s3fifo *s = state;
	uint32_t key = KEY_NONE;

	if (s->bytes[SMALL] >= s->small_max || s->queues[MAIN].tail == KEY_NONE)
		key = small_evicted(s);
	return key != KEY_NONE ? key : main_evicted(s);
}

const struct policy_ops policy_s3fifo = {
	.begin = s3fifo_begin,
	.end = s3fifo_end,
	.added = s3fifo_added,
	.used = s3fifo_used,
	.removed = s3fifo_removed,
	.evicted = s3fifo_evicted,
};
