/* SPDX-License-Identifier: MIT */
/* Directories with a quota or a pin, and the figures. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/tree.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(quota, .fini = scratch_end, .timeout = 120);

enum { ROOT = (int)CUBBY_ROOT_ID, MIB = 1024 * 1024 };

static const struct cubby_limits no_limits = {
	.protect_s = CUBBY_PROTECT_S,
	.resolution_s = CUBBY_RESOLUTION_S,
};

Test(quota, a_quota_bounds_a_directory_and_only_that)
{
	const struct cubby_quota quota = {.quota = 5 * MIB};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct cubby_quota found;
	struct box inside;
	struct box box;

	box_new(&box, "a");
	box_open(&inside, box.path, "b/c");
	for (unsigned i = 0; i < 4; i++) {
		box_add(&box, name_of(i), data, MIB);
		box_add(&inside, name_of(i), data, MIB);
	}
	MUST_DO(cubby_set_quota(box.store, "b", &quota));
	MUST_DO(cubby_get_quota(box.store, "b", &found));
	MUST_BE(found.entries, 4);
	MUST_BE(found.quota, 5 * MIB);
	MUST(found.bytes > 4 * MIB && found.bytes < 5 * MIB);
	for (unsigned i = 4; i < 20; i++) {
		box_add(&box, name_of(i), data, MIB);
		box_add(&inside, name_of(i), data, MIB);
		MUST_DO(cubby_get_quota(box.store, "b", &found));
		MUST(found.bytes <= 5 * MIB);
	}
	MUST_BE(found.entries, 4);
	for (unsigned i = 0; i < 20; i++) {
		MUST(box_knows(&box, i));
		MUST(box_knows(&inside, i) == (i >= 16));
	}
	/* An ordinary one again, and another lower one. */
	MUST_DO(cubby_set_quota(box.store, "b", &(struct cubby_quota){0}));
	for (unsigned i = 0; i < 16; i++)
		box_add(&inside, name_of(i), data, MIB);
	MUST_BE(box_stats(&box).entries, 40);
	MUST_DO(cubby_set_quota(box.store, "b",
				&(struct cubby_quota){.quota = 2 * MIB}));
	MUST_BE(box_stats(&box).entries, 21);
	free(data);
	box_close(&inside);
	box_close(&box);
}

Test(quota, a_pinned_directory_is_not_evicted_from)
{
	const struct cubby_quota pin = {.is_pinned = true};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct box pinned;
	struct box box;

	box_new(&box, "a");
	box_open(&pinned, box.path, "b");
	for (unsigned i = 0; i < 5; i++)
		box_add(&pinned, name_of(i), data, MIB);
	MUST_DO(cubby_set_quota(box.store, "b", &pin));
	box_limit(&box, 20 * MIB);
	for (unsigned i = 0; i < 50; i++)
		box_add(&box, name_of(i), data, MIB);
	for (unsigned i = 0; i < 5; i++)
		MUST(box_knows(&pinned, i));
	MUST(!box_knows(&box, 30) && box_knows(&box, 49));
	free(data);
	box_close(&pinned);
	box_close(&box);
}

Test(quota, a_bad_quota_is_refused)
{
	const struct cubby_quota quota = {.quota = 20 * MIB};
	const struct cubby_quota large = {.quota = 200 * MIB};
	struct cubby_limits limits = no_limits;
	struct cubby_quota found;
	struct box box;

	box_new(&box, "a/b/c");
	box_add(&box, name_of(1), "abc", 3);
	limits.max_size = 100 * MIB;
	MUST_DO(cubby_set_limits(box.store, &limits));
	MUST_BE(cubby_set_quota(box.store, "a", &large), -EDOM);
	MUST_BE(cubby_set_quota(box.store, "x", &quota), -ENOENT);
	MUST_BE(cubby_get_quota(box.store, "x", &found), -ENOENT);
	MUST_BE(cubby_set_quota(box.store, "", &quota), -EINVAL);
	MUST_BE(cubby_set_quota(box.store, "a//b", &quota), -EINVAL);
	MUST_DO(cubby_set_quota(box.store, "a/b", &quota));
	MUST_BE(cubby_set_quota(box.store, "a", &quota), -EBUSY);
	MUST_BE(cubby_set_quota(box.store, "a/b/c", &quota), -EBUSY);
	limits.max_size = 16 * MIB;
	MUST_BE(cubby_set_limits(box.store, &limits), -EDOM);
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST_BE(limits.max_size, 100 * MIB);
	box_close(&box);
}

Test(quota, a_directory_does_not_leave_or_enter_a_quota)
{
	const struct cubby_quota quota = {.quota = 20 * MIB};
	static const struct cubby_owner owner = {0755, 0, 0};
	struct cubby_attr a;
	struct cubby_attr b;
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "a/sub");
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_mkdir(box.store, ROOT, "b", &owner, &b));
	MUST_DO(cubby_set_quota(box.store, "b", &quota));
	MUST_DO(cubby_lookup(box.store, ROOT, "a", &a));
	MUST_BE(cubby_rename(box.store, a.id, "sub", b.id, "sub", 0, &attr),
		-EXDEV);
	MUST_DO(cubby_rename(box.store, a.id, "sub", a.id, "other", 0, &attr));
	MUST_DO(cubby_rename(box.store, ROOT, "b", ROOT, "c", 0, &attr));
	MUST_DO(cubby_rmdir(box.store, ROOT, "c"));
	MUST_BE(cubby_get_quota(box.store, "c", &(struct cubby_quota){0}),
		-ENOENT);
	box_close(&box);
}

/* ---------------------------------------------------------------- figures */

Test(quota, hits_misses_and_evictions_are_counted)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct cubby_figures figures;
	struct cubby_what_if what_if;
	struct cubby_reader *reader;
	uint64_t ages = 0;
	struct box box;

	box_new(&box, "");
	box_limit(&box, 20 * MIB);
	for (unsigned i = 0; i < 30; i++)
		box_add(&box, name_of(i), data, MIB);
	box_use(&box, 29);
	box_use(&box, 29);
	MUST_BE(cubby_get_name(box.ns, name_of(100), &reader), -ENOENT);
	box_delete(&box, name_of(29));
	MUST_DO(cubby_get_figures(box.store, &figures, &what_if));
	MUST_BE(figures.hits, 2);
	MUST_BE(figures.misses, 1);
	MUST_BE(figures.adds, 30);
	MUST_BE(figures.deletes, 1);
	MUST_BE(figures.evictions + box_stats(&box).entries, 29);
	MUST_BE(figures.bytes_in, 30 * MIB);
	MUST_BE(figures.bytes_out, 2 * MIB);
	for (unsigned i = 0; i < CUBBY_AGE_STEPS; i++)
		ages += what_if.eviction_ages[i];
	MUST_BE(ages, figures.evictions);
	MUST_BE(what_if.ghost_hits[CUBBY_GHOST_STEPS - 1], 0);

	/* All that was evicted would have fit twice as much. */
	for (unsigned i = 0; i < figures.evictions; i++)
		MUST_BE(cubby_get_name(box.ns, name_of(i), &reader), -ENOENT);
	MUST_DO(cubby_get_figures(box.store, &figures, &what_if));
	MUST_BE(what_if.ghost_hits[3], figures.evictions);
	MUST(what_if.ghost_hits[0] < figures.evictions);
	free(data);
	box_close(&box);
}

Test(quota, an_entry_that_is_larger_than_its_quota_is_refused)
{
	uint8_t *large = sample_new(SAMPLE_NOISE, 1, 100000);
	struct cubby_quota quota = {.quota = 65536};
	struct box box;

	box_new(&box, "a/b");
	box_add(&box, name_of(2), "small", 5);
	MUST_DO(cubby_set_quota(box.store, "a", &quota));
	MUST_BE(box_try_add(&box, name_of(1), large, 100000), -EFBIG);
	MUST(!box_knows(&box, 1));
	MUST(box_has(&box, name_of(2), "small", 5));
	quota.quota = 0;
	MUST_DO(cubby_set_quota(box.store, "a", &quota));
	box_add(&box, name_of(1), large, 100000);
	free(large);
	box_close(&box);
}

/* As versions left it that did not count damage by directory. */
Test(quota, figures_of_a_shorter_file_go_on)
{
	struct cubby_figures figures;
	struct box box;
	char *path;

	box_new(&box, "a");
	box_add(&box, name_of(1), "abc", 3);
	path = text_new("%s", box.path);
	box_close(&box);
	MUST_BE(shell("truncate -s -8192 '%s/figures'", path), 0);
	box_open(&box, path, "a");
	MUST(box_has(&box, name_of(1), "abc", 3));
	MUST_DO(cubby_get_figures(box.store, &figures, NULL));
	MUST_BE(figures.adds, 1);
	MUST_BE(figures.hits, 1);
	MUST_BE(figures.corrupt, 0);
	box_close(&box);
	free(path);
}

Test(quota, a_hit_is_a_use_once_in_a_step)
{
	struct cubby_limits limits = no_limits;
	struct cubby_attr before;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &limits));
	box_add(&box, name_of(1), "abc", 3);
	before = box_attr(&box, name_of(1));
	box_use(&box, 1);
	box_add(&box, name_of(2), "abc", 3); /* writes what was noted */
	MUST_BE(box_attr(&box, name_of(1)).used_ns, before.used_ns);
	MUST_BE(box_attr(&box, name_of(1)).hits, 0);
	limits.resolution_s = 0;
	MUST_DO(cubby_set_limits(box.store, &limits));
	box_use(&box, 1);
	box_add(&box, name_of(2), "abc", 3);
	MUST(box_attr(&box, name_of(1)).used_ns > before.used_ns);
	MUST_BE(box_attr(&box, name_of(1)).hits, 1);
	MUST_BE(box_attr(&box, name_of(1)).added_ns, before.added_ns);
	box_close(&box);
}

Test(quota, a_directory_is_named_by_its_id_as_well)
{
	const struct cubby_owner owner = {.mode = 0755};
	struct cubby_limits limits = no_limits;
	struct cubby_attr directory;
	struct cubby_quota quota = {.quota = MIB};
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_mkdir(box.store, ROOT, "d", &owner, &directory));
	MUST_DO(cubby_set_quota_of(box.store, directory.id, &quota));
	MUST_DO(cubby_get_quota(box.store, "d", &quota));
	MUST_BE(quota.quota, MIB);
	quota.is_pinned = true;
	MUST_DO(cubby_set_quota(box.store, "d", &quota));
	quota = (struct cubby_quota){0};
	MUST_DO(cubby_get_quota_of(box.store, directory.id, &quota));
	MUST(quota.quota == MIB && quota.is_pinned);

	MUST_BE(cubby_set_quota_of(box.store, ROOT, &quota), -EINVAL);
	MUST_BE(cubby_set_quota_of(box.store, 4711, &quota), -ENOENT);
	MUST_BE(cubby_set_quota_of(box.store, box_attr(&box, name_of(1)).id,
				   &quota),
		-ENOTDIR);
	limits.max_size = 16 * MIB;
	MUST_DO(cubby_set_limits(box.store, &limits));
	quota.quota = 16 * MIB + 1;
	MUST_BE(cubby_set_quota_of(box.store, directory.id, &quota), -EDOM);

	/* One that is gone, and kept for who has it open, gets none. */
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, directory.id);
	MUST_DO(cubby_rmdir(box.store, ROOT, "d"));
	MUST_DO(cubby_getattr(box.store, directory.id, &directory));
	quota.quota = MIB;
	MUST_BE(cubby_set_quota_of(box.store, directory.id, &quota), -ENOENT);
	MUST_BE(cubby_get_quota_of(box.store, directory.id, &quota), -ENOENT);
	cubby_watch_close(watch);
	box_close(&box);
}
