/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "index/displaced.h"
#include "index/index.h"
#include "index/meta.h"
#include "index/nodes.h"
#include "leaks.h"

static char path[] = "/tmp/cubby-unit-XXXXXX";
static struct index *opened;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(index_open(path, false, true, &opened), 0);
}

static void teardown(void)
{
	char command[128];

	index_close(opened);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(index, .init = setup, .fini = teardown);

static struct index_txn *begin_write(void)
{
	struct index_txn *txn;

	cr_assert_eq(index_write(opened, &txn), 0);
	return txn;
}

Test(index, a_new_one_has_a_root_and_no_totals)
{
	struct index_txn *txn;
	struct totals totals;
	struct record record;

	cr_assert_eq(index_read(opened, &txn), 0);
	cr_assert_eq(nodes_get(txn, 1, &record), 0);
	cr_expect_eq(record.kind, CUBBY_DIRECTORY);
	cr_assert_eq(totals_get(txn, &totals), 0);
	cr_expect_eq(totals.entries, 0);
	index_end(txn);
}

Test(index, what_is_not_committed_is_gone)
{
	struct index_txn *txn = begin_write();
	uint64_t id;

	cr_assert_eq(names_put(txn, 1, "a", 1, 7), 0);
	index_end(txn);
	txn = begin_write();
	cr_expect_eq(names_get(txn, 1, "a", 1, &id), -ENOENT);
	index_end(txn);
}

Test(index, a_reader_sees_one_instant)
{
	struct index_txn *reader;
	struct index_txn *txn;
	uint64_t id;

	cr_assert_eq(index_read(opened, &reader), 0);
	txn = begin_write();
	cr_assert_eq(names_put(txn, 1, "a", 1, 7), 0);
	cr_assert_eq(index_commit(txn), 0);
	cr_expect_eq(names_get(reader, 1, "a", 1, &id), -ENOENT);
	index_end(reader);
	cr_assert_eq(index_read(opened, &reader), 0);
	cr_assert_eq(names_get(reader, 1, "a", 1, &id), 0);
	cr_expect_eq(id, 7);
	index_end(reader);
}

Test(index, ids_are_given_out_once_also_after_reopening)
{
	struct index_txn *txn = begin_write();
	uint64_t first;
	uint64_t second;

	cr_assert_eq(meta_reserve_ids(txn, 10, &first), 0);
	cr_assert_eq(index_commit(txn), 0);
	index_close(opened);
	cr_assert_eq(index_open(path, false, false, &opened), 0);
	txn = begin_write();
	cr_assert_eq(meta_reserve_ids(txn, 1, &second), 0);
	index_end(txn);
	cr_expect_gt(first, 1);
	cr_expect_eq(second, first + 10);
}

struct scan {
	size_t count;
	char names[8][8];
};

static int take_name(void *cookie, const char *name, size_t size, uint64_t id)
{
	struct scan *scan = cookie;

	cr_assert_lt(scan->count, 8);
	memcpy(scan->names[scan->count], name, size);
	scan->names[scan->count++][size] = '\0';
	return id == 99 ? 1 : 0;
}

Test(index, names_of_one_directory_are_scanned_in_order)
{
	struct index_txn *txn = begin_write();
	struct scan scan = {.count = 0};

	cr_assert_eq(names_put(txn, 1, "b", 1, 2), 0);
	cr_assert_eq(names_put(txn, 1, "a", 1, 3), 0);
	cr_assert_eq(names_put(txn, 1, "ab", 2, 4), 0);
	cr_assert_eq(names_put(txn, 0, "x", 1, 5), 0);
	cr_assert_eq(names_put(txn, 2, "y", 1, 6), 0);
	cr_assert_eq(names_scan(txn, 1, "", 0, take_name, &scan), 0);
	cr_assert_eq(scan.count, 3);
	cr_expect_str_eq(scan.names[0], "a");
	cr_expect_str_eq(scan.names[1], "ab");
	cr_expect_str_eq(scan.names[2], "b");
	scan.count = 0;
	cr_assert_eq(names_scan(txn, 1, "ab", 2, take_name, &scan), 0);
	cr_assert_eq(scan.count, 1);
	scan.count = 0;
	cr_assert_eq(names_scan(txn, 1, "aa", 2, take_name, &scan), 0);
	cr_assert_eq(scan.count, 2);
	scan.count = 0;
	cr_assert_eq(names_scan(txn, 2, "y", 1, take_name, &scan), 0);
	cr_expect_eq(scan.count, 0);
	cr_assert_eq(names_put(txn, 1, "aa", 2, 99), 0);
	cr_expect_eq(names_scan(txn, 1, "", 0, take_name, &scan), 1);
	index_end(txn);
}

Test(index, one_directory_opened_twice_is_one_environment)
{
	struct index *again;

	cr_assert_eq(index_open(path, false, false, &again), 0);
	cr_expect_eq(again, opened);
	index_close(again);
	index_end(begin_write());
}

Test(index, a_child_opens_it_anew_and_leaves_the_parents_alone)
{
	struct index *again;
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct index_txn *txn;
		int r = index_open(path, false, false, &again);

		if (r == 0 && again == opened)
			r = -EINVAL;
		if (r == 0)
			r = index_write(again, &txn);
		if (r == 0)
			r = names_put(txn, 1, "child", 5, 50);
		if (r == 0)
			r = index_commit(txn);
		index_close(opened);
		_exit(r < 0 ? 1 : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	{
		struct index_txn *txn = begin_write();
		uint64_t id;

		cr_expect_eq(names_get(txn, 1, "child", 5, &id), 0);
		index_end(txn);
	}
}

Test(index, a_truncated_file_is_damage)
{
	char data[64];

	snprintf(data, sizeof(data), "%s/data.mdb", path);
	index_close(opened);
	cr_assert_eq(truncate(data, 3 * 4096), 0);
	cr_expect_eq(index_open(path, false, false, &opened), -EBADMSG);
	cr_expect_eq(index_open(path, false, false, &opened), -EBADMSG,
		     "nor does looking at it make it whole");
	cr_assert_eq(truncate(data, 0), 0);
	cr_assert_eq(index_open(path, false, true, &opened), 0);
}

/*
 * LMDB counts pages that a transaction took at the end and gave up again, but
 * does not write them: a file without them is whole.
 */
Test(index, a_file_without_its_last_free_pages_is_no_damage)
{
	static const uint8_t value[SMALL_BYTES_MAX];
	struct index_txn *txn;
	struct stat file;
	off_t needed;
	char data[64];
	uint64_t id;

	snprintf(data, sizeof(data), "%s/data.mdb", path);
	txn = begin_write();
	for (uint64_t i = 0; i < 12; i++)
		cr_assert_eq(small_put(txn, i, value, sizeof(value)), 0);
	for (uint64_t i = 0; i < 12; i++)
		cr_assert_eq(small_delete(txn, i), 0);
	cr_assert_eq(index_commit(txn), 0);
	/* These move what is in use to the front, since nothing that was given
	 * up before a checkpoint is kept. */
	for (uint64_t i = 0; i < 4; i++) {
		cr_assert_eq(index_sync(opened), 0);
		txn = begin_write();
		cr_assert_eq(names_put(txn, 1, "a", 1, 7 + i), 0);
		cr_assert_eq(index_commit(txn), 0);
	}
	needed = (off_t)index_bytes(opened);
	index_close(opened);

	cr_assert_eq(truncate(data, needed - 2 * 4096), 0);
	cr_expect_eq(index_open(path, true, false, &opened), -EBADMSG,
		     "who cannot make it longer must not map it");
	cr_assert_eq(index_open(path, false, false, &opened), 0);
	cr_assert_eq(stat(data, &file), 0);
	cr_expect_geq(file.st_size, needed);
	txn = begin_write();
	cr_expect_eq(names_get(txn, 1, "a", 1, &id), 0);
	cr_expect_eq(id, 10);
	index_end(txn);
}

Test(index, a_small_entry_of_any_size_comes_back)
{
	static const size_t sizes[] = {0,    1,	    4079,  4080,  4081, 8160,
				       8161, 12240, 12241, 16319, 16320};
	uint8_t value[16320];
	uint8_t found[16320];
	struct index_txn *txn = begin_write();

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7 / 3 + i / 4080);
	for (uint64_t i = 0; i < ARRAY_SIZE(sizes); i++)
		cr_assert_eq(small_put(txn, i, value, sizes[i]), 0);
	for (uint64_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(found, 0, sizeof(found));
		cr_assert_eq(small_get(txn, i, found, sizes[i]), 0);
		cr_expect_arr_eq(found, value, sizes[i]);
		if (sizes[i] < sizeof(value))
			cr_expect_neq(small_get(txn, i, found, sizes[i] + 1),
				      0);
		/* Cut at a page, what is missing is not noticed here. */
		if (sizes[i] == 1 || sizes[i] % 4080 > 1 ||
		    (sizes[i] > 0 && sizes[i] % 4080 == 0))
			cr_expect_eq(small_get(txn, i, found, sizes[i] - 1),
				     -EBADMSG);
	}
	for (uint64_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cr_assert_eq(small_delete(txn, i), 0);
		cr_expect_eq(small_get(txn, i, found, sizes[i]), -ENOENT);
		cr_expect_eq(small_delete(txn, i), -ENOENT);
	}
	index_end(txn);
}

Test(index, a_commit_leaves_the_file_as_long_as_it_counts)
{
	static const uint8_t value[SMALL_BYTES_MAX];
	struct index_txn *txn;
	struct stat file;
	char data[64];

	snprintf(data, sizeof(data), "%s/data.mdb", path);
	for (unsigned i = 1; i < 40; i++) {
		txn = begin_write();
		for (uint64_t id = 0; id < i / 3; id++)
			cr_assert_eq(small_put(txn, id, value, sizeof(value)),
				     0);
		for (uint64_t id = 0; i % 3 && id < i / 3; id++)
			cr_assert_eq(small_delete(txn, id), 0);
		cr_assert_eq(index_commit(txn), 0);
		cr_assert_eq(stat(data, &file), 0);
		cr_expect_geq((uint64_t)file.st_size, index_bytes(opened),
			      "commit %u", i);
	}
}

enum { ROWS = 20000, ROWS_AT_ONCE = 400, COMMITS = 100 };

/* Write that many rows, far from each other. */
static void write_rows(unsigned seed)
{
	struct index_txn *txn = begin_write();

	for (unsigned i = 0; i < ROWS_AT_ONCE; i++) {
		struct record record = {
			.kind = CUBBY_ENTRY,
			.place = PLACE_INDEX,
			.mode = seed,
			.name = "",
		};
		uint64_t id = 2 + ((uint64_t)i * 7919 + seed * 104729) % ROWS;

		cr_assert_eq(nodes_put(txn, id, &record), 0);
	}
	cr_assert_eq(index_commit(txn), 0);
}

static uint64_t live_bytes(void)
{
	struct index_txn *txn;
	uint64_t bytes;

	cr_assert_eq(index_read(opened, &txn), 0);
	cr_assert_eq(index_live_bytes(txn, &bytes), 0);
	index_end(txn);
	return bytes;
}

/* Pages that a commit frees wait for a checkpoint; who frees more has it
 * earlier. */
Test(index, large_commits_do_not_make_the_file_grow)
{
	const uint64_t slack = UINT64_C(64) << 20;

	for (unsigned i = 0; i < COMMITS; i++)
		write_rows(i);
	cr_expect_lt(index_bytes(opened), live_bytes() + slack);
}

Test(index, large_commits_keep_the_pace_that_is_set)
{
	const uint64_t slack = index_set_pace(opened, 32);

	for (unsigned i = 0; i < COMMITS; i++) {
		write_rows(i);
		cr_assert_lt(index_bytes(opened), live_bytes() + slack,
			     "after %u commits: %ju, of which %ju live", i + 1,
			     (uintmax_t)index_bytes(opened),
			     (uintmax_t)live_bytes());
	}
}

Test(index, watches_hold_the_horizon_until_they_die)
{
	struct index_txn *txn = begin_write();
	uint64_t horizon = 0;
	uint32_t slot;
	int fd;

	cr_expect_eq(watches_horizon(txn, 9, &horizon), 0);
	cr_expect_eq(horizon, 9);
	cr_assert_eq(watches_add(txn, 4, &fd, &slot), 0);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), 1);
	cr_expect_eq(horizon, 4);
	cr_assert_eq(watches_set(txn, slot, 6), 0);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), 1);
	cr_expect_eq(horizon, 6);
	close(fd);
	cr_expect_eq(watches_horizon(txn, 9, &horizon), 0);
	cr_expect_eq(horizon, 9);
	index_end(txn);
}

static int take_displaced(void *cookie, uint64_t number, uint64_t id,
			  uint64_t parent, const char *name, size_t name_size)
{
	uint64_t *sum = cookie;

	cr_expect_eq(name_size, 2);
	cr_expect_eq(memcmp(name, "ab", 2), 0);
	cr_expect_eq(parent, 1);
	*sum = *sum * 1000 + number * 10 + id;
	return 0;
}

Test(index, displaced_nodes_are_told_in_order)
{
	struct index_txn *txn = begin_write();
	uint64_t sum = 0;

	cr_assert_eq(displaced_put(txn, 2, 7, 1, "ab", 2), 0);
	cr_assert_eq(displaced_put(txn, 1, 8, 1, "ab", 2), 0);
	cr_assert_eq(displaced_scan(txn, 0, take_displaced, &sum), 0);
	cr_expect_eq(sum, 18027);
	sum = 0;
	cr_assert_eq(displaced_scan(txn, 2, take_displaced, &sum), 0);
	cr_expect_eq(sum, 27);
	cr_assert_eq(displaced_delete(txn, 2), 0);
	sum = 0;
	cr_assert_eq(displaced_scan(txn, 2, take_displaced, &sum), 0);
	cr_expect_eq(sum, 0);
	index_end(txn);
}

/* LMDB would follow them, wait for them, or write into them. */
Test(index, files_of_lmdb_that_are_none_are_damage)
{
	static const char *const names[] = {"data.mdb", "lock.mdb"};
	char file[64];
	char kept[64];
	struct index_txn *txn = begin_write();

	cr_assert_eq(names_put(txn, 1, "a", 1, 7), 0);
	cr_assert_eq(index_commit(txn), 0);
	index_close(opened);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]);
		snprintf(kept, sizeof(kept), "%s/kept", path);
		cr_assert_eq(link(file, kept), 0);
		cr_expect_eq(index_open(path, false, false, &opened), -EBADMSG,
			     "%s of two names", names[i]);
		cr_assert_eq(unlink(file), 0);
		cr_assert_eq(symlink("kept", file), 0);
		cr_expect_eq(index_open(path, false, false, &opened), -EBADMSG,
			     "%s, a link", names[i]);
		cr_assert_eq(unlink(file), 0);
		cr_assert_eq(mkfifo(file, 0600), 0);
		cr_expect_eq(index_open(path, false, false, &opened), -EBADMSG,
			     "%s, a FIFO", names[i]);
		cr_assert_eq(unlink(file), 0);
		cr_assert_eq(rename(kept, file), 0);
	}
	cr_assert_eq(index_open(path, false, false, &opened), 0);
}
