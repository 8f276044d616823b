/* SPDX-License-Identifier: MIT */
/*
 * cubby_verify() on an index that is wrong: each kind of wrong row is found,
 * told of once, and put right, and nothing else is changed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/tree.h"
#include "cubby/upkeep.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "leaks.h"
#include "store/enlist.h"
#include "store/recount.h"
#include "store/store.h"

static char path[] = "/tmp/unit_verify.XXXXXX";
static struct cubby *store;
static uint64_t small_id, blob_id, dir_id;

static const struct cubby_owner owner = {0755, 0, 0};
static const char small_name[] = "11111111111111111111111111111111";
static const char blob_name[] = "22222222222222222222222222222222";
static const char deep_name[] = "33333333333333333333333333333333";

static void add(const char *directory, const char *name, size_t size)
{
	struct cubby_writer *writer;
	char *data = malloc(size);
	struct cubby_ns *ns;

	srandom(7);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)random();
	cr_assert_eq(cubby_ns_open(store, directory, &ns), 0);
	cr_assert_eq(cubby_writer_open_name(ns, name, &writer), 0);
	cr_assert_eq(cubby_writer_write(writer, data, size), 0);
	cr_assert_eq(cubby_writer_commit(writer), 0);
	cubby_ns_close(ns);
	free(data);
}

static uint64_t id_of(uint64_t parent, const char *name)
{
	struct cubby_attr attr;

	cr_assert_eq(cubby_lookup(store, parent, name, &attr), 0);
	return attr.id;
}

/* Give all entries the rows that new ones have not yet. */
static void enlist(void)
{
	struct update update;

	cr_assert_eq(update_begin(store, &update), 0);
	cr_assert_eq(enlist_rest(&update), 1);
	cr_assert_eq(update_commit(&update), 0);
}

static void setup(void)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	struct cubby_attr attr;
	int fd;

	cr_assert(mkdtemp(path));
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
	add("a", small_name, 6000); /* two rows */
	add("a", blob_name, 300000);
	add("q/b", deep_name, 20000);
	add("q/b", small_name, 100);
	cr_assert_eq(cubby_set_quota(store, "q", &quota), 0);
	dir_id = id_of(CUBBY_ROOT_ID, "a");
	small_id = id_of(dir_id, small_name);
	blob_id = id_of(dir_id, blob_name);
	cr_assert_eq(cubby_create(store, dir_id, "plain", &owner, &attr, &fd),
		     0);
	(void)close(fd);
	enlist();
}

static void teardown(void)
{
	char command[64];

	cubby_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(verify, .init = setup, .fini = teardown, .timeout = 60);

static int note(void *cookie, const struct cubby_verify_step *step)
{
	char *told = cookie;

	if (step->finding != CUBBY_FOUND_NOTHING) {
		cr_assert_not_null(step->path);
		(void)snprintf(told + strlen(told), 1000 - strlen(told),
			       "%d:%s ", step->finding, step->path);
	}
	return 0;
}

static struct cubby_verify_summary verify(unsigned flags, char told[1000])
{
	struct cubby_verify_summary summary;

	told[0] = '\0';
	cr_assert_eq(cubby_verify(store, flags, note, told, &summary), 0);
	return summary;
}

/* Exactly this is found, twice, and after the repair nothing is. */
static void finds(enum cubby_finding finding, unsigned count, const char *want,
		  uint64_t entries_after)
{
	struct cubby_verify_summary summary;
	struct cubby_stats stats;
	char told[1000];

	for (unsigned i = 0; i < 2; i++) {
		summary = verify(i ? CUBBY_VERIFY_REPAIR : 0, told);
		cr_assert_eq(summary.findings, count, "%s", told);
		cr_assert_eq(summary.found[finding], count, "%s", told);
		cr_assert_eq(summary.repaired, i ? count : 0);
		cr_assert_str_eq(told, want);
	}
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	cr_assert_eq(summary.entries, entries_after);
	cr_assert_eq(cubby_get_stats(store, &stats), 0);
	cr_assert_eq(stats.entries, entries_after);
}

static struct index_txn *begin(void)
{
	struct index_txn *txn;

	cr_assert_eq(index_write(store->index, &txn), 0);
	return txn;
}

Test(verify, a_right_index_has_no_findings)
{
	struct cubby_verify_summary summary;
	char told[1000];

	summary = verify(CUBBY_VERIFY_REPAIR, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	cr_assert_eq(summary.entries, 4);
	cr_assert_eq(summary.bytes, 6000 + 300000 + 20000 + 100);
}

Test(verify, a_name_that_leads_nowhere)
{
	struct index_txn *txn = begin();

	cr_assert_eq(names_put(txn, dir_id, "lost", 4, 999999), 0);
	cr_assert_eq(index_commit(txn), 0);
	finds(CUBBY_FOUND_NAME, 1, "3:a/lost ", 4);
}

Test(verify, a_name_of_another_node)
{
	struct index_txn *txn = begin();

	cr_assert_eq(names_put(txn, dir_id, "other", 5, blob_id), 0);
	cr_assert_eq(index_commit(txn), 0);
	finds(CUBBY_FOUND_NAME, 1, "3:a/other ", 4);
}

Test(verify, a_name_in_a_file)
{
	struct index_txn *txn = begin();

	cr_assert_eq(names_put(txn, blob_id, "child", 5, small_id), 0);
	cr_assert_eq(index_commit(txn), 0);
	finds(CUBBY_FOUND_NAME, 1,
	      "3:a/22222222222222222222222222222222/child ", 4);
}

Test(verify, a_node_without_a_name)
{
	struct index_txn *txn = begin();
	struct record record = {
		.kind = CUBBY_DIRECTORY,
		.parent = CUBBY_ROOT_ID,
		.name = "nameless",
		.name_size = 8,
	};

	cr_assert_eq(nodes_put(txn, 777777, &record), 0);
	cr_assert_eq(index_commit(txn), 0);
	finds(CUBBY_FOUND_NODE, 1, "4:nameless ", 4);
}

Test(verify, a_damaged_record)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn = begin();
	char told[1000];
	uint8_t key[8];

	put_be64(key, small_id);
	cr_assert_eq(lmdb_put(txn, TABLE_NODES, key, 8, "damaged", 7), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	cr_assert_eq(summary.found[CUBBY_FOUND_NAME], 1, "%s", told);
	cr_assert_eq(summary.found[CUBBY_FOUND_NODE], 1, "%s", told);
	cr_assert_eq(summary.found[CUBBY_FOUND_USE], 1, "%s", told);
	cr_assert_eq(summary.found[CUBBY_FOUND_BYTES], 2, "%s", told);
	cr_assert(summary.found[CUBBY_FOUND_TOTAL] > 0, "%s", told);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	cr_assert_eq(summary.entries, 3);
}

Test(verify, a_damaged_root)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn = begin();
	char told[1000];
	uint8_t key[8];

	put_be64(key, CUBBY_ROOT_ID);
	cr_assert_eq(lmdb_put(txn, TABLE_NODES, key, 8, "damaged", 7), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(0, told);
	cr_assert(summary.findings > 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	add("a", blob_name, 100);
}

Test(verify, a_directory_that_is_cut_off_goes_with_all_below)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn = begin();
	char told[1000];

	cr_assert_eq(names_delete(txn, CUBBY_ROOT_ID, "q", 1), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	cr_assert_eq(summary.found[CUBBY_FOUND_NODE], 1, "%s", told);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	cr_assert_eq(summary.entries, 2);
}

Test(verify, directories_that_are_cut_off_however_deep)
{
	struct cubby_verify_summary summary;
	struct cubby_attr attr;
	struct index_txn *txn;
	uint64_t parent = id_of(CUBBY_ROOT_ID, "q");
	char told[1000];

	for (unsigned depth = 0; depth < 400; depth++) {
		cr_assert_eq(cubby_mkdir(store, parent, "d", &owner, &attr), 0);
		parent = attr.id;
	}
	txn = begin();
	cr_assert_eq(names_delete(txn, CUBBY_ROOT_ID, "q", 1), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	cr_assert_eq(summary.entries, 2);
}

Test(verify, a_use_too_many)
{
	const struct recent row = {.rank = 5, .id = blob_id};
	const struct recent none = {.rank = 5, .id = 888888};
	struct index_txn *txn = begin();
	char want[100];

	cr_assert_eq(recent_put(txn, &row), 0);
	cr_assert_eq(recent_put(txn, &none), 0);
	cr_assert_eq(index_commit(txn), 0);
	(void)snprintf(want, sizeof(want), "5:#%d 5:#888888 ", (int)blob_id);
	finds(CUBBY_FOUND_USE, 2, want, 4);
}

Test(verify, a_use_too_few)
{
	struct index_txn *txn = begin();
	struct recent row = {.is_blob = true, .id = blob_id};
	struct record record;

	cr_assert_eq(nodes_get(txn, blob_id, &record), 0);
	row.rank = record.rank;
	cr_assert_eq(recent_delete(txn, &row), 0);
	cr_assert_eq(index_commit(txn), 0);
	finds(CUBBY_FOUND_USE, 1, "5:a/22222222222222222222222222222222 ", 4);
}

Test(verify, a_use_in_the_wrong_group)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn = begin();
	struct recent row = {.is_blob = true, .id = blob_id};
	struct record record;
	char told[1000];

	cr_assert_eq(nodes_get(txn, blob_id, &record), 0);
	row.rank = record.rank;
	cr_assert_eq(recent_delete(txn, &row), 0);
	row.group = id_of(CUBBY_ROOT_ID, "q");
	cr_assert_eq(recent_put(txn, &row), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	cr_assert_eq(summary.found[CUBBY_FOUND_USE], 2, "%s", told);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
}

Test(verify, a_new_entry_needs_no_row)
{
	struct index_txn *txn;
	struct cubby_verify_summary summary;
	struct recent row = {.group = id_of(CUBBY_ROOT_ID, "q")};
	struct record record;
	char told[1000];

	add("q/b", blob_name, 100);
	row.id = id_of(id_of(row.group, "b"), blob_name);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	/* One that has another rank than its entry is wrong all the same. */
	txn = begin();
	cr_assert_eq(nodes_get(txn, row.id, &record), 0);
	row.rank = record.rank;
	cr_assert_eq(recent_delete(txn, &row), -ENOENT);
	row.rank++;
	cr_assert_eq(recent_put(txn, &row), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	cr_assert_eq(summary.found[CUBBY_FOUND_USE], 1, "%s", told);
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	enlist();
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	row.rank--;
	txn = begin();
	cr_assert_eq(recent_delete(txn, &row), 0);
	index_end(txn);
}

Test(verify, bytes_of_no_entry)
{
	struct index_txn *txn = begin();
	char want[100];

	cr_assert_eq(small_put(txn, 888888, "abc", 3), 0);
	cr_assert_eq(small_put(txn, blob_id, "abc", 3), 0);
	cr_assert_eq(index_commit(txn), 0);
	(void)snprintf(want, sizeof(want), "6:#%d 6:#888888 ", (int)blob_id);
	finds(CUBBY_FOUND_BYTES, 2, want, 4);
}

/* Of bytes in four parts, all but the first. */
Test(verify, a_part_of_the_bytes_of_no_entry)
{
	static const char bytes[SMALL_BYTES_MAX];
	struct index_txn *txn = begin();
	uint8_t first[9] = {0};

	put_be64(first, 888888);
	first[8] = 1;
	cr_assert_eq(small_put(txn, 888888, bytes, sizeof(bytes)), 0);
	cr_assert_eq(lmdb_delete(txn, TABLE_NODES, first, sizeof(first)), 0);
	cr_assert_eq(index_commit(txn), 0);
	finds(CUBBY_FOUND_BYTES, 3, "6:#888888 6:#888888 6:#888888 ", 4);
}

Test(verify, lost_bytes_in_the_index)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn = begin();
	char told[1000];

	cr_assert_eq(small_delete(txn, small_id), 0);
	cr_assert_eq(index_commit(txn), 0);
	for (unsigned i = 0; i < 2; i++) {
		summary = verify(i ? CUBBY_VERIFY_REPAIR : 0, told);
		cr_assert_eq(summary.findings, 1);
		cr_assert_str_eq(told, "1:a/11111111111111111111111111111111 ");
	}
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0);
	cr_assert_eq(summary.entries, 3);
}

Test(verify, each_total_that_is_no_sum)
{
	enum { COUNT = 12 };
	struct cubby_verify_summary summary;
	char told[1000];

	for (unsigned i = 0; i < COUNT; i++) {
		struct index_txn *txn = begin();
		struct totals totals;
		uint64_t *fields[COUNT] = {
			&totals.entries,       &totals.directories,
			&totals.plain_files,   &totals.raw_bytes,
			&totals.stored_bytes,  &totals.displaced,
			&totals.disk_bytes,    &totals.displaced_bytes,
			&totals.plain_bytes,   &totals.quarantined,
			&totals.evicted_bytes, &totals.clock,
		};
		const unsigned count = i < 9; /* the last three are no sums */

		cr_assert_eq(totals_get(txn, &totals), 0);
		++*fields[i];
		cr_assert_eq(totals_put(txn, &totals), 0);
		cr_assert_eq(index_commit(txn), 0);
		summary = verify(CUBBY_VERIFY_REPAIR, told);
		cr_assert_eq(summary.findings, count, "%u: %s", i, told);
		cr_assert_eq(summary.found[CUBBY_FOUND_TOTAL], count);
		summary = verify(0, told);
		cr_assert_eq(summary.findings, 0, "%u: %s", i, told);
	}
}

Test(verify, sums_of_a_quota_and_a_quota_of_nothing)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn = begin();
	struct group none = {.id = 888888, .quota = 1};
	struct cubby_quota quota;
	struct group group;
	char told[1000];

	cr_assert_eq(group_get(txn, id_of(CUBBY_ROOT_ID, "q"), &group), 0);
	group.bytes += 5;
	cr_assert_eq(group_put(txn, &group), 0);
	cr_assert_eq(group_put(txn, &none), 0);
	cr_assert_eq(index_commit(txn), 0);
	summary = verify(CUBBY_VERIFY_REPAIR, told);
	cr_assert_eq(summary.found[CUBBY_FOUND_QUOTA], 2, "%s", told);
	cr_assert_eq(summary.findings, 2, "%s", told);
	cr_assert_str_eq(told, "7:q 7:#888888 ");
	summary = verify(0, told);
	cr_assert_eq(summary.findings, 0, "%s", told);
	cr_assert_eq(cubby_get_quota(store, "q", &quota), 0);
	cr_assert_eq(quota.bytes, group.bytes - 5);
	cr_assert_eq(quota.quota, 1 << 30);
}

Test(verify, settings_of_content_that_are_damaged)
{
	struct index_txn *txn = begin();
	enum cubby_content content;

	cr_assert_eq(lmdb_put(txn, TABLE_META, "content", 7, "damaged", 7), 0);
	cr_assert_eq(index_commit(txn), 0);
	cr_assert_eq(cubby_get_content(store, "a", &content), -EBADMSG);
	finds(CUBBY_FOUND_SETTINGS, 1, "11:content ", 4);
	cr_assert_eq(cubby_get_content(store, "a", &content), 0);
	cr_assert_eq(content, CUBBY_CONTENT_NONE);
	cr_assert_eq(cubby_set_content(store, "a", CUBBY_CONTENT_SHA256), 0);
}
