/* SPDX-License-Identifier: MIT */
/*
 * What meets odd rows, and what makes room for others: rare ways, which
 * fault_rows.c has fail.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/limits.h"
#include "index/meta.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "must.h"
#include "ops.h"
#include "store/layout.h"
#include "store/room.h"
#include "store/store.h"

enum {
	LOST_ID = 0x70000000, /* of nothing */
	PACE = 8,	      /* of CUBBY_LIMIT_MIN: see room.c */
};

static uint64_t id_of(struct stage *stage, const char *dir, const char *name)
{
	struct cubby_attr attr;

	MUST_DO(cubby_lookup(stage->store, CUBBY_ROOT_ID, dir, &attr));
	MUST_DO(cubby_lookup(stage->store, attr.id, name, &attr));
	return attr.id;
}

static struct index_txn *begin(struct stage *stage)
{
	struct index_txn *txn;

	MUST_DO(index_write(stage->store->index, &txn));
	return txn;
}

/* ------------------------------------------------------------- directories */

static void lose_names_before(struct stage *stage)
{
	const uint64_t sub = id_of(stage, "dir", "sub");
	struct index_txn *txn = begin(stage);

	MUST_DO(names_put(txn, sub, "lost", 4, LOST_ID));
	MUST_DO(names_put(txn, sub, "more", 4, LOST_ID + 1));
	MUST_DO(index_commit(txn));
}

static int remove_directory(struct stage *stage)
{
	return cubby_rmdir(stage->store, stage->dir, "sub");
}

/* --------------------------------------------------------------- displaced */

/* One that nobody has been told of, and nothing is held any more. */
static void displace_before(struct stage *stage)
{
	MUST_DO(cubby_watch_new(stage->store, &stage->watch));
	cubby_watch_hold(stage->watch, 0);
	MUST_DO(cubby_delete_name(stage->ns, KEY2));
	cubby_watch_release(stage->watch, 0);
}

static int delete_beside(struct stage *stage)
{
	return cubby_delete_name(stage->ns, KEY1);
}

/* -------------------------------------------------------------------- room */

static void watch_before(struct stage *stage)
{
	MUST_DO(cubby_watch_new(stage->store, &stage->watch));
	cubby_watch_hold(stage->watch, id_of(stage, "ns", KEY1));
}

static int make_room(struct stage *stage)
{
	const int r = cubby_make_room(stage->store, 1 << 20);

	return r < 0 ? r : 0;
}

static void lose_row_before(struct stage *stage)
{
	const struct recent row = {.is_blob = true, .rank = 1, .id = LOST_ID};
	struct index_txn *txn = begin(stage);

	MUST_DO(recent_put(txn, &row));
	MUST_DO(index_commit(txn));
}

/* As if there was so much more that it is a little over its limit. */
static void over_before(struct stage *stage)
{
	const struct cubby_limits limits = {.max_size = CUBBY_LIMIT_MIN,
					    .min_free = 1};
	const uint64_t over = CUBBY_LIMIT_MIN + 5000;
	struct index_txn *txn = begin(stage);
	struct totals totals;
	uint64_t live;

	MUST_DO(limits_put(txn, &limits));
	MUST_DO(totals_get(txn, &totals));
	MUST_DO(index_live_bytes(txn, &live));
	live += index_set_pace(stage->store->index, PACE) + ROOM_OVERHEAD;
	totals.disk_bytes = over - live;
	MUST_DO(totals_put(txn, &totals));
	MUST_DO(index_commit(txn));
}

static int trim(struct stage *stage)
{
	uint64_t evicted;
	int r = cubby_trim(stage->store, &evicted);

	return r == -EFBIG ? 0 : r;
}

/* The first may find out that the disk is full, which the second is told. */
static int add_two(struct stage *stage)
{
	int r = stage_add(stage, KEY5, TINY);

	return r < 0 ? r : stage_add(stage, KEY7, TINY);
}

/* ------------------------------------------------------------------- bytes */

static void lose_blob_before(struct stage *stage)
{
	char path[LAYOUT_PATH_SIZE];

	layout_blob(id_of(stage, "ns", KEY2), CODEC_ZSTD, path);
	MUST(unlinkat(stage->store->dir_fd, path, 0) == 0);
}

static int get_lost_blob(struct stage *stage)
{
	struct cubby_reader *reader;
	int r = cubby_get_name(stage->ns, KEY2, &reader);

	if (r == 0) {
		cubby_reader_close(reader);
		stage->wrong = "what is lost was read";
	}
	return r == -EBADMSG || r == -ENOENT ? 0 : r;
}

static void damage_record_before(struct stage *stage)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	const struct record of_file = {.kind = CUBBY_PLAIN,
				       .parent = CUBBY_ROOT_ID,
				       .name = "file",
				       .name_size = 4};
	struct index_txn *txn;

	MUST_DO(cubby_set_quota(stage->store, "ns", &quota));
	txn = begin(stage);
	MUST_DO(nodes_put(txn, LOST_ID, &of_file));
	MUST_DO(small_put(txn, LOST_ID, "bytes", 5));
	MUST_DO(index_commit(txn));
}

static int repair(struct stage *stage)
{
	struct cubby_verify_summary found;

	return cubby_verify(stage->store, CUBBY_VERIFY_REPAIR, NULL, NULL,
			    &found);
}

/* clang-format off */
#define MAYBE_EVICTED                                                          \
	{"ns/" KEY1, TINY, true}, {"ns/" KEY2, TEXT, true},                    \
	{"ns/" KEY3, NOISE, true}
/* clang-format on */

static const struct op ops[] = {
	{.name = "remove_directory_with_lost_names",
	 .prepare = lose_names_before,
	 .run = remove_directory,
	 .changed = {{"dir/sub", NOTHING, false}}},
	{.name = "delete_beside_displaced",
	 .watches = true,
	 .prepare = displace_before,
	 .run = delete_beside,
	 .prepared = {{"ns/" KEY2, NOTHING, false}},
	 .changed = {{"ns/" KEY1, NOTHING, false}}},
	{.name = "make_room_beside_watch",
	 .watches = true,
	 .prepare = watch_before,
	 .run = make_room,
	 .prepared = {MAYBE_EVICTED}},
	{.name = "make_room_with_lost_row",
	 .prepare = lose_row_before,
	 .run = make_room,
	 .prepared = {MAYBE_EVICTED}},
	{.name = "trim_a_little",
	 .prepare = over_before,
	 .run = trim,
	 .prepared = {MAYBE_EVICTED}},
	{.name = "add_two",
	 .run = add_two,
	 .prepared = {{"ns/" KEY5, TINY, true}, {"ns/" KEY7, TINY, true}}},
	{.name = "get_lost_blob",
	 .finds_damage = true,
	 .is_repeated = true,
	 .prepare = lose_blob_before,
	 .run = get_lost_blob,
	 .prepared = {{"ns/" KEY2, NOTHING, false}}},
	{.name = "repair_rows",
	 .is_repeated = true,
	 .prepare = damage_record_before,
	 .run = repair},
};

size_t op_count(void)
{
	return ARRAY_SIZE(ops);
}

const struct op *op_at(size_t index)
{
	return &ops[index];
}
