/* SPDX-License-Identifier: MIT */
/*
 * What every module of the core needs: assertions, cleanup at the end of a
 * scope, explicit byte orders. No system calls, no allocation.
 */
#ifndef CUBBY_BASE_H
#define CUBBY_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * For mistakes of a programmer, never for what comes from disk, the kernel or
 * a caller: on in every build, because to go on with a broken invariant could
 * hand out a wrong byte.
 */
#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "cubby: %s:%d: broken: %s\n",          \
				__FILE__, __LINE__, #condition);               \
			abort();                                               \
		}                                                              \
	} while (0)

static inline void base_free(void *pointer)
{
	free(*(void **)pointer);
}

/* Frees what the variable points to when it goes out of scope. */
#define SCOPED_FREE __attribute__((cleanup(base_free)))

/* Hands the pointer on: the scope no longer frees it. */
#define TAKE(pointer)                                                          \
	__extension__({                                                        \
		__typeof__(pointer) taken_ = (pointer);                        \
		(pointer) = NULL;                                              \
		taken_;                                                        \
	})

/* For a result that does not matter; say why beside it. (gcc does not take a
 * cast to void for a function whose result must be checked.) */
#define IGNORE(call)                                                           \
	do {                                                                   \
		__typeof__(call) ignored_ = (call);                            \
		(void)ignored_;                                                \
	} while (0)

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Little-endian: the format of blobs and records. */
static inline void put_le(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t get_le(const uint8_t *from, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

/* Big-endian: keys of the index, so that bytes sort as numbers do. */
static inline void put_be64(uint8_t *to, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static inline uint64_t get_be64(const uint8_t *from)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | from[i];
	return value;
}

#endif
