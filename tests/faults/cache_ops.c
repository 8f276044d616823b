/* SPDX-License-Identifier: MIT */
/*
 * The cache interface and the store itself; what a mount does is in tree_ops.c.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "must.h"
#include "ops.h"
#include "sample.h"

enum { PIECE = 50000 }; /* not the size of a frame */

/* ------------------------------------------------------------------ store */

static int create(struct stage *stage)
{
	int r = cubby_open(stage->path, CUBBY_CREATE, &stage->store);

	if (r == 0)
		stage_close(stage);
	return r;
}

static int create_in_use(struct stage *stage)
{
	int r = create(stage);

	if (r == 0)
		stage->wrong = "a store is made in somebody's directory";
	return r == -ENOTEMPTY ? 0 : r;
}

static int open_close(struct stage *stage)
{
	int r = cubby_open(stage->path, 0, &stage->store);

	if (r == 0)
		stage_close(stage);
	return r;
}

static int open_read_only(struct stage *stage)
{
	struct cubby_reader *reader;
	int r = stage_open(stage, CUBBY_READ_ONLY);

	if (r < 0)
		return r;
	r = cubby_get_name(stage->ns, KEY1, &reader);
	if (r == 0)
		r = stage_check(stage, reader, TINY, PIECE);
	stage_close(stage);
	return r;
}

static void add_tiny_before(struct stage *stage)
{
	MUST_DO(stage_add(stage, KEY5, TINY));
}

static int close_written(struct stage *stage)
{
	stage_close(stage);
	return 0;
}

/* -------------------------------------------------------------------- get */

static int get(struct stage *stage, const char *name, enum content want)
{
	struct cubby_reader *reader;
	int r = cubby_get_name(stage->ns, name, &reader);

	return r < 0 ? r : stage_check(stage, reader, want, PIECE);
}

static int get_small(struct stage *stage)
{
	return get(stage, KEY1, TINY);
}

/* The second get remembers it, the third does without the index. */
static int get_small_again(struct stage *stage)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++)
		r = get(stage, KEY1, TINY);
	return r;
}

static int get_blob(struct stage *stage)
{
	return get(stage, KEY2, TEXT);
}

static int get_huge(struct stage *stage)
{
	return get(stage, KEY4, HUGE);
}

static int get_miss(struct stage *stage)
{
	struct cubby_reader *reader;
	int r = cubby_get_name(stage->ns, KEY5, &reader);

	if (r == 0) {
		stage->wrong = "a miss is a hit";
		cubby_reader_close(reader);
	}
	return r == -ENOENT ? 0 : r;
}

/* -------------------------------------------------------------------- add */

static int add_small(struct stage *stage)
{
	return stage_add(stage, KEY5, TINY_TOO);
}

static int add_blob(struct stage *stage)
{
	return stage_add(stage, KEY5, TEXT_TOO);
}

static int add_noise(struct stage *stage)
{
	return stage_add(stage, KEY5, NOISE);
}

/* Through a handle that waits for the disk. */
static int add_durable(struct stage *stage, enum content content)
{
	int r = stage_open(stage, CUBBY_DURABLE);

	if (r < 0)
		return r;
	r = stage_add(stage, KEY5, content);
	stage_close(stage);
	return r;
}

static int add_small_durable(struct stage *stage)
{
	return add_durable(stage, TINY_TOO);
}

static int add_blob_durable(struct stage *stage)
{
	return add_durable(stage, TEXT_TOO);
}

static int delete_durable(struct stage *stage)
{
	int r = stage_open(stage, CUBBY_DURABLE);

	if (r < 0)
		return r;
	r = cubby_delete_name(stage->ns, KEY2);
	stage_close(stage);
	return r;
}

struct source {
	enum content content;
	size_t at;
};

static ssize_t read_source(void *cookie, void *buffer, size_t size)
{
	struct source *source = cookie;
	const size_t left = content_size(source->content) - source->at;
	const size_t part = min_size(min_size(size, left), PIECE);

	memcpy(buffer, content_data(source->content) + source->at, part);
	source->at += part;
	return (ssize_t)part;
}

static int add_stream(struct stage *stage)
{
	struct source source = {.content = TEXT};
	struct cubby_key key;

	MUST_DO(cubby_key_parse(KEY5, &key));
	return cubby_add(stage->ns, &key, read_source, &source);
}

static int add_in_new_namespace(struct stage *stage)
{
	struct stage other = *stage;
	int r = cubby_ns_open(stage->store, "new/deep", &other.ns);

	if (r < 0)
		return r;
	r = stage_add(&other, KEY5, TINY);
	cubby_ns_close(other.ns);
	return r;
}

/* A handle takes 256 ids at once: leave it the last one. */
static void use_ids_before(struct stage *stage)
{
	struct cubby_writer *writer;

	for (int i = 0; i < 255; i++) {
		MUST_DO(cubby_writer_open_name(stage->ns, KEY5, &writer));
		cubby_writer_abort(writer);
	}
}

static int replace_small_by_blob(struct stage *stage)
{
	return stage_add(stage, KEY1, TEXT_TOO);
}

static int replace_blob_by_small(struct stage *stage)
{
	return stage_add(stage, KEY2, TINY_TOO);
}

/* ----------------------------------------------------------------- others */

static int delete_small(struct stage *stage)
{
	return cubby_delete_name(stage->ns, KEY1);
}

static int delete_blob(struct stage *stage)
{
	return cubby_delete_name(stage->ns, KEY2);
}

static int count_entry(void *cookie, const char *path,
		       const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	(void)path;
	(void)attr;
	++*count;
	return 0;
}

static int list(struct stage *stage)
{
	unsigned count = 0;
	int r = cubby_list(stage->ns, count_entry, &count);

	if (r == 0 && count != 3)
		stage->wrong = "the listing is not whole";
	return r;
}

static int stats(struct stage *stage)
{
	struct cubby_stats stats;
	struct cubby_attr attr;
	int r = cubby_get_stats(stage->store, &stats);

	if (r == 0 && stats.entries != 3)
		stage->wrong = "the totals are wrong";
	if (r == 0)
		r = cubby_stat_name(stage->ns, KEY2, &attr);
	if (r == 0 && attr.size != content_size(TEXT))
		stage->wrong = "the size is wrong";
	return r;
}

static int build_key(struct stage *stage)
{
	struct cubby_key_builder *builder;
	struct cubby_key key;
	char text[CUBBY_KEY_TEXT_SIZE];
	int r = cubby_key_builder_new(&builder);

	if (r < 0)
		return r;
	r = cubby_key_builder_bytes(builder, "abc", 3);
	if (r == 0)
		r = cubby_key_builder_finish(builder, &key);
	if (r == 0) {
		cubby_key_format(&key, text);
		if (strncmp(text, "ba7816bf8f01cfea", 16) != 0)
			stage->wrong = "the digest is wrong";
	}
	cubby_key_builder_free(builder);
	return r;
}

/* ---------------------------------------------------------------- watching */

static void watch_before(struct stage *stage)
{
	MUST_DO(cubby_watch_new(stage->store, &stage->watch));
	cubby_watch_hold(stage->watch, 0); /* all that is displaced */
}

static void watch_and_delete_before(struct stage *stage)
{
	watch_before(stage);
	MUST_DO(delete_blob(stage));
	MUST_DO(delete_small(stage));
}

static int watch_new(struct stage *stage)
{
	int r = cubby_watch_new(stage->store, &stage->watch);

	if (r < 0)
		return r;
	cubby_watch_hold(stage->watch, 0);
	return cubby_watch_settle(stage->watch);
}

static void told(void *cookie, uint64_t id, uint64_t parent, const char *name)
{
	(void)cookie;
	(void)id;
	(void)parent;
	(void)name;
}

static int watch_poll(struct stage *stage)
{
	return cubby_watch_poll(stage->watch, told, NULL);
}

static int watch_close(struct stage *stage)
{
	cubby_watch_close(stage->watch);
	stage->watch = NULL;
	return 0;
}

const struct op cache_ops[] = {
	{.name = "create",
	 .scene = SCENE_EMPTY,
	 .opens_itself = true,
	 .run = create},
	{.name = "create_in_use",
	 .scene = SCENE_OTHER,
	 .opens_itself = true,
	 .is_refused = true,
	 .run = create_in_use},
	{.name = "open",
	 .scene = SCENE_USUAL,
	 .opens_itself = true,
	 .run = open_close},
	{.name = "open_read_only",
	 .scene = SCENE_USUAL,
	 .opens_itself = true,
	 .run = open_read_only},
	{.name = "open_after_kill",
	 .scene = SCENE_KILLED,
	 .opens_itself = true,
	 .run = open_close},
	{.name = "open_after_power_cut",
	 .scene = SCENE_KILLED,
	 .opens_itself = true,
	 .moves_mount = true,
	 .run = open_close,
	 .prepared = {{"ns/" KEY4, TINY_TOO, true}}},
	{.name = "close_written",
	 .scene = SCENE_USUAL,
	 .prepare = add_tiny_before,
	 .run = close_written,
	 .prepared = {{"ns/" KEY5, TINY, false}}},
	{.name = "get_small", .scene = SCENE_USUAL, .run = get_small},
	{.name = "get_small_again",
	 .scene = SCENE_USUAL,
	 .run = get_small_again},
	{.name = "get_blob", .scene = SCENE_USUAL, .run = get_blob},
	{.name = "get_huge", .scene = SCENE_HUGE, .run = get_huge},
	{.name = "get_miss", .scene = SCENE_USUAL, .run = get_miss},
	{.name = "add_small",
	 .scene = SCENE_USUAL,
	 .run = add_small,
	 .changed = {{"ns/" KEY5, TINY_TOO, false}}},
	{.name = "add_blob",
	 .scene = SCENE_USUAL,
	 .run = add_blob,
	 .changed = {{"ns/" KEY5, TEXT_TOO, false}}},
	{.name = "add_noise",
	 .scene = SCENE_USUAL,
	 .run = add_noise,
	 .changed = {{"ns/" KEY5, NOISE, false}}},
	/* What the disk refuses in the end is taken away again, but for a disk
	 * that takes nothing at all; see core/store/durable.h. */
	{.name = "add_small_durable",
	 .scene = SCENE_USUAL,
	 .opens_itself = true,
	 .also = -EIO,
	 .run = add_small_durable,
	 .may_stay = true,
	 .changed = {{"ns/" KEY5, TINY_TOO, false}}},
	{.name = "add_blob_durable",
	 .scene = SCENE_USUAL,
	 .opens_itself = true,
	 .also = -EIO,
	 .run = add_blob_durable,
	 .may_stay = true,
	 .changed = {{"ns/" KEY5, TEXT_TOO, false}}},
	{.name = "delete_durable",
	 .scene = SCENE_USUAL,
	 .opens_itself = true,
	 .also = -EIO,
	 .run = delete_durable,
	 .prepared = {{"ns/" KEY2, TEXT, true}},
	 .changed = {{"ns/" KEY2, NOTHING, false}}},
	{.name = "add_stream",
	 .scene = SCENE_USUAL,
	 .run = add_stream,
	 .changed = {{"ns/" KEY5, TEXT, false}}},
	{.name = "add_in_new_namespace",
	 .scene = SCENE_USUAL,
	 .run = add_in_new_namespace,
	 .changed = {{"new", FOLDER, false},
		     {"new/deep", FOLDER, false},
		     {"new/deep/" KEY5, TINY, false}}},
	{.name = "add_with_last_id",
	 .scene = SCENE_USUAL,
	 .prepare = use_ids_before,
	 .run = add_in_new_namespace,
	 .changed = {{"new", FOLDER, false},
		     {"new/deep", FOLDER, false},
		     {"new/deep/" KEY5, TINY, false}}},
	{.name = "replace_small_by_blob",
	 .scene = SCENE_USUAL,
	 .run = replace_small_by_blob,
	 .changed = {{"ns/" KEY1, TEXT_TOO, false}}},
	{.name = "replace_blob_by_small",
	 .scene = SCENE_USUAL,
	 .run = replace_blob_by_small,
	 .changed = {{"ns/" KEY2, TINY_TOO, false}}},
	{.name = "delete_small",
	 .scene = SCENE_USUAL,
	 .run = delete_small,
	 .changed = {{"ns/" KEY1, NOTHING, false}}},
	{.name = "delete_blob",
	 .scene = SCENE_USUAL,
	 .run = delete_blob,
	 .changed = {{"ns/" KEY2, NOTHING, false}}},
	{.name = "list", .scene = SCENE_USUAL, .run = list},
	{.name = "stats", .scene = SCENE_USUAL, .run = stats},
	{.name = "build_key",
	 .scene = SCENE_USUAL,
	 /* Of OpenSSL: it does not say why, and queues its errors. */
	 .also = -EIO,
	 .keeps_memory = true,
	 .run = build_key},
	{.name = "watch_new",
	 .also = -EUSERS, /* all slots are locked */
	 .scene = SCENE_USUAL,
	 .watches = true,
	 .run = watch_new},
	{.name = "watched_delete",
	 .watches = true,
	 .scene = SCENE_USUAL,
	 .prepare = watch_before,
	 .run = delete_blob,
	 .changed = {{"ns/" KEY2, NOTHING, false}}},
	{.name = "watched_replace",
	 .watches = true,
	 .scene = SCENE_USUAL,
	 .prepare = watch_before,
	 .run = replace_small_by_blob,
	 .changed = {{"ns/" KEY1, TEXT_TOO, false}}},
	{.name = "watch_poll",
	 .watches = true,
	 .scene = SCENE_USUAL,
	 .prepare = watch_and_delete_before,
	 .run = watch_poll,
	 .prepared = {{"ns/" KEY1, NOTHING, false},
		      {"ns/" KEY2, NOTHING, false}}},
	{.name = "watch_close",
	 .watches = true,
	 .scene = SCENE_USUAL,
	 .prepare = watch_and_delete_before,
	 .run = watch_close,
	 .prepared = {{"ns/" KEY1, NOTHING, false},
		      {"ns/" KEY2, NOTHING, false}}},
};
const size_t cache_ops_count = ARRAY_SIZE(cache_ops);
