/* SPDX-License-Identifier: MIT */
/*
 * Content to put into entries: the same seed gives the same bytes, anywhere
 * and in any run.
 */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of content in one frame of a blob; see core/FORMAT.md. */
#define FRAME ((size_t)131072)

enum sample_kind {
	SAMPLE_TEXT,  /* compresses like source code: three to six times */
	SAMPLE_NOISE, /* does not compress */
};

/* Fill a buffer. */
void sample_fill(enum sample_kind kind, unsigned seed, void *buffer,
		 size_t size);

/* A new buffer with content, to be freed; never NULL, also for size 0. */
uint8_t *sample_new(enum sample_kind kind, unsigned seed, size_t size);

/*
 * Content of any size that is never in memory as a whole: a source that hands
 * it out in pieces, and a check that takes it in pieces.
 */
struct sample_stream {
	unsigned seed;
	uint64_t size;	  /* of the whole */
	uint64_t at;	  /* how far it is */
	size_t piece_max; /* the most that one call hands out; 0: no limit */
	uint64_t fail_at; /* hand out fail_with from here on; 0: never */
	int fail_with;
};

/* Put the bytes [offset, offset + size) of the endless content `seed`. */
void sample_piece(unsigned seed, uint64_t offset, void *buffer, size_t size);

/* Hand out the next piece; a cubby_read_fn whose cookie is the stream. */
ssize_t sample_stream_read(void *cookie, void *buffer, size_t size);

/* Is `data` the next piece? Moves on. */
int sample_stream_check(struct sample_stream *stream, const void *data,
			size_t size);

#endif
