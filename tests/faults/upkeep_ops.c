/* SPDX-License-Identifier: MIT */
/*
 * Damage and upkeep: what is wrong in a store is put right, whatever fails
 * while that is done, as soon as it is done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
#include "setting.h"
#include "store/layout.h"
#include "store/store.h"

enum {
	LOST_ID = 0x70000000, /* of nothing */
	/* TEXT gets smaller; at a higher one, a trial takes forty times as
	 * long. */
	RECOMPRESS_LEVEL = 3,
};

static uint64_t id_of(struct stage *stage, const char *dir, const char *name)
{
	struct cubby_attr attr;

	MUST_DO(cubby_lookup(stage->store, CUBBY_ROOT_ID, dir, &attr));
	MUST_DO(cubby_lookup(stage->store, attr.id, name, &attr));
	return attr.id;
}

/* ----------------------------------------------------------------- damage */

/* A byte of the file of KEY2 is another one. The file is made anew: the one
 * that is there is the scene's. */
static void damage_blob(struct stage *stage)
{
	static uint8_t bytes[STAGE_PIECE_MAX];
	const int dir_fd = stage->store->dir_fd;
	char path[LAYOUT_PATH_SIZE];
	ssize_t size;
	int fd;

	layout_blob(id_of(stage, "ns", KEY2), CODEC_ZSTD, path);
	fd = openat(dir_fd, path, O_RDONLY);
	MUST(fd >= 0);
	size = read(fd, bytes, sizeof(bytes));
	MUST(size > 100 && close(fd) == 0 && unlinkat(dir_fd, path, 0) == 0);
	bytes[size / 2] ^= 1;
	fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0 && write(fd, bytes, (size_t)size) == size);
	MUST(close(fd) == 0);
}

/* The bytes of KEY1 are others. */
static void damage_small(struct stage *stage)
{
	const uint64_t id = id_of(stage, "ns", KEY1);
	struct record record;
	struct index_txn *txn;
	uint8_t bytes[1024];

	MUST_DO(index_write(stage->store->index, &txn));
	MUST_DO(nodes_get(txn, id, &record));
	MUST(record.stored_size <= sizeof(bytes));
	memset(bytes, 7, sizeof(bytes));
	MUST_DO(small_put(txn, id, bytes, (size_t)record.stored_size));
	MUST_DO(index_commit(txn));
}

/* KEY5 leads nowhere. */
static void damage_name(struct stage *stage)
{
	struct cubby_attr ns;
	struct index_txn *txn;

	MUST_DO(cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns));
	MUST_DO(index_write(stage->store->index, &txn));
	MUST_DO(names_put(txn, ns.id, KEY5, strlen(KEY5), LOST_ID));
	MUST_DO(index_commit(txn));
}

/* A plain file has lost its file. */
static void damage_plain(struct stage *stage)
{
	char path[LAYOUT_PATH_SIZE];

	layout_draft(id_of(stage, "dir", "tiny"), path);
	MUST(unlinkat(stage->store->dir_fd, path, 0) == 0);
}

static void damage_all(struct stage *stage)
{
	damage_blob(stage);
	damage_small(stage);
	damage_plain(stage);
}

static void damage_entries(struct stage *stage)
{
	damage_blob(stage);
	damage_small(stage);
}

/* A miss in the end, and never a wrong byte. */
static int get_damaged(struct stage *stage, const char *name)
{
	static uint8_t buffer[STAGE_PIECE_MAX];
	struct cubby_reader *reader;
	ssize_t n;
	int r = cubby_get_name(stage->ns, name, &reader);

	if (r == 0) {
		n = cubby_reader_read(reader, buffer, sizeof(buffer));
		r = n < 0 ? (int)n : 0;
		cubby_reader_close(reader);
		if (r == 0)
			stage->wrong = "what is damaged was read";
	}
	return r == -EBADMSG || r == -ENOENT ? 0 : r;
}

static int get_damaged_blob(struct stage *stage)
{
	return get_damaged(stage, KEY2);
}

static int get_damaged_small(struct stage *stage)
{
	return get_damaged(stage, KEY1);
}

static int get_lost(struct stage *stage)
{
	return get_damaged(stage, KEY5);
}

static int repair(struct stage *stage)
{
	struct cubby_verify_summary found;
	int r = cubby_verify(stage->store, CUBBY_VERIFY_REPAIR, NULL, NULL,
			     &found);

	if (r == 0 && found.repaired > found.findings)
		stage->wrong = "more is repaired than was found";
	return r;
}

/* Two rounds: one that failed is gone on with, and what could not be put into
 * quarantine is found in the next. */
static int scrub(struct stage *stage)
{
	int r = 0;

	for (int round = 0; r == 0 && round < 2; round++)
		do
			r = cubby_scrub(stage->store);
		while (r > 0);
	return r;
}

/* A row too many in each table, and wrong sums. */
static void damage_tables(struct stage *stage)
{
	const struct record nameless = {.kind = CUBBY_DIRECTORY,
					.parent = CUBBY_ROOT_ID,
					.name = "nameless",
					.name_size = 8};
	const struct recent row = {.rank = 5, .id = LOST_ID};
	const struct group group = {.id = LOST_ID, .quota = 1 << 20};
	const struct cubby_quota quota = {.quota = 1 << 30};
	struct totals totals;
	struct group sums;
	struct cubby_attr ns;
	struct index_txn *txn;

	MUST_DO(cubby_watch_new(stage->store, &stage->watch));
	cubby_watch_hold(stage->watch, 0);
	MUST_DO(cubby_delete_name(stage->ns, KEY1));
	MUST_DO(cubby_set_quota(stage->store, "ns", &quota));
	MUST_DO(cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns));
	damage_name(stage);
	MUST_DO(index_write(stage->store->index, &txn));
	MUST_DO(nodes_put(txn, LOST_ID + 1, &nameless));
	MUST_DO(recent_put(txn, &row));
	MUST_DO(small_put(txn, LOST_ID + 2, "bytes", 5));
	MUST_DO(group_put(txn, &group));
	MUST_DO(group_get(txn, ns.id, &sums));
	sums.bytes++;
	MUST_DO(group_put(txn, &sums));
	MUST_DO(totals_get(txn, &totals));
	totals.entries += 3;
	totals.disk_bytes += 5;
	totals.displaced_next++;
	MUST_DO(totals_put(txn, &totals));
	MUST_DO(index_commit(txn));
}

/* ----------------------------------------------------------------- upkeep */

static void make_file(struct stage *stage, const char *path, bool is_old)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	int fd = openat(stage->store->dir_fd, path, O_WRONLY | O_CREAT, 0600);

	MUST(fd >= 0);
	MUST(!is_old || futimens(fd, old) == 0);
	MUST(close(fd) == 0);
}

/* Three files for gc, and three, and a directory, that it leaves. */
static void litter(struct stage *stage)
{
	char path[LAYOUT_PATH_SIZE];

	layout_blob_directory(LOST_ID, path);
	MUST(mkdirat(stage->store->dir_fd, path, 0700) == 0 || errno == EEXIST);
	layout_blob(LOST_ID, CODEC_ZSTD, path);
	make_file(stage, path, true);
	layout_blob(LOST_ID, CODEC_RAW, path);
	make_file(stage, path, true);
	layout_draft(LOST_ID + 1, path);
	make_file(stage, path, true);
	layout_quarantine(LOST_ID, path);
	make_file(stage, path, false);
	make_file(stage, LAYOUT_BLOBS "/xy", true);
	make_file(stage, LAYOUT_DRAFTS "/notes", true);
	MUST(mkdirat(stage->store->dir_fd, LAYOUT_BLOBS "/abc", 0700) == 0);
}

static int gc_with(struct stage *stage, unsigned flags)
{
	const uint64_t year_s = 365 * 24 * 3600;
	struct cubby_gc_summary summary;

	return cubby_gc(stage->store, flags, year_s, &summary);
}

static int gc(struct stage *stage)
{
	return gc_with(stage, 0);
}

static int gc_dry(struct stage *stage)
{
	return gc_with(stage, CUBBY_DRY_RUN);
}

/* A mount that had two entries open when they were deleted has been killed. */
static void kill_watch(struct stage *stage)
{
	const pid_t pid = fork();
	struct stage other = {.fd = -1};
	int status;

	MUST(pid >= 0);
	if (pid == 0) {
		(void)memcpy(other.path, stage->path, sizeof(other.path));
		MUST_DO(stage_open(&other, 0));
		MUST_DO(cubby_watch_new(other.store, &other.watch));
		cubby_watch_hold(other.watch, 0);
		MUST_DO(cubby_delete_name(other.ns, KEY1));
		MUST_DO(cubby_delete_name(other.ns, KEY2));
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

static int watch_new(struct stage *stage)
{
	return cubby_watch_new(stage->store, &stage->watch);
}

static int recompress_with(struct stage *stage, unsigned flags)
{
	struct cubby_recompress_summary summary;
	int r = cubby_recompress(stage->store, RECOMPRESS_LEVEL, flags, NULL,
				 NULL, &summary);

	/* An attempt before this may have made room. */
	if (r == 0 && (summary.entries > 3 || summary.damaged > 0 ||
		       (summary.entries < 3 && !setting_was_full())))
		stage->wrong = "not all entries were looked at";
	return r;
}

static int recompress(struct stage *stage)
{
	return recompress_with(stage, 0);
}

static int recompress_dry(struct stage *stage)
{
	return recompress_with(stage, CUBBY_DRY_RUN);
}

/* clang-format off */
#define GONE(name) {"ns/" name, NOTHING, false}
/* clang-format on */

const struct op upkeep_ops[] = {
	{.name = "get_damaged_blob",
	 .finds_damage = true,
	 .is_repeated = true,
	 .leavings = 1,
	 .prepare = damage_blob,
	 .run = get_damaged_blob,
	 .prepared = {GONE(KEY2)}},
	{.name = "get_damaged_small",
	 .finds_damage = true,
	 .is_repeated = true,
	 .leavings = 1,
	 .prepare = damage_small,
	 .run = get_damaged_small,
	 .prepared = {GONE(KEY1)}},
	{.name = "get_lost",
	 .finds_damage = true,
	 .is_repeated = true,
	 .prepare = damage_name,
	 .run = get_lost,
	 .prepared = {GONE(KEY5)}},
	{.name = "repair_files",
	 .finds_damage = true,
	 .is_repeated = true,
	 .leavings = 2,
	 .prepare = damage_all,
	 .run = repair,
	 .prepared = {GONE(KEY1), GONE(KEY2), {"dir/tiny", NOTHING, false}}},
	{.name = "repair_tables",
	 .is_repeated = true,
	 .watches = true,
	 .prepare = damage_tables,
	 .run = repair,
	 .prepared = {GONE(KEY1), GONE(KEY5)}},
	{.name = "scrub_damaged",
	 .finds_damage = true,
	 .is_repeated = true,
	 .leavings = 2,
	 .prepare = damage_entries,
	 .run = scrub,
	 .prepared = {GONE(KEY1), GONE(KEY2)}},
	{.name = "gc",
	 .is_repeated = true,
	 .leavings = 3,
	 .prepare = litter,
	 .run = gc},
	{.name = "gc_displaced",
	 .is_repeated = true,
	 .prepare = kill_watch,
	 .run = gc,
	 .prepared = {GONE(KEY1), GONE(KEY2)}},
	{.name = "gc_displaced_dry",
	 .is_repeated = true,
	 .watches = true, /* for what it leaves */
	 .prepare = kill_watch,
	 .run = gc_dry,
	 .prepared = {GONE(KEY1), GONE(KEY2)}},
	{.name = "watch_new_displaced",
	 .also = -EUSERS, /* all slots are locked */
	 .watches = true,
	 .prepare = kill_watch,
	 .run = watch_new,
	 .prepared = {GONE(KEY1), GONE(KEY2)}},
	/* zstd's memory for this level is kept for the next time. */
	{.name = "recompress", .keeps_memory = true, .run = recompress},
	{.name = "recompress_dry", .keeps_memory = true, .run = recompress_dry},
};
const size_t upkeep_ops_count = ARRAY_SIZE(upkeep_ops);
