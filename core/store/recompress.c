/* SPDX-License-Identifier: MIT */
/*
 * An entry that is compressed anew becomes a new node of the same name, in the
 * way in which every entry is replaced. It could not keep its id: the record
 * and the blob file cannot be changed in the same instant, and a process that
 * is killed between the two would leave an entry whose file does not fit its
 * record. With a new id the old file is right until the commit and the new one
 * after it.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/upkeep.h"
#include "index/nodes.h"
#include "store/census.h"
#include "store/publish.h"
#include "store/reader.h"
#include "store/walk.h"
#include "sys/sys.h"

/* It changes when this part of it is saved. */
enum { SAVED_SHARE = 50 };

struct recompression {
	struct cubby *store;
	int level;
	bool is_dry;
	uint64_t total;
	cubby_recompress_fn *fn;
	void *cookie;
	uint8_t *buffer; /* one frame, and room for its stored bytes */
	struct cubby_recompress_summary summary;
};

/* The name that the node has now, and its directory's path. Returns 0, or
 * -ENOENT when it has none any more. */
static int find_name(struct cubby *store, uint64_t id, struct node *ret_node,
		     char ret_path[CUBBY_PATH_MAX + 1])
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = node_get(txn, id, ret_node);
	if (r == 0)
		r = walk_path(txn, ret_node->record.parent, ret_path);
	return r;
}

static int encode(struct recompression *work, struct cubby_reader *reader,
		  struct encoder *encoder)
{
	const uint64_t size = cubby_reader_size(reader);
	uint64_t at = 0;
	int r = 0;

	while (r == 0 && at < size) {
		ssize_t n = cubby_reader_pread(reader, work->buffer, FRAME_SIZE,
					       at);

		if (n < 0)
			return (int)n;
		at += (uint64_t)n;
		r = encoder_write(encoder, work->buffer, (size_t)n);
	}
	return r;
}

/* What encode() would store, without writing it. */
static int measure(struct recompression *work, struct cubby_reader *reader,
		   const struct origin *origin, uint64_t *ret_size)
{
	const uint64_t size = cubby_reader_size(reader);
	const struct footer footer = {
		.frame_count = footer_frame_count(size),
		.path_size = (uint16_t)strlen(origin->path),
		.name_size = (uint16_t)strlen(origin->name),
	};
	uint64_t stored = 0;
	ssize_t n = 0;

	for (uint64_t at = 0; at < size; at += FRAME_SIZE) {
		n = cubby_reader_pread(reader, work->buffer, FRAME_SIZE, at);
		if (n >= 0)
			n = codec_compress_level(work->buffer + FRAME_SIZE,
						 work->buffer, (size_t)n,
						 work->level);
		if (n < 0)
			return (int)n;
		stored += (uint64_t)n;
	}
	if (size > FRAME_SIZE || stored > SMALL_MAX)
		stored += footer_encoded_size(&footer);
	*ret_size = stored;
	return 0;
}

/* Put the new node in the place of the old one, if that is still there. */
static int replace(struct recompression *work, uint64_t old_id,
		   struct encoder *encoder, struct record *record)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct node node = {.id = 0};
	uint64_t found = 0;
	int r = update_begin(work->store, &update);

	/* What was noted of the old one goes with it. */
	if (r == 0)
		r = uses_write(&update);
	if (r == 0)
		r = node_get(update.txn, old_id, &node);
	if (r == 0)
		r = names_get(update.txn, node.record.parent, node.name,
			      node.record.name_size, &found);
	if (r == 0 && (found != old_id || node.record.kind != CUBBY_ENTRY))
		r = -ENOENT;
	if (r < 0)
		return r;
	record->mtime_ns = node.record.mtime_ns;
	record->used_ns = node.record.used_ns;
	record->added_ns = node.record.added_ns;
	record->hits = node.record.hits;
	record->rank = node.record.rank;
	record->mode = node.record.mode;
	record->uid = node.record.uid;
	record->gid = node.record.gid;
	record->name = "";
	r = publish_insert(&update, node.record.parent, node.name, encoder->id,
			   encoder, record);
	if (r == 0)
		r = update_commit(&update);
	if (r == 0)
		encoder->is_published = true;
	return r;
}

static void count(struct recompression *work, uint64_t before, uint64_t after)
{
	work->summary.changed++;
	work->summary.stored_before += before;
	work->summary.stored_after += after;
}

static bool pays(uint64_t before, uint64_t after)
{
	return after <= before - (before + SAVED_SHARE - 1) / SAVED_SHARE;
}

static int run_dry(struct recompression *work, const struct record *old,
		   struct cubby_reader *reader, const struct origin *origin)
{
	uint64_t after = 0;
	int r = measure(work, reader, origin, &after);

	if (r == 0 && pays(old->stored_size, after))
		count(work, old->stored_size, after);
	return r;
}

/* Returns 0 also for an entry that does not get smaller. */
static int run(struct recompression *work, uint64_t id,
	       const struct record *old, struct cubby_reader *reader,
	       const struct origin *origin)
{
	SCOPED_ENCODER struct encoder encoder = {.fd = -1};
	struct record record = {.kind = CUBBY_ENTRY};
	uint64_t new_id;
	int r = store_new_id(work->store, &new_id);

	if (r < 0)
		return r;
	encoder_init(&encoder, work->store, new_id);
	encoder.level = work->level;
	/* Not what the first frame says: only the sum counts. */
	encoder.codec = CODEC_ZSTD;
	encoder.codec_chosen = true;
	r = encode(work, reader, &encoder);
	if (r == 0)
		r = encoder_finish(&encoder, origin, &record);
	if (r < 0 || !pays(old->stored_size, record.stored_size))
		return r;
	if (encoder.fd >= 0)
		r = sys_fsync(encoder.fd);
	if (r == 0)
		r = replace(work, id, &encoder, &record);
	if (r == 0)
		count(work, old->stored_size, record.stored_size);
	return r;
}

static int recompress(struct recompression *work, uint64_t id,
		      const struct record *old, struct cubby_reader *reader)
{
	char path[CUBBY_PATH_MAX + 1];
	struct node node;
	const struct origin origin = {.path = path, .name = node.name};
	int r = find_name(work->store, id, &node, path);

	if (r < 0)
		return r;
	return work->is_dry ? run_dry(work, old, reader, &origin)
			    : run(work, id, old, reader, &origin);
}

static int look_at_entry(struct recompression *work, uint64_t id,
			 const struct record *record)
{
	struct cubby_reader *reader;
	int r = reader_open(work->store, id, &reader);

	if (r < 0)
		return r;
	if (record->place == PLACE_BLOB &&
	    reader_level(reader) >= (unsigned)work->level)
		work->summary.known++;
	else
		r = recompress(work, id, record, reader);
	cubby_reader_close(reader);
	return r;
}

static int look_at_node(void *cookie, uint64_t id, const struct record *record)
{
	struct recompression *work = cookie;
	int r;

	if (record->kind != CUBBY_ENTRY || record->size == 0)
		return 0;
	r = look_at_entry(work, id, record);
	switch (r) {
	case -EBADMSG:
		work->summary.damaged++;
		break;
	case 0:
	case -ENOENT: /* it is gone, or something else */
	case -EINVAL:
	case -EFBIG: /* it would not be let in by the limits of today */
	case -EPROTONOSUPPORT:
		break;
	default:
		return r;
	}
	work->summary.entries++;
	return work->fn ? work->fn(work->cookie, work->total, &work->summary)
			: 0;
}

int cubby_recompress(struct cubby *store, int level, unsigned flags,
		     cubby_recompress_fn *fn, void *cookie,
		     struct cubby_recompress_summary *ret_summary)
{
	SCOPED_FREE uint8_t *buffer =
		malloc(FRAME_SIZE + codec_bound(FRAME_SIZE));
	struct recompression work = {
		.store = store,
		.level = level,
		.is_dry = flags & CUBBY_DRY_RUN,
		.fn = fn,
		.cookie = cookie,
		.buffer = buffer,
	};
	struct cubby_stats stats;
	int r = work.is_dry ? store_verify_process(store)
			    : store_verify_writable(store);

	if (level < CUBBY_LEVEL_MIN || level > CUBBY_LEVEL_MAX ||
	    (flags & ~(unsigned)CUBBY_DRY_RUN))
		return -EINVAL;
	if (!buffer)
		return -ENOMEM;
	if (r == 0)
		r = cubby_get_stats(store, &stats);
	if (r < 0)
		return r;
	work.total = stats.entries;
	r = census_run(store, look_at_node, &work);
	if (r == 0)
		*ret_summary = work.summary;
	return r;
}
