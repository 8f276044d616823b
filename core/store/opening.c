/* SPDX-License-Identifier: MIT */
/*
 * Finding an entry, and checking it. What the checks are is said in reader.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/nodes.h"
#include "store/layout.h"
#include "store/opening.h"
#include "store/quarantine.h"
#include "sys/sys.h"

enum { WHOLE_MAX = 1024 * 1024 }; /* see reader.c */

static struct cubby_reader *reader_new(struct cubby *store, uint64_t id)
{
	struct cubby_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->store = store;
	reader->id = id;
	reader->fd = -1;
	reader->kept_index = READER_NO_FRAME;
	pthread_mutex_init(&reader->lock, NULL);
	return reader;
}

bool opening_frame_is_right(const struct cubby_reader *reader, uint64_t index,
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
	if (!opening_frame_is_right(reader, 0, reader->payload))
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
		if (!opening_frame_is_right(reader, i,
					    reader->payload +
						    reader->frames[i].offset))
			r = -EBADMSG;
	return r;
}

int opening_read_exactly(int fd, void *buffer, size_t size, uint64_t offset)
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
	int r = opening_read_exactly(fd, tail, sizeof(tail),
				     record->stored_size - sizeof(tail));

	if (r == 0)
		r = footer_find(tail, record->stored_size, &size);
	if (r != 0)
		return r;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	r = opening_read_exactly(fd, bytes, size, record->stored_size - size);
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

int opening_try(struct cubby *store, uint64_t id, struct index_txn **txn,
		const struct record *record, struct cubby_reader **ret_reader,
		struct damage *ret_damage)
{
	struct cubby_reader *reader = reader_new(store, id);
	int r;

	if (!reader)
		return -ENOMEM;
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
	int r = opening_try(store, id, txn, record, ret_reader, &damage);

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

void opening_take_content(struct cubby_reader *reader, uint8_t *content,
			  size_t size, const struct check *check)
{
	free(reader->payload);
	reader->payload = content;
	reader->record.kind = CUBBY_ENTRY;
	reader->record.codec = CODEC_RAW;
	reader->record.place = PLACE_INDEX;
	reader->record.size = reader->record.stored_size = size;
	reader->record.check = *check;
	reader->only =
		(struct frame){.stored_size = (uint32_t)size, .check = *check};
	reader->frames = &reader->only;
	reader->frame_count = footer_frame_count(size);
}

int reader_open_content(struct cubby *store, uint64_t id, uint8_t *content,
			size_t size, const struct check *check,
			struct cubby_reader **ret_reader)
{
	struct cubby_reader *reader = reader_new(store, id);

	if (!reader) {
		free(content);
		return -ENOMEM;
	}
	opening_take_content(reader, content, size, check);
	if (!opening_frame_is_right(reader, 0, content)) {
		cubby_reader_close(reader);
		return -EBADMSG;
	}
	*ret_reader = reader;
	return 0;
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
