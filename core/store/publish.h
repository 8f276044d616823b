/* SPDX-License-Identifier: MIT */
/*
 * How an entry comes into being: the one place where content becomes stored
 * bytes. The caller then names it, in one update.
 */
#ifndef CUBBY_PUBLISH_H
#define CUBBY_PUBLISH_H

#include "store/encoder.h"
#include "store/update.h"

/*
 * Content on its way to be published: what was encoded, and the draft's file
 * when that was made a blob as it is.
 */
struct publication {
	struct encoder encoder;
	struct record record; /* without name and owner */
	bool is_adopted; /* the draft's file got a footer and a second name */
	uint64_t adopted_size; /* of its content */
	int draft_fd;
};

/* To be ended like any other. */
#define PUBLICATION_NONE                                                       \
	{                                                                      \
		.encoder = {.fd = -1}, .draft_fd = -1                          \
	}

/*
 * Encode the file of the draft or plain node `id`, open as `fd`, that will be
 * `name` in the directory `parent`. Content that does not compress is not
 * copied: the file is adopted, and so is what is to be compressed later.
 * The caller ends with publication_done(), after durable_published() if
 * the record has been committed.
 */
CUBBY_MUST_CHECK int publication_from_draft(struct publication *publication,
					    struct cubby *store, uint64_t id,
					    int fd, uint64_t parent,
					    const char *name);

/* Give an encoded entry its name: within an update. */
CUBBY_MUST_CHECK int publish_insert(struct update *update, uint64_t parent,
				    const char *name, uint64_t id,
				    const struct encoder *encoder,
				    const struct record *record);

void publication_done(struct publication *publication);
#define SCOPED_PUBLICATION __attribute__((cleanup(publication_done)))

#endif
