/* SPDX-License-Identifier: MIT */
/*
 * A store of a test with one namespace open, and what tests do with entries by
 * the public interface.
 */
#ifndef TESTS_BOX_H
#define TESTS_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "cubby/tree.h"

struct box {
	char *path;  /* the directory of the store */
	char *space; /* the path of the namespace */
	struct cubby *store;
	struct cubby_ns *ns;
};

/* A new store in the scratch directory; `space` is the namespace to open. */
void box_new(struct box *box, const char *space);

/* Open the store at `path`, made when missing: a second handle, or a process
 * of its own. */
void box_open(struct box *box, const char *path, const char *space);

/* Close it and free what the structure holds. */
void box_close(struct box *box);

/* Close it and open it again. */
void box_reopen(struct box *box);

/* An entry's name made of a number: 64 digits; four static texts. */
const char *name_of(unsigned number);

/* The key that has this name. */
struct cubby_key key_of(unsigned number);

/* Add an entry through a writer. The result is that of the library. */
int box_try_add(const struct box *box, const char *name, const void *data,
		size_t size);

/* The same, which must succeed. */
void box_add(const struct box *box, const char *name, const void *data,
	     size_t size);

/* Make a directory, or a plain file, of the user 1000 and the group 1001. */
struct cubby_attr box_make_dir(const struct box *box, uint64_t parent,
			       const char *name);
struct cubby_attr box_make_file(const struct box *box, uint64_t parent,
				const char *name, const void *data,
				size_t size);

/* Delete an entry. */
void box_delete(const struct box *box, const char *name);

/* Add and delete `count` entries of `size` bytes. */
void box_come_and_go(const struct box *box, unsigned count, size_t size);

/* A mount that has them open does so, and is killed. */
void box_leave_displaced(const struct box *box, unsigned count, size_t size);

/*
 * Get a whole entry: 0, and its content in `*ret_data` (to be freed) and
 * `*ret_size`; or the error of the get or of the read.
 */
int box_get(const struct box *box, const char *name, uint8_t **ret_data,
	    size_t *ret_size);

/* Does the entry hold exactly these bytes? */
bool box_has(const struct box *box, const char *name, const void *data,
	     size_t size);

/* Is it a miss? Anything but a hit or a miss fails the test. */
bool box_misses(const struct box *box, const char *name);

/* All of the rest of a reader is exactly these bytes. */
bool reader_is(struct cubby_reader *reader, const void *data, size_t size);

/* Totals. */
struct cubby_stats box_stats(const struct box *box);

/* Attributes of a name in the namespace. */
struct cubby_attr box_attr(const struct box *box, const char *name);

/* Does the store have the entry name_of(i)? Asking is no use of it. */
bool box_knows(const struct box *box, unsigned i);

/* Get the entry name_of(i), which must be there. */
void box_use(const struct box *box, unsigned i);

/* Set this limit alone: every use counts, and nothing is protected. */
void box_limit(const struct box *box, uint64_t max_size);

#endif
