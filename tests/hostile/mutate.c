/* SPDX-License-Identifier: MIT */
/* Damage by chance: see mutate.h. */
#include <string.h>

#include "mutate.h"

uint64_t chance(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

size_t chance_below(uint64_t *state, size_t limit)
{
	return (size_t)(chance(state) % limit);
}

/* Short ranges are as likely as long ones. */
static size_t some_length(uint64_t *state, size_t max)
{
	size_t limit = (size_t)1 << chance_below(state, 18);

	return 1 + chance_below(state, limit < max ? limit : max);
}

/* What the fields of a format are often damaged to. */
static uint8_t some_byte(uint64_t *state)
{
	static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
	uint64_t r = chance(state);

	return r & 1 ? bytes[(r >> 8) % sizeof(bytes)] : (uint8_t)(r >> 8);
}

static void flip(uint64_t *state, uint8_t *bytes, size_t size)
{
	for (size_t n = 1 + chance_below(state, 8); n > 0; n--) {
		size_t bit = chance_below(state, size * 8);

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (chance(state) & 1)
			return;
	}
}

static void run(uint64_t *state, uint8_t *bytes, size_t size)
{
	size_t length = some_length(state, size);
	size_t at = chance_below(state, size - length + 1);

	for (size_t i = 0; i < length; i++)
		bytes[at + i] = some_byte(state);
}

static void swap(uint64_t *state, uint8_t *bytes, size_t size)
{
	size_t length = some_length(state, (size + 1) / 2);
	size_t a = chance_below(state, size - length + 1);
	size_t b = chance_below(state, size - length + 1);

	if ((a < b ? b - a : a - b) < length)
		return;
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = bytes[a + i];

		bytes[a + i] = bytes[b + i];
		bytes[b + i] = byte;
	}
}

static void copy(uint64_t *state, uint8_t *bytes, size_t size,
		 const uint8_t *from, size_t from_size)
{
	size_t length;

	if (from_size == 0)
		return;
	length = some_length(state, size < from_size ? size : from_size);
	memmove(bytes + chance_below(state, size - length + 1),
		from + chance_below(state, from_size - length + 1), length);
}

static size_t extend(uint64_t *state, uint8_t *bytes, size_t size, size_t room,
		     struct donor donor)
{
	size_t more;

	if (size == room)
		return size;
	more = some_length(state, room - size);
	if (donor.size >= more && chance(state) & 1)
		memcpy(bytes + size,
		       donor.bytes + chance_below(state, donor.size - more + 1),
		       more);
	else
		memset(bytes + size, some_byte(state), more);
	return size + more;
}

static size_t drop(uint64_t *state, uint8_t *bytes, size_t size)
{
	size_t length = some_length(state, size);
	size_t at = chance_below(state, size - length + 1);

	memmove(bytes + at, bytes + at + length, size - at - length);
	return size - length;
}

static size_t mutate_once(uint64_t *state, uint8_t *bytes, size_t size,
			  size_t room, struct donor donor)
{
	enum mutation kind = (enum mutation)chance_below(state, MUTATION_COUNT);
	size_t length;

	if (size == 0 || kind == MUTATION_EXTEND)
		return extend(state, bytes, size, room, donor);
	switch (kind) {
	case MUTATION_FLIP:
		flip(state, bytes, size);
		return size;
	case MUTATION_RUN:
		run(state, bytes, size);
		return size;
	case MUTATION_ZERO:
		length = some_length(state, size);
		memset(bytes + chance_below(state, size - length + 1), 0,
		       length);
		return size;
	case MUTATION_SPLICE:
		copy(state, bytes, size, bytes, size);
		return size;
	case MUTATION_GRAFT:
		copy(state, bytes, size, donor.bytes, donor.size);
		return size;
	case MUTATION_SWAP:
		swap(state, bytes, size);
		return size;
	case MUTATION_TRUNCATE:
		return size - some_length(state, size);
	default:
		return drop(state, bytes, size);
	}
}

size_t mutate(uint64_t *state, uint8_t *bytes, size_t size, size_t room,
	      struct donor donor)
{
	do
		size = mutate_once(state, bytes, size, room, donor);
	while (chance_below(state, 4) == 0);
	return size;
}
