/* SPDX-License-Identifier: MIT */
/*
 * SIEVE (Zhang and others, NSDI 2024): a FIFO with a mark for what was used,
 * and a hand that goes from the oldest to the newest. What it meets marked
 * loses the mark and stays where it is; what it meets without one goes. In the
 * index: a table by (time of adding, id), a bit, and the hand's position.
 */
#include <stdlib.h>

#include "list.h"
#include "must.h"
#include "policy.h"

struct sieve {
	struct list list;
	bool *marked;
	uint32_t hand; /* what it looks at next; KEY_NONE: the oldest */
};

static void *sieve_begin(const struct trace *trace, uint64_t limit,
			 int parameter)
{
	struct sieve *sieve = calloc(1, sizeof(*sieve));

	(void)limit;
	(void)parameter;
	MUST(sieve);
	sieve->list = list_begin(trace->keys);
	sieve->marked = calloc(trace->keys + 1, sizeof(*sieve->marked));
	MUST(sieve->marked);
	sieve->hand = KEY_NONE;
	return sieve;
}

static void sieve_end(void *state)
{
	struct sieve *sieve = state;

	list_end(&sieve->list);
	free(sieve->marked);
	free(sieve);
}

static void sieve_added(void *state, const struct event *event)
{
	struct sieve *sieve = state;

	sieve->marked[event->key] = false;
	list_push(&sieve->list, event->key);
}

static void sieve_used(void *state, const struct event *event)
{
	struct sieve *sieve = state;

	sieve->marked[event->key] = true;
}

static void sieve_removed(void *state, uint32_t key)
{
	struct sieve *sieve = state;

	if (sieve->hand == key)
		sieve->hand = sieve->list.newer[key];
	list_take(&sieve->list, key);
}

static uint32_t sieve_evicted(void *state)
{
	struct sieve *sieve = state;
	uint32_t key = sieve->hand;

	for (;;) {
		if (key == KEY_NONE)
			key = sieve->list.tail;
		if (!sieve->marked[key])
			break;
		sieve->marked[key] = false;
		key = sieve->list.newer[key];
	}
	sieve->hand = key;
	sieve_removed(sieve, key);
	return key;
}

const struct policy_ops policy_sieve = {
	.begin = sieve_begin,
	.end = sieve_end,
	.added = sieve_added,
	.used = sieve_used,
	.removed = sieve_removed,
	.evicted = sieve_evicted,
};
