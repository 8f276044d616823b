/* SPDX-License-Identifier: MIT */
/*
 * Rows of the index that no version has written: each is damage, and is told
 * from what is not there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/addressed.h"
#include "index/displaced.h"
#include "index/limits.h"
#include "index/lmdb_index.h"
#include "index/meta.h"
#include "index/nodes.h"
#include "index/scan.h"
#include "leaks.h"

static char path[] = "/tmp/cubby-rows-XXXXXX";
static struct index *opened;
static struct index_txn *txn; /* never committed, but in one test */

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(index_open(path, false, true, &opened), 0);
	cr_assert_eq(index_write(opened, &txn), 0);
}

static void teardown(void)
{
	char command[128];

	index_end(txn);
	index_close(opened);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(index_rows, .init = setup, .fini = teardown, .timeout = 60);

static const uint8_t zeros[512];

/* A row of zeros, but for the last byte of its key. */
static void put(enum table table, size_t key_size, uint8_t last, size_t size)
{
	uint8_t key[32] = {0};

	key[key_size - 1] = last;
	cr_assert_eq(lmdb_put(txn, table, key, key_size, zeros, size), 0);
}

static void drop(enum table table, size_t key_size, uint8_t last)
{
	uint8_t key[32] = {0};

	key[key_size - 1] = last;
	cr_assert_eq(lmdb_delete(txn, table, key, key_size), 0);
}

static void put_meta(const char *key, const void *value, size_t size)
{
	cr_assert_eq(lmdb_put(txn, TABLE_META, key, strlen(key), value, size),
		     0);
}

static void drop_meta(const char *key)
{
	cr_assert_eq(lmdb_delete(txn, TABLE_META, key, strlen(key)), 0);
}

/* ------------------------------------------------------------------- meta */

Test(index_rows, an_index_of_somebody_else_is_damage)
{
	put_meta("format", zeros, 16);
	cr_expect_eq(meta_verify(txn), -EBADMSG);
	put_meta("format", zeros, 15);
	cr_expect_eq(meta_verify(txn), -EBADMSG);
}

Test(index_rows, an_index_of_version_1_is_refused)
{
	cr_expect_eq(meta_refuse_old(txn), 0);
	put_meta("meta", zeros, 48);
	cr_expect_eq(meta_refuse_old(txn), -EPROTONOSUPPORT);
}

Test(index_rows, impossible_next_ids_are_not_given_out)
{
	uint8_t bytes[8];
	uint64_t first = 0;

	put_le(bytes, CUBBY_ROOT_ID, 8);
	put_meta("next_id", bytes, 8);
	cr_expect_eq(meta_reserve_ids(txn, 1, &first), -EBADMSG);
	put_le(bytes, UINT64_MAX / 2 + 1, 8);
	put_meta("next_id", bytes, 8);
	cr_expect_eq(meta_reserve_ids(txn, 1, &first), -EBADMSG);
	drop_meta("next_id");
	cr_expect_eq(meta_reserve_ids(txn, 1, &first), -EBADMSG);
	cr_expect_eq(first, 0);
	put_le(bytes, UINT64_MAX / 2, 8);
	put_meta("next_id", bytes, 8);
	cr_expect_eq(meta_reserve_ids(txn, 1, &first), 0);
	cr_expect_eq(first, UINT64_MAX / 2);
}

Test(index_rows, totals_that_are_missing_are_damage)
{
	struct totals totals;

	drop_meta("totals");
	cr_expect_eq(totals_get(txn, &totals), -EBADMSG);
}

Test(index_rows, content_rules_of_another_size_are_damage)
{
	struct addressed rows[CUBBY_CONTENTS_MAX];
	size_t count = 77;

	put_meta("content", zeros, 15);
	cr_expect_eq(addressed_list(txn, rows, &count), -EBADMSG);
	cr_expect_eq(addressed_delete(txn, 7), -EBADMSG);
	cr_expect_eq(count, 77);
	put_meta("content", zeros, 16);
	cr_expect_eq(addressed_list(txn, rows, &count), 0);
	cr_expect_eq(count, 1);
}

Test(index_rows, more_content_rules_than_there_can_be_are_damage)
{
	const size_t size = ((size_t)CUBBY_CONTENTS_MAX + 1) * 16;
	struct addressed rows[CUBBY_CONTENTS_MAX];
	uint8_t *bytes = calloc(1, size);
	size_t count;

	cr_assert_not_null(bytes);
	put_meta("content", bytes, size);
	cr_expect_eq(addressed_list(txn, rows, &count), -EBADMSG);
	put_meta("content", bytes, size - 16);
	cr_expect_eq(addressed_list(txn, rows, &count), 0);
	cr_expect_eq(count, CUBBY_CONTENTS_MAX);
	free(bytes);
}

Test(index_rows, damaged_groups_are_not_listed)
{
	struct group groups[CUBBY_QUOTAS_MAX];
	struct group group;
	size_t count = 0;

	put(TABLE_GROUPS, 8, 5, 31);
	cr_expect_eq(group_get(txn, 5, &group), -EBADMSG);
	cr_expect_eq(groups_list(txn, groups, &count), -EBADMSG);
	drop(TABLE_GROUPS, 8, 5);
	put(TABLE_GROUPS, 7, 5, 32);
	cr_expect_eq(groups_list(txn, groups, &count), -EBADMSG);
	cr_expect_eq(count, 0);
	drop(TABLE_GROUPS, 7, 5);
	for (uint64_t id = 1; id <= CUBBY_QUOTAS_MAX; id++)
		cr_assert_eq(group_put(txn, &(struct group){.id = id}), 0);
	cr_expect_eq(groups_list(txn, groups, &count), 0);
	cr_expect_eq(count, CUBBY_QUOTAS_MAX);
	cr_assert_eq(group_put(txn, &(struct group){.id = 1 << 20}), 0);
	cr_expect_eq(groups_list(txn, groups, &count), -EBADMSG);
}

/* ------------------------------------------------------------------ nodes */

static int count_name(void *cookie, const char *name, size_t size, uint64_t id)
{
	unsigned *count = cookie;

	(void)name;
	(void)size;
	(void)id;
	++*count;
	return 0;
}

static int count_any_name(void *cookie, uint64_t parent, const char *name,
			  size_t size, uint64_t id)
{
	(void)parent;
	return count_name(cookie, name, size, id);
}

Test(index_rows, a_damaged_name_ends_a_listing)
{
	uint8_t key[9] = {0};
	unsigned count = 0;
	uint64_t id;

	put_be64(key, 7);
	/* Digits in half the room, but not all of them. */
	key[8] = 0;
	cr_assert_eq(lmdb_put(txn, TABLE_NAMES, key, 9, zeros, 8), 0);
	cr_expect_eq(names_scan(txn, 7, "", 0, count_name, &count), -EBADMSG);
	cr_expect_eq(scan_names(txn, count_any_name, &count), -EBADMSG);
	cr_assert_eq(lmdb_delete(txn, TABLE_NAMES, key, 9), 0);
	/* Leads to half an id. */
	key[8] = 'a';
	cr_assert_eq(lmdb_put(txn, TABLE_NAMES, key, 9, zeros, 4), 0);
	cr_expect_eq(names_get(txn, 7, "a", 1, &id), -EBADMSG);
	cr_expect_eq(names_scan(txn, 7, "", 0, count_name, &count), -EBADMSG);
	cr_expect_eq(scan_names(txn, count_any_name, &count), -EBADMSG);
	cr_assert_eq(lmdb_delete(txn, TABLE_NAMES, key, 9), 0);
	/* In no directory. */
	key[0] = 1;
	cr_assert_eq(lmdb_put(txn, TABLE_NAMES, key, 7, zeros, 8), 0);
	cr_expect_eq(names_scan(txn, 0, "", 0, count_name, &count), -EBADMSG);
	cr_expect_eq(scan_names(txn, count_any_name, &count), -EBADMSG);
	cr_expect_eq(count, 0);
}

static int see_node(void *cookie, uint64_t id, const struct record *record)
{
	uint64_t *last = cookie;

	cr_expect_eq(!record, id != CUBBY_ROOT_ID);
	*last = id;
	return 0;
}

Test(index_rows, a_record_is_passed_by_and_a_damaged_id_is_not)
{
	uint8_t newer[RECORD_FIXED_SIZE] = {[3] = 1};
	uint8_t key[8];
	uint64_t last = 0;
	uint64_t id = CUBBY_ROOT_ID;

	put(TABLE_NODES, 8, 9, 5);
	put(TABLE_NODES, 9, 1, 5); /* bytes of the node 0 */
	cr_expect_eq(scan_nodes(txn, 0, see_node, &last), 0);
	cr_expect_eq(last, 9);
	cr_expect_eq(scan_nodes(txn, 2, see_node, &last), 0);
	cr_assert_eq(scan_last_node(txn, &last), 0);
	cr_expect_eq(last, 9);
	cr_expect_eq(nodes_next(txn, &id), 0);
	cr_expect_eq(id, 9);

	put_be64(key, 10);
	cr_assert_eq(lmdb_put(txn, TABLE_NODES, key, 8, newer, sizeof(newer)),
		     0);
	cr_expect_eq(scan_nodes(txn, 0, see_node, &last), 0);
	cr_expect_eq(last, 10);
	drop(TABLE_NODES, 8, 10);
	put(TABLE_NODES, 10, 1, 5);
	cr_expect_eq(scan_nodes(txn, 0, see_node, &last), -EBADMSG);
	drop(TABLE_NODES, 10, 1);
	put(TABLE_NODES, 7, 1, 5);
	cr_expect_eq(scan_nodes(txn, 0, see_node, &last), -EBADMSG);
}

Test(index_rows, bytes_without_a_record_are_no_node)
{
	uint64_t id = CUBBY_ROOT_ID;

	cr_assert_eq(small_put(txn, 20, "abc", 3), 0);
	cr_expect_eq(nodes_next(txn, &id), -ENOENT);
	cr_expect_eq(id, CUBBY_ROOT_ID);
	put(TABLE_NODES, 10, 0, 5);
	id = 0;
	cr_expect_eq(nodes_next(txn, &id), 0);
	cr_expect_eq(id, CUBBY_ROOT_ID);
}

static int count_parts(void *cookie, uint64_t id, size_t size)
{
	size_t *counts = cookie;

	(void)size;
	counts[id]++;
	return 0;
}

/* One is missing, or there is one that only a later version would write. */
Test(index_rows, deleting_small_bytes_leaves_no_part_of_them)
{
	static const uint8_t bytes[SMALL_BYTES_MAX];
	struct record record = {
		.kind = CUBBY_ENTRY, .place = PLACE_INDEX, .name = ""};
	size_t counts[9] = {0};

	for (uint64_t id = 6; id <= 8; id++)
		cr_assert_eq(nodes_put(txn, id, &record), 0);
	cr_assert_eq(small_put(txn, 6, bytes, sizeof(bytes)), 0);
	cr_assert_eq(small_put(txn, 8, bytes, sizeof(bytes)), 0);
	for (uint8_t part = 0; part <= SMALL_PARTS_MAX; part++) {
		uint8_t key[9] = {[7] = 7, [8] = part};
		uint8_t more[9] = {[7] = 7, [8] = 200};

		cr_assert_eq(small_put(txn, 7, bytes, sizeof(bytes)), 0);
		cr_assert_eq(lmdb_put(txn, TABLE_NODES, more, sizeof(more),
				      bytes, 4080),
			     0);
		cr_assert_eq(lmdb_delete(txn, TABLE_NODES, key, sizeof(key)),
			     part ? 0 : -ENOENT);
		cr_assert_eq(small_delete(txn, 7), 0);
		cr_assert_eq(small_delete(txn, 7), -ENOENT);
	}
	cr_assert_eq(scan_small(txn, count_parts, counts), 0);
	cr_expect_eq(counts[6], SMALL_PARTS_MAX);
	cr_expect_eq(counts[7], 0);
	cr_expect_eq(counts[8], SMALL_PARTS_MAX);
	for (uint64_t id = 6; id <= 8; id++)
		cr_expect_eq(nodes_get(txn, id, &record), 0);
}

Test(index_rows, an_index_without_nodes_is_damage)
{
	uint64_t last = 0;

	cr_assert_eq(nodes_delete(txn, CUBBY_ROOT_ID), 0);
	cr_expect_eq(scan_last_node(txn, &last), -EBADMSG);
	put(TABLE_NODES, 12, 9, 5);
	cr_expect_eq(scan_last_node(txn, &last), -EBADMSG);
	cr_expect_eq(last, 0);
}

static int see_recent(void *cookie, const struct recent *row)
{
	uint64_t *id = cookie;

	*id = row->id;
	return 0;
}

Test(index_rows, a_damaged_row_of_the_order_of_use_ends_its_scan)
{
	const struct recent row = {.rank = 5, .id = 6};
	uint64_t id = 0;

	cr_assert_eq(recent_put(txn, &row), 0);
	cr_expect_eq(scan_recent(txn, see_recent, &id), 0);
	cr_expect_eq(id, 6);
	put(TABLE_RECENT, 23, 9, 0);
	cr_expect_eq(scan_recent(txn, see_recent, &id), -EBADMSG);
}

/* ---------------------------------------------------------------- watches */

Test(index_rows, a_damaged_watch_stops_who_asks_for_all)
{
	uint64_t horizon = 77;

	put(TABLE_WATCHES, 7, 1, 8);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), -EBADMSG);
	drop(TABLE_WATCHES, 7, 1);
	put(TABLE_WATCHES, 8, 1, 7);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), -EBADMSG);
	drop(TABLE_WATCHES, 8, 1);
	cr_assert_eq(watches_set(txn, WATCHES_MAX, 4), 0);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), -EBADMSG);
	cr_expect_eq(horizon, 77);
	cr_assert_eq(watches_delete(txn, WATCHES_MAX), 0);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), 0);
	cr_expect_eq(horizon, 9);
}

Test(index_rows, there_are_so_many_watches_and_no_more)
{
	static int fds[WATCHES_MAX];
	uint64_t horizon;
	uint32_t slot;
	int fd = -1;

	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		cr_assert_eq(watches_add(txn, 100 - i % 50, &fds[i], &slot), 0);
		cr_assert_eq(slot, i);
	}
	cr_expect_eq(watches_add(txn, 4, &fd, &slot), -EUSERS);
	cr_expect_eq(fd, -1);
	cr_expect_eq(watches_horizon(txn, 200, &horizon), 1);
	cr_expect_eq(horizon, 51);
	close(fds[7]);
	cr_expect_eq(watches_add(txn, 4, &fds[7], &slot), 0);
	cr_expect_eq(slot, 7);
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		close(fds[i]);
}

static int see_displaced(void *cookie, uint64_t number, uint64_t id,
			 uint64_t parent, const char *name, size_t name_size)
{
	(void)cookie;
	(void)number;
	(void)id;
	(void)parent;
	(void)name;
	return (int)name_size + 1;
}

Test(index_rows, a_damaged_row_of_the_displaced_ends_their_scan)
{
	const size_t most = 16 + CUBBY_NAME_MAX;

	put(TABLE_DISPLACED, 8, 3, most);
	cr_expect_eq(displaced_scan(txn, 0, see_displaced, NULL),
		     CUBBY_NAME_MAX + 1);
	put(TABLE_DISPLACED, 8, 3, most + 1);
	cr_expect_eq(displaced_scan(txn, 0, see_displaced, NULL), -EBADMSG);
	put(TABLE_DISPLACED, 8, 3, 16);
	cr_expect_eq(displaced_scan(txn, 0, see_displaced, NULL), 1);
	put(TABLE_DISPLACED, 8, 3, 15);
	cr_expect_eq(displaced_scan(txn, 0, see_displaced, NULL), -EBADMSG);
	drop(TABLE_DISPLACED, 8, 3);
	put(TABLE_DISPLACED, 9, 3, 16);
	cr_expect_eq(displaced_scan(txn, 0, see_displaced, NULL), -EBADMSG);
}

/* ------------------------------------------------------------------- LMDB */

Test(index_rows, what_lmdb_says_has_a_meaning)
{
	static const struct {
		int said;
		int meant;
	} all[] = {
		{MDB_SUCCESS, 0},
		{MDB_NOTFOUND, -ENOENT},
		{MDB_KEYEXIST, -EEXIST},
		{MDB_MAP_FULL, -ENOSPC},
		{MDB_TXN_FULL, -ENOSPC},
		{MDB_READERS_FULL, -EUSERS},
		{MDB_MAP_RESIZED, -ENOMEM},
		{MDB_VERSION_MISMATCH, -EPROTONOSUPPORT},
		{MDB_BAD_TXN, -EIO},
		{MDB_PANIC, -EIO},
		{MDB_CORRUPTED, -EBADMSG},
		{MDB_PAGE_NOTFOUND, -EBADMSG},
		{EACCES, -EACCES},
		{ENOSPC, -ENOSPC},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		cr_expect_eq(lmdb_error(all[i].said), all[i].meant, "%d",
			     all[i].said);
}

/* Every file of the index has a path that fits. */
Test(index_rows, a_path_that_is_too_long_is_refused)
{
	static char longer[PATH_MAX + 2];
	struct index *again = NULL;
	size_t size;

	strcpy(longer, path);
	for (size = strlen(longer); size < PATH_MAX - 10; size++)
		longer[size] = '/';
	cr_expect_eq(index_open(longer, false, false, &again), 0,
		     "%zu characters", strlen(longer));
	cr_expect_eq(again, opened);
	index_close(again);
	again = NULL;
	for (; size <= PATH_MAX; size++) {
		longer[size] = '/';
		cr_expect_eq(index_open(longer, false, false, &again),
			     -ENAMETOOLONG, "%zu characters", strlen(longer));
	}
	cr_expect_null(again);
}
