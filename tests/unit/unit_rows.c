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
#include "index/addressed.h"
#include "index/limits.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "leaks.h"
#include "store/census.h"
#include "store/digest.h"
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

static void expect_entry(const char *name)
{
	struct cubby_reader *reader;
	struct cubby_ns *ns;

	cr_assert_eq(cubby_ns_open(store, "a", &ns), 0);
	cr_assert_eq(cubby_get_name(ns, name, &reader), 0);
	cr_assert_eq(cubby_reader_size(reader), SIZE);
	cubby_reader_close(reader);
	cubby_ns_close(ns);
}

/* The one that is right still is. */
static void expect_right(void)
{
	expect_entry(right_name);
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

	make_newer(newer_id);
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
	make_newer(newer_id);
	cr_assert_eq(cubby_recompress(store, 1, 0, NULL, NULL, &summary), 0);
	cr_assert_eq(summary.entries, 1);
	expect_right();
}

/* What cannot be counted cannot be repaired: the totals, which are right, would
 * be taken for wrong. */
Test(rows, verify_refuses_what_is_newer_and_changes_nothing)
{
	struct cubby_verify_summary summary;
	struct cubby_stats before;
	struct cubby_stats after;

	make_newer(newer_id);
	cr_assert_eq(cubby_get_stats(store, &before), 0);
	cr_assert_eq(
		cubby_verify(store, CUBBY_VERIFY_REPAIR, NULL, NULL, &summary),
		-EPROTONOSUPPORT);
	cr_assert_eq(cubby_get_stats(store, &after), 0);
	cr_assert_eq(after.entries, before.entries);
	make_newer(newer_id); /* its flag goes */
	expect_entry(newer_name);
	expect_right();
}

/* The same when it has lost its name, and only who goes through the nodes meets
 * it. */
Test(rows, verify_refuses_a_newer_node_without_a_name)
{
	struct cubby_verify_summary summary;
	struct index_txn *txn;
	struct record record;

	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(names_delete(txn, dir_id, newer_name, strlen(newer_name)),
		     0);
	cr_assert_eq(index_commit(txn), 0);
	make_newer(newer_id);
	cr_assert_eq(cubby_verify(store, 0, NULL, NULL, &summary),
		     -EPROTONOSUPPORT);
	cr_assert_eq(
		cubby_verify(store, CUBBY_VERIFY_REPAIR, NULL, NULL, &summary),
		-EPROTONOSUPPORT);
	cr_assert_eq(index_read(store->index, &txn), 0);
	cr_assert_eq(nodes_get(txn, newer_id, &record), -EPROTONOSUPPORT);
	index_end(txn);
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

Test(rows, another_policy_passes_those_of_a_newer_version_by)
{
	const struct cubby_limits limits = {.policy = CUBBY_GDSF};

	make_newer(newer_id);
	cr_assert_eq(cubby_set_limits(store, &limits), 0);
	expect_right();
}

/* A plain file with so many bytes, of which the index does not know. */
static uint64_t make_plain(uint64_t dir, const char *name, size_t size)
{
	static const char bytes[8192];
	struct cubby_attr attr;
	int fd;

	cr_assert_eq(cubby_create(store, dir, name, &owner, &attr, &fd), 0);
	cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	return attr.id;
}

static uint64_t plain_bytes(void)
{
	struct cubby_stats stats;

	cr_assert_eq(cubby_get_stats(store, &stats), 0);
	return stats.plain_bytes;
}

Test(rows, what_is_no_plain_file_is_not_settled)
{
	uint64_t id = make_plain(CUBBY_ROOT_ID, "plain", 8192);
	uint64_t ids[300] = {newer_id, dir_id, 1 << 30};

	make_newer(newer_id);
	set_record(1 << 20, "damaged", 7);
	ids[3] = 1 << 20;
	/* More than go into one transaction. */
	for (size_t i = 4; i < ARRAY_SIZE(ids); i++)
		ids[i] = newer_id;
	ids[ARRAY_SIZE(ids) - 1] = id;
	cr_assert_eq(plain_bytes(), 0);
	cr_assert_eq(cubby_settle_plain(store, ids, ARRAY_SIZE(ids)), 0);
	cr_assert_geq(plain_bytes(), 8192);
}

Test(rows, who_begins_to_watch_settles_all_plain_files)
{
	enum { FILES = 300 };
	struct cubby_watch *watch;
	char name[16];

	for (int i = 0; i < FILES; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		(void)make_plain(dir_id, name, 4096);
	}
	cr_assert_eq(plain_bytes(), 0);
	cr_assert_eq(cubby_watch_new(store, &watch), 0);
	cr_assert_geq(plain_bytes(), (uint64_t)FILES * 4096);
	cubby_watch_close(watch);
}

/* A directory that is in itself. */
static void make_ring(uint64_t id, const char *name)
{
	struct record record;
	struct index_txn *txn;

	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(nodes_get(txn, id, &record), 0);
	record.parent = id;
	record.name = name;
	cr_assert_eq(nodes_put(txn, id, &record), 0);
	cr_assert_eq(names_put(txn, id, name, strlen(name), id), 0);
	cr_assert_eq(index_commit(txn), 0);
}

Test(rows, a_ring_of_directories_has_an_end)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	enum cubby_content content;
	struct index_txn *txn;
	struct cubby_attr attr;

	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "other", &owner, &attr),
		     0);
	cr_assert_eq(cubby_set_content(store, "other", CUBBY_CONTENT_SHA256),
		     0);
	make_ring(dir_id, "a");
	cr_assert_eq(cubby_set_quota_of(store, dir_id, &quota), -EBADMSG);
	cr_assert_eq(index_read(store->index, &txn), 0);
	cr_assert_eq(digest_rule(txn, dir_id, &content), -EBADMSG);
	index_end(txn);
}

static int refuse_content(void *cookie, const char *of,
			  enum cubby_content content)
{
	(void)cookie;
	(void)of;
	(void)content;
	return 77;
}

Test(rows, the_content_of_a_damaged_directory_is_an_error)
{
	const struct addressed gone = {.id = 1 << 30,
				       .content = CUBBY_CONTENT_SHA256};
	struct index_txn *txn;

	cr_assert_eq(cubby_set_content(store, "a", CUBBY_CONTENT_SHA256), 0);
	cr_assert_eq(cubby_list_contents(store, refuse_content, NULL), 77);
	/* One that is not there at all says nothing. */
	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(addressed_put(txn, &gone, 1), 0);
	cr_assert_eq(index_commit(txn), 0);
	cr_assert_eq(cubby_list_contents(store, refuse_content, NULL), 0);
	cr_assert_eq(cubby_set_content(store, "a", CUBBY_CONTENT_SHA256), 0);
	set_record(dir_id, "damaged", 7);
	cr_assert_eq(cubby_list_contents(store, refuse_content, NULL),
		     -EBADMSG);
}

Test(rows, a_quota_is_of_a_directory_that_is_there)
{
	const struct cubby_limits limits = {.max_size = 0};
	const struct cubby_quota quota = {.quota = 1 << 30};
	const struct cubby_quota none = {.quota = 0};
	struct cubby_watch *watch;
	struct cubby_attr attr;
	uint64_t gone;

	(void)make_plain(dir_id, "plain", 5);
	cr_assert_eq(cubby_set_quota(store, "a", &none), 0);
	cr_assert_eq(cubby_set_quota(store, "a", &quota), 0);
	cr_assert_eq(cubby_set_limits(store, &limits), 0);
	expect_right();

	/* One that is gone, but held, still has a record. */
	cr_assert_eq(cubby_watch_new(store, &watch), 0);
	cubby_watch_hold(watch, 0);
	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "gone", &owner, &attr),
		     0);
	cr_assert_eq(cubby_rmdir(store, CUBBY_ROOT_ID, "gone"), 0);
	cr_assert_eq(cubby_set_quota_of(store, attr.id, &quota), -ENOENT);
	gone = attr.id;
	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "gone", &owner, &attr),
		     0);
	cr_assert_eq(cubby_set_quota_of(store, gone, &quota), -ENOENT);
	cr_assert_eq(cubby_set_quota_of(store, attr.id, &quota), 0);
	cubby_watch_close(watch);
}

struct visit {
	unsigned count;
	bool adds; /* an entry for each that is visited */
};

static int visit_node(void *cookie, uint64_t id, const struct record *record)
{
	struct visit *visit = cookie;
	char name[64];

	(void)id;
	if (record->kind != CUBBY_ENTRY)
		return 0;
	visit->count++;
	if (visit->adds) {
		(void)snprintf(name, sizeof(name), "%032u", visit->count);
		(void)add(name);
	}
	return 0;
}

Test(rows, a_census_visits_what_is_there_when_it_begins)
{
	struct visit visit = {.adds = true};
	struct index_txn *txn;

	cr_assert_eq(census_run(store, visit_node, &visit), 0);
	cr_expect_eq(visit.count, 2);
	for (unsigned i = 0; i < 80; i++)
		(void)make_plain(dir_id, (char[]){'p', (char)('0' + i), 0}, 0);
	(void)add("44444444444444444444444444444444");
	/* Many that are in no directory, and then one that is. */
	cr_assert_eq(index_write(store->index, &txn), 0);
	for (uint64_t id = 1 << 20; id < (1 << 20) + 3000; id++)
		cr_assert_eq(nodes_put(txn, id,
				       &(struct record){.kind = CUBBY_DIRECTORY,
							.parent = dir_id,
							.name = "none",
							.name_size = 4}),
			     0);
	cr_assert_eq(nodes_put(txn, 1 << 21,
			       &(struct record){.kind = CUBBY_PLAIN,
						.parent = dir_id,
						.name = "last",
						.name_size = 4}),
		     0);
	cr_assert_eq(names_put(txn, dir_id, "last", 4, 1 << 21), 0);
	cr_assert_eq(index_commit(txn), 0);
	visit = (struct visit){.count = 0};
	cr_assert_eq(census_run(store, visit_node, &visit), 0);
	cr_expect_eq(visit.count, 5);
}
