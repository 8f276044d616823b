/* SPDX-License-Identifier: MIT */
/* Numbers that are the same in every run and on every machine: splitmix64. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline struct random random_begin(uint64_t seed)
{
	return (struct random){seed};
}

static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

/* From 0 up to but not 1. */
static inline double random_part(struct random *random)
{
	return (double)(random_next(random) >> 11) / 9007199254740992.0;
}

#endif
