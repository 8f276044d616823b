/* SPDX-License-Identifier: MIT */
/* Deterministic content: see sample.h. */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "sample.h"

enum { PIECE = 4096 };

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void fill_noise(uint64_t *state, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		uint64_t word = random_next(state);
		size_t n = size < sizeof(word) ? size : sizeof(word);

		memcpy(bytes, &word, n);
		bytes += n;
		size -= n;
	}
}

static void fill_text(uint64_t *state, uint8_t *bytes, size_t size)
{
	static const char *const words[] = {
		"static ", "int ",    "struct ",   "return ", "if (",
		"(void)",  "const ",  "char *",	   "= 0;\n",  "size_t ",
		"{\n\t",   "}\n\n",   "NULL, ",	   "->next ", "memcpy(",
		"offset ", "errno\n", "uint64_t ", "for (",   "i++)\n",
	};

	while (size > 0) {
		uint64_t r = random_next(state);
		const char *word = words[r % (sizeof(words) / sizeof(*words))];
		size_t n = strlen(word);

		if (n > size)
			n = size;
		memcpy(bytes, word, n);
		bytes += n;
		size -= n;
	}
}

void sample_fill(enum sample_kind kind, unsigned seed, void *buffer,
		 size_t size)
{
	uint64_t state = (uint64_t)seed << 32 | (uint64_t)kind;

	if (kind == SAMPLE_TEXT)
		fill_text(&state, buffer, size);
	else
		fill_noise(&state, buffer, size);
}

uint8_t *sample_new(enum sample_kind kind, unsigned seed, size_t size)
{
	uint8_t *bytes = malloc(size + 1);

	MUST(bytes != NULL);
	sample_fill(kind, seed, bytes, size);
	return bytes;
}

/* Each piece of 4 KiB is one text, the same for a seed, with its number and a
 * little noise in front: compressible, and no two pieces are alike. */
static void piece_fill(unsigned seed, uint64_t number, uint8_t piece[PIECE])
{
	static _Thread_local uint8_t text[PIECE];
	static _Thread_local unsigned text_seed;
	static _Thread_local int text_valid;
	uint64_t state = number ^ (uint64_t)seed << 40;

	if (!text_valid || text_seed != seed) {
		sample_fill(SAMPLE_TEXT, seed, text, sizeof(text));
		text_seed = seed;
		text_valid = 1;
	}
	memcpy(piece, text, PIECE);
	memcpy(piece, &number, sizeof(number));
	fill_noise(&state, piece + sizeof(number), 56);
}

void sample_piece(unsigned seed, uint64_t offset, void *buffer, size_t size)
{
	uint8_t *bytes = buffer;

	while (size > 0) {
		uint8_t piece[PIECE];
		size_t skip = (size_t)(offset % PIECE);
		size_t n = PIECE - skip < size ? PIECE - skip : size;

		piece_fill(seed, offset / PIECE, piece);
		memcpy(bytes, piece + skip, n);
		bytes += n;
		offset += n;
		size -= n;
	}
}

ssize_t sample_stream_read(void *cookie, void *buffer, size_t size)
{
	struct sample_stream *stream = cookie;
	uint64_t left = stream->size - stream->at;

	if (stream->fail_at && stream->at >= stream->fail_at)
		return stream->fail_with;
	if (stream->piece_max && size > stream->piece_max)
		size = stream->piece_max;
	if (size > left)
		size = (size_t)left;
	sample_piece(stream->seed, stream->at, buffer, size);
	stream->at += size;
	return (ssize_t)size;
}

int sample_stream_check(struct sample_stream *stream, const void *data,
			size_t size)
{
	const uint8_t *bytes = data;

	if (size > stream->size - stream->at)
		return 0;
	while (size > 0) {
		uint8_t want[PIECE];
		size_t n = size < PIECE ? size : PIECE;

		sample_piece(stream->seed, stream->at, want, n);
		if (memcmp(want, bytes, n) != 0)
			return 0;
		bytes += n;
		stream->at += n;
		size -= n;
	}
	return 1;
}
