/* SPDX-License-Identifier: MIT */
/*
 * Blobs that are whole and right, in the wrong place: ten thousand times the
 * file of another entry, of an older version of the same name, or of another
 * store, where the same id and the same name have other content.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "format/name.h"
#include "format/record.h"
#include "index/lmdb_index.h"
#include "must.h"
#include "mutate.h"
#include "scratch.h"
#include "store/layout.h"
#include "victim.h"

enum { ENTRIES = 48, SWAPS = 10000, DEEP_FACTOR = 40, CYCLES = 600 };
enum source { SOURCE_ENTRY, SOURCE_OLD, SOURCE_STORE, SOURCE_COUNT };

static const enum shape shapes[] = {SHAPE_BLOB_RAW, SHAPE_BLOB_ZSTD,
				    SHAPE_FRAMES_ZSTD};

struct store {
	struct box box;
	uint8_t *content[ENTRIES];
	size_t size[ENTRIES];
	char *blob[ENTRIES]; /* the file of the version that counts */
	char *old[ENTRIES];  /* a copy of the file of the one before */
};

static char *blob_of(const struct store *store, unsigned i)
{
	char blob[LAYOUT_PATH_SIZE];

	layout_blob(box_attr(&store->box, name_of(i)).id,
		    shape_codec(shapes[i % ARRAY_SIZE(shapes)]), blob);
	return text_new("%s/%s", store->box.path, blob);
}

static void copy(const char *from, const char *to)
{
	size_t size;
	uint8_t *bytes = file_read(from, &size);

	MUST(bytes != NULL);
	file_write(to, bytes, size);
	free(bytes);
}

/* Two stores that are made alike have the same ids. */
static void store_new(struct store *store, unsigned seed)
{
	box_new(&store->box, "ns");
	for (unsigned i = 0; i < ENTRIES; i++) {
		const enum shape shape = shapes[i % ARRAY_SIZE(shapes)];
		uint8_t *old =
			shape_content(shape, seed + 2 * i, &store->size[i]);
		char *blob;

		box_add(&store->box, name_of(i), old, store->size[i]);
		blob = blob_of(store, i);
		store->old[i] = scratch_path("old%u.%u", seed, i);
		copy(blob, store->old[i]);
		store->content[i] =
			shape_content(shape, seed + 2 * i + 1, &store->size[i]);
		box_add(&store->box, name_of(i), store->content[i],
			store->size[i]);
		store->blob[i] = blob_of(store, i);
		free(old);
		free(blob);
	}
}

static void store_free(struct store *store)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		free(store->content[i]);
		free(store->blob[i]);
		free(store->old[i]);
	}
	box_close(&store->box);
}

static void exchange(const char *a, const char *b)
{
	MUST(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0);
}

/* Wrong bytes fail the test. */
static int get(const struct store *store, unsigned i)
{
	uint8_t *data;
	size_t size;
	int r = box_get(&store->box, name_of(i), &data, &size);

	if (r < 0)
		return r;
	if (size != store->size[i] ||
	    memcmp(data, store->content[i], size) != 0)
		must_fail(__FILE__, __LINE__, "WRONG BYTES of entry %u", i);
	free(data);
	return 0;
}

/* The file that is put in the place of that of entry `i`. */
static const char *source_of(const struct store *store,
			     const struct store *other, enum source source,
			     unsigned i, unsigned j)
{
	if (source == SOURCE_ENTRY)
		return store->blob[j];
	return source == SOURCE_OLD ? store->old[i] : other->blob[i];
}

static void swap_many(struct store *store, const struct store *other,
		      unsigned count)
{
	unsigned counts[SOURCE_COUNT] = {0};
	uint64_t state = 7;

	for (unsigned n = 0; n < count; n++) {
		const enum source source = (enum source)(n % SOURCE_COUNT);
		const unsigned i = (unsigned)chance_below(&state, ENTRIES);
		const unsigned j =
			(i + 1 + (unsigned)chance_below(&state, ENTRIES - 1)) %
			ENTRIES;
		const char *from = source_of(store, other, source, i, j);

		exchange(store->blob[i], from);
		MUST_BE(get(store, i), -EBADMSG);
		if (source == SOURCE_ENTRY)
			MUST_BE(get(store, j), -EBADMSG);
		exchange(store->blob[i], from);
		MUST_BE(get(store, i), 0);
		counts[source]++;
	}
	printf("# %u of other entries, %u old versions, %u of another store\n",
	       counts[SOURCE_ENTRY], counts[SOURCE_OLD], counts[SOURCE_STORE]);
}

/* The same in a store that is in use: quarantine, a miss, another add. */
static void swap_in_use(struct store *store, const struct store *other)
{
	uint64_t state = 8;

	for (unsigned n = 0; n < CYCLES; n++) {
		const unsigned i = (unsigned)chance_below(&state, ENTRIES);
		const bool is_old = n % 2;

		copy(is_old ? store->old[i] : other->blob[i], store->blob[i]);
		MUST_BE(get(store, i), -EBADMSG);
		MUST_BE(get(store, i), -ENOENT);
		box_add(&store->box, name_of(i), store->content[i],
			store->size[i]);
		MUST_BE(get(store, i), 0);
		free(store->blob[i]);
		store->blob[i] = blob_of(store, i);
	}
	MUST_BE(box_stats(&store->box).quarantined, CYCLES);
	MUST_BE(box_stats(&store->box).entries, ENTRIES);
}

static void read_value(struct index *index, enum table table, const void *key,
		       size_t size, uint8_t *ret_bytes, size_t *ret_size)
{
	struct index_txn *txn;
	MDB_val value;

	MUST_DO(index_read(index, &txn));
	MUST_DO(lmdb_get(txn, table, key, size, &value));
	memcpy(ret_bytes, value.mv_data, value.mv_size);
	*ret_size = value.mv_size;
	index_end(txn);
}

/* The values of two keys of the index change places. */
static void exchange_values(struct index *index, enum table table,
			    const void *a, const void *b, size_t size)
{
	uint8_t values[2][RECORD_SIZE_MAX];
	size_t sizes[2];
	struct index_txn *txn;

	read_value(index, table, a, size, values[0], &sizes[0]);
	read_value(index, table, b, size, values[1], &sizes[1]);
	MUST_DO(index_write(index, &txn));
	MUST_DO(lmdb_put(txn, table, a, size, values[1], sizes[1]));
	MUST_DO(lmdb_put(txn, table, b, size, values[0], sizes[0]));
	MUST_DO(index_commit(txn));
}

/* Records of other nodes, and names that lead to other nodes. */
static void swap_in_index(struct store *store, struct index *index)
{
	uint8_t keys[2][8 + CUBBY_NAME_MAX] = {0};
	struct cubby_attr directory;

	MUST_DO(cubby_lookup(store->box.store, CUBBY_ROOT_ID, "ns",
			     &directory));
	for (unsigned i = 0; i + 1 < ENTRIES; i++) {
		size_t size = 8;

		for (unsigned k = 0; k < 2; k++)
			put_be64(keys[k],
				 box_attr(&store->box, name_of(i + k)).id);
		exchange_values(index, TABLE_NODES, keys[0], keys[1], 8);
		MUST_BE(get(store, i), -EBADMSG);
		MUST_BE(get(store, i + 1), -EBADMSG);
		exchange_values(index, TABLE_NODES, keys[0], keys[1], 8);
		for (unsigned k = 0; k < 2; k++) {
			put_be64(keys[k], directory.id);
			size = 8 + name_pack(name_of(i + k), 64, keys[k] + 8);
		}
		exchange_values(index, TABLE_NAMES, keys[0], keys[1], size);
		MUST_BE(get(store, i), -EBADMSG);
		MUST_BE(get(store, i + 1), -EBADMSG);
		exchange_values(index, TABLE_NAMES, keys[0], keys[1], size);
		MUST_BE(get(store, i), 0);
	}
}

int main(void)
{
	const char *deep = getenv("DEEP");
	struct index *index;
	struct store store;
	struct store other;
	char *path;

	printf("1..3\n");
	(void)alarm(280 * (deep ? DEEP_FACTOR : 1));
	store_new(&store, 0);
	store_new(&other, 100000);
	cubby_ns_close(store.box.ns);
	cubby_close(store.box.store);
	path = text_new("%s/index", store.box.path);
	MUST_DO(index_open(path, false, false, &index));
	MUST_DO(cubby_open(store.box.path, CUBBY_READ_ONLY, &store.box.store));
	MUST_DO(cubby_ns_open(store.box.store, "ns", &store.box.ns));
	swap_many(&store, &other, SWAPS * (deep ? DEEP_FACTOR : 1));
	printf("ok - a blob in the place of another one is damage\n");
	swap_in_index(&store, index);
	printf("ok - so is what the index has in the place of another\n");
	index_close(index);
	free(path);
	box_reopen(&store.box);
	swap_in_use(&store, &other);
	printf("ok - and goes into quarantine, and can be added again\n");
	store_free(&store);
	store_free(&other);
	scratch_end();
	return 0;
}
