/* SPDX-License-Identifier: MIT */
/*
 * One frame of content, to its stored bytes and back. The only file that knows
 * zstd. Contexts belong to the thread and are freed with it.
 */
#ifndef CUBBY_CODEC_H
#define CUBBY_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "cubby/cubby.h"

/* Kept in records and footers: never renumber. */
enum codec {
	CODEC_RAW = 0,	/* as it is: content that does not compress */
	CODEC_ZSTD = 1, /* one zstd frame each */
};

/* "raw" or "zstd". */
const char *codec_name(enum codec codec);

/* The most bytes that codec_compress() makes of `size` bytes. */
size_t codec_bound(size_t size);

/*
 * What content is compressed with when it is added: as fast as can be. In short
 * content literals stay as they are (zstd's level -1): to make and to read a
 * table of Huffman codes takes longer than all the rest, and saves about an
 * eighth of the stored bytes.
 */
enum { CODEC_LEVEL = 1, CODEC_SHORT = 4096 };

/* Compress `size` bytes into `target`, which has room for codec_bound(size).
 * Returns the bytes made, or -ENOMEM. */
CUBBY_MUST_CHECK ssize_t codec_compress(void *target, const void *data,
					size_t size);
CUBBY_MUST_CHECK ssize_t codec_compress_level(void *target, const void *data,
					      size_t size, int level);

/*
 * Decompress a frame that must give exactly `target_size` bytes and must end
 * with the input. Never writes beyond `target_size` and allocates nothing that
 * the input decides. Returns 0, -EBADMSG, or -ENOMEM.
 */
CUBBY_MUST_CHECK int codec_decompress(void *target, size_t target_size,
				      const void *data, size_t size);

/* Is it worth to store `stored` bytes instead of the `size` bytes they stand
 * for? Below a sixteenth saved, reading without decoding is worth more. */
bool codec_pays(size_t stored, size_t size);

#endif
