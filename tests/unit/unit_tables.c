/* SPDX-License-Identifier: MIT */
/*
 * Rows that contradict one another in rarer ways than those of unit_verify.c:
 * found, told, and put right.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/displaced.h"
#include "index/limits.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "must.h"
#include "scratch.h"
#include "store/store.h"
#include "store/update.h"
#include "trio.h"

TestSuite(tables, .fini = scratch_end, .timeout = 60);

static struct cubby_verify_summary verify(unsigned flags)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box.store, flags, NULL, NULL, &summary));
	return summary;
}

/* So much is found, of all and of this kind; it is put right; and then nothing
 * is found any more. */
static void is_put_right(uint64_t findings, enum cubby_finding finding,
			 uint64_t of_that)
{
	struct cubby_verify_summary summary = verify(CUBBY_VERIFY_REPAIR);

	MUST_BE(summary.findings, findings);
	MUST_BE(summary.found[finding], of_that);
	MUST_BE(verify(0).findings, 0);
}

static struct recent row_of(uint64_t id)
{
	struct index_txn *txn = begin();
	struct record record;

	MUST_DO(nodes_get(txn, id, &record));
	index_end(txn);
	return (struct recent){.group = dir,
			       .is_blob = record.place == PLACE_BLOB,
			       .rank = record.rank,
			       .id = id};
}

/* -------------------------------------------------------------- displaced */

Test(tables, what_is_displaced_in_any_order_is_no_finding)
{
	static const unsigned order[] = {7, 4, 9, 5, 8};
	struct cubby_watch *watch;

	trio_new();
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	for (unsigned i = 4; i < 10; i++)
		box_add(&box, name_of(i), data, i % 2 ? TRIO_SIZE : 10);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		box_delete(&box, name_of(order[i]));
	MUST_BE(verify(CUBBY_VERIFY_REPAIR).findings, 0);
	MUST_BE(box_stats(&box).displaced, ARRAY_SIZE(order));
	/* The scrub passes them by. */
	while (cubby_scrub(box.store) > 0)
		continue;
	MUST_BE(box_stats(&box).displaced, ARRAY_SIZE(order));
	cubby_watch_close(watch);
	trio_end();
}

Test(tables, a_displaced_node_beyond_the_last_number)
{
	struct cubby_watch *watch;
	struct index_txn *txn;

	trio_new();
	MUST_DO(cubby_watch_new(box.store, &watch));
	txn = begin();
	MUST_DO(displaced_put(txn, 1000, 0, TRIO_ROOT, "gone", 4));
	MUST_DO(index_commit(txn));
	/* How many, and the next number. */
	is_put_right(2, CUBBY_FOUND_TOTAL, 2);
	cubby_watch_hold(watch, 0);
	box_delete(&box, SMALL);
	MUST_BE(box_stats(&box).displaced, 2);
	MUST_BE(verify(0).findings, 0);
	cubby_watch_close(watch);
	trio_end();
}

/* ------------------------------------------------------------------- rows */

Test(tables, a_use_with_the_rank_of_another_entry)
{
	struct recent row;
	struct index_txn *txn;

	trio_new();
	row = row_of(small_id);
	txn = begin();
	MUST_DO(recent_delete(txn, &row));
	row.id = 999999;
	MUST_DO(recent_put(txn, &row));
	MUST_DO(index_commit(txn));
	is_put_right(2, CUBBY_FOUND_USE, 2);
	trio_end();
}

Test(tables, a_use_in_the_list_of_the_other_place)
{
	struct recent row;
	struct index_txn *txn;

	trio_new();
	row = row_of(blob_id);
	row.is_blob = false;
	txn = begin();
	MUST_DO(recent_put(txn, &row));
	MUST_DO(index_commit(txn));
	is_put_right(1, CUBBY_FOUND_USE, 1);
	trio_end();
}

Test(tables, a_use_of_a_node_whose_name_leads_to_another)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn;

	trio_new();
	txn = begin();
	MUST_DO(names_put(txn, dir, SMALL, strlen(SMALL), blob_id));
	MUST_DO(index_commit(txn));
	summary = verify(CUBBY_VERIFY_REPAIR);
	MUST_BE(summary.found[CUBBY_FOUND_NAME], 1);
	MUST_BE(summary.found[CUBBY_FOUND_NODE], 1);
	MUST_BE(summary.found[CUBBY_FOUND_USE], 1);
	MUST_BE(verify(0).findings, 0);
	MUST(box_misses(&box, SMALL));
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	trio_end();
}

Test(tables, a_use_of_a_directory)
{
	struct index_txn *txn;

	trio_new();
	txn = begin();
	MUST_DO(recent_put(txn, &(struct recent){.id = dir}));
	MUST_DO(index_commit(txn));
	is_put_right(1, CUBBY_FOUND_USE, 1);
	trio_end();
}

static void damage_record(uint64_t id)
{
	struct index_txn *txn = begin();
	uint8_t key[8];

	put_be64(key, id);
	MUST_DO(lmdb_put(txn, TABLE_NODES, key, 8, "damaged", 7));
	MUST_DO(index_commit(txn));
}

/* With all that is below it. */
Test(tables, a_damaged_directory_with_a_quota)
{
	struct cubby_verify_summary summary;
	struct cubby_quota quota;

	trio_new();
	damage_record(blob_id);
	summary = verify(CUBBY_VERIFY_REPAIR);
	MUST_BE(summary.found[CUBBY_FOUND_NODE], 1);
	MUST_BE(verify(0).findings, 0);
	MUST(box_has(&box, SMALL, data, 100));
	damage_record(dir);
	summary = verify(CUBBY_VERIFY_REPAIR);
	MUST_BE(summary.found[CUBBY_FOUND_NODE], 1);
	MUST_BE(summary.found[CUBBY_FOUND_QUOTA], 1);
	MUST_BE(verify(0).findings, 0);
	MUST_BE(box_stats(&box).entries, 0);
	box_add(&box, SMALL, data, 100);
	MUST_DO(cubby_get_quota(box.store, "dir", &quota));
	MUST_BE(quota.quota, 0);
	trio_end();
}

Test(tables, bytes_of_an_entry_that_has_none)
{
	struct index_txn *txn;

	trio_new();
	txn = begin();
	MUST_DO(small_put(txn, empty_id, "abc", 3));
	MUST_DO(index_commit(txn));
	is_put_right(1, CUBBY_FOUND_BYTES, 1);
	MUST(box_has(&box, NONE, data, 0));
	trio_end();
}

Test(tables, a_root_that_is_no_directory)
{
	const struct record file = {
		.kind = CUBBY_PLAIN, .parent = CUBBY_ROOT_ID, .name = ""};

	trio_new();
	set_record(TRIO_ROOT, &file);
	MUST(verify(0).findings > 0);
	(void)verify(CUBBY_VERIFY_REPAIR);
	MUST_BE(verify(0).findings, 0);
	box_add(&box, SMALL, data, 100);
	MUST(box_has(&box, SMALL, data, 100));
	trio_end();
}

Test(tables, a_quota_of_a_file_and_a_wrong_number_of_entries)
{
	struct cubby_quota quota;
	struct index_txn *txn;
	struct group group;

	trio_new();
	txn = begin();
	MUST_DO(group_get(txn, dir, &group));
	group.entries += 3;
	MUST_DO(group_put(txn, &group));
	group = (struct group){.id = blob_id, .quota = 1};
	MUST_DO(group_put(txn, &group));
	MUST_DO(index_commit(txn));
	is_put_right(2, CUBBY_FOUND_QUOTA, 2);
	MUST_DO(cubby_get_quota(box.store, "dir", &quota));
	MUST_BE(quota.entries, 3);
	trio_end();
}

/* Each has its name in the other one. */
Test(tables, a_ring_of_directories_ends_the_look_for_a_quota)
{
	static const char name[] = "ring";
	struct record ring = {
		.kind = CUBBY_DIRECTORY, .name = name, .name_size = 4};
	struct cubby_quota quota = {.quota = 1 << 20};
	struct index_txn *txn;

	trio_new();
	for (uint64_t i = 0; i < 2; i++) {
		ring.parent = 800000 + !i;
		txn = begin();
		MUST_DO(names_put(txn, ring.parent, name, 4, 800000 + i));
		MUST_DO(nodes_put(txn, 800000 + i, &ring));
		MUST_DO(index_commit(txn));
	}
	MUST_BE(cubby_set_quota_of(box.store, 800000, &quota), -EBADMSG);
	/* An entry in it is in no group. */
	txn = begin();
	struct record record = {.kind = CUBBY_ENTRY,
				.place = PLACE_INDEX,
				.parent = 800000,
				.name = BLOB,
				.name_size = (uint16_t)strlen(BLOB)};
	MUST_DO(names_put(txn, 800000, BLOB, strlen(BLOB), 700000));
	MUST_DO(nodes_put(txn, 700000, &record));
	MUST_DO(index_commit(txn));
	MUST(verify(0).found[CUBBY_FOUND_USE] == 0);
	trio_end();
}

/* -------------------------------------------------------- the whole table */

static int count_index(void *cookie, const struct cubby_verify_step *step)
{
	unsigned *count = cookie;

	*count += step->finding == CUBBY_FOUND_INDEX;
	return 0;
}

static int refuse(void *cookie, const struct cubby_verify_step *step)
{
	(void)cookie;
	(void)step;
	return -EBADMSG;
}

Test(tables, a_table_that_cannot_be_read_is_one_finding)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn;
	unsigned count = 0;

	trio_new();
	txn = begin();
	MUST_DO(lmdb_put(txn, TABLE_NAMES, "abc", 3, "x", 1));
	MUST_DO(index_commit(txn));
	MUST_DO(cubby_verify(box.store, 0, count_index, &count, &summary));
	MUST_BE(count, 1);
	MUST_BE(summary.found[CUBBY_FOUND_INDEX], 1);
	MUST_BE(summary.entries, 3);
	/* What the caller ends it with is no damage. */
	MUST_BE(cubby_verify(box.store, 0, refuse, NULL, &summary), -EBADMSG);
	trio_end();
}

/* Its name is not packed as the others are, so that nobody finds it by its
 * name, not even to delete it. */
Test(tables, a_row_that_cannot_be_put_right_ends_the_repair)
{
	struct cubby_verify_summary summary;
	uint8_t key[8 + CUBBY_KEY_TEXT_SIZE - 1];
	uint8_t value[8];
	struct index_txn *txn;

	trio_new();
	put_be64(key, dir);
	put_be64(value, blob_id);
	memcpy(key + 8, name_of(4), sizeof(key) - 8);
	txn = begin();
	MUST_DO(lmdb_put(txn, TABLE_NAMES, key, sizeof(key), value, 8));
	MUST_DO(index_commit(txn));
	MUST_BE(verify(0).found[CUBBY_FOUND_NAME], 1);
	summary = verify(CUBBY_VERIFY_REPAIR);
	MUST_BE(summary.findings, 1);
	MUST_BE(summary.found[CUBBY_FOUND_INDEX], 1);
	MUST_BE(summary.repaired, 0);
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	trio_end();
}

Test(tables, a_node_is_removed_by_its_own_name_only)
{
	struct update update;
	struct index_txn *txn;
	struct node node;

	trio_new();
	txn = begin();
	MUST_DO(names_put(txn, dir, SMALL, strlen(SMALL), blob_id));
	MUST_DO(index_commit(txn));
	MUST_DO(update_begin(box.store, &update));
	MUST_DO(node_get(update.txn, small_id, &node));
	MUST_BE(update_remove(&update, &node), -EBADMSG);
	update_end(&update);
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	trio_end();
}
