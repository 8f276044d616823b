/* SPDX-License-Identifier: MIT */
/*
 * The figures: what is counted where, and that a store does without them when
 * their file is not its own.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/upkeep.h"
#include "leaks.h"
#include "store/figures.h"

enum { ROWS = 1024, MAX_SIZE = 4000 }; /* a step of a ghost is 1000 bytes */

static char path[] = "/tmp/unit_figures.XXXXXX";
static struct cubby *store;

static void setup(void)
{
	cr_assert(mkdtemp(path));
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
}

static void teardown(void)
{
	char command[64];

	cubby_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(figures, .init = setup, .fini = teardown, .timeout = 60);

static void evict(const char *name, int64_t age_ns, uint64_t evicted_bytes)
{
	const struct eviction eviction = {.dir = 5,
					  .name = name,
					  .age_ns = age_ns,
					  .evicted_bytes = evicted_bytes};

	figures_evict(store->figures, &eviction);
}

static struct cubby_what_if what_if(void)
{
	struct cubby_figures figures;
	struct cubby_what_if found;

	cr_assert_eq(cubby_get_figures(store, &figures, &found), 0);
	return found;
}

Test(figures, a_miss_of_what_was_evicted_counts_once)
{
	struct totals totals = {.evicted_bytes = 1500};

	/* Without a limit there is nothing to compare with. */
	evict("one", 0, 100);
	figures_miss(store->figures, 5, "one");
	cr_assert_eq(what_if().ghost_hits[CUBBY_GHOST_STEPS - 1], 0);

	figures_set_scale(store->figures, MAX_SIZE, &totals);
	evict("one", 0, 100);
	figures_set_scale(store->figures, MAX_SIZE, &totals);
	figures_miss(store->figures, 5, "two");
	cr_assert_eq(what_if().ghost_hits[CUBBY_GHOST_STEPS - 1], 0);
	figures_miss(store->figures, 5, "one");
	cr_assert_eq(what_if().ghost_hits[0], 0);
	cr_assert_eq(what_if().ghost_hits[1], 1);
	figures_miss(store->figures, 5, "one");
	cr_assert_eq(what_if().ghost_hits[CUBBY_GHOST_STEPS - 1], 1);

	/* Too long ago for any limit that is asked about. */
	evict("old", 0, 100);
	totals.evicted_bytes = 100 + 1000 * CUBBY_GHOST_STEPS;
	figures_set_scale(store->figures, MAX_SIZE, &totals);
	figures_miss(store->figures, 5, "old");
	cr_assert_eq(what_if().ghost_hits[CUBBY_GHOST_STEPS - 1], 1);
}

Test(figures, one_ghost_stands_for_many_in_a_large_store)
{
	const struct totals totals = {.entries = 4096}; /* one key in two */
	uint64_t hits;

	figures_set_scale(store->figures, MAX_SIZE, &totals);
	for (int i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%d", i);
		evict(name, 0, 0);
		figures_miss(store->figures, 5, name);
	}
	hits = what_if().ghost_hits[0];
	cr_assert(hits > 50 && hits < 150 && hits % 2 == 0, "%d", (int)hits);
}

Test(figures, ages_are_powers_of_two)
{
	evict("one", -5, 0);
	evict("two", INT64_C(9) * 1000000000, 0);
	evict("three", INT64_MAX, 0); /* 2^33 seconds */
	cr_assert_eq(what_if().eviction_ages[0], 1);
	cr_assert_eq(what_if().eviction_ages[3], 1);
	cr_assert_eq(what_if().eviction_ages[CUBBY_AGE_STEPS - 1], 1);
}

static int take_row(void *cookie, const char *of,
		    const struct cubby_figures *figures)
{
	unsigned *sums = cookie;

	cr_assert_null(of); /* none of them is a directory */
	sums[0]++;
	sums[1] += (unsigned)figures->hits;
	return 0;
}

Test(figures, directories_without_a_row_share_one)
{
	unsigned sums[2] = {0, 0};

	for (uint64_t dir = 100; dir < 100 + 2 * ROWS; dir++) {
		figures_hit(store->figures, dir, 1);
		figures_hit(store->figures, dir, 1);
	}
	cr_assert_eq(cubby_list_figures(store, take_row, sums), 0);
	cr_assert(sums[0] > ROWS / 2 && sums[0] <= ROWS, "%u rows", sums[0]);
	cr_assert_eq(sums[1], 4 * ROWS);
}

static int no_row(void *cookie, const char *of,
		  const struct cubby_figures *figures)
{
	(void)cookie;
	(void)of;
	(void)figures;
	return -EIO;
}

static int no_sample(void *cookie, const struct cubby_sample *sample)
{
	(void)cookie;
	(void)sample;
	return -EIO;
}

/* Nothing is counted, and nothing fails. */
static void expect_none(void)
{
	const struct totals totals = {.entries = 1};
	struct cubby_figures figures;
	struct cubby_checks checks;

	cr_assert_null(store->figures);
	figures_hit(NULL, 5, 1);
	figures_miss(NULL, 5, "one");
	figures_add(NULL, 5, 1);
	figures_delete(NULL, 5);
	figures_refuse(NULL);
	evict("one", 0, 1);
	figures_set_scale(NULL, MAX_SIZE, &totals);
	figures_sample(NULL, &totals, 1);
	cr_assert(!figures_sample_is_due(NULL));
	cr_assert_eq(cubby_get_figures(store, &figures, NULL), 0);
	cr_assert_eq(figures.hits + figures.adds + figures.misses, 0);
	cr_assert_eq(cubby_get_checks(store, &checks), 0);
	cr_assert_eq(checks.refused + checks.scrub_rounds, 0);
	cr_assert_eq(cubby_list_figures(store, no_row, NULL), 0);
	cr_assert_eq(cubby_list_samples(store, no_sample, NULL), 0);
	cr_assert_eq(cubby_scrub(store), -ENOTSUP);
}

static void reopen(void)
{
	cr_assert_eq(cubby_open(path, 0, &store), 0);
}

Test(figures, a_file_of_somebody_else_is_left_alone)
{
	char file[64];
	char other[64];
	struct stat found;

	cubby_close(store);
	(void)snprintf(file, sizeof(file), "%s/figures", path);
	(void)snprintf(other, sizeof(other), "%s/other", path);
	cr_assert_eq(unlink(file), 0);
	cr_assert_eq(close(open(other, O_CREAT | O_WRONLY, 0600)), 0);
	cr_assert_eq(link(other, file), 0);
	reopen();
	expect_none();
	cr_assert_eq(stat(other, &found), 0);
	cr_assert_eq(found.st_size, 0);
	cubby_close(store);
	cr_assert_eq(unlink(file), 0);
	cr_assert_eq(mkdir(file, 0700), 0);
	reopen();
	expect_none();
}

Test(figures, a_file_of_another_version_is_begun_anew)
{
	const uint64_t other = UINT64_C(0x3230676966626363);
	struct cubby_figures figures;
	char file[64];
	int fd;

	figures_hit(store->figures, 5, 1);
	cubby_close(store);
	(void)snprintf(file, sizeof(file), "%s/figures", path);
	fd = open(file, O_WRONLY);
	cr_assert(fd >= 0);
	cr_assert_eq(pwrite(fd, &other, 8, 0), 8);
	(void)close(fd);
	reopen();
	cr_assert_eq(cubby_get_figures(store, &figures, NULL), 0);
	cr_assert_eq(figures.hits, 0);
}

Test(figures, who_only_reads_is_refused)
{
	struct cubby_figures figures;
	struct cubby_checks checks;

	cubby_close(store);
	cr_assert_eq(cubby_open(path, CUBBY_READ_ONLY, &store), 0);
	cr_assert_null(store->figures);
	cr_assert_eq(cubby_get_figures(store, &figures, NULL), -EROFS);
	cr_assert_eq(cubby_get_checks(store, &checks), -EROFS);
	cr_assert_eq(cubby_list_figures(store, no_row, NULL), -EROFS);
	cr_assert_eq(cubby_list_samples(store, no_sample, NULL), -EROFS);
	cr_assert_eq(cubby_scrub(store), -EROFS);
}
