/* SPDX-License-Identifier: MIT */
/*
 * A well-formed index with hostile rows: records that look like those of a
 * newer version, rows of the eviction order that lead nowhere, and damaged
 * limits, groups and totals. A get gives the right bytes, a miss or an error;
 * an add works or gives an error; nothing waits for ever, and what has a name
 * can be replaced and deleted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "cubby/tree.h"
#include "index/lmdb_index.h"
#include "index/meta.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "must.h"
#include "mutate.h"
#include "sample.h"
#include "scratch.h"

enum {
	ENTRIES = 80, /* more than the limit has room for */
	SIZE = 300000,
	TRIALS = 1500,
	DEEP_FACTOR = 40,
	HANG_S = 30,
	MORE = 64,
};

struct scene {
	struct box box;
	struct index *index;
	uint64_t dir;
	uint8_t *content;
};

static void scene_new(struct scene *scene)
{
	struct cubby_attr attr;
	char *index;

	(void)alarm(HANG_S);
	box_new(&scene->box, "ns");
	scene->content = sample_new(SAMPLE_NOISE, 1, SIZE + ENTRIES);
	box_add(&scene->box, name_of(0), scene->content, SIZE);
	MUST_DO(cubby_lookup(scene->box.store, CUBBY_ROOT_ID, "ns", &attr));
	scene->dir = attr.id;
	index = text_new("%s/index", scene->box.path);
	MUST_DO(index_open(index, false, false, &scene->index));
	free(index);
}

static void scene_free(struct scene *scene)
{
	index_close(scene->index);
	box_close(&scene->box);
	free(scene->content);
}

/* Each has content of its own. */
static int add(const struct scene *scene, unsigned i)
{
	return box_try_add(&scene->box, name_of(i), scene->content + i, SIZE);
}

/* Wrong bytes fail the test. */
static int get(const struct scene *scene, unsigned i)
{
	uint8_t *data;
	size_t size;
	int r = box_get(&scene->box, name_of(i), &data, &size);

	if (r < 0)
		return r;
	if (size != SIZE || memcmp(data, scene->content + i, SIZE) != 0)
		must_fail(__FILE__, __LINE__, "WRONG BYTES of entry %u", i);
	free(data);
	return 0;
}

static void put(const struct scene *scene, enum table table, const void *key,
		size_t key_size, const void *value, size_t size)
{
	struct index_txn *txn;

	MUST_DO(index_write(scene->index, &txn));
	MUST_DO(lmdb_put(txn, table, key, key_size, value, size));
	MUST_DO(index_commit(txn));
}

/* A value, with room for MORE bytes; to be freed. */
static uint8_t *take(const struct scene *scene, enum table table,
		     const void *key, size_t key_size, size_t *ret_size)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint8_t *bytes;
	MDB_val value;

	MUST_DO(index_read(scene->index, &txn));
	MUST_DO(lmdb_get(txn, table, key, key_size, &value));
	bytes = malloc(value.mv_size + MORE);
	MUST(bytes != NULL);
	memcpy(bytes, value.mv_data, value.mv_size);
	*ret_size = value.mv_size;
	return bytes;
}

/* -------------------------------------------- records of a newer version */

static void make_newer(const struct scene *scene, unsigned i, size_t at)
{
	uint8_t key[8];
	uint8_t *bytes;
	size_t size;

	put_be64(key, box_attr(&scene->box, name_of(i)).id);
	bytes = take(scene, TABLE_NODES, key, 8, &size);
	bytes[at] ^= 0x80;
	put(scene, TABLE_NODES, key, 8, bytes, size);
	free(bytes);
	MUST_BE(get(scene, i), -EPROTONOSUPPORT);
}

static void newer_records(void)
{
	struct scene scene;

	scene_new(&scene);
	/* The codec, the place, and the incompat flags. */
	for (size_t at = 1; at <= 3; at++) {
		MUST_DO(add(&scene, 1));
		make_newer(&scene, 1, at);
		MUST_DO(add(&scene, 1));
		MUST_BE(get(&scene, 1), 0);
		make_newer(&scene, 1, at);
		MUST_DO(cubby_delete_name(scene.box.ns, name_of(1)));
		MUST_BE(get(&scene, 1), -ENOENT);
		MUST_DO(add(&scene, 1));
		make_newer(&scene, 1, at);
		MUST_DO(cubby_unlink(scene.box.store, scene.dir, name_of(1)));
		MUST_BE(get(&scene, 1), -ENOENT);
	}
	MUST_BE(get(&scene, 0), 0);
	scene_free(&scene);
	printf("ok - what looks newer can be replaced and deleted\n");
}

/* ---------------------------------------------------------------- listing */

/* Counts the names that are listed; each can be looked up. */
static int count_listed(void *cookie, const char *name,
			const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	MUST_BE(attr->kind, CUBBY_ENTRY);
	MUST_BE(attr->size, SIZE);
	MUST(strlen(name) == 64);
	++*count;
	return 0;
}

static unsigned listed(const struct scene *scene)
{
	unsigned count = 0;

	MUST_DO(cubby_readdir(scene->box.store, scene->dir, "", 0, count_listed,
			      &count));
	return count;
}

/* Change one byte of the record of entry `i`. */
static void damage_record(const struct scene *scene, unsigned i, size_t at)
{
	uint8_t key[8];
	uint8_t *bytes;
	size_t size;

	put_be64(key, box_attr(&scene->box, name_of(i)).id);
	bytes = take(scene, TABLE_NODES, key, 8, &size);
	bytes[at == SIZE_MAX ? size - 1 : at] ^= 0x80;
	put(scene, TABLE_NODES, key, 8, bytes, size);
	free(bytes);
}

static void listing(void)
{
	/* The kind, a newer version's, the parent, and the last of the name. */
	static const size_t spots[] = {0, 3, 8, SIZE_MAX};
	struct index_txn *txn;
	struct scene scene;

	scene_new(&scene);
	for (unsigned i = 1; i <= ARRAY_SIZE(spots) + 2; i++)
		MUST_DO(add(&scene, i));
	MUST_BE(listed(&scene), ARRAY_SIZE(spots) + 3);
	for (unsigned i = 0; i < ARRAY_SIZE(spots); i++) {
		damage_record(&scene, i + 1, spots[i]);
		MUST_BE(listed(&scene), ARRAY_SIZE(spots) + 2 - i);
	}
	/* A name without a node. */
	MUST_DO(index_write(scene.index, &txn));
	MUST_DO(names_put(txn, scene.dir, name_of(70), 64, UINT32_MAX));
	MUST_DO(index_commit(txn));
	MUST_BE(listed(&scene), 3);
	MUST_BE(get(&scene, 0), 0);
	MUST_BE(get(&scene, ARRAY_SIZE(spots) + 1), 0);
	scene_free(&scene);
	printf("ok - what cannot be looked up is left out of a listing\n");
}

/* ------------------------------------------------------- eviction order */

static void put_row(const struct scene *scene, uint64_t group, uint64_t rank,
		    uint64_t id, size_t key_size)
{
	uint8_t key[32] = {0};

	put_be64(key, group << 1 | 1);
	put_be64(key + 8, rank);
	put_be64(key + 16, id);
	put(scene, TABLE_RECENT, key, key_size, "", 0);
}

/* All of them come before those of entries. */
static void put_rows(const struct scene *scene, uint64_t group)
{
	put_row(scene, group, 0, 0, 24);
	put_row(scene, group, 1, UINT64_MAX, 24);
	put_row(scene, group, 2, scene->dir, 24);
	put_row(scene, group, 3, CUBBY_ROOT_ID, 24);
	put_row(scene, group, 4, 1 << 30, 24);
	put_row(scene, group, 5, box_attr(&scene->box, name_of(0)).id, 24);
	put_row(scene, group, 6, 1, 9);
	put_row(scene, group, 7, 1, 17);
	put_row(scene, group, 8, 1, 32);
	put_row(scene, group, UINT64_MAX, UINT64_MAX, 24);
}

/* The names of some of the coldest lead elsewhere, or are gone. */
static void put_names(const struct scene *scene)
{
	struct index_txn *txn;

	MUST_DO(index_write(scene->index, &txn));
	MUST_DO(names_delete(txn, scene->dir, name_of(1), 64));
	MUST_DO(names_put(txn, scene->dir, name_of(2), 64, scene->dir));
	MUST_DO(index_commit(txn));
}

/* Fill it well beyond its limit: the coldest goes, whatever is before it. */
static void overfill(const struct scene *scene, uint64_t limit)
{
	unsigned right = 0;

	for (unsigned i = 10; i < ENTRIES; i++) {
		MUST_DO(add(scene, i));
		MUST_BE(get(scene, i), 0);
	}
	for (unsigned i = 10; i < ENTRIES; i++)
		right += get(scene, i) == 0;
	printf("# %u of %d entries are left\n", right, ENTRIES - 10);
	MUST((uint64_t)right * SIZE <= limit);
	/* What was lost by damage is still counted: four of them. */
	MUST((uint64_t)(right + 4) * SIZE * 2 > limit);
	MUST_BE(get(scene, 0), -ENOENT);
}

static void eviction(bool by_quota)
{
	const struct cubby_limits limits = {.max_size = CUBBY_LIMIT_MIN};
	const struct cubby_quota quota = {.quota = 2 << 20};
	struct scene scene;

	scene_new(&scene);
	for (unsigned i = 1; i < 6; i++)
		MUST_DO(add(&scene, i));
	if (by_quota)
		MUST_DO(cubby_set_quota(scene.box.store, "ns", &quota));
	else
		MUST_DO(cubby_set_limits(scene.box.store, &limits));
	put_rows(&scene, by_quota ? scene.dir : 0);
	put_names(&scene);
	make_newer(&scene, 3, 3);
	overfill(&scene, by_quota ? quota.quota : limits.max_size);
	scene_free(&scene);
	printf("ok - hostile rows do not stop eviction by %s\n",
	       by_quota ? "quota" : "limit");
}

/* ------------------------------------------------------ rings of directories
 */

static void ring(void)
{
	static const struct cubby_owner owner = {.mode = 0755};
	const struct cubby_quota quota = {.quota = 2 << 20};
	struct record record;
	struct scene scene;
	struct index_txn *txn;
	char name[] = "ns";
	struct cubby_attr other;

	scene_new(&scene);
	MUST_DO(cubby_mkdir(scene.box.store, CUBBY_ROOT_ID, "other", &owner,
			    &other));
	MUST_DO(cubby_set_quota(scene.box.store, "other", &quota));
	MUST_DO(index_write(scene.index, &txn));
	MUST_DO(nodes_get(txn, scene.dir, &record));
	record.name = name;
	record.parent = scene.dir;
	MUST_DO(nodes_put(txn, scene.dir, &record));
	MUST_DO(index_commit(txn));
	MUST(add(&scene, 1) < 0);
	scene_free(&scene);
	printf("ok - a ring of directories is no endless way\n");
}

/* ------------------------------------------------- limits, groups, totals */

struct spot {
	enum table table;
	const char *name; /* of the key; or, NULL, the directory */
};

static void mutate_spot(struct scene *scene, const struct spot *spot,
			unsigned trials)
{
	const uint8_t nothing[64] = {0};
	unsigned added = 0;
	unsigned refused = 0;
	size_t key_size = spot->name ? strlen(spot->name) : 8;
	uint8_t key[8];
	const void *at = spot->name ? (const void *)spot->name : key;
	uint8_t *good;
	uint8_t *bytes;
	size_t size;

	put_be64(key, scene->dir);
	good = take(scene, spot->table, at, key_size, &size);
	bytes = malloc(size + MORE);
	MUST(bytes != NULL);
	for (unsigned n = 0; n < trials; n++) {
		uint64_t state = (uint64_t)n << 20 | spot->table;
		const unsigned i = 1 + n % (ENTRIES - 1);
		size_t now;
		int r;

		(void)alarm(HANG_S);
		memcpy(bytes, good, size);
		now = mutate(&state, bytes, size, size + MORE,
			     (struct donor){nothing, sizeof(nothing)});
		put(scene, spot->table, at, key_size, bytes, now);
		(void)get(scene, n % ENTRIES);
		r = add(scene, i);
		added += r == 0;
		refused += r < 0;
		if (r == 0) /* it may have been evicted, but not be wrong */
			(void)get(scene, i);
		(void)!cubby_delete_name(scene->box.ns, name_of(i));
		put(scene, spot->table, at, key_size, good, size);
		/* With the right value all is well again. */
		if (n % 16 == 0) {
			MUST_DO(add(scene, i));
			MUST_BE(get(scene, i), 0);
		}
	}
	printf("# %s: of %u adds %u worked, %u were refused\n",
	       spot->name ? spot->name : "a group", trials, added, refused);
	MUST(added > 0 && refused > 0);
	free(bytes);
	free(good);
}

static void damaged_values(unsigned trials)
{
	static const struct spot spots[] = {
		{TABLE_META, "limits"},
		{TABLE_META, "totals"},
		{TABLE_META, "content"},
		{TABLE_GROUPS, NULL},
	};
	const struct cubby_limits limits = {.max_size = CUBBY_LIMIT_MIN * 4,
					    .max_age_s = 100000};
	const struct cubby_quota quota = {.quota = 8 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(spots); i++) {
		struct scene scene;

		scene_new(&scene);
		MUST_DO(cubby_set_limits(scene.box.store, &limits));
		MUST_DO(cubby_set_quota(scene.box.store, "ns", &quota));
		MUST_DO(cubby_set_content(scene.box.store, "",
					  CUBBY_CONTENT_SHA256));
		MUST_DO(cubby_set_content(scene.box.store, "ns",
					  CUBBY_CONTENT_NONE));
		mutate_spot(&scene, &spots[i], trials);
		scene_free(&scene);
	}
	printf("ok - damaged limits, totals and groups give no wrong byte\n");
}

int main(void)
{
	const char *deep = getenv("DEEP");

	printf("1..6\n");
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
	newer_records();
	listing();
	eviction(true);
	eviction(false);
	ring();
	damaged_values(TRIALS * (deep && *deep ? DEEP_FACTOR : 1));
	scratch_end();
	return 0;
}
