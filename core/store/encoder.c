/* SPDX-License-Identifier: MIT */
/*
 *  1. Content of at most one frame is kept in memory until the end, so that a
 *     small entry never touches a file and other ones are written at once.
 *  2. Whether to compress is decided by the first frame, for all: the reader of
 *     a raw blob then never decodes. Later frames that do not compress cost
 *     zstd three bytes.
 *  3. Frames that are given together are compressed together (team.h), some at
 * a time, and written in their order.
 *  4. Content that may wait for the compressor (later.h) is written as it is,
 *     while there is room in the queue for all of it. When there is none for
 *     what comes next, what has been written is read again and compressed: the
 *     frames are the same.
 *  5. The blob file is written under its final name: it is not an entry before
 *     it has a footer and a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "store/draft.h"
#include "store/durable.h"
#include "store/encoder.h"
#include "store/figures.h"
#include "store/later.h"
#include "store/room.h"
#include "store/scratch.h"
#include "store/team.h"
#include "sys/sys.h"

static int need_scratch(struct encoder *encoder)
{
	if (!encoder->scratch)
		encoder->scratch = scratch_get();
	return encoder->scratch ? 0 : -ENOMEM;
}

void encoder_init(struct encoder *encoder, struct cubby *store, uint64_t id)
{
	*encoder = (struct encoder){
		.store = store, .id = id, .level = CODEC_LEVEL, .fd = -1};
}

void encoder_done(struct encoder *encoder)
{
	char path[LAYOUT_PATH_SIZE];

	if (encoder->fd >= 0 && !encoder->is_published) {
		layout_blob(encoder->id, encoder->codec, path);
		IGNORE(sys_unlink(encoder->store->dir_fd,
				  path)); /* only space */
	}
	sys_close(&encoder->fd);
	if (encoder->scratch)
		scratch_put(TAKE(encoder->scratch));
	digest_done(&encoder->digest);
	free(TAKE(encoder->frames));
	if (encoder->reserved > 0 && encoder->is_published)
		later_put(encoder->store, encoder->id, encoder->reserved);
	else if (encoder->reserved > 0)
		later_drop(encoder->store, encoder->reserved);
	encoder->reserved = 0;
}

/* Make the file of a blob, and show that somebody writes it. */
static int create_locked(struct cubby *store, const char *path)
{
	int fd = sys_create_new(store->dir_fd, path, O_RDWR);
	int r = fd < 0 ? fd : sys_lock_byte(fd, LAYOUT_WRITER_LOCK);

	if (fd >= 0 && r < 0) {
		sys_close(&fd);
		IGNORE(sys_unlink(store->dir_fd, path)); /* only space */
	}
	return r < 0 ? r : fd;
}

/* Make and open the blob file. Returns a descriptor. */
static int create_blob(struct cubby *store, uint64_t id, enum codec codec)
{
	char path[LAYOUT_PATH_SIZE];
	char directory[LAYOUT_PATH_SIZE];
	int fd;
	int r;

	layout_blob(id, codec, path);
	/* A dead process may have left one, from before the id was
	 * published. */
	fd = create_locked(store, path);
	if (fd != -ENOENT)
		return fd;
	layout_blob_directory(id, directory);
	r = sys_mkdir(store->dir_fd, directory);
	if (r < 0 && r != -EEXIST)
		return r;
	return create_locked(store, path);
}

static int add_row(struct encoder *encoder, const void *stored, size_t size)
{
	if (encoder->frame_count == encoder->frame_capacity) {
		uint64_t capacity = encoder->frame_capacity * 2 + 8;
		struct frame *more = realloc(encoder->frames,
					     (size_t)capacity * sizeof(*more));

		if (!more)
			return -ENOMEM;
		encoder->frames = more;
		encoder->frame_capacity = capacity;
	}
	encoder->frames[encoder->frame_count] = (struct frame){
		.stored_size = (uint32_t)size,
		.check = check_frame(encoder->id, encoder->frame_count, stored,
				     size),
	};
	encoder->frame_count++;
	encoder->payload_size += size;
	return 0;
}

/* By what the first frame is made of its bytes. */
static void choose_codec(struct encoder *encoder, size_t made, size_t size)
{
	if (encoder->codec_chosen)
		return;
	encoder->codec = codec_pays(made, size) ? CODEC_ZSTD : CODEC_RAW;
	encoder->codec_chosen = true;
}

/*
 * Make the stored bytes of one frame and its row of the table. They are in
 * `*ret_stored`, which is the scratch or `data` itself.
 */
static int encode_frame(struct encoder *encoder, const void *data, size_t size,
			const void **ret_stored, size_t *ret_size)
{
	ssize_t made = 0;

	CHECK(encoder->scratch); /* from encoder_write() */
	if (!encoder->codec_chosen || encoder->codec == CODEC_ZSTD) {
		made = codec_compress_level(encoder->scratch->stored, data,
					    size, encoder->level);
		if (made < 0)
			return (int)made;
	}
	choose_codec(encoder, (size_t)made, size);
	if (encoder->codec == CODEC_RAW) {
		*ret_stored = data;
		*ret_size = size;
	} else {
		*ret_stored = encoder->scratch->stored;
		*ret_size = (size_t)made;
	}
	return add_row(encoder, *ret_stored, *ret_size);
}

/* Write one frame, of which it is known that it is not the only one, or too
 * large for the index, to the blob file. */
static int append_once(struct encoder *encoder, const void *stored, size_t size)
{
	if (encoder->fd < 0) {
		int fd = encoder->draft_id
				 ? draft_create_file(encoder->store,
						     encoder->draft_id)
				 : create_blob(encoder->store, encoder->id,
					       encoder->codec);

		if (fd < 0)
			return fd;
		encoder->fd = fd;
	}
	return sys_pwrite(encoder->fd, stored, size,
			  encoder->payload_size - size);
}

static int append(struct encoder *encoder, const void *stored, size_t size)
{
	int r = append_once(encoder, stored, size);

	return room_was_made(encoder->store, r, size)
		       ? append_once(encoder, stored, size)
		       : r;
}

static int flush_frame(struct encoder *encoder, const void *data)
{
	const void *stored = NULL;
	size_t size = 0;
	int r = encode_frame(encoder, data, FRAME_SIZE, &stored, &size);

	return r < 0 ? r : append(encoder, stored, size);
}

/* Frames that are written as they are, by one call. One write of 1 MiB at the
 * end of a file can take several times as long as four of a quarter: ext4 then
 * uses memory in large pieces, which are hard to get. */
enum { RAW_BATCH_MAX = 2 };

static int flush_raw(struct encoder *encoder, const uint8_t *data, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_row(encoder, data + i * FRAME_SIZE, FRAME_SIZE);
	return r < 0 ? r : append(encoder, data, count * FRAME_SIZE);
}

enum { BATCH_MAX = 8 }; /* frames */

struct batch {
	const uint8_t *data;
	int level;
	struct scratch *scratches[BATCH_MAX];
	size_t sizes[BATCH_MAX];
};

static int compress_one(void *cookie, size_t number)
{
	struct batch *batch = cookie;
	ssize_t made;

	batch->scratches[number] = scratch_get();
	if (!batch->scratches[number])
		return -ENOMEM;
	made = codec_compress_level(batch->scratches[number]->stored,
				    batch->data + number * FRAME_SIZE,
				    FRAME_SIZE, batch->level);
	batch->sizes[number] = made < 0 ? 0 : (size_t)made;
	return made < 0 ? (int)made : 0;
}

static int flush_batch(struct encoder *encoder, const uint8_t *data,
		       size_t count)
{
	struct batch batch = {.data = data, .level = encoder->level};
	int r = team_run(encoder->store->team, count, compress_one, &batch);

	if (r == 0)
		choose_codec(encoder, batch.sizes[0], FRAME_SIZE);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const bool is_raw = encoder->codec == CODEC_RAW;
		const uint8_t *stored = is_raw ? data + i * FRAME_SIZE
					       : batch.scratches[i]->stored;
		size_t size = is_raw ? FRAME_SIZE : batch.sizes[i];

		r = add_row(encoder, stored, size);
		if (r == 0)
			r = append(encoder, stored, size);
	}
	for (size_t i = 0; i < count; i++)
		if (batch.scratches[i])
			scratch_put(batch.scratches[i]);
	return r;
}

/* Write so many frames, which are not all there is. */
static int flush_frames(struct encoder *encoder, const uint8_t *data,
			size_t count)
{
	int r = 0;

	while (r == 0 && count > 0) {
		/* In vain, if the first one does not compress. */
		size_t part =
			min_size(count, encoder->codec_chosen ? BATCH_MAX : 2);

		if (encoder->codec_chosen && encoder->codec == CODEC_RAW) {
			part = min_size(count, RAW_BATCH_MAX);
			r = flush_raw(encoder, data, part);
		} else {
			r = part > 1 ? flush_batch(encoder, data, part)
				     : flush_frame(encoder, data);
		}
		data += part * FRAME_SIZE;
		count -= part;
	}
	return r;
}

/* Read frames that were written as they are. */
static int read_back(const struct encoder *encoder, int fd, uint64_t first,
		     size_t count, uint8_t *raw)
{
	const size_t size = count * FRAME_SIZE;
	ssize_t n = sys_pread(fd, raw, size, first * FRAME_SIZE);

	if (n < 0)
		return (int)n;
	if ((size_t)n != size)
		return -EIO;
	for (size_t i = 0; i < count; i++) {
		struct check check =
			check_frame(encoder->id, first + i,
				    raw + i * FRAME_SIZE, FRAME_SIZE);

		if (!check_equal(&check, &encoder->frames[first + i].check))
			return -EIO;
	}
	return 0;
}

/* What is not yet written, or was the last frame, is still in the scratch. */
int encoder_compress_now(struct encoder *encoder)
{
	SCOPED_FREE uint8_t *raw = malloc((size_t)BATCH_MAX * FRAME_SIZE);
	const bool is_finished = encoder->payload_size == encoder->size;
	const uint64_t count = (encoder->payload_size -
				(is_finished ? encoder->raw_size : 0)) /
			       FRAME_SIZE;
	SCOPED_FD int fd = encoder->fd;
	char path[LAYOUT_PATH_SIZE];
	size_t part;
	int r = 0;

	layout_blob(encoder->id, CODEC_RAW, path);
	IGNORE(sys_unlink(encoder->store->dir_fd, path)); /* only space */
	encoder->fd = -1;
	later_drop(encoder->store, encoder->reserved);
	encoder->reserved = 0;
	encoder->may_wait = false;
	encoder->codec_chosen = false;
	encoder->frame_count = 0;
	encoder->payload_size = 0;
	if (!raw)
		return -ENOMEM;
	for (uint64_t i = 0; r == 0 && i < count; i += part) {
		part = min_size((size_t)(count - i), BATCH_MAX);
		r = read_back(encoder, fd, i, part, raw);
		if (r == 0)
			r = flush_frames(encoder, raw, part);
	}
	return r;
}

/* May it wait, all that has come until now? */
static int consider_later(struct encoder *encoder)
{
	const uint64_t more = encoder->size - encoder->reserved;

	if (!encoder->may_wait || more == 0)
		return 0;
	if (later_reserve(encoder->store, more)) {
		encoder->reserved += more;
		encoder->codec = CODEC_RAW;
		encoder->codec_chosen = true;
		return 0;
	}
	encoder->may_wait = false;
	return encoder->reserved > 0 ? encoder_compress_now(encoder) : 0;
}

int encoder_write(struct encoder *encoder, const void *data, size_t size)
{
	const uint8_t *from = data;
	size_t part;
	int r;

	if (size > CUBBY_SIZE_MAX - encoder->size)
		return -EFBIG;
	if (size == 0)
		return 0;
	r = need_scratch(encoder);
	if (r < 0)
		return r;
	encoder->size += size;
	r = digest_take(&encoder->digest, data, size);
	if (r == 0 && size > FRAME_SIZE - encoder->raw_size)
		r = consider_later(encoder);
	if (r < 0)
		return r;
	while (size > 0) {
		/* A full frame goes out when more content comes. */
		if (encoder->raw_size == FRAME_SIZE) {
			r = flush_frame(encoder, encoder->scratch->raw);
			if (r < 0)
				return r;
			encoder->raw_size = 0;
		}
		if (encoder->raw_size == 0 && size > FRAME_SIZE) {
			part = size - size % FRAME_SIZE;
			r = flush_frames(encoder, from, part / FRAME_SIZE);
			if (r < 0)
				return r;
		} else {
			part = min_size(size, FRAME_SIZE - encoder->raw_size);
			memcpy(encoder->scratch->raw + encoder->raw_size, from,
			       part);
			encoder->raw_size += part;
		}
		from += part;
		size -= part;
	}
	return 0;
}

int encoder_append_footer(int fd, struct footer *footer,
			  const struct origin *origin,
			  struct record *ret_record)
{
	SCOPED_FREE uint8_t *bytes = NULL;
	struct check check;
	size_t size;
	int r;

	footer->path = origin->path;
	footer->path_size = (uint16_t)strlen(origin->path);
	footer->name = origin->name;
	footer->name_size = (uint16_t)strlen(origin->name);
	size = footer_encoded_size(footer);
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	footer_encode(footer, bytes, &check);
	r = sys_pwrite(fd, bytes, size, footer->payload_size);
	if (r < 0)
		return r;
	*ret_record = (struct record){
		.kind = CUBBY_ENTRY,
		.codec = footer->codec,
		.place = PLACE_BLOB,
		.mtime_ns = footer->mtime_ns,
		.size = footer->size,
		.stored_size = footer->payload_size + size,
		.check = check,
	};
	return 0;
}

int encoder_verify(struct encoder *encoder)
{
	int r = digest_verify(&encoder->digest);

	if (r == -EBADMSG)
		figures_refuse(encoder->store->figures);
	return r;
}

int encoder_finish(struct encoder *encoder, const struct origin *origin,
		   struct record *ret_record)
{
	const bool is_single = encoder->frame_count == 0;
	struct footer footer;
	const void *stored = NULL;
	size_t size = 0;
	int r = encoder_verify(encoder);

	if (r == 0) /* it may be finished once more */
		digest_done(&encoder->digest);
	/* Not what may well be small enough for the index. */
	if (r == 0 && (!is_single || encoder->raw_size > SMALL_MAX))
		r = consider_later(encoder);
	if (r == 0 && encoder->raw_size > 0)
		r = encode_frame(encoder, encoder->scratch->raw,
				 encoder->raw_size, &stored, &size);
	if (r < 0)
		return r;
	if (is_single && size <= SMALL_MAX) {
		encoder->stored = stored;
		encoder->stored_size = size;
		*ret_record = (struct record){
			.kind = CUBBY_ENTRY,
			.codec = encoder->codec,
			.place = PLACE_INDEX,
			.mtime_ns = sys_now_ns(),
			.size = encoder->size,
			.stored_size = size,
			.check = check_frame(encoder->id, 0, stored, size),
		};
		return 0;
	}
	r = append(encoder, stored, size);
	if (r < 0)
		return r;
	footer = (struct footer){
		.id = encoder->id,
		.size = encoder->size,
		.payload_size = encoder->payload_size,
		.mtime_ns = sys_now_ns(),
		.codec = encoder->codec,
		/* 0: nobody has tried. */
		.level = encoder->reserved > 0 ? 0 : (uint8_t)encoder->level,
		.frame_count = encoder->frame_count,
		.frames = encoder->frames,
	};
	r = encoder_append_footer(encoder->fd, &footer, origin, ret_record);
	if (room_was_made(encoder->store, r, FRAME_SIZE))
		r = encoder_append_footer(encoder->fd, &footer, origin,
					  ret_record);
	return r < 0 ? r
		     : durable_blob(encoder->store, encoder->id, encoder->fd);
}
