/* SPDX-License-Identifier: MIT */
/*
 * The record of a node, as the index keeps it. FORMAT.md has the table.
 */
#ifndef CUBBY_RECORD_H
#define CUBBY_RECORD_H

#include <stdint.h>

#include "cubby/cubby.h"
#include "format/check.h"
#include "format/codec.h"

enum {
	RECORD_FIXED_SIZE = 96, /* what this version writes before the name */
	RECORD_SIZE_MAX = RECORD_FIXED_SIZE + CUBBY_NAME_MAX,
};

/* Where the stored bytes of an entry are. Never renumber. */
enum place {
	PLACE_NONE = 0,	 /* directories and plain files */
	PLACE_INDEX = 1, /* one frame, beside the record */
	PLACE_BLOB = 2,	 /* a blob file */
};

struct record {
	enum cubby_kind kind;
	enum codec codec;
	enum place place;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t parent;
	int64_t mtime_ns;
	uint64_t size;	      /* bytes of content */
	uint64_t stored_size; /* in the index, or of the blob file */
	struct check check;   /* of the one frame, or of the footer */
	int64_t used_ns;      /* of an entry: its last use */
	int64_t added_ns;     /* of an entry */
	uint64_t rank;	      /* of an entry: what has less goes earlier */
	uint32_t hits;	      /* uses that were noted */
	uint16_t name_size;
	const char *name; /* not ended by a zero; may point into the index */
};

/* Returns the bytes written, at most RECORD_SIZE_MAX. */
size_t record_encode(const struct record *record,
		     uint8_t ret_bytes[RECORD_SIZE_MAX]);

/*
 * `ret_record->name` points into `bytes`. Returns 0, -EBADMSG, or
 * -EPROTONOSUPPORT for what a newer version wrote.
 */
CUBBY_MUST_CHECK int record_decode(const void *bytes, size_t size,
				   struct record *ret_record);

/*
 * What a node takes of the disk in files of its own: whole blocks. What it
 * takes of the index is counted with the index.
 */
uint64_t record_disk_size(const struct record *record);

/* What the public interface says of a record. */
struct cubby_attr record_attr(uint64_t id, const struct record *record);

#endif
