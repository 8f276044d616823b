/* SPDX-License-Identifier: MIT */
/*
 * Content to stored bytes: cut into frames, compressed, checked, and put where
 * it belongs by its size. What an encoder makes has no name: nobody can see it
 * before the caller inserts its record.
 */
#ifndef CUBBY_ENCODER_H
#define CUBBY_ENCODER_H

#include "format/footer.h"
#include "format/record.h"
#include "index/nodes.h"
#include "store/digest.h"
#include "store/layout.h"
#include "store/store.h"

enum {
	/* Stored bytes up to here live in the index. A file of its own would
	 * take a block and an inode, and an open on every get. */
	SMALL_MAX = SMALL_BYTES_MAX,
};

struct scratch;

struct encoder {
	struct cubby *store;
	uint64_t id;
	enum codec codec;
	bool codec_chosen;
	int level;		 /* of compression: may be set after init */
	uint64_t size;		 /* bytes taken so far */
	uint64_t payload_size;	 /* bytes written to the blob file */
	struct scratch *scratch; /* on demand */
	size_t raw_size;	 /* of the frame that is being filled */
	const uint8_t *stored;	 /* of an entry in the index */
	size_t stored_size;
	struct frame *frames;
	uint64_t frame_count;
	uint64_t frame_capacity;
	struct digest digest; /* may be begun after init */
	int fd;		      /* of the blob file, or -1 */
	bool is_published;    /* the blob file belongs to a node */
	uint64_t draft_id;    /* not 0: write this draft's file instead */
	bool may_wait;	      /* for later.c: may be set after init */
	uint64_t reserved;    /* of its queue: then it is stored as it is */
};

/* Where an entry is published, kept in its footer. Both may be empty. */
struct origin {
	const char *path;
	const char *name;
};

/* The caller ends with encoder_done(). */
void encoder_init(struct encoder *encoder, struct cubby *store, uint64_t id);

/* Append content. -EFBIG beyond CUBBY_SIZE_MAX. */
CUBBY_MUST_CHECK int encoder_write(struct encoder *encoder, const void *data,
				   size_t size);

/* No more content; for who makes the stored bytes himself. Returns 0, or
 * -EBADMSG, which is counted, when it is not what its name says. */
CUBBY_MUST_CHECK int encoder_verify(struct encoder *encoder);

/*
 * The same, and make the stored bytes. `*ret_record` is an entry's record
 * without name and owner; with PLACE_INDEX its bytes are encoder->stored.
 */
CUBBY_MUST_CHECK int encoder_finish(struct encoder *encoder,
				    const struct origin *origin,
				    struct record *ret_record);

/* It is stored as it is, and does not fit anywhere: compress it now after all.
 * Then it can be finished once more. */
CUBBY_MUST_CHECK int encoder_compress_now(struct encoder *encoder);

/* Deletes the blob file unless encoder->is_published; then it is queued if it
 * is to be compressed. */
void encoder_done(struct encoder *encoder);
#define SCOPED_ENCODER __attribute__((cleanup(encoder_done)))

/* Append the footer to a file that holds the payload: what makes it a blob. The
 * names of `footer` are taken from `origin`. */
CUBBY_MUST_CHECK int encoder_append_footer(int fd, struct footer *footer,
					   const struct origin *origin,
					   struct record *ret_record);

#endif
