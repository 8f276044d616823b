/* SPDX-License-Identifier: MIT */
/* What watches hold: counted by who holds, and seen by who would delete. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index/displaced.h"
#include "index/held.h"
#include "index/lmdb_index.h"
#include "leaks.h"

enum { ID = 77, OTHER_ID = 78, MANY = 1000, ROUNDS = 200000 };

static char path[] = "/tmp/cubby-held-XXXXXX";
static struct index *opened;
static struct held *held;
static uint32_t slot;
static int slot_fd;

static struct index_txn *begin(void)
{
	struct index_txn *txn;

	cr_assert_eq(index_write(opened, &txn), 0);
	return txn;
}

static void setup(void)
{
	struct index_txn *txn;

	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(index_open(path, false, true, &opened), 0);
	txn = begin();
	cr_assert_eq(watches_add(txn, 1, &slot_fd, &slot), 0);
	cr_assert_eq(held_open(txn, slot, &held), 0);
	cr_assert_eq(index_commit(txn), 0);
}

static void teardown(void)
{
	char command[128];

	held_close(held);
	close(slot_fd);
	index_close(opened);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(held, .init = setup, .fini = teardown, .timeout = 60);

static int found(uint64_t id)
{
	struct index_txn *txn = begin();
	int r = held_find(txn, id);

	index_end(txn);
	return r;
}

Test(held, what_is_held_as_often_as_it_is_dropped_is_free)
{
	cr_expect_eq(found(ID), 0);
	held_add(held, ID);
	held_add(held, ID);
	held_drop(held, ID);
	cr_expect_eq(found(ID), 1);
	cr_expect(held_has(held, ID));
	cr_expect_eq(found(OTHER_ID), 0);
	held_drop(held, ID);
	cr_expect_eq(found(ID), 0);
	/* Once too often is not once less the next time. */
	held_drop(held, ID);
	cr_expect_eq(found(ID), 0);
	held_add(held, ID);
	cr_expect_eq(found(ID), 1);
}

Test(held, all_nodes_are_held_until_they_are_dropped)
{
	held_add(held, 0);
	cr_expect_eq(found(ID), 1);
	cr_expect_eq(found(OTHER_ID), 1);
	held_drop(held, 0);
	cr_expect_eq(found(ID), 0);
}

/* A cell counts to 255. Then nobody knows how often, and it stays. */
Test(held, what_is_held_more_often_than_can_be_counted_stays_held)
{
	for (unsigned i = 0; i < MANY; i++)
		held_add(held, ID);
	for (unsigned i = 0; i < 2 * MANY; i++)
		held_drop(held, ID);
	cr_expect_eq(found(ID), 1);
}

/* Never more than so many at a time, so that the cell does not fill. */
static void *hold_and_drop(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		held_add(held, ID);
		held_drop(held, ID);
	}
	held_add(held, ID);
	return NULL;
}

Test(held, threads_are_all_counted)
{
	enum { THREADS = 3 };
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		cr_assert_eq(
			pthread_create(&threads[i], NULL, hold_and_drop, NULL),
			0);
	for (unsigned i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		cr_expect_eq(found(ID), 1, "%u are left", THREADS - i);
		held_drop(held, ID);
	}
	cr_expect_eq(found(ID), 0);
}

Test(held, pending_bytes_are_summed_up)
{
	struct index_txn *txn = begin();
	struct held *other;
	uint32_t other_slot;
	uint64_t bytes = 0;
	int fd;

	cr_assert_eq(watches_add(txn, 1, &fd, &other_slot), 0);
	cr_assert_eq(held_open(txn, other_slot, &other), 0);
	held_set_pending(held, 5);
	held_set_pending(other, 7);
	cr_expect_eq(held_pending(txn, &bytes), 0);
	cr_expect_eq(bytes, 12);
	index_end(txn);
	held_close(other);
	close(fd);
}

/* Who has begun a transaction may not have seen it. */
Test(held, who_settles_waits_for_who_looks)
{
	struct index_txn *txn = begin();

	cr_expect_eq(held_find(txn, ID), 0);
	held_add(held, ID);
	index_end(txn);
	cr_expect_eq(held_settle(held, opened), 0);
	cr_expect_eq(found(ID), 1);
}

/* Beyond the end of a file there is only a signal. */
Test(held, a_file_without_the_region_of_a_watch_is_damage)
{
	struct index_txn *txn = begin();
	uint32_t far_slot;
	int fds[3];

	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(watches_add(txn, 1, &fds[i], &far_slot), 0);
	cr_assert_eq(index_commit(txn), 0);
	cr_expect_eq(found(ID), -EBADMSG);
	txn = begin();
	cr_expect_eq(held_find(txn, ID), -EBADMSG);
	cr_expect_eq(held_find(txn, ID), -EBADMSG);
	cr_expect_eq(held_pending(txn, &(uint64_t){0}), -EBADMSG);
	index_end(txn);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	cr_expect_eq(found(ID), 0);
}

Test(held, a_file_that_somebody_else_has_is_damage)
{
	char file[64];
	char other[64];

	(void)snprintf(file, sizeof(file), "%s/held", path);
	(void)snprintf(other, sizeof(other), "%s/other", path);
	held_close(held);
	held = NULL;
	index_close(opened);
	cr_assert_eq(link(file, other), 0);
	cr_expect_eq(index_open(path, false, false, &opened), -EBADMSG);
	cr_assert_eq(unlink(other), 0);
	cr_assert_eq(index_open(path, false, false, &opened), 0);
}
