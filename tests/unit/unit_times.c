/* SPDX-License-Identifier: MIT */
/*
 * What waits for its time: uses on their way into the index, and the upkeep of
 * a watch. This program has a clock of its own, which is put forward, and can
 * make write transactions fail.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "must.h"
#include "scratch.h"
#include "store/store.h"

TestSuite(times, .fini = scratch_end, .timeout = 60);

enum { ROOT = (int)CUBBY_ROOT_ID, MANY = 300 };

static _Atomic(time_t) ahead_s;
static _Thread_local bool writes_fail;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	long r = syscall(SYS_clock_gettime, clock, ret_time);

	if (clock == CLOCK_REALTIME)
		ret_time->tv_sec += ahead_s;
	return (int)r;
}

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags,
		  MDB_txn **ret_txn)
{
	static int (*real)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_begin");
	if (writes_fail && !(flags & MDB_RDONLY))
		return ENOMEM;
	return real(env, parent, flags, ret_txn);
}

/* Every use is noted. */
static void count_all(const struct box *box)
{
	const struct cubby_limits limits = {.protect_s = 1};

	MUST_DO(cubby_set_limits(box->store, &limits));
}

static uint64_t id_of(const struct box *box, unsigned i)
{
	return box_attr(box, name_of(i)).id;
}

/* Returns its id. */
static uint64_t use(const struct box *box, unsigned i)
{
	box_use(box, i);
	return id_of(box, i);
}

static uint32_t hits_of(const struct box *box, uint64_t id)
{
	struct cubby_attr attr;

	MUST_DO(cubby_getattr(box->store, id, &attr));
	return attr.hits;
}

static int touch(const struct box *box, uint64_t id)
{
	const struct cubby_attr none = {.mode = 0};
	struct cubby_attr attr;

	return cubby_setattr(box->store, id, CUBBY_SET_MTIME | CUBBY_SET_NOW,
			     &none, &attr);
}

static void flush(const struct box *box)
{
	uint64_t evicted;

	MUST_DO(cubby_trim(box->store, &evicted));
}

static void has_no_findings(const struct box *box)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, 0, NULL, NULL, &summary));
	MUST_BE(summary.findings, 0);
}

/* Change the record of an entry behind the back of the store. */
static void set_hits(const struct box *box, uint64_t id, uint32_t hits)
{
	char name[CUBBY_NAME_MAX];
	struct record record;
	struct index_txn *txn;

	MUST_DO(index_write(box->store->index, &txn));
	MUST_DO(nodes_get(txn, id, &record));
	memcpy(name, record.name, record.name_size);
	record.name = name;
	record.hits = hits;
	MUST_DO(nodes_put(txn, id, &record));
	MUST_DO(index_commit(txn));
}

/* ------------------------------------------------------------------- uses */

Test(times, many_uses_are_written_at_once)
{
	uint64_t ids[USES_MAX];
	struct box box;

	box_new(&box, "");
	count_all(&box);
	for (unsigned i = 0; i < USES_MAX; i++)
		box_add(&box, name_of(i), "abc", 3);
	for (unsigned i = 0; i < USES_MAX; i++) {
		ids[i] = use(&box, i);
		MUST_BE(hits_of(&box, ids[0]), i == USES_MAX - 1);
	}
	MUST_BE(hits_of(&box, ids[USES_MAX - 1]), 1);
	has_no_findings(&box);
	box_close(&box);
}

Test(times, a_use_is_written_with_the_next_one_after_a_while)
{
	struct box box;
	uint64_t ids[2];

	box_new(&box, "");
	count_all(&box);
	for (unsigned i = 0; i < 2; i++)
		box_add(&box, name_of(i), "abc", 3);
	ids[0] = use(&box, 0);
	ahead_s += 3;
	ids[1] = use(&box, 1);
	MUST_BE(hits_of(&box, ids[0]), 0);
	ahead_s += 3;
	box_use(&box, 1);
	MUST_BE(hits_of(&box, ids[0]), 1);
	MUST_BE(hits_of(&box, ids[1]), 1);
	/* The same for times that are set. */
	box_use(&box, 0);
	ahead_s += 6;
	MUST_DO(touch(&box, ids[1]));
	MUST_BE(hits_of(&box, ids[0]), 2);
	MUST_BE(hits_of(&box, ids[1]), 2);
	box_close(&box);
}

Test(times, a_time_that_is_set_shows_at_once_and_only_where_it_was_set)
{
	struct cubby_attr before;
	struct cubby_attr attr;
	struct box box;
	uint64_t ids[2];

	box_new(&box, "");
	count_all(&box);
	for (unsigned i = 0; i < 2; i++) {
		box_add(&box, name_of(i), "abc", 3);
		ids[i] = id_of(&box, i);
	}
	MUST_DO(cubby_getattr(box.store, ids[0], &before));
	ahead_s += 2;
	box_use(&box, 0);
	MUST_DO(touch(&box, ids[1]));
	MUST_DO(cubby_getattr(box.store, ids[0], &attr));
	MUST_BE(attr.mtime_ns, before.mtime_ns);
	MUST_DO(cubby_getattr(box.store, ids[1], &attr));
	MUST(attr.mtime_ns >= before.mtime_ns + 1000000000);
	/* A use after that is one, and the time stays. */
	before = attr;
	ahead_s += 1;
	box_use(&box, 1);
	flush(&box);
	MUST_DO(cubby_getattr(box.store, ids[1], &attr));
	MUST(attr.mtime_ns >= before.mtime_ns);
	MUST_BE(attr.hits, 1);
	box_close(&box);
}

Test(times, what_somebody_else_has_noted_later_stays)
{
	struct cubby_attr set = {.mode = 0};
	struct box other;
	struct box box;
	uint64_t id;

	box_new(&box, "");
	count_all(&box);
	box_add(&box, name_of(1), "abc", 3);
	box_open(&other, box.path, "");
	id = use(&box, 1);
	ahead_s += 4;
	set.used_ns = INT64_MAX; /* it becomes the present */
	MUST_DO(cubby_setattr(other.store, id, CUBBY_SET_USED, &set, &set));
	flush(&box);
	MUST_BE(hits_of(&box, id), 0);
	MUST_DO(cubby_getattr(box.store, id, &set));
	MUST_BE(set.used_ns / 1000000000, time(NULL) + ahead_s);
	box_close(&other);
	box_close(&box);
}

Test(times, uses_are_counted_no_further_than_they_can_be)
{
	struct box box;
	uint64_t id;

	box_new(&box, "");
	count_all(&box);
	box_add(&box, name_of(1), "abc", 3);
	id = use(&box, 1);
	set_hits(&box, id, UINT32_MAX - 1);
	flush(&box);
	MUST_BE(hits_of(&box, id), UINT32_MAX);
	ahead_s += 1;
	box_use(&box, 1);
	flush(&box);
	MUST_BE(hits_of(&box, id), UINT32_MAX);
	has_no_findings(&box);
	box_close(&box);
}

Test(times, a_use_of_what_is_no_entry_any_more_is_forgotten)
{
	struct cubby_attr attr;
	struct index_txn *txn;
	struct box other;
	struct box box;
	uint8_t key[8];

	box_new(&box, "");
	count_all(&box);
	for (unsigned i = 1; i <= 3; i++)
		box_add(&box, name_of(i), "abc", 3);
	box_open(&other, box.path, "");
	for (unsigned i = 1; i <= 3; i++)
		box_use(&box, i);
	put_be64(key, id_of(&other, 3));
	/* A plain file, nothing, and damage. */
	MUST_DO(cubby_rename(other.store, ROOT, name_of(1), ROOT, "plain", 0,
			     &attr));
	box_delete(&other, name_of(2));
	MUST_DO(index_write(other.store->index, &txn));
	MUST_DO(lmdb_put(txn, TABLE_NODES, key, 8, "damaged", 7));
	MUST_DO(index_commit(txn));
	flush(&box);
	MUST_BE(hits_of(&box, attr.id), 0);
	box_close(&other);
	box_close(&box);
}

/* As many as there is room for are kept until they can be. */
Test(times, uses_that_cannot_be_written_are_written_later)
{
	uint64_t ids[MANY];
	struct box box;

	box_new(&box, "");
	count_all(&box);
	for (unsigned i = 0; i < MANY; i++)
		box_add(&box, name_of(i), "abc", 3);
	writes_fail = true;
	for (unsigned i = 0; i < MANY; i++)
		ids[i] = use(&box, i);
	MUST_DO(touch(&box, ids[MANY - 1]));
	writes_fail = false;
	for (unsigned i = 0; i < MANY; i++)
		MUST_BE(hits_of(&box, ids[i]), 0);
	flush(&box);
	for (unsigned i = 0; i < MANY; i++)
		MUST_BE(hits_of(&box, ids[i]), i < USES_MAX);
	has_no_findings(&box);
	box_close(&box);
}

/* ------------------------------------------------------------------ watch */

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

Test(times, a_poll_evicts_what_has_become_too_old)
{
	const struct cubby_limits limits = {.max_age_s = 100};
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_limits(box.store, &limits));
	MUST_DO(cubby_watch_new(box.store, &watch));
	for (unsigned i = 0; i < 100; i++)
		box_add(&box, name_of(i), "abc", 3);
	ahead_s += 50;
	MUST_BE(polled(watch), 0);
	MUST_BE(box_stats(&box).entries, 100);
	/* Some dozens at a time, and each time at most once in a while. */
	ahead_s += 60;
	MUST_BE(polled(watch), 0);
	MUST_BE(box_stats(&box).entries, 36);
	MUST_BE(polled(watch), 0);
	MUST_BE(box_stats(&box).entries, 36);
	ahead_s += 2;
	MUST_BE(polled(watch), 0);
	MUST_BE(box_stats(&box).entries, 0);
	cubby_watch_close(watch);
	has_no_findings(&box);
	box_close(&box);
}

/* Does the next poll look at the limits? That takes a write transaction. */
static bool looks(struct cubby_watch *watch)
{
	unsigned count = 0;
	int r;

	writes_fail = true;
	r = cubby_watch_poll(watch, count_told, &count);
	writes_fail = false;
	MUST(r == 0 || r == -ENOMEM);
	return r < 0;
}

Test(times, an_idle_watch_looks_at_limits_that_time_or_the_disk_move)
{
	static const struct cubby_limits limits[] = {
		{.max_size = CUBBY_LIMIT_MIN},
		{.max_age_s = 100000},
		{.min_free = 1},
		{.min_free_percent = 1},
	};
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		MUST_DO(cubby_set_limits(box.store, &limits[i]));
		ahead_s += 20;
		MUST(looks(watch)); /* they are others */
		ahead_s += 2;
		MUST(!looks(watch));
		ahead_s += 20;
		MUST(looks(watch) == (i > 0));
		/* What the mount writes, too. */
		cubby_watch_set_pending(watch, 1000 + i);
		MUST(!looks(watch));
		ahead_s += 2;
		MUST(looks(watch));
	}
	cubby_watch_close(watch);
	box_close(&box);
}

Test(times, uses_that_cannot_be_written_are_an_error_of_the_poll)
{
	struct cubby_watch *watch;
	struct box box;
	uint64_t id;

	box_new(&box, "");
	count_all(&box);
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_watch_new(box.store, &watch));
	id = use(&box, 1);
	ahead_s += 10;
	MUST(looks(watch));
	ahead_s += 2;
	MUST_BE(polled(watch), 0);
	MUST_BE(hits_of(&box, id), 1);
	cubby_watch_close(watch);
	box_close(&box);
}
