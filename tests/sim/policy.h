/* SPDX-License-Identifier: MIT */
/*
 * What an eviction policy is, and the list of them.
 *
 * A policy only orders keys: it hears what came, was used and went, and names
 * the next to go. It never sees the limit of the cache, except S3-FIFO and
 * segmented LRU, whose queues are parts of it. cache.c does the rest, and
 * decides when a policy hears of a hit.
 */
#ifndef SIM_POLICY_H
#define SIM_POLICY_H

#include "trace.h"

/* How a policy learns of hits. */
enum hearing {
	HEARS_ALL, /* each, at once */
	/* A hit at once, then for RESOLUTION_MS none of the same entry. */
	HEARS_FIRST,
	/* At each multiple of RESOLUTION_MS those entries that had hits since
	 * the last; not how many. */
	HEARS_LATER,
};

enum { RESOLUTION_MS = 60 * 1000 };

struct policy_ops {
	/* The state for keys below trace->keys. `parameter` is the policy's. */
	void *(*begin)(const struct trace *trace, uint64_t limit,
		       int parameter);
	void (*end)(void *state);
	/* `event` is in the cache now; it was not before. */
	void (*added)(void *state, const struct event *event);
	/* It is in the cache and was used. */
	void (*used)(void *state, const struct event *event);
	/* It was deleted, or its next version is about to be added. */
	void (*removed)(void *state, uint32_t key);
	/* What goes, to make room. It is forgotten. Called only when there is
	 * something in the cache. */
	uint32_t (*evicted)(void *state);
};

struct policy {
	const char *name;
	const struct policy_ops *ops;
	int parameter;
	enum hearing hearing;
};

extern const struct policy_ops policy_fifo; /* parameter 1: used moves: LRU */
extern const struct policy_ops policy_slru;
extern const struct policy_ops policy_sieve;
extern const struct policy_ops policy_s3fifo;
extern const struct policy_ops policy_gdsf; /* enum gdsf_cost */
extern const struct policy_ops policy_belady;

/* What a miss costs, for GDSF. */
enum gdsf_cost {
	GDSF_ONE,   /* the same for all: small entries stay */
	GDSF_MIXED, /* 8 KiB for all, and the size */
	GDSF_ROOT,  /* the square root of the size */
	GDSF_SIZE,  /* the size: uses alone decide, with ageing */
	/* With one of these: more than two uses count as two. */
	GDSF_TWICE = 16,
};

extern const struct policy policies[];
extern const size_t policies_count;

/* The one of that name, or NULL. */
const struct policy *policy_find(const char *name);

#endif
