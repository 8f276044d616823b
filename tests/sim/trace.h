/* SPDX-License-Identifier: MIT */
/*
 * Traces: what clients asked of a cache, in order.
 *
 * A trace is text, a line for each request, `time_ms key size op [needs]`, as
 * convert.py describes it. In memory keys are 0, 1, 2, ... in the order of
 * their appearance, so that a policy can have arrays of them.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum op { OP_GET, OP_ADD, OP_TOUCH, OP_DELETE };

#define KEY_NONE UINT32_MAX
#define EVENT_NONE UINT32_MAX

struct event {
	uint64_t time_ms;
	uint64_t cost; /* what the entry takes of the limit, in bytes */
	uint32_t key;
	uint32_t needs; /* no use without this one; or KEY_NONE */
	uint32_t next;	/* the next get of the key, or EVENT_NONE */
	enum op op;
};

/* A get of an entry that needs no other, at time 0. */
static inline struct event event_of(uint32_t key, uint64_t cost)
{
	return (struct event){.cost = cost,
			      .key = key,
			      .needs = KEY_NONE,
			      .next = EVENT_NONE};
}

struct trace {
	char name[32];
	struct event *events;
	size_t count;
	size_t space;
	uint32_t keys;
	uint64_t footprint; /* the cost of all keys, each at its largest */
};

/* What an entry with this many stored bytes costs. */
uint64_t trace_cost(uint64_t stored);

/* Start a trace; add to it; trace_end() has the sums and `next`. */
struct trace *trace_new(const char *name);
void trace_add(struct trace *trace, struct event event);
void trace_end(struct trace *trace);

/* Read a trace; a name that ends with .zst is read through zstd. Exits with a
 * message if it cannot be read. */
struct trace *trace_read(const char *path);

void trace_free(struct trace *trace);

#endif
