/* SPDX-License-Identifier: MIT */
/* A watch: what it tells, how much at a time, and who may use it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/limits.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "store/enlist.h"
#include "store/store.h"

TestSuite(watches, .fini = scratch_end, .timeout = 60);

enum { ROOT = (int)CUBBY_ROOT_ID, MANY = 300 };

static uint64_t id_of(const struct box *box, unsigned i)
{
	return box_attr(box, name_of(i)).id;
}

static void has_no_findings(const struct box *box)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, 0, NULL, NULL, &summary));
	MUST_BE(summary.findings, 0);
}

static void count_told(void *cookie, uint64_t id, uint64_t parent,
		       const char *name)
{
	unsigned *count = cookie;

	(void)parent;
	MUST(id != 0 && cubby_name_is_entry(name));
	++*count;
}

static unsigned polled(struct cubby_watch *watch)
{
	unsigned count = 0;

	MUST_DO(cubby_watch_poll(watch, count_told, &count));
	return count;
}

Test(watches, all_that_was_displaced_is_told_and_purged_in_one_poll)
{
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	for (unsigned i = 0; i < MANY; i++)
		box_add(&box, name_of(i), "abc", 3);
	MUST_BE(polled(watch), 0);
	for (unsigned i = 0; i < MANY; i++)
		box_delete(&box, name_of(i));
	MUST_BE(box_stats(&box).displaced, MANY);
	MUST_BE(polled(watch), MANY);
	MUST_BE(box_stats(&box).displaced, 0);
	MUST_BE(polled(watch), 0);
	MUST_BE(polled(watch), 0);
	/* Who ends purges some hundreds, and the next one the rest. */
	for (unsigned i = 0; i < MANY; i++)
		box_add(&box, name_of(i), "abc", 3);
	for (unsigned i = 0; i < MANY; i++)
		box_delete(&box, name_of(i));
	cubby_watch_close(watch);
	MUST(box_stats(&box).displaced < MANY);
	box_add(&box, name_of(1), "abc", 3);
	box_delete(&box, name_of(1));
	MUST_BE(box_stats(&box).displaced, 0);
	has_no_findings(&box);
	box_close(&box);
}

/* Who still writes to it takes room. */
Test(watches, a_displaced_plain_file_is_settled_as_well)
{
	static const struct cubby_owner owner = {0600, 0, 0};
	struct cubby_watch *watch;
	struct cubby_attr attr;
	struct box box;
	uint64_t before;
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 100000);
	int fd;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	MUST_DO(cubby_create(box.store, ROOT, "plain", &owner, &attr, &fd));
	cubby_watch_hold(watch, attr.id);
	MUST_DO(cubby_unlink(box.store, ROOT, "plain"));
	before = box_stats(&box).disk_bytes;
	MUST(write(fd, data, 100000) == 100000);
	MUST_DO(cubby_settle_plain(box.store, &attr.id, 1));
	MUST(box_stats(&box).disk_bytes >= before + 100000);
	has_no_findings(&box);
	MUST(close(fd) == 0);
	free(data);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watches, what_is_displaced_and_damaged_is_purged)
{
	struct cubby_watch *watch;
	struct index_txn *txn;
	struct box box;
	uint8_t key[8];

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	put_be64(key, id_of(&box, 1));
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_delete(&box, name_of(1));
	MUST_DO(index_write(box.store->index, &txn));
	MUST_DO(lmdb_put(txn, TABLE_NODES, key, 8, "damaged", 7));
	MUST_DO(index_commit(txn));
	MUST_BE(polled(watch), 1);
	MUST_BE(box_stats(&box).displaced, 0);
	MUST_DO(index_read(box.store->index, &txn));
	MUST_BE(nodes_get(txn, get_be64(key), &(struct record){0}), -ENOENT);
	index_end(txn);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watches, a_name_that_leads_elsewhere_by_now_is_not_confirmed)
{
	struct cubby_watch *watch;
	struct box box;
	uint64_t id;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	id = id_of(&box, 1);
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, id);
	MUST_DO(cubby_watch_confirm(watch, ROOT, name_of(1), id));
	box_add(&box, name_of(1), "def", 3);
	MUST_BE(cubby_watch_confirm(watch, ROOT, name_of(1), id), -ESTALE);
	box_delete(&box, name_of(1));
	MUST_BE(cubby_watch_confirm(watch, ROOT, name_of(1), id), -ESTALE);
	cubby_watch_close(watch);
	box_close(&box);
}

static unsigned cold(struct cubby_watch *watch)
{
	unsigned count = 0;

	MUST_DO(cubby_watch_cold(watch, count_told, &count));
	return count;
}

/* A limit, and what is to be taken for the disk that the store takes. */
static void set_scale(const struct box *box, uint64_t max_size, uint64_t bytes)
{
	const struct cubby_limits limits = {.max_size = max_size};
	struct index_txn *txn;
	struct totals totals;

	MUST_DO(index_write(box->store->index, &txn));
	MUST_DO(limits_put(txn, &limits));
	MUST_DO(totals_get(txn, &totals));
	totals.disk_bytes = bytes;
	MUST_DO(totals_put(txn, &totals));
	MUST_DO(index_commit(txn));
}

/* Make sure that all have rows in the order of their uses. */
static void enlist(const struct box *box)
{
	struct update update;

	MUST_DO(update_begin(box->store, &update));
	MUST(enlist_rest(&update) >= 0);
	MUST_DO(update_commit(&update));
}

Test(watches, only_a_store_that_is_nearly_full_tells_what_is_cold)
{
	enum { TINY = 1100, LARGE = 30, SIZE = 300000, MIB = 1 << 20 };
	const uint64_t tib = UINT64_C(1) << 40;
	struct cubby_watch *watch;
	unsigned told;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	for (unsigned i = 0; i < TINY; i++) {
		box_add(&box, name_of(i), "abc", 3);
		if (i != 5)
			cubby_watch_hold(watch, id_of(&box, i));
	}
	for (unsigned i = TINY; i < TINY + LARGE; i++) {
		uint8_t *data = sample_new(SAMPLE_NOISE, i, SIZE);

		box_add(&box, name_of(i), data, SIZE);
		cubby_watch_hold(watch, id_of(&box, i));
		free(data);
	}
	enlist(&box);
	MUST_BE(cold(watch), 0); /* there is no limit */
	set_scale(&box, tib, tib / 2);
	MUST_BE(cold(watch), 0);
	/* At most 1024 are looked at; one of them nobody holds. */
	set_scale(&box, tib, tib / 100 * 90);
	MUST_BE(cold(watch), 1023);
	MUST_BE(cold(watch), 0); /* nothing has changed */
	/* As much as a sixteenth of the limit is looked at. */
	for (unsigned i = 0; i < TINY; i++)
		box_delete(&box, name_of(i));
	set_scale(&box, 64 * MIB, 60 * MIB);
	told = cold(watch);
	MUST(told * SIZE >= 4 * MIB && (told - 2) * SIZE < 4 * MIB);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watches, in_a_child_a_watch_and_the_tree_are_refused)
{
	struct cubby_attr attr = {.mode = 0};
	struct cubby_reader *reader;
	struct cubby_watch *watch;
	unsigned count = 0;
	struct box box;
	pid_t child;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	attr = box_attr(&box, name_of(1));
	MUST_DO(cubby_watch_new(box.store, &watch));
	child = fork_child();
	if (child == 0) {
		MUST_BE(cubby_watch_poll(watch, count_told, &count), -ECHILD);
		MUST_BE(cubby_watch_cold(watch, count_told, &count), -ECHILD);
		MUST_BE(cubby_watch_settle(watch), -ECHILD);
		MUST_BE(cubby_watch_confirm(watch, ROOT, name_of(1), attr.id),
			-ECHILD);
		MUST_BE(cubby_getattr(box.store, attr.id, &attr), -ECHILD);
		MUST_BE(cubby_readdir(box.store, ROOT, "", 0, NULL, NULL),
			-ECHILD);
		MUST_BE(cubby_open_entry(box.store, attr.id, &reader), -ECHILD);
		cubby_watch_close(watch);
		_exit(0);
	}
	child_must_succeed(child);
	/* The parent's watch still lives. */
	cubby_watch_hold(watch, attr.id);
	box_delete(&box, name_of(1));
	MUST_BE(polled(watch), 1);
	cubby_watch_close(watch);
	box_close(&box);
}
