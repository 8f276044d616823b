/* SPDX-License-Identifier: MIT */
/*
 * The file `steady`: a meta page of the data file, and which instance of the
 * file system it was on. FORMAT.md has the table.
 */
#ifndef CUBBY_SNAPSHOT_H
#define CUBBY_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"

enum {
	SNAPSHOT_PAGE_MAX = 65536,
	SNAPSHOT_BOOT_ID_SIZE = 36,
};

/* What is in the page cache of one instance is not in that of another. */
struct instance {
	char boot_id[SNAPSHOT_BOOT_ID_SIZE];
	uint64_t mount;
};

struct snapshot {
	struct instance instance;
	size_t page_size;
	uint8_t page[SNAPSHOT_PAGE_MAX];
};

/* The instance that the directory `path` is on now. */
CUBBY_MUST_CHECK int instance_get(const char *path,
				  struct instance *ret_instance);
bool instance_equal(const struct instance *a, const struct instance *b);

/* The number of the transaction that wrote a meta page. */
uint64_t snapshot_txnid(const uint8_t *page);

/* Read the file in the directory `path`. Returns 0, -ENOENT, -EBADMSG, or an
 * error of the disk. */
CUBBY_MUST_CHECK int snapshot_read(const char *path,
				   struct snapshot *ret_snapshot);
/* Replace it atomically; it is on the disk when this returns. */
CUBBY_MUST_CHECK int snapshot_write(const char *path,
				    const struct snapshot *snapshot);

#endif
