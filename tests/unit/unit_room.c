/* SPDX-License-Identifier: MIT */
/* Making room when there is little to take, or nothing, or something odd. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/limits.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"
#include "store/enlist.h"
#include "store/store.h"
#include "store/update.h"

TestSuite(room, .fini = scratch_end, .timeout = 60);

enum { MIB = 1 << 20, SIZE = 300000 };

static void add(const struct box *box, unsigned i, size_t size)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, i, size);

	box_add(box, name_of(i), data, size);
	free(data);
}

static void enlist(const struct box *box)
{
	struct update update;

	MUST_DO(update_begin(box->store, &update));
	MUST(enlist_rest(&update) >= 0);
	MUST_DO(update_commit(&update));
}

static struct index_txn *begin(const struct box *box)
{
	struct index_txn *txn;

	MUST_DO(index_write(box->store->index, &txn));
	return txn;
}

Test(room, there_is_none_to_make_in_an_empty_store)
{
	struct box box;

	box_new(&box, "");
	MUST_BE(cubby_make_room(box.store, 1), 0);
	MUST_BE(cubby_make_room(box.store, UINT64_MAX), 0);
	for (unsigned i = 0; i < 3; i++)
		add(&box, i, SIZE);
	/* More than there is: all that there is. */
	MUST_BE(cubby_make_room(box.store, UINT64_MAX), 1);
	MUST_BE(box_stats(&box).entries, 0);
	MUST_BE(cubby_make_room(box.store, UINT64_MAX), 0);
	box_close(&box);
}

/* The file of the index does not become shorter: what it no longer needs is
 * made up for by entries with files of their own. */
Test(room, a_long_index_costs_files_and_not_what_is_in_it)
{
	enum { SMALLS = 600, SMALL_SIZE = 8000, BLOBS = 30 };
	struct cubby_limits limits = {.max_size = 2 * CUBBY_LIMIT_MIN};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, SMALL_SIZE);
	struct cubby_stats stats;
	uint64_t evicted = 0;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &limits));
	limits.max_size = CUBBY_LIMIT_MIN;
	box_add(&box, name_of(9999), "cold", 4);
	for (unsigned i = 0; i < SMALLS; i++)
		box_add(&box, name_of(i), data, SMALL_SIZE);
	for (unsigned i = 0; i < SMALLS; i++)
		box_delete(&box, name_of(i));
	for (unsigned i = 0; i < BLOBS; i++)
		add(&box, i, SIZE);
	MUST(box_stats(&box).disk_bytes > limits.max_size);
	MUST_DO(cubby_set_limits(box.store, &limits));
	stats = box_stats(&box);
	MUST(stats.disk_bytes <= limits.max_size);
	MUST(stats.entries < BLOBS + 1 && stats.entries > 2);
	/* No more than is needed, and not the coldest, which does not help. */
	MUST(stats.disk_bytes + 2 * SIZE > limits.max_size);
	MUST(box_has(&box, name_of(9999), "cold", 4));
	MUST_DO(cubby_trim(box.store, &evicted));
	MUST_BE(evicted, 0);
	free(data);
	box_close(&box);
}

Test(room, a_row_whose_entry_has_lost_its_name_is_dropped)
{
	struct cubby_attr attr;
	struct index_txn *txn;
	struct record record;
	struct recent row;
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 3; i++)
		add(&box, i, SIZE);
	enlist(&box);
	attr = box_attr(&box, name_of(1));
	txn = begin(&box);
	MUST_DO(nodes_get(txn, box_attr(&box, name_of(0)).id, &record));
	row = (struct recent){.is_blob = true,
			      .rank = record.rank,
			      .id = box_attr(&box, name_of(0)).id};
	MUST_DO(names_put(txn, CUBBY_ROOT_ID, name_of(0), 64, attr.id));
	MUST_DO(index_commit(txn));
	MUST_BE(cubby_make_room(box.store, SIZE), 1);
	MUST(box_misses(&box, name_of(1)));
	txn = begin(&box);
	MUST_BE(recent_delete(txn, &row), -ENOENT);
	MUST_DO(nodes_get(txn, row.id, &record)); /* for who verifies */
	index_end(txn);
	box_close(&box);
}

/* Rows before all others: of nothing, and of an entry that is held. */
Test(room, what_is_too_old_and_held_stays_until_it_is_let_go_of)
{
	const struct cubby_limits limits = {.max_age_s = 1000000};
	const struct recent none = {.rank = 1, .id = 999999};
	struct cubby_watch *watch;
	struct record record;
	struct index_txn *txn;
	struct recent row;
	uint64_t evicted;
	struct box box;
	uint64_t id;

	box_new(&box, "");
	add(&box, 1, SIZE);
	enlist(&box);
	id = box_attr(&box, name_of(1)).id;
	txn = begin(&box);
	MUST_DO(nodes_get(txn, id, &record));
	row = (struct recent){.is_blob = true, .rank = record.rank, .id = id};
	MUST_DO(recent_delete(txn, &row));
	record.name = name_of(1);
	record.used_ns = 2;
	record.rank = row.rank = 2;
	MUST_DO(nodes_put(txn, id, &record));
	MUST_DO(recent_put(txn, &row));
	MUST_DO(recent_put(txn, &none));
	MUST_DO(limits_put(txn, &limits));
	MUST_DO(index_commit(txn));
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, id);
	MUST_DO(cubby_trim(box.store, &evicted));
	MUST_BE(evicted, 0);
	MUST_BE(box_stats(&box).entries, 1);
	/* Only what is there has rows by now. */
	cubby_watch_release(watch, id);
	MUST_DO(cubby_trim(box.store, &evicted));
	MUST_BE(evicted, 1);
	txn = begin(&box);
	MUST_BE(recent_delete(txn, &none), -ENOENT);
	index_end(txn);
	cubby_watch_close(watch);
	box_close(&box);
}
