/* SPDX-License-Identifier: MIT */
/*
 *  1. No byte is handed out before its frame's checksum was right.
 *  2. An entry of up to WHOLE_MAX stored bytes is read and checked when it is
 *     opened, and served from that memory: it is right or a miss, never half.
 *     A larger one keeps its file open, is checked frame by frame, and may end
 *     in -EBADMSG after its first frames were read.
 *  3. A read that covers a whole frame decodes into the caller's buffer, and
 *     several of them at a time; other reads go through the last decoded frame,
 *     which is kept.
 *
 * The lock guards the position and the kept frame.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/footer.h"
#include "index/nodes.h"
#include "store/layout.h"
#include "store/quarantine.h"
#include "store/reader.h"
#include "store/team.h"
#include "sys/sys.h"

enum { WHOLE_MAX = 1024 * 1024 };
static const uint64_t no_frame = UINT64_MAX;

struct cubby_reader {
	struct cubby *store;
	uint64_t id;
	struct record record; /* by which it was opened; has no name */
	unsigned level;	      /* of its compression, 0 if not known */
	uint64_t frame_count;
	struct frame *frames;
	struct frame only; /* of an entry in the index */
	uint8_t *payload;  /* all stored bytes, checked; or NULL */
	int fd;		   /* when payload is NULL */
	pthread_mutex_t lock;
	uint64_t position;
	uint8_t *kept; /* one decoded frame */
	uint64_t kept_index;
};

/* ---------------------------------------------------------------- opening */

static bool frame_is_right(const struct cubby_reader *reader, uint64_t index,
			   const uint8_t *stored)
{
	const struct frame *frame = &reader->frames[index];
	struct check check =
		check_frame(reader->id, index, stored, frame->stored_size);

	return check_equal(&check, &frame->check);
}

/* The entry is in the index: one frame, or nothing. */
static int open_small(struct cubby_reader *reader, struct index_txn *txn,
		      const struct record *record)
{
	const size_t size = (size_t)record->stored_size;
	int r = 0;

	/* The check is of the stored bytes, not of the record. What does not
	 * get smaller is stored raw, so that neither another codec nor another
	 * size makes other bytes of them; nor no bytes of some. */
	if (record->codec == CODEC_ZSTD && record->stored_size >= record->size)
		return -EBADMSG;
	reader->payload = malloc(size + 1);
	if (!reader->payload)
		return -ENOMEM;
	if (size > 0)
		r = small_get(txn, reader->id, reader->payload, size);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	reader->only = (struct frame){.stored_size = (uint32_t)size,
				      .check = record->check};
	reader->frames = &reader->only;
	if (!frame_is_right(reader, 0, reader->payload))
		return -EBADMSG;
	reader->frame_count = footer_frame_count(record->size);
	return 0;
}

static int take_footer(struct cubby_reader *reader, const uint8_t *bytes,
		       size_t size, const struct record *record)
{
	struct footer footer;
	struct check check;
	int r = footer_decode(bytes, size, record->stored_size, reader->id,
			      &footer, &check);

	if (r < 0)
		return r;
	reader->frames = footer.frames;
	reader->frame_count = footer.frame_count;
	/* The footer is a right one; is it the one that the index means? */
	if (!check_equal(&check, &record->check) ||
	    footer.size != record->size || footer.codec != record->codec)
		return -EBADMSG;
	reader->level = footer.level;
	return 0;
}

static int open_whole(struct cubby_reader *reader, int fd,
		      const struct record *record)
{
	const size_t size = (size_t)record->stored_size;
	size_t footer_size;
	ssize_t n;
	int r;

	reader->payload = malloc(size + 1);
	if (!reader->payload)
		return -ENOMEM;
	n = sys_pread(fd, reader->payload, size, 0);
	if (n < 0)
		return (int)n;
	if ((size_t)n != size || size < FOOTER_TAIL_SIZE)
		return -EBADMSG;
	r = footer_find(reader->payload + size - FOOTER_TAIL_SIZE, size,
			&footer_size);
	if (r == 0)
		r = take_footer(reader, reader->payload + size - footer_size,
				footer_size, record);
	for (uint64_t i = 0; r == 0 && i < reader->frame_count; i++)
		if (!frame_is_right(reader, i,
				    reader->payload + reader->frames[i].offset))
			r = -EBADMSG;
	return r;
}

static int read_exactly(int fd, void *buffer, size_t size, uint64_t offset)
{
	ssize_t n = sys_pread(fd, buffer, size, offset);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EBADMSG;
}

static int open_large(struct cubby_reader *reader, int fd,
		      const struct record *record)
{
	SCOPED_FREE uint8_t *bytes = NULL;
	uint8_t tail[FOOTER_TAIL_SIZE];
	size_t size;
	int r = read_exactly(fd, tail, sizeof(tail),
			     record->stored_size - sizeof(tail));

	if (r == 0)
		r = footer_find(tail, record->stored_size, &size);
	if (r != 0)
		return r;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	r = read_exactly(fd, bytes, size, record->stored_size - size);
	return r < 0 ? r : take_footer(reader, bytes, size, record);
}

static int open_blob(struct cubby_reader *reader, const struct record *record)
{
	char path[LAYOUT_PATH_SIZE];
	struct stat file;
	int fd;

	layout_blob(reader->id, record->codec, path);
	fd = sys_open_stat(reader->store->dir_fd, path, O_RDONLY, &file);
	if (fd < 0)
		return fd;
	reader->fd = fd;
	if ((uint64_t)file.st_size != record->stored_size)
		return -EBADMSG;
	if (record->stored_size > WHOLE_MAX)
		return open_large(reader, fd, record);
	fd = open_whole(reader, fd, record);
	sys_close(&reader->fd);
	return fd;
}

/* By its record, which was found in `*txn`: that ends. -ENOENT: its file is not
 * there. */
static int open_record(struct cubby_reader *reader, struct index_txn **txn,
		       const struct record *record)
{
	SCOPED_TXN struct index_txn *found = TAKE(*txn);

	if (record->kind != CUBBY_ENTRY)
		return record->kind == CUBBY_DIRECTORY ? -EISDIR : -EINVAL;
	reader->record = *record;
	reader->record.name = NULL;
	if (record->place == PLACE_INDEX)
		return open_small(reader, found, record);
	/* A file is read without a transaction: it may take its time. */
	index_end(TAKE(found));
	return open_blob(reader, &reader->record);
}

/* One attempt. -ENOENT: the node or its file is not there. */
static int try_open(struct cubby_reader *reader)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct record record;
	int r = index_read(reader->store->index, &txn);

	if (r == 0)
		r = nodes_get(txn, reader->id, &record);
	if (r != 0)
		return r;
	return open_record(reader, &txn, &record);
}

/* Are the bytes of the node still where they were looked for? */
static bool is_unmoved(struct cubby_reader *reader)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct record record;

	return index_read(reader->store->index, &txn) == 0 &&
	       nodes_get(txn, reader->id, &record) == 0 &&
	       record.kind == CUBBY_ENTRY && record.place == PLACE_BLOB &&
	       record.codec == reader->record.codec;
}

/* What is wrong with an entry that could not be opened. */
struct damage {
	bool is_lost;	    /* its file is gone */
	struct record seen; /* without its name */
};

/* Without a consequence of damage. `record` may be NULL, or what `*txn` says of
 * the node. */
static int open_entry(struct cubby *store, uint64_t id, struct index_txn **txn,
		      const struct record *record,
		      struct cubby_reader **ret_reader,
		      struct damage *ret_damage)
{
	struct cubby_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->store = store;
	reader->id = id;
	reader->fd = -1;
	reader->kept_index = no_frame;
	pthread_mutex_init(&reader->lock, NULL);
	r = record ? open_record(reader, txn, record) : try_open(reader);
	/* No file: the node has been purged, or its bytes have been compressed
	 * meanwhile, which happens once; otherwise the file has been lost. */
	if (r == -ENOENT && !is_unmoved(reader))
		r = try_open(reader);
	*ret_damage = (struct damage){
		.is_lost = r == -ENOENT && is_unmoved(reader),
		.seen = reader->record,
	};
	if (ret_damage->is_lost)
		r = -EBADMSG;
	if (r < 0) {
		cubby_reader_close(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

int reader_open_found(struct cubby *store, uint64_t id, struct index_txn **txn,
		      const struct record *record,
		      struct cubby_reader **ret_reader)
{
	struct damage damage = {.is_lost = false};
	int r = open_entry(store, id, txn, record, ret_reader, &damage);

	if (r == -EBADMSG && damage.is_lost &&
	    quarantine_lost(store, id, &damage.seen) == 0)
		return -ENOENT;
	if (r == -EBADMSG)
		quarantine_entry(store, id, &damage.seen);
	return r;
}

int reader_open(struct cubby *store, uint64_t id,
		struct cubby_reader **ret_reader)
{
	struct index_txn *none = NULL;

	return reader_open_found(store, id, &none, NULL, ret_reader);
}

void cubby_reader_close(struct cubby_reader *reader)
{
	if (!reader)
		return;
	sys_close(&reader->fd);
	pthread_mutex_destroy(&reader->lock);
	if (reader->frames != &reader->only)
		free(reader->frames);
	free(reader->payload);
	free(reader->kept);
	free(reader);
}

/* ---------------------------------------------------------------- reading */

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
	r = read_exactly(reader->fd, stored, size, offset);
	if (r == 0 && !frame_is_right(reader, index, stored))
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
	reader->kept_index = no_frame;
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

int reader_verify(struct cubby *store, uint64_t id, struct digest *digest)
{
	SCOPED_FREE uint8_t *raw = malloc(FRAME_SIZE);
	struct cubby_reader *reader = NULL;
	struct index_txn *none = NULL;
	struct damage damage;
	int r = raw ? open_entry(store, id, &none, NULL, &reader, &damage)
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
