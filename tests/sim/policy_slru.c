/* SPDX-License-Identifier: MIT */
/*
 * Segmented LRU: what comes is on trial, and what is used then is protected,
 * up to four fifths of the limit; beyond it the least recently used of these
 * is on trial again, as if it had just come. The least recently used of those
 * on trial goes. In the index: a table by (segment, time, id), and the bytes
 * that are protected.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "list.h"
#include "must.h"
#include "policy.h"

struct slru {
	/* They share the arrays: a key is in one of them. */
	struct list trial;
	struct list safe;
	bool *is_safe;
	uint64_t *cost;
	uint64_t safe_bytes;
	uint64_t safe_max;
};

static void *slru_begin(const struct trace *trace, uint64_t limit,
			int parameter)
{
	struct slru *s = calloc(1, sizeof(*s));

	(void)parameter;
	MUST(s);
	s->trial = list_begin(trace->keys);
	s->safe = s->trial;
	s->is_safe = calloc(trace->keys + 1, sizeof(*s->is_safe));
	s->cost = calloc(trace->keys + 1, sizeof(*s->cost));
	MUST(s->is_safe && s->cost);
	s->safe_max = limit / 5 * 4;
	return s;
}

static void slru_end(void *state)
{
	struct slru *s = state;

	list_end(&s->trial);
	free(s->is_safe);
	free(s->cost);
	free(s);
}

static void slru_removed(void *state, uint32_t key)
{
	struct slru *s = state;

	if (s->is_safe[key])
		s->safe_bytes -= s->cost[key];
	list_take(s->is_safe[key] ? &s->safe : &s->trial, key);
	s->is_safe[key] = false;
}

static void slru_added(void *state, const struct event *event)
{
	struct slru *s = state;

	s->cost[event->key] = event->cost;
	list_push(&s->trial, event->key);
}

static void slru_used(void *state, const struct event *event)
{
	struct slru *s = state;
	uint32_t key = event->key;

	slru_removed(s, key);
	s->is_safe[key] = true;
	s->safe_bytes += s->cost[key];
	list_push(&s->safe, key);
	while (s->safe_bytes > s->safe_max) {
		uint32_t oldest = s->safe.tail;

		slru_removed(s, oldest);
		list_push(&s->trial, oldest);
	}
}

static uint32_t slru_evicted(void *state)
{
	struct slru *s = state;
	uint32_t key = s->trial.tail;

	if (key == KEY_NONE)
		key = s->safe.tail;
	slru_removed(s, key);
	return key;
}

const struct policy_ops policy_slru = {
	.begin = slru_begin,
	.end = slru_end,
	.added = slru_added,
	.used = slru_used,
	.removed = slru_removed,
	.evicted = slru_evicted,
};
