/* SPDX-License-Identifier: MIT */
/*
 * A cache with a limit in bytes, fed with a trace. A get of what is not there
 * is a miss, and the client then adds it: other entries go until it fits. An
 * entry that alone is larger than the limit is not kept.
 *
 * A get is a request, and so is the first add of a key, which every cache
 * misses; a later add of the key is a new version and no request. A get counts
 * as a hit if the entry is there and also the one that it needs.
 */
#ifndef SIM_CACHE_H
#define SIM_CACHE_H

#include "policy.h"
#include "trace.h"

struct result {
	uint64_t requests;
	uint64_t hits;
	uint64_t bytes; /* of the requests, as their entries cost */
	uint64_t bytes_hit;
	uint64_t evictions;
	uint64_t most; /* the most that was ever in the cache */
};

struct result cache_run(const struct policy *policy, const struct trace *trace,
			uint64_t limit);

#endif
