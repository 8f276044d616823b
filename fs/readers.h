/* SPDX-License-Identifier: MIT */
/*
 * A few open entries, so that the parts of a large entry are not each read
 * with an open of its own.
 */
#ifndef CUBBYFS_READERS_H
#define CUBBYFS_READERS_H

#include "mount.h"

struct readers;

CUBBY_MUST_CHECK int readers_new(struct readers **ret_readers);

/* Close all. Accepts NULL. */
void readers_free(struct readers *readers);

/* Read from the entry `id`: as cubby_open_entry() and cubby_reader_pread(). */
CUBBY_MUST_CHECK ssize_t readers_read(struct readers *readers,
				      struct cubby *store, uint64_t id,
				      void *buffer, size_t size,
				      uint64_t offset);

/* Is the entry `id` right, as far as opening it tells? What is read for that is
 * kept for the reads that most often follow. Returns as cubby_open_entry(). */
CUBBY_MUST_CHECK int readers_verify(struct readers *readers,
				    struct cubby *store, uint64_t id);

/* Close those that nobody has used for some seconds. */
void readers_drop_idle(struct readers *readers);

/* Close that of `id`, which is no entry any more. */
void readers_drop(struct readers *readers, uint64_t id);

#endif
