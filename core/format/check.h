/* SPDX-License-Identifier: MIT */
/*
 * Checksums of stored bytes: XXH3, 128 bits. They cover the identity as well:
 * the bytes of one node or one frame, put in the place of another's, fail.
 */
#ifndef CUBBY_CHECK_H
#define CUBBY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHECK_SIZE = 16 };

struct check {
	uint8_t bytes[CHECK_SIZE];
};

/* Of the stored bytes of frame `index` of node `id`. */
struct check check_frame(uint64_t id, uint64_t index, const void *data,
			 size_t size);
/* Of the footer of node `id`. */
struct check check_footer(uint64_t id, const void *data, size_t size);

bool check_equal(const struct check *a, const struct check *b);

#endif
