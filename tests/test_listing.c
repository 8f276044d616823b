/* SPDX-License-Identifier: MIT */
/* Lists, attributes and totals: complete, in order, and exact. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(listing, .fini = scratch_end, .timeout = 60);

/* What a listing gave: the paths joined with blanks, and sums. */
struct listed {
	char text[65536];
	size_t used;
	uint64_t count;
	uint64_t size;
	uint64_t stored;
	uint64_t stop_after; /* 0: never */
};

static int list_one(void *cookie, const char *path,
		    const struct cubby_attr *attr)
{
	struct listed *listed = cookie;

	if (attr->kind != CUBBY_ENTRY)
		return -EPROTO;
	if (listed->used + strlen(path) + 2 < sizeof(listed->text))
		listed->used += (size_t)sprintf(listed->text + listed->used,
						"%s ", path);
	listed->count++;
	listed->size += attr->size;
	listed->stored += attr->stored_size;
	return listed->count == listed->stop_after ? 77 : 0;
}

static void add_in(const struct box *box, const char *space, const char *name,
		   const void *data, size_t size)
{
	struct box sub = *box;

	MUST_DO(cubby_ns_open(box->store, space, &sub.ns));
	box_add(&sub, name, data, size);
	cubby_ns_close(sub.ns);
}

static const char zeros[] = "00000000000000000000000000000000";
static const char ones[] = "11111111111111111111111111111111";
static const char effs[] = "ffffffffffffffffffffffffffffffff";

Test(listing, an_empty_or_missing_namespace_lists_nothing)
{
	struct listed listed = {0};
	struct box box;

	box_new(&box, "not/there");
	MUST_DO(cubby_list(box.ns, list_one, &listed));
	MUST_BE(listed.count, 0);
	box_close(&box);
}

Test(listing, entries_come_in_the_order_of_bytes_within_each_directory)
{
	struct listed listed = {0};
	char *want;
	struct box box;

	box_new(&box, "");
	box_add(&box, effs, "1", 1);
	box_add(&box, zeros, "2", 1);
	box_add(&box, ones, "3", 1);
	add_in(&box, "b", ones, "4", 1);
	add_in(&box, "b", zeros, "5", 1);
	add_in(&box, "a/z", zeros, "6", 1);
	add_in(&box, "a", effs, "7", 1);
	add_in(&box, "g", zeros, "8", 1);
	MUST_DO(cubby_list(box.ns, list_one, &listed));
	/* One order over entries and directories of a directory: "a" and "b"
	 * stand before "f...", and "g" after it. */
	want = text_new("%s %s a/%s a/z/%s b/%s b/%s %s g/%s ", zeros, ones,
			effs, zeros, zeros, ones, effs, zeros);
	if (strcmp(listed.text, want) != 0)
		must_fail(__FILE__, __LINE__, "listed: %s", listed.text);
	free(want);
	box_close(&box);
}

Test(listing, a_namespace_lists_what_is_below_it_only)
{
	struct listed listed = {0};
	char *want;
	struct box box;

	box_new(&box, "a");
	add_in(&box, "a/b", ones, "1", 1);
	add_in(&box, "ab", ones, "2", 1);
	add_in(&box, "", ones, "3", 1);
	add_in(&box, "a", zeros, "4", 1);
	MUST_DO(cubby_list(box.ns, list_one, &listed));
	want = text_new("a/%s a/b/%s ", zeros, ones);
	if (strcmp(listed.text, want) != 0)
		must_fail(__FILE__, __LINE__, "listed: %s", listed.text);
	free(want);
	box_close(&box);
}

Test(listing, what_the_callback_returns_ends_the_listing_and_is_the_result)
{
	struct listed listed = {.stop_after = 3};
	struct box box;

	box_new(&box, "a/b");
	for (unsigned i = 0; i < 10; i++)
		box_add(&box, name_of(i), "x", 1);
	MUST_BE(cubby_list(box.ns, list_one, &listed), 77);
	MUST_BE(listed.count, 3);
	box_close(&box);
}

/* Deletes what it is shown, and adds something elsewhere. */
static int list_and_change(void *cookie, const char *path,
			   const struct cubby_attr *attr)
{
	const struct box *box = cookie;
	const char *name = strrchr(path, '/');

	(void)attr;
	box_delete(box, name ? name + 1 : path);
	add_in(box, "other", name ? name + 1 : path, "y", 1);
	return 0;
}

Test(listing, the_callback_may_change_the_store)
{
	struct listed left = {0};
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 500; i++)
		box_add(&box, name_of(i), "x", 1);
	MUST_DO(cubby_list(box.ns, list_and_change, &box));
	MUST_DO(cubby_list(box.ns, list_one, &left));
	MUST_BE(left.count, 0);
	MUST_BE(box_stats(&box).entries, 500);
	box_close(&box);
}

Test(listing, thousands_of_entries_are_each_listed_once)
{
	enum { COUNT = 3000 };
	static struct listed listed;
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < COUNT; i++)
		box_add(&box, name_of(i), &i, sizeof(i));
	MUST_DO(cubby_list(box.ns, list_one, &listed));
	MUST_BE(listed.count, COUNT);
	MUST_BE(listed.size, COUNT * sizeof(unsigned));
	box_close(&box);
}

Test(listing, attributes_say_what_was_added)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 200000);
	struct timespec before;
	struct timespec after;
	struct cubby_key key = key_of(1);
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "ns");
	MUST(clock_gettime(CLOCK_REALTIME, &before) == 0);
	MUST_DO(cubby_add_bytes(box.ns, &key, data, 200000));
	MUST(clock_gettime(CLOCK_REALTIME, &after) == 0);
	MUST_DO(cubby_stat(box.ns, &key, &attr));
	MUST_BE(attr.kind, CUBBY_ENTRY);
	MUST_BE(attr.size, 200000);
	MUST(attr.id != 0 && attr.id != CUBBY_ROOT_ID);
	/* Clocks of the file system may tick coarsely: allow 20 ms. */
	MUST(attr.mtime_ns / 1000000 >=
	     (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000 - 20);
	MUST(attr.mtime_ns / 1000000 <=
	     (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000 + 20);
	MUST_BE(attr.mode & ~07777U, 0);
	MUST((attr.mode & 0400) != 0);
	free(data);
	box_close(&box);
}

/* The totals are what a listing adds up to. */
static void totals_match(const struct box *box)
{
	struct cubby_stats stats = box_stats(box);
	struct listed listed = {0};
	struct cubby_ns *root;

	MUST_DO(cubby_ns_open(box->store, "", &root));
	MUST_DO(cubby_list(root, list_one, &listed));
	cubby_ns_close(root);
	MUST_BE(stats.entries, listed.count);
	MUST_BE(stats.raw_bytes, listed.size);
	MUST_BE(stats.stored_bytes, listed.stored);
}

Test(listing, totals_are_exact_after_adds_replacements_and_deletes)
{
	static const size_t sizes[] = {0, 50, 3000, 70000, 400000};
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	unsigned seed = 1;
	struct box box;

	box_new(&box, "x/y");
	totals_match(&box);
	for (unsigned step = 0; step < 400; step++) {
		unsigned number = (unsigned)rand_r(&seed) % 40;

		if (rand_r(&seed) % 3 == 0)
			box_delete(&box, name_of(number));
		else
			box_add(&box, name_of(number), data,
				sizes[(unsigned)rand_r(&seed) % 5]);
		if (step % 50 == 0)
			totals_match(&box);
	}
	totals_match(&box);
	box_reopen(&box);
	totals_match(&box);
	for (unsigned i = 0; i < 40; i++)
		box_delete(&box, name_of(i));
	MUST_BE(box_stats(&box).entries, 0);
	MUST_BE(box_stats(&box).raw_bytes, 0);
	MUST_BE(box_stats(&box).stored_bytes, 0);
	MUST_BE(box_stats(&box).displaced, 0);
	free(data);
	box_close(&box);
}

Test(listing, deleted_entries_give_their_room_back)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 300000);
	char *blobs;
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 30; i++)
		box_add(&box, name_of(i % 3), data, 300000);
	blobs = text_new("%s/blobs", box.path);
	MUST_BE(files_below(blobs, NULL, 0), 3);
	for (unsigned i = 0; i < 3; i++)
		box_delete(&box, name_of(i));
	MUST_BE(files_below(blobs, NULL, 0), 0);
	free(blobs);
	free(data);
	box_close(&box);
}

Test(listing, totals_count_directories_and_plain_files)
{
	struct cubby_owner owner = {0755, 0, 0};
	struct cubby_attr attr;
	struct cubby_stats stats;
	int fd;
	struct box box;

	box_new(&box, "a/b");
	box_add(&box, name_of(1), "x", 1);
	MUST_DO(cubby_mkdir(box.store, CUBBY_ROOT_ID, "empty", &owner, &attr));
	MUST_DO(cubby_create(box.store, attr.id, "file.tmp", &owner, &attr,
			     &fd));
	MUST(close(fd) == 0);
	stats = box_stats(&box);
	MUST_BE(stats.directories, 3);
	MUST_BE(stats.plain_files, 1);
	MUST_BE(stats.entries, 1);
	MUST(stats.index_bytes > 0);
	MUST_BE(stats.quarantined, 0);
	box_close(&box);
}
