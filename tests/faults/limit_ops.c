/* SPDX-License-Identifier: MIT */
/* Limits and evicting, and what the keeper of the index does. */
#include <errno.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "index/steady.h"
#include "must.h"
#include "ops.h"
#include "store/store.h"

enum { QUOTA = 200000 }; /* one entry of NOISE, not two */

static int set_quota(struct stage *stage)
{
	const struct cubby_quota quota = {.quota = QUOTA};

	return cubby_set_quota(stage->store, "ns", &quota);
}

static void quota_before(struct stage *stage)
{
	MUST_DO(set_quota(stage));
}

static int set_limits(struct stage *stage)
{
	const struct cubby_limits limits = {.max_size = CUBBY_LIMIT_MIN,
					    .min_free = 1,
					    .policy = CUBBY_GDSF};
	struct cubby_limits found;
	int r = cubby_set_limits(stage->store, &limits);

	if (r == 0)
		r = cubby_get_limits(stage->store, &found);
	if (r == 0 && found.max_size != limits.max_size)
		stage->wrong = "the limits are not set";
	return r;
}

/* A use that is yet to be written. */
static void use_before(struct stage *stage)
{
	const struct cubby_limits limits = {.max_size = CUBBY_LIMIT_MIN};
	struct cubby_reader *reader;

	MUST_DO(cubby_set_limits(stage->store, &limits));
	MUST_DO(cubby_get_name(stage->ns, KEY1, &reader));
	cubby_reader_close(reader);
}

static int trim(struct stage *stage)
{
	uint64_t evicted;
	int r = cubby_trim(stage->store, &evicted);

	if (r == 0 && evicted > 0)
		stage->wrong = "something was evicted";
	return r;
}

/* What the keeper of the index does: a checkpoint. */
static int tend(struct stage *stage)
{
	int r = steady_tend(stage->store->index, true);

	return r < 0 ? r : 0;
}

static int add_noise(struct stage *stage)
{
	return stage_add(stage, KEY5, NOISE);
}

static void add_tiny_before(struct stage *stage)
{
	MUST_DO(stage_add(stage, KEY5, TINY));
}

/* clang-format off */
#define MAYBE_EVICTED                                                          \
	.prepared = {{"ns/" KEY1, TINY, true},                                 \
		     {"ns/" KEY2, TEXT, true},                                 \
		     {"ns/" KEY3, NOISE, true}}
/* clang-format on */

const struct op limit_ops[] = {
	{.name = "add_evicts",
	 .scene = SCENE_USUAL,
	 .prepare = quota_before,
	 .run = add_noise,
	 MAYBE_EVICTED,
	 .changed = {{"ns/" KEY5, NOISE, true}}},
	{.name = "set_quota",
	 .scene = SCENE_USUAL,
	 .run = set_quota,
	 MAYBE_EVICTED},
	{.name = "set_limits", .scene = SCENE_USUAL, .run = set_limits},
	{.name = "trim",
	 .scene = SCENE_USUAL,
	 .prepare = use_before,
	 .run = trim},
	{.name = "tend",
	 .scene = SCENE_USUAL,
	 .prepare = add_tiny_before,
	 .run = tend,
	 .prepared = {{"ns/" KEY5, TINY, false}}},
};
const size_t limit_ops_count = ARRAY_SIZE(limit_ops);
