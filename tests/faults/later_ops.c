/* SPDX-License-Identifier: MIT */
/*
 * Adds by the library that leave it to later to compress. What compresses is in
 * tree_ops.c.
 */
#include "base/base.h"
#include "cubby/manage.h"
#include "must.h"
#include "ops.h"
#include "sample.h"

enum { ROOM = FRAME + 1000, PLENTY = 1 << 20 };

/* Without a thread, which is not to be had here, it is compressed at once. */
static int add_later(struct stage *stage)
{
	struct cubby_attr attr = {.size = 1};
	int r = stage_open(stage, CUBBY_COMPRESS_LATER);

	if (r < 0)
		return r;
	r = stage_add(stage, KEY5, TEXT_TOO);
	/* The add is not undone by what fails now. */
	if (r == 0 && cubby_stat_name(stage->ns, KEY5, &attr) == 0 &&
	    attr.stored_size >= attr.size)
		stage->wrong = "nobody will compress it";
	stage_close(stage);
	return r;
}

static void begin_before(struct stage *stage)
{
	MUST_DO(cubby_later_begin(stage->store, PLENTY));
}

static int add(struct stage *stage)
{
	return stage_add(stage, KEY5, TEXT_TOO);
}

static int add_noise(struct stage *stage)
{
	return stage_add(stage, KEY5, NOISE);
}

static void little_room_before(struct stage *stage)
{
	MUST_DO(cubby_later_begin(stage->store, ROOM));
}

/* The first frame is written as it is, and then there is no room for more. */
static int add_beyond_room(struct stage *stage)
{
	const uint8_t *data = content_data(TEXT_TOO);
	struct cubby_writer *writer;
	int r = cubby_writer_open_name(stage->ns, KEY5, &writer);

	if (r < 0)
		return r;
	/* What fails here is said by the commit. */
	IGNORE(cubby_writer_write(writer, data, ROOM - 1));
	IGNORE(cubby_writer_write(writer, data + ROOM - 1,
				  content_size(TEXT_TOO) - (ROOM - 1)));
	return cubby_writer_commit(writer);
}

static void quota_before(struct stage *stage)
{
	const struct cubby_quota quota = {.quota = 100000};

	begin_before(stage);
	MUST_DO(cubby_mkdir(stage->store, CUBBY_ROOT_ID, "small",
			    &(struct cubby_owner){.mode = 0755},
			    &(struct cubby_attr){.id = 0}));
	MUST_DO(cubby_set_quota(stage->store, "small", &quota));
}

/* It is too large as it is, and compressed it is not. */
static int add_over_quota(struct stage *stage)
{
	struct stage other = *stage;
	int r = cubby_ns_open(stage->store, "small", &other.ns);

	if (r < 0)
		return r;
	r = stage_add(&other, KEY5, TEXT_TOO);
	cubby_ns_close(other.ns);
	return r;
}

const struct op later_ops[] = {
	{.name = "add_later",
	 .scene = SCENE_USUAL,
	 .opens_itself = true,
	 .run = add_later,
	 .changed = {{"ns/" KEY5, TEXT_TOO, false}}},
	{.name = "add_for_later",
	 .scene = SCENE_USUAL,
	 .prepare = begin_before,
	 /* zstd, which is seldom called here. */
	 .keeps_memory = true,
	 .run = add,
	 .changed = {{"ns/" KEY5, TEXT_TOO, false}}},
	{.name = "add_noise_for_later",
	 .scene = SCENE_USUAL,
	 .prepare = begin_before,
	 .keeps_memory = true,
	 .run = add_noise,
	 .changed = {{"ns/" KEY5, NOISE, false}}},
	{.name = "add_beyond_room",
	 .scene = SCENE_USUAL,
	 .prepare = little_room_before,
	 .run = add_beyond_room,
	 .changed = {{"ns/" KEY5, TEXT_TOO, false}}},
	{.name = "add_over_quota",
	 .scene = SCENE_USUAL,
	 .prepare = quota_before,
	 .keeps_memory = true,
	 .run = add_over_quota,
	 .prepared = {{"small", FOLDER, false}},
	 .changed = {{"small/" KEY5, TEXT_TOO, false}}},
};
const size_t later_ops_count = ARRAY_SIZE(later_ops);
