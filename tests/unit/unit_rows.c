/* SPDX-License-Identifier: MIT */
/*
 * Who goes through all nodes meets damaged ones, and those of a newer version:
 * they are passed by, and nothing of theirs is deleted.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/tree.h"
#include "cubby/upkeep.h"
#include "index/limits.h"
#include "index/lmdb_index.h"
#include "leaks.h"
#include "store/layout.h"
#include "store/store.h"

enum { AT_INCOMPAT = 3, SIZE = 300000 };

static char path[] = "/tmp/unit_rows.XXXXXX";
static struct cubby *store;
static uint64_t dir_id, newer_id;

static const struct cubby_owner owner = {0755, 0, 0};
static const char damaged_name[] = "11111111111111111111111111111111";
static const char newer_name[] = "22222222222222222222222222222222";
static const char right_name[] = "33333333333333333333333333333333";

static uint64_t add(const char *name)
{
	struct cubby_writer *writer;
	char *data = malloc(SIZE);
	struct cubby_attr attr;
	struct cubby_ns *ns;

	srandom(7);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)random();
	cr_assert_eq(cubby_ns_open(store, "a", &ns), 0);
	cr_assert_eq(cubby_writer_open_name(ns, name, &writer), 0);
	cr_assert_eq(cubby_writer_write(writer, data, SIZE), 0);
	cr_assert_eq(cubby_writer_commit(writer), 0);
	cubby_ns_close(ns);
	free(data);
	cr_assert_eq(cubby_lookup(store, CUBBY_ROOT_ID, "a", &attr), 0);
	dir_id = attr.id;
	cr_assert_eq(cubby_lookup(store, dir_id, name, &attr), 0);
	return attr.id;
}

/* Another record for a node. */
static void set_record(uint64_t id, const void *bytes, size_t size)
{
	struct index_txn *txn;
	uint8_t key[8];

	put_be64(key, id);
	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(lmdb_put(txn, TABLE_NODES, key, 8, bytes, size), 0);
	cr_assert_eq(index_commit(txn), 0);
}

static void make_newer(uint64_t id)
{
	struct index_txn *txn;
	uint8_t bytes[512];
	uint8_t key[8];
	MDB_val value;

	put_be64(key, id);
	cr_assert_eq(index_read(store->index, &txn), 0);
	cr_assert_eq(lmdb_get(txn, TABLE_NODES, key, 8, &value), 0);
	cr_assert_leq(value.mv_size, sizeof(bytes));
	memcpy(bytes, value.mv_data, value.mv_size);
	bytes[AT_INCOMPAT] ^= 0x80;
	index_end(txn);
	set_record(id, bytes, value.mv_size);
}

static void make_old(uint64_t id)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char blob[LAYOUT_PATH_SIZE];

	layout_blob(id, CODEC_RAW, blob);
	cr_assert_eq(utimensat(store->dir_fd, blob, old, 0), 0);
}

static void setup(void)
{
	uint64_t damaged;

	cr_assert(mkdtemp(path));
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
	damaged = add(damaged_name);
	newer_id = add(newer_name);
	make_old(damaged);
	make_old(newer_id);
	make_old(add(right_name));
	set_record(damaged, "damaged", 7);
}

static void teardown(void)
{
	char command[64];

	cubby_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(rows, .init = setup, .fini = teardown, .timeout = 60);

/* The one that is right still is. */
static void expect_right(void)
{
	struct cubby_reader *reader;
	struct cubby_ns *ns;

	cr_assert_eq(cubby_ns_open(store, "a", &ns), 0);
	cr_assert_eq(cubby_get_name(ns, right_name, &reader), 0);
	cr_assert_eq(cubby_reader_size(reader), SIZE);
	cubby_reader_close(reader);
	cubby_ns_close(ns);
}

Test(rows, gc_keeps_their_files)
{
	struct cubby_gc_summary summary;

	make_newer(newer_id);
	cr_assert_eq(cubby_gc(store, 0, 0, &summary), 0);
	cr_assert_eq(summary.files, 0);
	expect_right();
}

Test(rows, another_policy_passes_the_damaged_by)
{
	const struct cubby_limits limits = {.policy = CUBBY_GDSF};

	cr_assert_eq(cubby_set_limits(store, &limits), 0);
	expect_right();
}

Test(rows, a_quota_counts_what_is_right)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	const struct cubby_quota none = {.quota = 0};
	struct cubby_quota found;

	make_newer(newer_id);
	cr_assert_eq(cubby_set_quota(store, "a", &quota), 0);
	cr_assert_eq(cubby_get_quota(store, "a", &found), 0);
	cr_assert_eq(found.entries, 1);
	expect_right();
	cr_assert_eq(cubby_set_quota(store, "a", &none), 0);
	expect_right();
}

Test(rows, scrub_and_recompress_pass_them_by)
{
	struct cubby_recompress_summary summary;
	int looked = 0;

	while (cubby_scrub(store) > 0)
		looked++;
	cr_assert_eq(looked, 2);
	cr_assert_eq(cubby_recompress(store, 1, 0, NULL, NULL, &summary), 0);
	cr_assert_eq(summary.entries, 2);
	expect_right();
}

Test(rows, there_are_so_many_quotas_and_no_more)
{
	const struct cubby_quota quota = {.quota = 32 << 20};
	const struct cubby_limits limits = {.max_size = 16 << 20};
	struct cubby_attr attr;
	char name[16];

	for (int i = 0; i <= CUBBY_QUOTAS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "q%d", i);
		cr_assert_eq(
			cubby_mkdir(store, CUBBY_ROOT_ID, name, &owner, &attr),
			0);
		cr_assert_eq(cubby_set_quota(store, name, &quota),
			     i < CUBBY_QUOTAS_MAX ? 0 : -ENOSPC);
	}
	/* None may be larger than the limit. */
	cr_assert_eq(cubby_set_limits(store, &limits), -EDOM);
	expect_right();
}

static int count_content(void *cookie, const char *of,
			 enum cubby_content content)
{
	unsigned *count = cookie;

	cr_assert_str_eq(of, "a");
	cr_assert_eq(content, CUBBY_CONTENT_SHA256);
	++*count;
	return 0;
}

Test(rows, the_content_of_a_directory_that_is_gone_is_not_listed)
{
	struct cubby_attr attr;
	unsigned count = 0;

	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "gone", &owner, &attr),
		     0);
	cr_assert_eq(cubby_set_content(store, "gone", CUBBY_CONTENT_SHA256), 0);
	cr_assert_eq(cubby_set_content(store, "a", CUBBY_CONTENT_SHA256), 0);
	cr_assert_eq(cubby_rmdir(store, CUBBY_ROOT_ID, "gone"), 0);
	cr_assert_eq(cubby_list_contents(store, count_content, &count), 0);
	cr_assert_eq(count, 1);
}
