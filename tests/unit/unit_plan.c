/* SPDX-License-Identifier: MIT */
/*
 * cubby_list_trim(): what it says goes is what cubby_trim() then takes, in that
 * order. Limits are written into the index, as cubby_set_limits() would evict.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cubby/manage.h"
#include "cubby/tree.h"
#include "index/limits.h"
#include "leaks.h"
#include "store/store.h"

enum {
	MIB = 1 << 20,
	COUNT = 72,
	PATH_SIZE = 64,
	STEP = 6 * MIB,
};

static const char *const directories[] = {"", "pinned", "small", "large"};

static char path[] = "/tmp/unit_plan.XXXXXX";
static struct cubby *store;

/* What is there, or what is to go. */
struct names {
	size_t count;
	char paths[COUNT][PATH_SIZE];
};

static int take_name(void *cookie, const char *name,
		     const struct cubby_attr *attr)
{
	struct names *names = cookie;

	cr_assert_lt(names->count, COUNT);
	cr_assert_eq(attr->kind, CUBBY_ENTRY);
	snprintf(names->paths[names->count++], PATH_SIZE, "%s", name);
	return 0;
}

static bool has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->paths[i], name) == 0)
			return true;
	return false;
}

static struct names list_all(void)
{
	struct names names = {.count = 0};
	struct cubby_ns *ns;

	cr_assert_eq(cubby_ns_open(store, "", &ns), 0);
	cr_assert_eq(cubby_list(ns, take_name, &names), 0);
	cubby_ns_close(ns);
	return names;
}

static struct names list_trim(void)
{
	struct names names = {.count = 0};

	cr_assert_eq(cubby_list_trim(store, take_name, &names), 0);
	return names;
}

/* Noise of many sizes, from below what is kept in the index to a megabyte. */
static void add(unsigned number)
{
	const size_t size = number % 5 == 0 ? 900 : (number * 377 % 11) * 90000;
	const struct cubby_key key = {{(uint8_t)number, 1}};
	char *data = malloc(size + 1);
	struct cubby_ns *ns;

	for (size_t i = 0; i <= size; i++)
		data[i] = (char)random();
	cr_assert_eq(cubby_ns_open(store, directories[number % 4], &ns), 0);
	cr_assert_eq(cubby_add_bytes(ns, &key, data, size + 1), 0);
	cubby_ns_close(ns);
	free(data);
}

static void put_limits(const struct cubby_limits *limits)
{
	struct index_txn *txn;

	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(limits_put(txn, limits), 0);
	cr_assert_eq(index_commit(txn), 0);
}

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
}

static void teardown(void)
{
	char command[128];

	cubby_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(plan, .init = setup, .fini = teardown);

/* Step by step: all that is to go in the end, and in each step the first of
 * those. */
static void trims_as_listed(enum cubby_policy policy)
{
	struct cubby_limits limits = {.policy = policy};
	struct names all;
	uint64_t evicted;
	size_t there;
	size_t at = 0;

	cr_assert_eq(cubby_set_limits(store, &limits), 0);
	for (unsigned i = 0; i < COUNT; i++)
		add(i);
	cr_assert_eq(cubby_set_quota(store, "pinned",
				     &(struct cubby_quota){.is_pinned = true}),
		     0);
	cr_assert_eq(cubby_set_quota(store, "small",
				     &(struct cubby_quota){.quota = 9 * MIB}),
		     0);
	there = list_all().count;
	cr_assert_gt(there, COUNT / 2);
	limits.max_size = CUBBY_LIMIT_MIN;
	put_limits(&limits);
	all = list_trim();
	cr_assert_gt(all.count, COUNT / 4);
	cr_expect_eq(list_all().count, there);
	for (size_t i = 0; i < all.count; i++)
		cr_expect_neq(strncmp(all.paths[i], "pinned/", 7), 0);

	limits.max_size = 48 * (uint64_t)MIB;
	while (at < all.count) {
		struct names step;
		struct names left;

		cr_assert_gt(limits.max_size, STEP);
		limits.max_size -= STEP;
		if (limits.max_size < CUBBY_LIMIT_MIN)
			limits.max_size = CUBBY_LIMIT_MIN;
		put_limits(&limits);
		step = list_trim();
		cr_assert_eq(cubby_trim(store, &evicted), 0);
		cr_expect_eq(evicted, step.count);
		left = list_all();
		cr_assert_leq(at + step.count, all.count);
		for (size_t i = 0; i < step.count; i++) {
			cr_expect_str_eq(step.paths[i], all.paths[at + i]);
			cr_expect(!has(&left, step.paths[i]));
		}
		at += step.count;
		cr_expect_eq(left.count + at, there);
	}
	cr_expect_eq(list_trim().count, 0);
}

Test(plan, by_the_last_use_it_is_what_goes)
{
	trims_as_listed(CUBBY_LRU);
}

Test(plan, by_size_and_use_it_is_what_goes)
{
	trims_as_listed(CUBBY_GDSF);
}
