/* SPDX-License-Identifier: MIT */
/*
 * FIFO and LRU: what came first goes first; in LRU a use is like coming again.
 * In the index this is a table by (time, id), and a use moves a row.
 */
#include <stdlib.h>

#include "list.h"
#include "must.h"
#include "policy.h"

struct fifo {
	struct list list;
	int use_moves;
};

static void *fifo_begin(const struct trace *trace, uint64_t limit,
			int parameter)
{
	struct fifo *fifo = calloc(1, sizeof(*fifo));

	(void)limit;
	MUST(fifo);
	fifo->list = list_begin(trace->keys);
	fifo->use_moves = parameter;
	return fifo;
}

static void fifo_end(void *state)
{
	struct fifo *fifo = state;

	list_end(&fifo->list);
	free(fifo);
}

static void fifo_added(void *state, const struct event *event)
{
	struct fifo *fifo = state;

	list_push(&fifo->list, event->key);
}

static void fifo_used(void *state, const struct event *event)
{
	struct fifo *fifo = state;

	if (!fifo->use_moves)
		return;
	list_take(&fifo->list, event->key);
	list_push(&fifo->list, event->key);
}

static void fifo_removed(void *state, uint32_t key)
{
	struct fifo *fifo = state;

	list_take(&fifo->list, key);
}

static uint32_t fifo_evicted(void *state)
{
	struct fifo *fifo = state;
	uint32_t key = fifo->list.tail;

	list_take(&fifo->list, key);
	return key;
}

const struct policy_ops policy_fifo = {
	.begin = fifo_begin,
	.end = fifo_end,
	.added = fifo_added,
	.used = fifo_used,
	.removed = fifo_removed,
	.evicted = fifo_evicted,
};
