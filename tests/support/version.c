/* SPDX-License-Identifier: MIT */
/* Versions of entries: see version.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "must.h"
#include "version.h"

enum { SMALL_BYTES_MAX = 32000 };

static size_t version_size(uint64_t version)
{
	const size_t most =
		version % 8 == 0 ? VERSION_BYTES_MAX : SMALL_BYTES_MAX;

	return (size_t)(1 + version * 7919 % (most / 8)) * 8;
}

uint64_t *version_new(uint64_t version, size_t *ret_size)
{
	const size_t size = version_size(version);
	uint64_t *content = malloc(size);

	MUST(content != NULL);
	for (size_t i = 0; i < size / 8; i++)
		content[i] = version;
	*ret_size = size;
	return content;
}

uint64_t version_check(const void *content, size_t size)
{
	const uint8_t *bytes = content;
	uint64_t first;
	uint64_t word;

	MUST(size >= 8);
	memcpy(&first, bytes, 8);
	MUST_BE(size, version_size(first));
	for (size_t at = 0; at < size; at += 8) {
		memcpy(&word, bytes + at, 8);
		if (word != first)
			must_fail(__FILE__, __LINE__,
				  "version %" PRIu64 " at 0, %" PRIu64
				  " at %zu of %zu",
				  first, word, at, size);
	}
	return first;
}
