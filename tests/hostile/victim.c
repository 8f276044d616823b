/* SPDX-License-Identifier: MIT */
/* Entries that are damaged: see victim.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"
#include "store/layout.h"
#include "victim.h"

static const struct {
	const char *name;
	size_t size;
} shapes[] = {
	[SHAPE_SMALL_RAW] = {"small raw, in the index", 7000},
	[SHAPE_SMALL_ZSTD] = {"small zstd, in the index", 8192},
	[SHAPE_BLOB_RAW] = {"blob, one raw frame", 17000},
	[SHAPE_BLOB_ZSTD] = {"blob, one zstd frame", 131072},
	[SHAPE_FRAMES_ZSTD] = {"blob, three zstd frames", 300000},
	[SHAPE_FRAMES_RAW] = {"blob, three raw frames", 300000},
	[SHAPE_LARGE] = {"blob checked by the frame", 1200000},
	[SHAPE_RECORD_SMALL] = {"record of a small one", 5000},
	[SHAPE_RECORD_BLOB] = {"record of a blob", 17001},
};

const char *shape_name(enum shape shape)
{
	return shapes[shape].name;
}

uint8_t *shape_content(enum shape shape, unsigned seed, size_t *ret_size)
{
	const size_t size = shapes[shape].size;
	uint8_t *content;

	*ret_size = size;
	switch (shape) {
	case SHAPE_SMALL_ZSTD:
	case SHAPE_BLOB_ZSTD:
	case SHAPE_RECORD_SMALL:
		return sample_new(SAMPLE_TEXT, seed, size);
	case SHAPE_FRAMES_ZSTD:
		content = malloc(size);
		MUST(content != NULL);
		sample_piece(seed, 0, content, size);
		return content;
	default:
		return sample_new(SAMPLE_NOISE, seed, size);
	}
}

static bool is_record(enum shape shape)
{
	return shape == SHAPE_RECORD_SMALL || shape == SHAPE_RECORD_BLOB;
}

static bool is_small(enum shape shape)
{
	return shape == SHAPE_SMALL_RAW || shape == SHAPE_SMALL_ZSTD;
}

enum codec shape_codec(enum shape shape)
{
	return shape == SHAPE_BLOB_ZSTD || shape == SHAPE_FRAMES_ZSTD
		       ? CODEC_ZSTD
		       : CODEC_RAW;
}

/* Where the bytes of a victim in the index are. A small one has a second row
 * for what is beyond PART_MAX. */
enum { KEY_SIZE = 8, PART_KEY_SIZE = KEY_SIZE + 1, PART_MAX = 4096 - 16 };

/* The key of the record, or of a part, from 1 on, of the bytes. */
static size_t row_key(const struct victim *victim, unsigned part,
		      uint8_t ret_key[PART_KEY_SIZE])
{
	put_be64(ret_key, victim->id);
	ret_key[KEY_SIZE] = (uint8_t)part;
	return is_record(victim->shape) ? KEY_SIZE : PART_KEY_SIZE;
}

static void append_value(struct victim *victim, const MDB_val *value)
{
	victim->stored =
		realloc(victim->stored, victim->stored_size + value->mv_size);
	MUST(victim->stored != NULL);
	memcpy(victim->stored + victim->stored_size, value->mv_data,
	       value->mv_size);
	victim->stored_size += value->mv_size;
}

static void read_value(struct crime_scene *scene, struct victim *victim)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint8_t key[PART_KEY_SIZE];
	size_t key_size;
	MDB_val value;

	key_size = row_key(victim, 1, key);
	MUST_DO(index_read(scene->index, &txn));
	MUST_DO(lmdb_get(txn, TABLE_NODES, key, key_size, &value));
	append_value(victim, &value);
	key_size = row_key(victim, 2, key);
	if (is_small(victim->shape) &&
	    lmdb_get(txn, TABLE_NODES, key, key_size, &value) == 0)
		append_value(victim, &value);
}

static void read_blob(struct crime_scene *scene, struct victim *victim)
{
	char blob[LAYOUT_PATH_SIZE];
	char *path;

	layout_blob(victim->id, shape_codec(victim->shape), blob);
	path = text_new("%s/%s", scene->box.path, blob);
	victim->stored = file_read(path, &victim->stored_size);
	MUST(victim->stored != NULL);
	victim->fd = open(path, O_RDWR | O_CLOEXEC);
	MUST(victim->fd >= 0);
	free(path);
}

void crime_scene_new(struct crime_scene *scene)
{
	char *path;
	char *index;

	path = scratch_path("store%d", (int)getpid());
	box_open(&scene->box, path, "ns");
	for (unsigned i = 0; i < SHAPE_COUNT; i++) {
		struct victim *victim = &scene->victims[i];

		*victim = (struct victim){.shape = (enum shape)i, .fd = -1};
		strcpy(victim->name, name_of(i));
		victim->content =
			shape_content(victim->shape, i, &victim->size);
		box_add(&scene->box, victim->name, victim->content,
			victim->size);
		victim->id = box_attr(&scene->box, victim->name).id;
	}
	index = text_new("%s/index", path);
	box_close(&scene->box);
	MUST_DO(index_open(index, false, false, &scene->index));
	scene->box.path = path;
	scene->box.space = text_new("ns");
	MUST_DO(cubby_open(path, CUBBY_READ_ONLY, &scene->box.store));
	MUST_DO(cubby_ns_open(scene->box.store, "ns", &scene->box.ns));
	for (unsigned i = 0; i < SHAPE_COUNT; i++) {
		if (is_small((enum shape)i) || is_record((enum shape)i))
			read_value(scene, &scene->victims[i]);
		else
			read_blob(scene, &scene->victims[i]);
		MUST_BE(victim_get(scene, &scene->victims[i], 0), 1);
	}
	free(index);
}

void crime_scene_free(struct crime_scene *scene)
{
	for (unsigned i = 0; i < SHAPE_COUNT; i++) {
		free(scene->victims[i].content);
		free(scene->victims[i].stored);
		if (scene->victims[i].fd >= 0)
			MUST(close(scene->victims[i].fd) == 0);
	}
	box_close(&scene->box);
	index_close(scene->index);
}

void victim_put(struct crime_scene *scene, const struct victim *victim,
		const uint8_t *bytes, size_t size)
{
	const size_t first =
		is_small(victim->shape) ? min_size(size, PART_MAX) : size;
	uint8_t key[PART_KEY_SIZE];
	size_t key_size;
	struct index_txn *txn;
	int r = 0;

	if (victim->fd >= 0) {
		MUST_BE(pwrite(victim->fd, bytes, size, 0), size);
		MUST(ftruncate(victim->fd, (off_t)size) == 0);
		return;
	}
	MUST_DO(index_write(scene->index, &txn));
	key_size = row_key(victim, 1, key);
	MUST_DO(lmdb_put(txn, TABLE_NODES, key, key_size, bytes, first));
	key_size = row_key(victim, 2, key);
	if (size > first)
		r = lmdb_put(txn, TABLE_NODES, key, key_size, bytes + first,
			     size - first);
	else if (is_small(victim->shape))
		r = lmdb_delete(txn, TABLE_NODES, key, key_size);
	MUST(r == 0 || r == -ENOENT);
	MUST_DO(index_commit(txn));
}

int victim_get(struct crime_scene *scene, const struct victim *victim,
	       uint64_t seed)
{
	static uint8_t *got;
	static size_t room;
	struct cubby_reader *reader;
	ssize_t n;
	int r = cubby_get_name(scene->box.ns, victim->name, &reader);

	if (r < 0)
		return r;
	if (room < victim->size + 1) {
		room = victim->size + 1;
		free(got);
		got = malloc(room);
		MUST(got != NULL);
	}
	n = cubby_reader_read(reader, got, victim->size + 1);
	cubby_reader_close(reader);
	if (n < 0)
		return (int)n;
	if ((size_t)n != victim->size ||
	    memcmp(got, victim->content, victim->size) != 0)
		must_fail(__FILE__, __LINE__,
			  "WRONG BYTES: %s, seed %" PRIu64
			  ": %zd bytes instead of %zu",
			  shape_name(victim->shape), seed, n, victim->size);
	return 1;
}
