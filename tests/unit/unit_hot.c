/* SPDX-License-Identifier: MIT */
/* What is remembered of small entries: when it is good, and which go. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "store/hot.h"

TestSuite(hot, .timeout = 60);

enum { DIRECTORY = 7, NAME_SIZE = 65, SIZE = 1500 };

static struct hot hot;
static struct hot_place place;

static void begin(void)
{
	hot_init(&hot);
	hot_put_place(&hot, &place, DIRECTORY, 1);
}

static void end(void)
{
	hot_done(&hot);
}

static const char *name_of(unsigned i)
{
	static char name[NAME_SIZE];

	(void)snprintf(name, sizeof(name), "%064x", i);
	return name;
}

static void put(uint64_t version, uint64_t id, unsigned i)
{
	const struct hot_entry entry = {
		.id = id, .directory = DIRECTORY, .used_ns = 5, .size = SIZE};
	uint8_t content[SIZE];

	memset(content, (int)i, sizeof(content));
	content[0] = (uint8_t)(i >> 8);
	hot_put(&hot, version, name_of(i), &entry, content);
}

static bool is_right(struct hot_entry *entry, unsigned i)
{
	bool is = entry->size == SIZE &&
		  entry->content[0] == (uint8_t)(i >> 8) &&
		  entry->content[1] == (uint8_t)i &&
		  entry->content[SIZE - 1] == (uint8_t)i;

	free(entry->content);
	return is;
}

Test(hot, is_wanted_when_it_was_got_before, .init = begin, .fini = end)
{
	cr_assert_not(hot_is_wanted(&hot, DIRECTORY, name_of(1)));
	cr_assert(hot_is_wanted(&hot, DIRECTORY, name_of(1)));
	cr_assert_not(hot_is_wanted(&hot, DIRECTORY, name_of(2)));
	cr_assert_not(hot_is_wanted(&hot, DIRECTORY + 1, name_of(1)));
}

Test(hot, is_good_in_its_version_only, .init = begin, .fini = end)
{
	struct hot_entry entry = {.id = 0};

	cr_assert_not(hot_get(&hot, &place, 1, name_of(1), &entry));
	(void)!hot_is_wanted(&hot, DIRECTORY, name_of(1));
	put(1, 100, 1);
	cr_assert(hot_get(&hot, &place, 1, name_of(1), &entry));
	cr_assert_eq(entry.id, 100);
	cr_assert_eq(entry.used_ns, 5);
	cr_assert(is_right(&entry, 1));
	cr_assert_not(hot_get(&hot, &place, 1, name_of(2), &entry));
	cr_assert_not(hot_get(&hot, &place, 2, name_of(1), &entry));

	/* The place is known of version 2, the entry is not, */
	hot_put_place(&hot, &place, DIRECTORY, 2);
	cr_assert_not(hot_get(&hot, &place, 2, name_of(1), &entry));
	/* and when it is another node, it is not this one. */
	entry = (struct hot_entry){.id = 101, .directory = DIRECTORY};
	cr_assert_not(hot_get_node(&hot, 2, name_of(1), &entry));
	cr_assert_not(hot_get(&hot, &place, 2, name_of(1), &entry));
	entry = (struct hot_entry){
		.id = 100, .directory = DIRECTORY, .used_ns = 6};
	cr_assert(hot_get_node(&hot, 2, name_of(1), &entry));
	cr_assert_eq(entry.used_ns, 6);
	cr_assert(is_right(&entry, 1));
	cr_assert(hot_get(&hot, &place, 2, name_of(1), &entry));
	cr_assert(is_right(&entry, 1));
}

Test(hot, another_directory_has_other_entries, .init = begin, .fini = end)
{
	struct hot_place other = {.version = 0};
	struct hot_entry entry;

	(void)!hot_is_wanted(&hot, DIRECTORY, name_of(1));
	put(1, 100, 1);
	cr_assert_eq(hot_find_place(&hot, &other, 1), 0);
	hot_put_place(&hot, &other, DIRECTORY + 1, 1);
	cr_assert_eq(hot_find_place(&hot, &other, 1), DIRECTORY + 1);
	cr_assert_eq(hot_find_place(&hot, &other, 2), 0);
	cr_assert_not(hot_get(&hot, &other, 1, name_of(1), &entry));
}

Test(hot, a_newer_node_takes_the_place_of_an_older_one, .init = begin,
     .fini = end)
{
	struct hot_entry entry;

	(void)!hot_is_wanted(&hot, DIRECTORY, name_of(1));
	put(1, 100, 1);
	put(1, 101, 1);
	cr_assert(hot_get(&hot, &place, 1, name_of(1), &entry));
	cr_assert_eq(entry.id, 101);
	cr_assert(is_right(&entry, 1));
}

/* Rows of 1.6 KiB, of which 8 MiB hold about 5,000, three times over. */
Test(hot, the_oldest_go_and_what_is_left_is_right, .init = begin, .fini = end)
{
	enum { COUNT = 15000 };
	unsigned found = 0;
	unsigned first = COUNT;

	for (unsigned i = 0; i < COUNT; i++) {
		(void)!hot_is_wanted(&hot, DIRECTORY, name_of(i));
		put(1, 1000 + i, i);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		struct hot_entry entry;

		if (!hot_get(&hot, &place, 1, name_of(i), &entry))
			continue;
		cr_assert_eq(entry.id, 1000 + i);
		cr_assert(is_right(&entry, i));
		first = i < first ? i : first;
		found++;
	}
	/* Some had to go because of their bucket. */
	cr_assert_gt(found, HOT_BYTES / 1650 * 8 / 10);
	cr_assert_gt(first, COUNT - HOT_BYTES / SIZE);
}

Test(hot, what_had_to_go_seldom_comes_back, .init = begin, .fini = end)
{
	enum { COUNT = 12000, OLD = 1000 };
	unsigned wanted = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		(void)!hot_is_wanted(&hot, DIRECTORY, name_of(i));
		put(1, 1000 + i, i);
	}
	for (unsigned i = 0; i < OLD; i++)
		wanted += hot_is_wanted(&hot, DIRECTORY, name_of(i));
	cr_assert_gt(wanted, 0);
	cr_assert_lt(wanted, OLD / 4);
}
