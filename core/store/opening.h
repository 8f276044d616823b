/* SPDX-License-Identifier: MIT */
/*
 * What an open entry is: opening.c finds and checks it, reader.c reads it, and
 * nobody else looks inside.
 */
#ifndef CUBBY_OPENING_H
#define CUBBY_OPENING_H

#include <pthread.h>

#include "format/footer.h"
#include "format/record.h"
#include "store/reader.h"

#define READER_NO_FRAME UINT64_MAX

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

/* What is wrong with an entry that could not be opened. */
struct damage {
	bool is_lost;	    /* its file is gone */
	struct record seen; /* without its name */
};

/* Open an entry without a consequence of damage. `record` may be NULL, or what
 * `*txn` says of the node; that transaction ends. */
CUBBY_MUST_CHECK int opening_try(struct cubby *store, uint64_t id,
				 struct index_txn **txn,
				 const struct record *record,
				 struct cubby_reader **ret_reader,
				 struct damage *ret_damage);

/* From now on the reader has this content, decoded: `content` becomes its own.
 */
void opening_take_content(struct cubby_reader *reader, uint8_t *content,
			  size_t size, const struct check *check);

/* Is the checksum of these stored bytes that of the frame? */
bool opening_frame_is_right(const struct cubby_reader *reader, uint64_t index,
			    const uint8_t *stored);

/* -EBADMSG: the file is shorter than that. */
CUBBY_MUST_CHECK int opening_read_exactly(int fd, void *buffer, size_t size,
					  uint64_t offset);

#endif
