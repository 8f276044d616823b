/* SPDX-License-Identifier: MIT */
/*
 *  1. No byte is handed out before its frame's checksum was right.
 *  2. An entry of up to WHOLE_MAX stored bytes is read and checked when it is
 *     opened (opening.c), and served from that memory: it is right or a miss,
 *     never half. A larger one keeps its file open, is checked frame by frame,
 *     and may end in -EBADMSG after its first frames were read.
 *  3. A read that covers a whole frame decodes into the caller's buffer, and
 *     several of them at a time; other reads go through the last decoded frame,
 *     which is kept.
 *
 * The lock guards the position and the kept frame.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "store/opening.h"
#include "store/quarantine.h"
#include "store/team.h"
#include "sys/sys.h"

uint64_t cubby_reader_size(const struct cubby_reader *reader)
{
	return reader->record.size;
}

unsigned reader_level(const struct cubby_reader *reader)
{
	return reader->level;
}

/* The bytes of a frame, which are checked where `stored` points to. */
static int decode_stored(const struct cubby_reader *reader, uint64_t index,
			 const uint8_t *stored, uint8_t *target)
{
	size_t size = footer_frame_size(reader->record.size, index);

	if (reader->record.codec == CODEC_ZSTD)
		return codec_decompress(target, size, stored,
					reader->frames[index].stored_size);
	memcpy(target, stored, size);
	return 0;
}

/* Needs no lock. */
static int decode(const struct cubby_reader *reader, uint64_t index,
		  uint8_t *target)
{
	const uint64_t offset = reader->frames[index].offset;
	const size_t size = reader->frames[index].stored_size;
	SCOPED_FREE uint8_t *stored = NULL;
	int r;

	if (reader->payload)
		return decode_stored(reader, index, reader->payload + offset,
				     target);
	stored = malloc(size + 1);
	if (!stored)
		return -ENOMEM;
	r = opening_read_exactly(reader->fd, stored, size, offset);
	if (r == 0 && !opening_frame_is_right(reader, index, stored))
		r = -EBADMSG;
	return r < 0 ? r : decode_stored(reader, index, stored, target);
}

/* The decoded frame through the kept one. The lock is held. */
static int decode_kept(struct cubby_reader *reader, uint64_t index)
{
	int r;

	if (reader->kept_index == index)
		return 0;
	if (!reader->kept)
		reader->kept = malloc((size_t)(reader->record.size < FRAME_SIZE
						       ? reader->record.size
						       : FRAME_SIZE));
	if (!reader->kept)
		return -ENOMEM;
	reader->kept_index = READER_NO_FRAME;
	r = decode(reader, index, reader->kept);
	if (r == 0)
		reader->kept_index = index;
	return r;
}

/* Copy `size` bytes at `start` of one frame. */
static int read_part(struct cubby_reader *reader, uint64_t index, size_t start,
		     uint8_t *target, size_t size)
{
	int r;

	pthread_mutex_lock(&reader->lock);
	r = decode_kept(reader, index);
	if (r == 0)
		memcpy(target, reader->kept + start, size);
	pthread_mutex_unlock(&reader->lock);
	return r;
}

struct frames {
	const struct cubby_reader *reader;
	uint64_t first;
	uint8_t *target;
};

static int decode_one(void *cookie, size_t number)
{
	const struct frames *frames = cookie;

	return decode(frames->reader, frames->first + number,
		      frames->target + number * FRAME_SIZE);
}

/* Read what is asked for at `offset` from one frame, or from as many as are
 * asked for whole. Returns how much that is. */
static ssize_t read_some(struct cubby_reader *reader, uint64_t offset,
			 uint8_t *target, size_t size)
{
	const uint64_t index = offset / FRAME_SIZE;
	const size_t start = (size_t)(offset % FRAME_SIZE);
	const bool is_to_end = offset + size == reader->record.size;
	size_t count = (size + (is_to_end ? FRAME_SIZE - 1 : 0)) / FRAME_SIZE;
	struct frames frames = {
		.reader = reader, .first = index, .target = target};
	int r;

	if (start > 0 || count == 0) {
		size = min_size(size,
				footer_frame_size(reader->record.size, index) -
					start);
		r = read_part(reader, index, start, target, size);
	} else {
		size = min_size(size, count * FRAME_SIZE);
		r = team_run(reader->store->team, count, decode_one, &frames);
	}
	return r < 0 ? r : (ssize_t)size;
}

const uint8_t *reader_decode_whole(struct cubby_reader *reader,
				   struct check *ret_check)
{
	const size_t size = (size_t)reader->record.size;
	uint8_t *content;

	if (reader->frame_count != 1)
		return NULL;
	content = malloc(size);
	if (!content || decode(reader, 0, content) < 0) {
		free(content);
		return NULL;
	}
	*ret_check = check_frame(reader->id, 0, content, size);
	opening_take_content(reader, content, size, ret_check);
	return content;
}

int reader_verify(struct cubby *store, uint64_t id, struct digest *digest)
{
	SCOPED_FREE uint8_t *raw = malloc(FRAME_SIZE);
	struct cubby_reader *reader = NULL;
	struct index_txn *none = NULL;
	struct damage damage;
	int r = raw ? opening_try(store, id, &none, NULL, &reader, &damage)
		    : -ENOMEM;

	for (uint64_t i = 0; r == 0 && i < reader->frame_count; i++) {
		r = decode(reader, i, raw);
		if (r == 0)
			r = digest_take(
				digest, raw,
				footer_frame_size(reader->record.size, i));
	}
	cubby_reader_close(reader);
	return r;
}

ssize_t cubby_reader_pread(struct cubby_reader *reader, void *buffer,
			   size_t size, uint64_t offset)
{
	uint8_t *target = buffer;
	size_t done = 0;
	int r = store_verify_process(reader->store);

	if (r < 0)
		return r;
	if (offset >= reader->record.size)
		return 0;
	if (size > reader->record.size - offset)
		size = (size_t)(reader->record.size - offset);
	while (done < size) {
		ssize_t n = read_some(reader, offset + done, target + done,
				      size - done);

		if (n == -EBADMSG)
			quarantine_entry(reader->store, reader->id,
					 &reader->record);
		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t cubby_reader_read(struct cubby_reader *reader, void *buffer,
			  size_t size)
{
	uint64_t position;
	ssize_t n;

	/* Taken in advance, so that two threads never read the same bytes. */
	pthread_mutex_lock(&reader->lock);
	position = reader->position;
	if (size > reader->record.size - position)
		size = (size_t)(reader->record.size - position);
	reader->position += size;
	pthread_mutex_unlock(&reader->lock);
	n = cubby_reader_pread(reader, buffer, size, position);
	if (n < 0) {
		pthread_mutex_lock(&reader->lock);
		reader->position -= size;
		pthread_mutex_unlock(&reader->lock);
	}
	return n;
}
