/* SPDX-License-Identifier: MIT */
/*
 * Damage by chance: what disks, copies and programs that went wrong do to a
 * row of bytes. The same seed does the same damage.
 */
#ifndef TESTS_MUTATE_H
#define TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* A random number; `*state` is the seed and moves on. */
uint64_t chance(uint64_t *state);

/* A number below `limit`, which is not 0. */
size_t chance_below(uint64_t *state, size_t limit);

enum mutation {
	MUTATION_FLIP,	   /* one to eight bits */
	MUTATION_RUN,	   /* a run of bytes becomes another one */
	MUTATION_ZERO,	   /* a range becomes zeros */
	MUTATION_SPLICE,   /* a range comes from somewhere else in it */
	MUTATION_GRAFT,	   /* a range comes from the donor */
	MUTATION_SWAP,	   /* two ranges change places */
	MUTATION_TRUNCATE, /* the end is missing */
	MUTATION_EXTEND,   /* there is more at the end */
	MUTATION_DELETE,   /* a range is missing */
	MUTATION_COUNT,
};

struct donor {
	const uint8_t *bytes;
	size_t size;
};

/*
 * Mutate `size` bytes, in a buffer with room for `room`, once or a few times.
 * Returns the new size; it may happen that nothing has changed.
 */
size_t mutate(uint64_t *state, uint8_t *bytes, size_t size, size_t room,
	      struct donor donor);

#endif
