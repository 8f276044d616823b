/* SPDX-License-Identifier: MIT */
/*
 * Footers to bytes and back, without I/O. A footer is a zstd skippable frame,
 * so that `zstd -dc` on a blob prints the content.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/footer.h"

enum {
	VERSION = 1,
	AT_SKIPPABLE = 0,
	AT_CONTENT_SIZE = 4,
	AT_MAGIC = 8,
	AT_VERSION = 16,
	AT_INCOMPAT = 18,
	AT_COMPAT = 19,
	AT_CODEC = 20,
	AT_LEVEL = 21,
	AT_PATH_SIZE = 22,
	AT_NAME_SIZE = 24,
	AT_FRAME_SIZE = 26, /* in units of 64 KiB */
	AT_ID = 28,
	AT_RAW_SIZE = 36,
	AT_PAYLOAD_SIZE = 44,
	AT_MTIME = 52,
	HEAD_SIZE = AT_MTIME, /* tells a footer from content */
	PAGE_SIZE = 4096,
	FIXED_SIZE = 60,
	ROW_SIZE = 4 + CHECK_SIZE,
	/* from the end */
	TAIL_CHECK = FOOTER_TAIL_SIZE,
	TAIL_SIZE = 12,
	TAIL_MAGIC = 8,
	SKIPPABLE_HEADER = 8,
	FRAME_UNIT = 64 * 1024,
};
static const uint32_t skippable_magic = 0x184D2A5C;
static const char magic[8] = {'c', 'u', 'b', 'b', 'y', 'b', 'l', 'b'};
static const char end_magic[8] = {'c', 'u', 'b', 'b', 'y', 'e', 'n', 'd'};

uint64_t footer_frame_count(uint64_t size)
{
	return size / FRAME_SIZE + (size % FRAME_SIZE != 0);
}

size_t footer_frame_size(uint64_t size, uint64_t index)
{
	uint64_t rest = size - index * FRAME_SIZE;

	CHECK(index < footer_frame_count(size));
	return rest < FRAME_SIZE ? (size_t)rest : FRAME_SIZE;
}

static size_t encoded_size(uint64_t frame_count, size_t path_size,
			   size_t name_size)
{
	return FIXED_SIZE + (size_t)frame_count * ROW_SIZE + path_size +
	       name_size + FOOTER_TAIL_SIZE;
}

size_t footer_encoded_size(const struct footer *footer)
{
	return encoded_size(footer->frame_count, footer->path_size,
			    footer->name_size);
}

void footer_encode(const struct footer *footer, uint8_t *ret_bytes,
		   struct check *ret_check)
{
	size_t size = footer_encoded_size(footer);
	uint8_t *to = ret_bytes;
	uint8_t *end = to + size;

	CHECK(footer->frame_count == footer_frame_count(footer->size));
	memset(to, 0, FIXED_SIZE);
	put_le(to + AT_SKIPPABLE, skippable_magic, 4);
	put_le(to + AT_CONTENT_SIZE, size - SKIPPABLE_HEADER, 4);
	memcpy(to + AT_MAGIC, magic, sizeof(magic));
	put_le(to + AT_VERSION, VERSION, 2);
	to[AT_CODEC] = (uint8_t)footer->codec;
	to[AT_LEVEL] = footer->level;
	put_le(to + AT_PATH_SIZE, footer->path_size, 2);
	put_le(to + AT_NAME_SIZE, footer->name_size, 2);
	put_le(to + AT_FRAME_SIZE, FRAME_SIZE / FRAME_UNIT, 2);
	put_le(to + AT_ID, footer->id, 8);
	put_le(to + AT_RAW_SIZE, footer->size, 8);
	put_le(to + AT_PAYLOAD_SIZE, footer->payload_size, 8);
	put_le(to + AT_MTIME, (uint64_t)footer->mtime_ns, 8);
	to += FIXED_SIZE;
	for (uint64_t i = 0; i < footer->frame_count; i++, to += ROW_SIZE) {
		put_le(to, footer->frames[i].stored_size, 4);
		memcpy(to + 4, footer->frames[i].check.bytes, CHECK_SIZE);
	}
	memcpy(to, footer->path, footer->path_size);
	to += footer->path_size;
	memcpy(to, footer->name, footer->name_size);

	put_le(end - TAIL_SIZE, size, 4);
	memcpy(end - TAIL_MAGIC, end_magic, sizeof(end_magic));
	*ret_check = check_footer(footer->id, ret_bytes, size - TAIL_CHECK);
	memcpy(end - TAIL_CHECK, ret_check->bytes, CHECK_SIZE);
}

/* May a footer of `size` bytes describe so much? Each of its rows stands for at
 * least a byte: who writes a long footer has to write long frames, too. */
static bool payload_is_possible(size_t size, uint64_t payload_size)
{
	const size_t names = 2 * (size_t)UINT16_MAX;
	const size_t rows = size - FIXED_SIZE - FOOTER_TAIL_SIZE;

	return payload_size <= rows / ROW_SIZE * codec_bound(FRAME_SIZE) &&
	       (rows <= names || payload_size >= (rows - names) / ROW_SIZE);
}

size_t footer_size_max(uint64_t file_size)
{
	return encoded_size(footer_frame_count(file_size), CUBBY_PATH_MAX,
			    CUBBY_NAME_MAX);
}

bool footer_begins_at_once(uint64_t offset)
{
	return offset % PAGE_SIZE <= PAGE_SIZE - HEAD_SIZE;
}

uint64_t footer_find_begun(const uint8_t *bytes, size_t size, uint64_t offset,
			   uint64_t id)
{
	for (size_t at = 0; at + HEAD_SIZE <= size; at++) {
		const uint8_t *head = bytes + at;
		const uint8_t *found =
			memmem(head + AT_MAGIC, size - at - AT_MAGIC, magic,
			       sizeof(magic));

		if (!found)
			return 0;
		head = found - AT_MAGIC;
		at = (size_t)(head - bytes);
		if (at + HEAD_SIZE <= size &&
		    get_le(head + AT_SKIPPABLE, 4) == skippable_magic &&
		    get_le(head + AT_ID, 8) == id &&
		    get_le(head + AT_RAW_SIZE, 8) == offset + at &&
		    get_le(head + AT_PAYLOAD_SIZE, 8) == offset + at)
			return offset + at;
	}
	return 0;
}

int footer_find(const uint8_t tail[FOOTER_TAIL_SIZE], uint64_t file_size,
		size_t *ret_size)
{
	const uint8_t *end = tail + FOOTER_TAIL_SIZE;
	size_t size = get_le(end - TAIL_SIZE, 4);

	if (memcmp(end - TAIL_MAGIC, end_magic, sizeof(end_magic)) != 0)
		return -EBADMSG;
	if (size < FIXED_SIZE + FOOTER_TAIL_SIZE || size > file_size)
		return -EBADMSG;
	/* No file of this size has more frames than this: bounds what a
	 * reader allocates by what is really there. */
	if (size > encoded_size(footer_frame_count(CUBBY_SIZE_MAX), UINT16_MAX,
				UINT16_MAX))
		return -EBADMSG;
	if (!payload_is_possible(size, file_size - size))
		return -EBADMSG;
	*ret_size = size;
	return 0;
}

/* Is the frame table that starts at `rows` one that this version makes? */
static int decode_frames(const uint8_t *rows, const struct footer *footer,
			 struct frame *ret_frames)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < footer->frame_count; i++, rows += ROW_SIZE) {
		size_t raw = footer_frame_size(footer->size, i);
		uint32_t stored = (uint32_t)get_le(rows, 4);

		if (footer->codec == CODEC_RAW ? stored != raw
					       : stored > codec_bound(raw))
			return -EBADMSG;
		ret_frames[i].offset = sum;
		ret_frames[i].stored_size = stored;
		sum += stored;
		memcpy(ret_frames[i].check.bytes, rows + 4, CHECK_SIZE);
	}
	return sum == footer->payload_size ? 0 : -EBADMSG;
}

int footer_decode(const uint8_t *bytes, size_t size, uint64_t file_size,
		  uint64_t id, struct footer *ret_footer,
		  struct check *ret_check)
{
	SCOPED_FREE struct frame *frames = NULL;
	struct footer footer;
	struct check check;
	int r;

	if (size < FIXED_SIZE + FOOTER_TAIL_SIZE || size > file_size ||
	    memcmp(bytes + AT_MAGIC, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	check = check_footer(id, bytes, size - TAIL_CHECK);
	if (memcmp(bytes + size - TAIL_CHECK, check.bytes, CHECK_SIZE) != 0)
		return -EBADMSG;
	/* From here on it is what somebody wrote, perhaps a newer version. */
	if (get_le(bytes + AT_VERSION, 2) != VERSION || bytes[AT_INCOMPAT] ||
	    bytes[AT_CODEC] > CODEC_ZSTD ||
	    get_le(bytes + AT_FRAME_SIZE, 2) != FRAME_SIZE / FRAME_UNIT)
		return -EPROTONOSUPPORT;
	footer = (struct footer){
		.id = get_le(bytes + AT_ID, 8),
		.size = get_le(bytes + AT_RAW_SIZE, 8),
		.payload_size = get_le(bytes + AT_PAYLOAD_SIZE, 8),
		.mtime_ns = (int64_t)get_le(bytes + AT_MTIME, 8),
		.codec = bytes[AT_CODEC],
		.level = bytes[AT_LEVEL],
		.path_size = (uint16_t)get_le(bytes + AT_PATH_SIZE, 2),
		.name_size = (uint16_t)get_le(bytes + AT_NAME_SIZE, 2),
	};
	if (footer.id != id || footer.size > CUBBY_SIZE_MAX ||
	    footer.payload_size != file_size - size)
		return -EBADMSG;
	footer.frame_count = footer_frame_count(footer.size);
	if (encoded_size(footer.frame_count, footer.path_size,
			 footer.name_size) != size)
		return -EBADMSG;
	frames = calloc((size_t)footer.frame_count + 1, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	r = decode_frames(bytes + FIXED_SIZE, &footer, frames);
	if (r < 0)
		return r;
	footer.path = (const char *)bytes + FIXED_SIZE +
		      footer.frame_count * ROW_SIZE;
	footer.name = footer.path + footer.path_size;
	footer.frames = TAKE(frames);
	*ret_footer = footer;
	*ret_check = check;
	return 0;
}
