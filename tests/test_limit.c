/* SPDX-License-Identifier: MIT */
/* Limits: what goes, in which order, and that the sum holds. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "box.h"
#include "cubby/manage.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(limit, .fini = scratch_end, .timeout = 120);

enum { ROOT = (int)CUBBY_ROOT_ID, MIB = 1024 * 1024 };

static const struct cubby_limits no_limits = {
	.protect_s = CUBBY_PROTECT_S,
	.resolution_s = CUBBY_RESOLUTION_S,
};

static bool are_same(const struct cubby_limits *a, const struct cubby_limits *b)
{
	return a->max_size == b->max_size && a->min_free == b->min_free &&
	       a->min_free_percent == b->min_free_percent &&
	       a->max_entry == b->max_entry && a->max_age_s == b->max_age_s &&
	       a->protect_s == b->protect_s &&
	       a->resolution_s == b->resolution_s && a->policy == b->policy;
}

Test(limit, a_new_store_has_none)
{
	struct cubby_limits limits;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST(are_same(&limits, &no_limits));
	box_close(&box);
}

Test(limit, limits_are_kept_in_the_store)
{
	const struct cubby_limits set = {
		.max_size = UINT64_C(1) << 40,
		.min_free = 3,
		.min_free_percent = 4,
		.max_entry = 5,
		.max_age_s = 6,
		.protect_s = 7,
		.resolution_s = 8,
	};
	struct cubby_limits limits;
	struct box box;
	struct box other;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &set));
	box_open(&other, box.path, "");
	MUST_DO(cubby_get_limits(other.store, &limits));
	MUST(are_same(&limits, &set));
	box_close(&other);
	box_close(&box);
}

Test(limit, bad_limits_are_refused_and_change_nothing)
{
	const struct cubby_limits bad[] = {
		{.max_size = 1},
		{.max_size = CUBBY_LIMIT_MIN - 1},
		{.min_free_percent = 100},
		{.policy = (enum cubby_policy)2},
		{.policy = CUBBY_GDSF, .max_age_s = 1},
	};
	struct cubby_limits limits;
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		MUST_BE(cubby_set_limits(box.store, &bad[i]), -EINVAL);
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST(are_same(&limits, &no_limits));
	box_close(&box);
}

/* Blobs, of which some fit, are added and used; what has not been used goes. */
static void evict_in_order(size_t size, unsigned count, uint64_t limit)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, size);
	unsigned left = 0;
	struct box box;

	box_new(&box, "");
	box_limit(&box, limit);
	for (unsigned i = 0; i < count; i++) {
		box_add(&box, name_of(i), data, size);
		box_use(&box, 0); /* and so it stays */
		MUST(box_stats(&box).disk_bytes <= limit);
	}
	MUST(box_knows(&box, 0));
	MUST(box_knows(&box, count - 1));
	/* Of the others a run of the newest is there. */
	for (unsigned i = 1; i < count; i++) {
		if (box_knows(&box, i))
			left++;
		else
			MUST_BE(left, 0);
	}
	MUST(left > 0 && left < count - 1);
	MUST_BE(box_stats(&box).entries, left + 1);
	MUST(box_has(&box, name_of(0), data, size));
	free(data);
	box_close(&box);
}

Test(limit, blobs_are_evicted_least_recently_used_first)
{
	evict_in_order(500000, 100, 20 * MIB);
}

Test(limit, small_entries_are_evicted_least_recently_used_first)
{
	evict_in_order(3000, 17000, 16 * MIB);
}

Test(limit, what_cannot_fit_is_refused_and_evicts_nothing)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 17 * MIB);
	struct cubby_limits limits = {.max_size = 16 * MIB};
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &limits));
	box_add(&box, name_of(1), "abc", 3);
	MUST_BE(box_try_add(&box, name_of(2), data, 17 * MIB), -EFBIG);
	limits.max_entry = 1000;
	MUST_DO(cubby_set_limits(box.store, &limits));
	MUST_BE(box_try_add(&box, name_of(2), data, 1001), -EFBIG);
	MUST_DO(box_try_add(&box, name_of(3), data, 1000));
	MUST(box_knows(&box, 1) && !box_knows(&box, 2));
	free(data);
	box_close(&box);
}

Test(limit, a_lower_limit_evicts_at_once)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 60; i++)
		box_add(&box, name_of(i), data, MIB);
	MUST(box_stats(&box).disk_bytes > 60 * MIB);
	box_limit(&box, 30 * MIB);
	MUST(box_stats(&box).disk_bytes <= 30 * MIB);
	MUST(box_stats(&box).disk_bytes > 26 * MIB);
	MUST(box_knows(&box, 59) && !box_knows(&box, 0));
	free(data);
	box_close(&box);
}

Test(limit, what_is_held_goes_last)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	box_limit(&box, 20 * MIB);
	MUST_DO(cubby_watch_new(box.store, &watch));
	for (unsigned i = 0; i < 100; i++) {
		box_add(&box, name_of(i), data, MIB);
		if (i < 5)
			cubby_watch_hold(watch, box_attr(&box, name_of(i)).id);
	}
	for (unsigned i = 0; i < 5; i++)
		MUST(box_has(&box, name_of(i), data, MIB));
	MUST(!box_knows(&box, 5));
	MUST_BE(box_stats(&box).displaced, 0);
	cubby_watch_close(watch);
	free(data);
	box_close(&box);
}

Test(limit, what_was_used_lately_goes_when_nothing_else_is_left)
{
	const struct cubby_limits limits = {.max_size = 20 * MIB,
					    .protect_s = 1000};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &limits));
	for (unsigned i = 0; i < 40; i++)
		box_add(&box, name_of(i), data, MIB);
	MUST(box_knows(&box, 39) && !box_knows(&box, 0));
	MUST(box_stats(&box).disk_bytes <= 20 * MIB);
	free(data);
	box_close(&box);
}

Test(limit, to_set_a_time_is_to_use_it_then)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct cubby_attr attr = {.mtime_ns = 1000};
	struct cubby_attr changed;
	struct box box;

	box_new(&box, "");
	box_limit(&box, 20 * MIB);
	for (unsigned i = 0; i < 10; i++)
		box_add(&box, name_of(i), data, MIB);
	/* The newest becomes the oldest, and the oldest the newest. */
	MUST_DO(cubby_setattr(box.store, box_attr(&box, name_of(9)).id,
			      CUBBY_SET_MTIME, &attr, &changed));
	MUST_BE(changed.mtime_ns, 1000);
	MUST_BE(changed.used_ns, 1000);
	MUST_DO(cubby_setattr(box.store, box_attr(&box, name_of(0)).id,
			      CUBBY_SET_MTIME | CUBBY_SET_NOW, &attr,
			      &changed));
	MUST(changed.mtime_ns > 1000);
	for (unsigned i = 10; box_knows(&box, 9); i++)
		box_add(&box, name_of(i), data, MIB);
	for (unsigned i = 0; i < 9; i++)
		MUST(box_knows(&box, i) || i > 0);
	for (unsigned i = 20; box_knows(&box, 8); i++)
		box_add(&box, name_of(i), data, MIB);
	MUST(box_knows(&box, 0));
	free(data);
	box_close(&box);
}

Test(limit, by_size_what_is_small_or_used_again_stays)
{
	struct cubby_limits limits = {.max_size = 20 * MIB,
				      .policy = CUBBY_GDSF};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 2 * MIB);
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &limits));
	for (unsigned i = 0; i < 4; i++)
		box_add(&box, name_of(i), data, i % 2 ? 20000 : 2 * MIB);
	box_use(&box, 2);
	/* More than fits, but not much more. */
	for (unsigned i = 4; box_knows(&box, 0); i++)
		box_add(&box, name_of(i), data, 2 * MIB);
	MUST(box_knows(&box, 1) && box_knows(&box, 3));
	MUST(box_knows(&box, 2));
	MUST(box_stats(&box).disk_bytes <= 20 * MIB);
	/* And back: from now on time decides. */
	limits.policy = CUBBY_LRU;
	MUST_DO(cubby_set_limits(box.store, &limits));
	for (unsigned i = 100; i < 120; i++)
		box_add(&box, name_of(i), data, 2 * MIB);
	MUST(!box_knows(&box, 1) && !box_knows(&box, 2) && !box_knows(&box, 3));
	MUST(box_knows(&box, 119));
	free(data);
	box_close(&box);
}

Test(limit, what_is_too_old_goes)
{
	struct cubby_limits limits = no_limits;
	struct cubby_attr attr = {0};
	struct box box;
	uint64_t evicted;

	box_new(&box, "");
	for (unsigned i = 0; i < 4; i++)
		box_add(&box, name_of(i), "abc", 3);
	for (unsigned i = 0; i < 2; i++) {
		attr.mtime_ns = box_attr(&box, name_of(i)).mtime_ns -
				INT64_C(4000) * 1000000000;
		MUST_DO(cubby_setattr(box.store, box_attr(&box, name_of(i)).id,
				      CUBBY_SET_MTIME, &attr, &attr));
	}
	limits.max_age_s = 3600;
	MUST_DO(cubby_set_limits(box.store, &limits));
	MUST_DO(cubby_trim(box.store, &evicted));
	MUST(!box_knows(&box, 0) && !box_knows(&box, 1));
	MUST(box_knows(&box, 2) && box_knows(&box, 3));
	box_close(&box);
}

/* --------------------------------------------------------------- hit rate */

enum { KEYS = 4000, GETS = 12000 };

/* A perfect LRU of `capacity` keys: the time of the last use of each. */
struct model {
	unsigned used[KEYS]; /* 0: not there */
	unsigned count;
	unsigned capacity;
	unsigned hits;
};

static void model_get(struct model *model, unsigned key, unsigned now)
{
	unsigned coldest = 0;

	if (model->used[key] != 0) {
		model->hits++;
	} else if (model->count == model->capacity) {
		for (unsigned i = 0; i < KEYS; i++)
			if (model->used[i] != 0 &&
			    (model->used[coldest] == 0 ||
			     model->used[i] < model->used[coldest]))
				coldest = i;
		model->used[coldest] = 0;
	} else {
		model->count++;
	}
	model->used[key] = now;
}

/* Few keys are wanted often, many seldom. */
static unsigned next_key(unsigned *seed)
{
	double u = (double)rand_r(seed) / RAND_MAX;

	return (unsigned)((KEYS - 1) * u * u * u);
}

Test(limit, the_hit_rate_is_that_of_a_perfect_lru)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 16000);
	struct model *model = calloc(1, sizeof(*model));
	struct cubby_reader *reader;
	unsigned hits = 0;
	unsigned seed = 7;
	uint64_t evicted;
	struct box box;

	MUST(model != NULL);
	box_new(&box, "");
	box_limit(&box, 24 * MIB);
	for (unsigned i = 0; i < GETS; i++) {
		unsigned key = next_key(&seed);

		if (cubby_get_name(box.ns, name_of(key), &reader) == 0) {
			cubby_reader_close(reader);
			hits++;
		} else {
			box_add(&box, name_of(key), data, 16000);
		}
	}
	/* How many fit is the store's to say; which, is the question. */
	MUST_DO(cubby_trim(box.store, &evicted));
	model->capacity = (unsigned)box_stats(&box).entries;
	MUST(model->capacity > 500 && model->capacity < KEYS / 2);
	seed = 7;
	for (unsigned i = 0; i < GETS; i++)
		model_get(model, next_key(&seed), i + 1);
	cr_log_info("%u hits, a perfect LRU of %u has %u", hits,
		    model->capacity, model->hits);
	MUST(hits * 100 >= model->hits * 100 - GETS);
	MUST(hits * 100 <= model->hits * 100 + GETS);
	free(model);
	free(data);
	box_close(&box);
}
