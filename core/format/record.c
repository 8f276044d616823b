/* SPDX-License-Identifier: MIT */
/*
 * Records of nodes to bytes and back. Both directions name the fields in the
 * order of the table in FORMAT.md; a change to one is a change to all three.
 * What is decoded has every field in its range, so that nobody looks again.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/footer.h"
#include "format/name.h"
#include "format/record.h"

enum {
	AT_KIND = 0,
	AT_CODEC = 1,
	AT_PLACE = 2,
	AT_INCOMPAT = 3,
	AT_FIXED_SIZE = 4,
	AT_NAME_SIZE = 6,
	AT_PARENT = 8,
	AT_MTIME = 16,
	AT_SIZE = 24,
	AT_STORED_SIZE = 32,
	AT_MODE = 40,
	AT_UID = 44,
	AT_GID = 48,
	AT_HITS = 52,
	AT_CHECK = 56,
	AT_USED = 72,
	AT_ADDED = 80,
	AT_RANK = 88,
	BLOCK_SIZE = 4096,
};
static_assert(AT_USED == AT_CHECK + CHECK_SIZE, "record layout");
static_assert(AT_RANK + 8 == RECORD_FIXED_SIZE, "record size");

size_t record_encode(const struct record *record,
		     uint8_t ret_bytes[RECORD_SIZE_MAX])
{
	uint8_t *to = ret_bytes;

	CHECK(record->name_size <= CUBBY_NAME_MAX);
	memset(to, 0, RECORD_FIXED_SIZE);
	to[AT_KIND] = (uint8_t)record->kind;
	to[AT_CODEC] = (uint8_t)record->codec;
	to[AT_PLACE] = (uint8_t)record->place;
	put_le(to + AT_FIXED_SIZE, RECORD_FIXED_SIZE, 2);
	put_le(to + AT_NAME_SIZE, record->name_size, 2);
	put_le(to + AT_PARENT, record->parent, 8);
	put_le(to + AT_MTIME, (uint64_t)record->mtime_ns, 8);
	put_le(to + AT_SIZE, record->size, 8);
	put_le(to + AT_STORED_SIZE, record->stored_size, 8);
	put_le(to + AT_MODE, record->mode, 4);
	put_le(to + AT_UID, record->uid, 4);
	put_le(to + AT_GID, record->gid, 4);
	put_le(to + AT_HITS, record->hits, 4);
	memcpy(to + AT_CHECK, record->check.bytes, CHECK_SIZE);
	put_le(to + AT_USED, (uint64_t)record->used_ns, 8);
	put_le(to + AT_ADDED, (uint64_t)record->added_ns, 8);
	put_le(to + AT_RANK, record->rank, 8);
	memcpy(to + RECORD_FIXED_SIZE, record->name, record->name_size);
	return (size_t)RECORD_FIXED_SIZE + record->name_size;
}

/* An entry has bytes somewhere, in sizes that fit together; others have
 * none. */
static int verify(const struct record *record)
{
	bool is_entry = record->kind == CUBBY_ENTRY;

	if (record->kind != CUBBY_DIRECTORY && record->kind != CUBBY_ENTRY &&
	    record->kind != CUBBY_PLAIN)
		return -EBADMSG;
	if (is_entry != (record->place != PLACE_NONE))
		return -EBADMSG;
	if (record->size > CUBBY_SIZE_MAX || (record->mode & ~07777U))
		return -EBADMSG;
	if (record->used_ns < 0 || record->added_ns < 0)
		return -EBADMSG;
	if (record->place == PLACE_INDEX &&
	    (record->size > FRAME_SIZE ||
	     record->stored_size > codec_bound(FRAME_SIZE)))
		return -EBADMSG;
	if (record->codec == CODEC_RAW && record->place == PLACE_INDEX &&
	    record->size != record->stored_size)
		return -EBADMSG;
	return 0;
}

int record_decode(const void *bytes, size_t size, struct record *ret_record)
{
	const uint8_t *from = bytes;
	struct record record;
	size_t fixed;
	int r;

	if (size < RECORD_FIXED_SIZE)
		return -EBADMSG;
	fixed = get_le(from + AT_FIXED_SIZE, 2);
	if (from[AT_INCOMPAT] || from[AT_CODEC] > CODEC_ZSTD ||
	    from[AT_PLACE] > PLACE_BLOB)
		return -EPROTONOSUPPORT;
	record = (struct record){
		.kind = from[AT_KIND],
		.codec = from[AT_CODEC],
		.place = from[AT_PLACE],
		.name_size = (uint16_t)get_le(from + AT_NAME_SIZE, 2),
		.parent = get_le(from + AT_PARENT, 8),
		.mtime_ns = (int64_t)get_le(from + AT_MTIME, 8),
		.size = get_le(from + AT_SIZE, 8),
		.stored_size = get_le(from + AT_STORED_SIZE, 8),
		.mode = (uint32_t)get_le(from + AT_MODE, 4),
		.uid = (uint32_t)get_le(from + AT_UID, 4),
		.gid = (uint32_t)get_le(from + AT_GID, 4),
		.hits = (uint32_t)get_le(from + AT_HITS, 4),
		.used_ns = (int64_t)get_le(from + AT_USED, 8),
		.added_ns = (int64_t)get_le(from + AT_ADDED, 8),
		.rank = get_le(from + AT_RANK, 8),
	};
	memcpy(record.check.bytes, from + AT_CHECK, CHECK_SIZE);
	/* A newer version may have put fields in between; the name ends it. */
	if (fixed < RECORD_FIXED_SIZE || record.name_size > CUBBY_NAME_MAX ||
	    fixed + record.name_size != size)
		return -EBADMSG;
	record.name = (const char *)from + fixed;
	r = verify(&record);
	if (r < 0)
		return r;
	*ret_record = record;
	return 0;
}

uint64_t record_disk_size(const struct record *record)
{
	if (record->kind != CUBBY_PLAIN && record->place != PLACE_BLOB)
		return 0;
	return (record->stored_size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
}

struct cubby_attr record_attr(uint64_t id, const struct record *record)
{
	return (struct cubby_attr){
		.id = id,
		.size = record->size,
		.stored_size = record->stored_size,
		.mtime_ns = record->mtime_ns,
		.used_ns = record->used_ns,
		.added_ns = record->added_ns,
		.hits = record->hits,
		.kind = record->kind,
		.mode = record->mode,
		.uid = record->uid,
		.gid = record->gid,
	};
}
