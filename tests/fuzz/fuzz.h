/* SPDX-License-Identifier: MIT */
/*
 * Targets of libFuzzer. Each decodes what it is given, as a disk would hand it
 * out, and aborts when what was decoded is not what the decoder promises; the
 * sanitizers see the rest. A checksum would stop the fuzzer at the door, so
 * most targets put the right one over the bytes when the first byte, the seal,
 * is odd.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the decoder; on in every build. */
#define HOLDS(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: does not hold: %s\n",          \
				__FILE__, __LINE__, #condition);               \
			abort();                                               \
		}                                                              \
	} while (0)

/* A new directory on a disk in memory, removed at the end of the process. */
const char *fuzz_directory(void);

#endif
