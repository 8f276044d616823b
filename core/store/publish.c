/* SPDX-License-Identifier: MIT */
/*
 * Adopting: a file whose content does not compress gets a footer and a second
 * name below blobs/. Until the update is committed the first name stays, so
 * that a failure can cut the footer off again and nothing is lost. A process
 * that dies in between leaves a temporary file with a footer, or the beginning
 * of one, behind its content; it is not an entry, and whoever publishes it next
 * cuts that off. Content that ends where the beginning could not be told is
 * copied.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/nodes.h"
#include "store/durable.h"
#include "store/later.h"
#include "store/publish.h"
#include "store/walk.h"
#include "sys/sys.h"

/* What is no longer than this was never adopted, by no version. */
enum { NEVER_ADOPTED = 8160 };

/* Does the frame at `offset` compress? Returns 1, 0, or an error. */
static int frame_pays(int fd, uint64_t offset, uint8_t *raw, uint8_t *stored)
{
	ssize_t size = sys_pread(fd, raw, FRAME_SIZE, offset);
	ssize_t made;

	if (size <= 0)
		return size < 0 ? (int)size : 1;
	made = codec_compress(stored, raw, (size_t)size);
	if (made < 0)
		return (int)made;
	return codec_pays((size_t)made, (size_t)size);
}

/* The first frame and the one in the middle tell: an archive may begin with
 * what does not compress. Returns 1, 0, or an error. */
static int file_pays(int fd, uint64_t size)
{
	SCOPED_FREE uint8_t *raw = malloc(FRAME_SIZE);
	SCOPED_FREE uint8_t *stored = malloc(codec_bound(FRAME_SIZE));
	int r;

	if (!raw || !stored)
		return -ENOMEM;
	r = frame_pays(fd, 0, raw, stored);
	if (r == 0 && size > 2 * FRAME_SIZE)
		r = frame_pays(fd, size / FRAME_SIZE / 2 * FRAME_SIZE, raw,
			       stored);
	return r;
}

/* Fill the frame table of raw content. */
static int check_file(int fd, struct footer *footer, struct digest *digest)
{
	/* A smaller one than a frame's does not come from the kernel. */
	SCOPED_FREE uint8_t *raw =
		malloc(footer->size < FRAME_SIZE ? (size_t)footer->size + 1
						 : FRAME_SIZE);
	int r;

	if (!raw)
		return -ENOMEM;
	for (uint64_t i = 0; i < footer->frame_count; i++) {
		size_t size = footer_frame_size(footer->size, i);
		ssize_t n = sys_pread(fd, raw, size, i * FRAME_SIZE);

		if (n < 0)
			return (int)n;
		if ((size_t)n != size)
			return -EIO; /* it has been truncated meanwhile */
		footer->frames[i].stored_size = (uint32_t)size;
		footer->frames[i].check = check_frame(footer->id, i, raw, size);
		r = digest_take(digest, raw, size);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Give the file of the draft its second name. */
static int link_blob(struct cubby *store, uint64_t id)
{
	char from[LAYOUT_PATH_SIZE];
	char to[LAYOUT_PATH_SIZE];
	int r;

	layout_draft(id, from);
	layout_blob(id, CODEC_RAW, to);
	r = sys_link(store->dir_fd, from, to);
	if (r == -ENOENT) {
		layout_blob_directory(id, to);
		r = sys_mkdir(store->dir_fd, to);
		if (r < 0 && r != -EEXIST)
			return r;
		layout_blob(id, CODEC_RAW, to);
		r = sys_link(store->dir_fd, from, to);
	}
	if (r != -EEXIST)
		return r;
	/* A dead process's leavings, from before the id was published. */
	r = sys_unlink(store->dir_fd, to);
	return r < 0 ? r : sys_link(store->dir_fd, from, to);
}

static int adopt(struct publication *publication, uint64_t id, uint64_t size,
		 const struct origin *origin)
{
	SCOPED_FREE struct frame *frames = NULL;
	struct footer footer = {
		.id = id,
		.size = size,
		.payload_size = size,
		.mtime_ns = sys_now_ns(),
		.codec = CODEC_RAW,
		.frame_count = footer_frame_count(size),
	};
	int r;

	frames = calloc((size_t)footer.frame_count, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	footer.frames = frames;
	r = check_file(publication->draft_fd, &footer,
		       &publication->encoder.digest);
	if (r == 0)
		r = encoder_verify(&publication->encoder);
	if (r < 0)
		return r;
	publication->is_adopted = true;
	publication->adopted_size = size;
	r = encoder_append_footer(publication->draft_fd, &footer, origin,
				  &publication->record);
	if (r == 0)
		r = link_blob(publication->encoder.store, id);
	if (r < 0)
		return r;
	r = durable_blob(publication->encoder.store, id, publication->draft_fd);
	/* Unlike a blob that was made for it the file lives on, and may be
	 * published once more. */
	if (r < 0)
		IGNORE(sys_write_again(publication->draft_fd));
	return r;
}

/* `expected` is how long the file was a moment ago. One byte more than that is
 * asked for, so that a small file is read by one call. */
static int encode_file(struct encoder *encoder, int fd, uint64_t expected)
{
	size_t capacity =
		expected < FRAME_SIZE ? (size_t)expected + 1 : FRAME_SIZE;
	SCOPED_FREE uint8_t *raw = malloc(capacity);
	ssize_t size;
	int r;

	if (!raw)
		return -ENOMEM;
	do {
		size = sys_pread(fd, raw, capacity, encoder->size);
		if (size <= 0)
			return (int)size;
		r = encoder_write(encoder, raw, (size_t)size);
	} while (r == 0 && (size_t)size == capacity);
	return r;
}

/* Is there the footer of this very node, or a part of it? `*ret_size` is of
 * what comes before it. Returns 1, 0, or an error. */
static int find_own_footer(int fd, uint64_t id, uint64_t file_size,
			   uint64_t *ret_size)
{
	const size_t max = footer_size_max(file_size);
	const uint64_t offset = file_size - max;
	SCOPED_FREE uint8_t *bytes = malloc(max);
	ssize_t n;

	CHECK(file_size > max); /* as it is longer than NEVER_ADOPTED */
	if (!bytes)
		return -ENOMEM;
	n = sys_pread(fd, bytes, max, offset);
	if (n < 0)
		return (int)n;
	*ret_size = footer_find_begun(bytes, (size_t)n, offset, id);
	return *ret_size > 0;
}

static int drop_own_footer(int fd, uint64_t id, struct stat *file)
{
	uint64_t size = 0;
	int r;

	if (file->st_size <= NEVER_ADOPTED)
		return 0;
	r = find_own_footer(fd, id, (uint64_t)file->st_size, &size);
	if (r <= 0)
		return r;
	r = sys_truncate(fd, size);
	if (r == 0)
		file->st_size = (off_t)size;
	return r;
}

static int from_file(struct publication *publication, uint64_t id, int fd,
		     const struct origin *origin)
{
	struct stat file;
	bool can_adopt;
	int pays;
	int r = sys_fstat(fd, &file);

	if (r == 0)
		r = drop_own_footer(fd, id, &file);
	if (r < 0)
		return r;
	if ((uint64_t)file.st_size > CUBBY_SIZE_MAX)
		return -EFBIG;
	can_adopt = file.st_size > SMALL_MAX &&
		    footer_begins_at_once((uint64_t)file.st_size);
	if (can_adopt &&
	    later_reserve(publication->encoder.store, (uint64_t)file.st_size)) {
		publication->encoder.reserved = (uint64_t)file.st_size;
		return adopt(publication, id, (uint64_t)file.st_size, origin);
	}
	if (can_adopt) {
		pays = file_pays(fd, (uint64_t)file.st_size);
		if (pays < 0)
			return pays;
		if (!pays)
			return adopt(publication, id, (uint64_t)file.st_size,
				     origin);
	}
	r = encode_file(&publication->encoder, fd, (uint64_t)file.st_size);
	if (r == 0)
		r = encoder_finish(&publication->encoder, origin,
				   &publication->record);
	return r;
}

int publication_from_draft(struct publication *publication, struct cubby *store,
			   uint64_t id, int fd, uint64_t parent,
			   const char *name)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	char path[CUBBY_PATH_MAX + 1];
	int r = index_read(store->index, &txn);

	*publication = (struct publication){.draft_fd = fd};
	encoder_init(&publication->encoder, store, id);
	if (r == 0)
		r = walk_path(txn, parent, path);
	if (r == 0)
		r = digest_begin(&publication->encoder.digest, txn, parent,
				 name);
	index_end(TAKE(txn));
	if (r < 0)
		return r;
	return from_file(publication, id, fd,
			 &(struct origin){.path = path, .name = name});
}

int publish_insert(struct update *update, uint64_t parent, const char *name,
		   uint64_t id, const struct encoder *encoder,
		   const struct record *record)
{
	int r = update_insert(update, parent, name, strlen(name), id, record);

	if (r == 0 && record->place == PLACE_INDEX && encoder->stored_size > 0)
		r = small_put(update->txn, id, encoder->stored,
			      encoder->stored_size);
	return r;
}

void publication_done(struct publication *publication)
{
	struct encoder *encoder = &publication->encoder;
	char path[LAYOUT_PATH_SIZE];

	if (publication->is_adopted && !encoder->is_published) {
		layout_blob(encoder->id, CODEC_RAW, path);
		/* If even this fails, the file keeps its footer and may serve
		 * as a longer temporary file: never as an entry. */
		IGNORE(sys_unlink(encoder->store->dir_fd, path));
		IGNORE(sys_truncate(publication->draft_fd,
				    publication->adopted_size));
	}
	encoder_done(encoder);
}
