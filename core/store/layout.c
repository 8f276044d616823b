/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "base/base.h"
#include "store/layout.h"

/* Ids in a row spread over all directories, and so do the first ids of the
 * batches that handles reserve. */
unsigned layout_shard(uint64_t id)
{
	return (unsigned)((id ^ id >> 8) % LAYOUT_SHARDS);
}

void layout_blob(uint64_t id, enum codec codec, char ret_path[LAYOUT_PATH_SIZE])
{
	(void)snprintf(ret_path, LAYOUT_PATH_SIZE,
		       LAYOUT_BLOBS "/%02x/%016" PRIx64 "%s", layout_shard(id),
		       id, codec == CODEC_RAW ? ".raw" : "");
}

void layout_blob_directory(uint64_t id, char ret_path[LAYOUT_PATH_SIZE])
{
	(void)snprintf(ret_path, LAYOUT_PATH_SIZE, LAYOUT_BLOBS "/%02x",
		       layout_shard(id));
}

void layout_draft(uint64_t id, char ret_path[LAYOUT_PATH_SIZE])
{
	(void)snprintf(ret_path, LAYOUT_PATH_SIZE, LAYOUT_DRAFTS "/%016" PRIx64,
		       id);
}

void layout_quarantine(uint64_t id, char ret_path[LAYOUT_PATH_SIZE])
{
	(void)snprintf(ret_path, LAYOUT_PATH_SIZE,
		       LAYOUT_QUARANTINE "/%016" PRIx64, id);
}
