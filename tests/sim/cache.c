/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <stdbool.h>
#include <stdlib.h>

#include "must.h"

struct cache {
	const struct policy *policy;
	const struct policy_ops *ops;
	void *state;
	uint64_t limit;
	uint64_t used;
	uint64_t *cost; /* of what is there, and 0 for what is not */
	bool *known;	/* was added at some time */
	/* HEARS_FIRST: when the policy heard of it. */
	uint64_t *heard_ms;
	/* HEARS_LATER: the last use of those that had one since `tick`. What
	 * went meanwhile still has its place in the queue, with no use. */
	const struct event **waiting;
	bool *queued;
	uint32_t *waiting_keys;
	uint32_t waiting_count;
	uint64_t tick;
	struct result result;
};

static struct cache cache_begin(const struct policy *policy,
				const struct trace *trace, uint64_t limit)
{
	size_t keys = trace->keys + 1;
	struct cache cache = {
		.policy = policy,
		.ops = policy->ops,
		.limit = limit,
	};

	cache.state = policy->ops->begin(trace, limit, policy->parameter);
	cache.cost = calloc(keys, sizeof(*cache.cost));
	cache.known = calloc(keys, sizeof(*cache.known));
	cache.heard_ms = calloc(keys, sizeof(*cache.heard_ms));
	cache.waiting = calloc(keys, sizeof(*cache.waiting));
	cache.queued = calloc(keys, sizeof(*cache.queued));
	cache.waiting_keys = calloc(keys, sizeof(*cache.waiting_keys));
	MUST(cache.cost && cache.known && cache.heard_ms && cache.waiting &&
	     cache.queued && cache.waiting_keys);
	return cache;
}

static void cache_end(struct cache *cache)
{
	cache->ops->end(cache->state);
	free(cache->cost);
	free(cache->known);
	free(cache->heard_ms);
	free(cache->waiting);
	free(cache->queued);
	free(cache->waiting_keys);
}

/* It is no longer there; the policy knows. */
static void forget(struct cache *cache, uint32_t key)
{
	MUST(cache->cost[key] > 0);
	cache->used -= cache->cost[key];
	cache->cost[key] = 0;
	cache->waiting[key] = NULL;
}

static void drop(struct cache *cache, uint32_t key)
{
	if (cache->cost[key] == 0)
		return;
	cache->ops->removed(cache->state, key);
	forget(cache, key);
}

static void add(struct cache *cache, const struct event *event)
{
	drop(cache, event->key);
	cache->known[event->key] = true;
	if (event->cost > cache->limit)
		return;
	while (cache->used + event->cost > cache->limit) {
		forget(cache, cache->ops->evicted(cache->state));
		cache->result.evictions++;
	}
	cache->ops->added(cache->state, event);
	cache->cost[event->key] = event->cost;
	cache->heard_ms[event->key] = event->time_ms;
	cache->used += event->cost;
	if (cache->used > cache->result.most)
		cache->result.most = cache->used;
}

static void used(struct cache *cache, const struct event *event)
{
	uint32_t key = event->key;

	switch (cache->policy->hearing) {
	case HEARS_FIRST:
		if (event->time_ms - cache->heard_ms[key] < RESOLUTION_MS)
			return;
		cache->heard_ms[key] = event->time_ms;
		break;
	case HEARS_LATER:
		if (!cache->queued[key])
			cache->waiting_keys[cache->waiting_count++] = key;
		cache->queued[key] = true;
		cache->waiting[key] = event;
		return;
	case HEARS_ALL:
		break;
	}
	cache->ops->used(cache->state, event);
}

/* Tell the policy what has been used, if it is time to. */
static void hear(struct cache *cache, uint64_t now_ms)
{
	if (now_ms / RESOLUTION_MS == cache->tick)
		return;
	cache->tick = now_ms / RESOLUTION_MS;
	for (uint32_t i = 0; i < cache->waiting_count; i++) {
		uint32_t key = cache->waiting_keys[i];

		if (cache->waiting[key])
			cache->ops->used(cache->state, cache->waiting[key]);
		cache->waiting[key] = NULL;
		cache->queued[key] = false;
	}
	cache->waiting_count = 0;
}

/* A get, or the first add. */
static void request(struct cache *cache, const struct event *event)
{
	uint32_t needs = event->needs;

	cache->result.requests++;
	cache->result.bytes += event->cost;
	if (cache->cost[event->key] == 0 ||
	    (needs != KEY_NONE && cache->cost[needs] == 0))
		return;
	cache->result.hits++;
	cache->result.bytes_hit += event->cost;
}

static void handle(struct cache *cache, const struct event *event)
{
	bool there = cache->cost[event->key] > 0;

	switch (event->op) {
	case OP_GET:
		request(cache, event);
		if (there)
			used(cache, event);
		else
			add(cache, event);
		break;
	case OP_ADD:
		if (!cache->known[event->key])
			request(cache, event);
		add(cache, event);
		break;
	case OP_TOUCH:
		if (there)
			used(cache, event);
		break;
	case OP_DELETE:
		drop(cache, event->key);
		break;
	}
}

struct result cache_run(const struct policy *policy, const struct trace *trace,
			uint64_t limit)
{
	struct cache cache = cache_begin(policy, trace, limit);

	for (size_t i = 0; i < trace->count; i++) {
		hear(&cache, trace->events[i].time_ms);
		handle(&cache, &trace->events[i]);
	}
	cache_end(&cache);
	return cache.result;
}
