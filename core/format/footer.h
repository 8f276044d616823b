/* SPDX-License-Identifier: MIT */
/*
 * The footer of a blob file: what describes and checks the bytes before it. It
 * comes last, so a torn file has none, and a file can become a blob by having
 * one appended. FORMAT.md has the table.
 *
 * The footer is checked by its own checksum, the payload frame by frame by the
 * checksums in the footer's frame table: a range can be read and trusted
 * without reading the rest.
 */
#ifndef CUBBY_FOOTER_H
#define CUBBY_FOOTER_H

#include <stdbool.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "format/check.h"
#include "format/codec.h"

enum {
	/* Content is cut into frames of this size; the last is shorter. Equal
	 * to what the kernel reads ahead at once by default, so that a large
	 * sequential read through a mount decodes each frame once. */
	FRAME_SIZE = 128 * 1024,
	FOOTER_TAIL_SIZE = 28, /* check, size and magic at the end */
};

struct frame {
	uint32_t stored_size;
	struct check check; /* of the stored bytes */
	uint64_t offset;    /* of them in the file: for who decodes */
};

struct footer {
	uint64_t id;
	uint64_t size;	       /* bytes of content */
	uint64_t payload_size; /* bytes before the footer */
	int64_t mtime_ns;
	enum codec codec;
	uint8_t level; /* of zstd, or 0 when nobody has said */
	/* Where the entry was published: only for who rebuilds an index. */
	uint16_t path_size;
	uint16_t name_size;
	const char *path;
	const char *name;
	uint64_t frame_count;
	struct frame *frames;
};

/* How many frames content of `size` bytes has. */
uint64_t footer_frame_count(uint64_t size);
/* Bytes of content in frame `index`, which must exist. */
size_t footer_frame_size(uint64_t size, uint64_t index);

/* Bytes of the footer of content of `size` bytes. */
size_t footer_encoded_size(const struct footer *footer);
/* Fill footer_encoded_size() bytes; `*ret_check` identifies the footer. */
void footer_encode(const struct footer *footer, uint8_t *ret_bytes,
		   struct check *ret_check);

/*
 * From the last FOOTER_TAIL_SIZE bytes of a file of `file_size` bytes, tell
 * how many bytes the footer has. Returns 0 or -EBADMSG.
 */
CUBBY_MUST_CHECK int footer_find(const uint8_t tail[FOOTER_TAIL_SIZE],
				 uint64_t file_size, size_t *ret_size);

/*
 * Look in the last bytes of a file, which begin at `offset`, for the beginning
 * of a footer that node `id` has given to raw content before it. The whole
 * footer need not be there. Returns where it begins, or 0.
 */
uint64_t footer_find_begun(const uint8_t *bytes, size_t size, uint64_t offset,
			   uint64_t id);

/* Bytes of the longest footer in a file of `file_size` bytes. */
size_t footer_size_max(uint64_t file_size);

/*
 * If a footer at `offset` is written by a process that is killed, is as much
 * there as footer_find_begun() needs, or nothing? The kernel goes on page by
 * page.
 */
bool footer_begins_at_once(uint64_t offset);

/*
 * Decode and check a whole footer that lies at the end of a file of
 * `file_size` bytes. On success `ret_footer->frames` is on the heap and the
 * caller's, with offsets; path and name point into `bytes`. Every stored size
 * in the table is possible, and they add up to the payload. Returns 0,
 * -EBADMSG, -EPROTONOSUPPORT, or -ENOMEM.
 */
CUBBY_MUST_CHECK int footer_decode(const uint8_t *bytes, size_t size,
				   uint64_t file_size, uint64_t id,
				   struct footer *ret_footer,
				   struct check *ret_check);

#endif
