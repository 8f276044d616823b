/* SPDX-License-Identifier: MIT */
/* Limits, evicting and upkeep, and what the keeper of the index does. */
#include <errno.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
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

static int set_content(struct stage *stage)
{
	enum cubby_content found;
	int r = cubby_set_content(stage->store, "dir", CUBBY_CONTENT_SHA256);

	if (r == 0)
		r = cubby_get_content(stage->store, "dir", &found);
	if (r == 0 && found != CUBBY_CONTENT_SHA256)
		stage->wrong = "the content is not set";
	return r;
}

static void content_before(struct stage *stage)
{
	MUST_DO(set_content(stage));
}

/* The plain file stays what it is. */
static int refuse(struct stage *stage)
{
	struct cubby_attr attr;
	int r = cubby_rename(stage->store, stage->dir, "noise", stage->dir,
			     KEY5, 0, &attr);

	if (r == 0)
		stage->wrong = "it was not refused";
	return r == -EBADMSG ? 0 : r;
}

/* What cannot be read is not damaged: all entries stay. */
static int repair(struct stage *stage)
{
	struct cubby_verify_summary found;
	int r = cubby_verify(stage->store, CUBBY_VERIFY_REPAIR, NULL, NULL,
			     &found);

	if (r == 0 && found.findings > 0)
		stage->wrong = "something was found";
	return r;
}

static int scrub(struct stage *stage)
{
	struct cubby_checks checks;
	int r;

	do
		r = cubby_scrub(stage->store);
	while (r > 0);
	if (r == 0)
		r = cubby_get_checks(stage->store, &checks);
	if (r == 0 && checks.scrub_damaged > 0)
		stage->wrong = "something was found damaged";
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
	{.name = "set_content", .scene = SCENE_USUAL, .run = set_content},
	{.name = "refuse",
	 .scene = SCENE_USUAL,
	 .prepare = content_before,
	 .run = refuse,
	 .keeps_memory = true, /* OpenSSL: of its errors */
	 .also = -EIO},	       /* and it does not say what it lacks */
	{.name = "repair", .scene = SCENE_USUAL, .run = repair},
	{.name = "scrub", .scene = SCENE_USUAL, .run = scrub},
	{.name = "tend",
	 .scene = SCENE_USUAL,
	 .prepare = add_tiny_before,
	 .run = tend,
	 .prepared = {{"ns/" KEY5, TINY, false}}},
};
const size_t limit_ops_count = ARRAY_SIZE(limit_ops);
