/* SPDX-License-Identifier: MIT */
/*
 * GDSF (Cherkasova 1998): what has the smallest priority goes,
 *
 *   priority = clock + uses * cost / size
 *
 * where the clock is the priority of what went last, so that what is no longer
 * used ages. Of equals, the least recently used goes. In the index: a table by
 * (priority, id), a count in each record, and the clock.
 *
 * With cost = size and one use for all, this is LRU. With cost = 8 KiB + size,
 * what is large is kept for as long as LRU keeps it, and what is small longer.
 *
 * Between added() and evicted() the keys are a heap, the smallest at the top.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "must.h"
#include "policy.h"

struct gdsf {
	uint32_t *heap; /* keys */
	uint32_t *at;	/* of each key, where in the heap */
	uint32_t count;
	double *priority;
	uint64_t *order; /* the last use, as a number that grows */
	uint32_t *uses;
	double clock;
	uint64_t now;
	enum gdsf_cost cost;
	uint32_t uses_max;
};

static void *gdsf_begin(const struct trace *trace, uint64_t limit,
			int parameter)
{
	struct gdsf *g = calloc(1, sizeof(*g));
	size_t keys = trace->keys + 1;

	(void)limit;
	MUST(g);
	g->heap = calloc(keys, sizeof(*g->heap));
	g->at = calloc(keys, sizeof(*g->at));
	g->priority = calloc(keys, sizeof(*g->priority));
	g->order = calloc(keys, sizeof(*g->order));
	g->uses = calloc(keys, sizeof(*g->uses));
	MUST(g->heap && g->at && g->priority && g->order && g->uses);
	g->cost = (enum gdsf_cost)(parameter & ~GDSF_TWICE);
	g->uses_max = parameter & GDSF_TWICE ? 2 : UINT32_MAX;
	return g;
}

static void gdsf_end(void *state)
{
	struct gdsf *g = state;

	free(g->heap);
	free(g->at);
	free(g->priority);
	free(g->order);
	free(g->uses);
	free(g);
}

static bool goes_before(const struct gdsf *g, uint32_t a, uint32_t b)
{
	if (g->priority[a] < g->priority[b])
		return true;
	return !(g->priority[b] < g->priority[a]) && g->order[a] < g->order[b];
}

static void set(struct gdsf *g, uint32_t at, uint32_t key)
{
	g->heap[at] = key;
	g->at[key] = at;
}

/* Bring the key at that place to where it belongs. */
static void settle(struct gdsf *g, uint32_t at)
{
	uint32_t key = g->heap[at];

	while (at > 0 && goes_before(g, key, g->heap[(at - 1) / 2])) {
		set(g, at, g->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = at * 2 + 1;

		if (child + 1 < g->count &&
		    goes_before(g, g->heap[child + 1], g->heap[child]))
			child++;
		if (child >= g->count || !goes_before(g, g->heap[child], key))
			break;
		set(g, at, g->heap[child]);
		at = child;
	}
	set(g, at, key);
}

/* What a use is worth, for each byte that it takes. */
static double worth(const struct gdsf *g, uint64_t size)
{
	switch (g->cost) {
	case GDSF_ONE:
		return 1 / (double)size;
	case GDSF_MIXED:
		return (8192 + (double)size) / 8192 / (double)size;
	case GDSF_ROOT:
		return 1 / sqrt((double)size);
	case GDSF_SIZE:
	case GDSF_TWICE:
		break;
	}
	return 1;
}

static void gdsf_used(void *state, const struct event *event)
{
	struct gdsf *g = state;
	uint32_t key = event->key;

	if (g->uses[key] < g->uses_max)
		g->uses[key]++;
	g->priority[key] = g->clock + g->uses[key] * worth(g, event->cost);
	g->order[key] = ++g->now;
	settle(g, g->at[key]);
}

static void gdsf_added(void *state, const struct event *event)
{
	struct gdsf *g = state;

	g->uses[event->key] = 0;
	set(g, g->count, event->key);
	g->count++;
	gdsf_used(g, event);
}

static void gdsf_removed(void *state, uint32_t key)
{
	struct gdsf *g = state;
	uint32_t at = g->at[key];

	g->count--;
	if (at == g->count)
		return;
	set(g, at, g->heap[g->count]);
	settle(g, at);
}

static uint32_t gdsf_evicted(void *state)
{
	struct gdsf *g = state;
	uint32_t key = g->heap[0];

	g->clock = g->priority[key];
	gdsf_removed(g, key);
	return key;
}

const struct policy_ops policy_gdsf = {
	.begin = gdsf_begin,
	.end = gdsf_end,
	.added = gdsf_added,
	.used = gdsf_used,
	.removed = gdsf_removed,
	.evicted = gdsf_evicted,
};
