/* SPDX-License-Identifier: MIT */
/*
 * The names of files in a store: all of them, and only here. They are made of
 * ids; what a client names never becomes part of a path.
 */
#ifndef CUBBY_LAYOUT_H
#define CUBBY_LAYOUT_H

#include <stdint.h>

#include "format/codec.h"

enum {
	LAYOUT_PATH_SIZE = 40,
	/* The byte of a blob or a draft that who makes it has locked. */
	LAYOUT_WRITER_LOCK = 0,
};

#define LAYOUT_INDEX "index"
#define LAYOUT_INDEX_DATA "index/data.mdb"
#define LAYOUT_BLOBS "blobs"
#define LAYOUT_DRAFTS "drafts"
#define LAYOUT_QUARANTINE "quarantine"
#define LAYOUT_FIGURES "figures"

enum { LAYOUT_SHARDS = 256 };

/* The number of the directory of a blob. */
unsigned layout_shard(uint64_t id);

/* Raw and compressed bytes of one node have different names, so that the one
 * can take the place of the other without a moment in which the record and the
 * file do not fit. */
void layout_blob(uint64_t id, enum codec codec,
		 char ret_path[LAYOUT_PATH_SIZE]);
/* The directory of layout_blob(). */
void layout_blob_directory(uint64_t id, char ret_path[LAYOUT_PATH_SIZE]);
/* Drafts and plain files. */
void layout_draft(uint64_t id, char ret_path[LAYOUT_PATH_SIZE]);
void layout_quarantine(uint64_t id, char ret_path[LAYOUT_PATH_SIZE]);

#endif
