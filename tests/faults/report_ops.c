/* SPDX-License-Identifier: MIT */
/*
 * What a store is asked, and how it makes room: where nothing is to be changed,
 * nothing is, and who makes room takes no more than entries.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "index/limits.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "must.h"
#include "ops.h"
#include "store/enlist.h"
#include "store/node.h"
#include "store/update.h"
#include "sys/sys.h"

#define LARGE (UINT64_C(100) << 30)

/* ---------------------------------------------------------------- reports */

static void wrong_unless(struct stage *stage, bool right, const char *what)
{
	if (!right)
		stage->wrong = what;
}

static void settings_before(struct stage *stage)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	const struct cubby_limits limits = {.max_size = LARGE};
	struct cubby_reader *reader;

	MUST_DO(cubby_set_limits(stage->store, &limits));
	MUST_DO(cubby_set_quota(stage->store, "ns", &quota));
	MUST_DO(cubby_set_content(stage->store, "dir", CUBBY_CONTENT_SHA256));
	MUST_DO(cubby_get_name(stage->ns, KEY1, &reader));
	cubby_reader_close(reader);
}

static int see_quota(void *cookie, const char *path,
		     const struct cubby_quota *quota)
{
	unsigned *count = cookie;

	*count += strcmp(path, "ns") == 0 && quota->entries == 3;
	return 0;
}

static int see_content(void *cookie, const char *path,
		       enum cubby_content content)
{
	unsigned *count = cookie;

	*count += strcmp(path, "dir") == 0 && content == CUBBY_CONTENT_SHA256;
	return 0;
}

static int see_figures(void *cookie, const char *path,
		       const struct cubby_figures *figures)
{
	unsigned *count = cookie;

	*count += path && strcmp(path, "ns") == 0 && figures->hits > 0;
	return 0;
}

static int ask_limits(struct stage *stage)
{
	struct cubby_limits limits;
	int r = cubby_get_limits(stage->store, &limits);

	if (r == 0)
		wrong_unless(stage, limits.max_size == LARGE, "another limit");
	return r;
}

static int ask_quotas(struct stage *stage)
{
	struct cubby_quota quota;
	struct cubby_attr ns;
	unsigned count = 0;
	int r = cubby_list_quotas(stage->store, see_quota, &count);

	if (r == 0)
		wrong_unless(stage, count == 1, "the quota is not listed");
	if (r == 0)
		r = cubby_get_quota(stage->store, "ns", &quota);
	if (r == 0)
		wrong_unless(stage, quota.entries == 3, "another quota");
	if (r == 0)
		r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns);
	if (r == 0)
		r = cubby_get_quota_of(stage->store, ns.id, &quota);
	if (r == 0)
		wrong_unless(stage, quota.quota == 1 << 30, "another quota");
	return r;
}

static int ask_contents(struct stage *stage)
{
	enum cubby_content content;
	unsigned count = 0;
	int r = cubby_list_contents(stage->store, see_content, &count);

	if (r == 0)
		wrong_unless(stage, count == 1, "the content is not listed");
	if (r == 0)
		r = cubby_get_content(stage->store, "dir/sub", &content);
	if (r == 0)
		wrong_unless(stage, content == CUBBY_CONTENT_SHA256,
			     "another content");
	return r;
}

static int ask_figures(struct stage *stage)
{
	struct cubby_figures figures;
	struct cubby_checks checks;
	unsigned count = 0;
	int r = cubby_get_figures(stage->store, &figures, NULL);

	if (r == 0)
		r = cubby_get_checks(stage->store, &checks);
	if (r == 0)
		wrong_unless(stage, checks.refused == 0, "an add was refused");
	if (r == 0)
		r = cubby_list_figures(stage->store, see_figures, &count);
	/* They may have found no place when the store was opened. */
	if (r == 0)
		wrong_unless(stage, count == (figures.hits > 0),
			     "the figures are not listed");
	return r;
}

static int ask_node(struct stage *stage)
{
	struct cubby_storage storage;
	struct cubby_attr ns;
	struct cubby_attr attr;
	uint64_t parent = 0;
	int r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns);

	if (r == 0)
		r = cubby_lookup(stage->store, ns.id, KEY3, &attr);
	if (r == 0)
		r = cubby_getattr(stage->store, attr.id, &attr);
	if (r == 0)
		r = cubby_get_storage(stage->store, attr.id, &storage);
	if (r == 0)
		wrong_unless(stage, strcmp(storage.codec, "raw") == 0,
			     "another codec");
	if (r == 0)
		r = cubby_parent(stage->store, attr.id, &parent);
	if (r == 0)
		wrong_unless(stage, parent == ns.id, "another parent");
	return r;
}

/* ----------------------------------------------------------------- changes */

static int unset_quota(struct stage *stage)
{
	const struct cubby_quota none = {.quota = 0};
	struct cubby_attr ns;
	int r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns);

	return r < 0 ? r : cubby_set_quota_of(stage->store, ns.id, &none);
}

static int unset_content(struct stage *stage)
{
	return cubby_set_content(stage->store, "dir", CUBBY_CONTENT_NONE);
}

/* Noted, and written by the next trim. */
static int use_now(struct stage *stage)
{
	const unsigned what = CUBBY_SET_MTIME | CUBBY_SET_USED | CUBBY_SET_NOW;
	const struct cubby_attr none = {.mode = 0};
	struct cubby_attr attr;
	uint64_t evicted;
	int r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &attr);

	if (r == 0)
		r = cubby_lookup(stage->store, attr.id, KEY2, &attr);
	if (r == 0)
		r = cubby_setattr(stage->store, attr.id, what, &none, &attr);
	if (r == 0)
		r = cubby_trim(stage->store, &evicted);
	return r;
}

static int move_across(struct stage *stage)
{
	struct cubby_attr ns;
	struct cubby_attr attr;
	int r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns);

	if (r == 0)
		r = cubby_rename(stage->store, ns.id, KEY2, stage->dir, KEY5,
				 CUBBY_RENAME_NOREPLACE, &attr);
	return r;
}

static int publish_durable(struct stage *stage)
{
	static const struct cubby_owner owner = {.mode = 0600};
	struct cubby_attr attr;
	int fd = -1;
	int r = stage_open(stage, CUBBY_DURABLE);

	if (r == 0)
		r = cubby_create(stage->store, stage->dir, "new", &owner, &attr,
				 &fd);
	if (r == 0)
		r = cubby_rename(stage->store, stage->dir, "noise", stage->dir,
				 KEY5, 0, &attr);
	if (r == 0)
		r = cubby_sync_names(stage->store);
	sys_close(&fd);
	stage_close(stage);
	return r;
}

/* ------------------------------------------------------------------- room */

/* More than the disk has is to be free. */
static int free_disk(struct stage *stage)
{
	const struct cubby_limits limits = {.min_free = CUBBY_SIZE_MAX};

	return cubby_set_limits(stage->store, &limits);
}

static int make_room(struct stage *stage)
{
	const int r = cubby_make_room(stage->store, 1 << 20);

	return r < 0 ? r : 0;
}

/* What was used before this instant is too old. */
static void age_before(struct stage *stage)
{
	const struct cubby_limits limits = {.max_age_s = 1};
	static const char *const names[] = {KEY1, KEY2, KEY3};
	struct index_txn *txn;
	struct cubby_attr ns;
	struct totals totals;

	MUST_DO(cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns));
	MUST_DO(index_write(stage->store->index, &txn));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct record record;
		struct recent row = {.rank = 1};
		struct node node;

		MUST_DO(node_find(txn, ns.id, names[i], strlen(names[i]),
				  &node));
		record = node.record;
		row.id = node.id;
		row.is_blob = record.place == PLACE_BLOB;
		record.used_ns = 1;
		record.rank = 1;
		record.name = node.name;
		MUST_DO(nodes_put(txn, node.id, &record));
		MUST_DO(recent_put(txn, &row));
	}
	MUST_DO(totals_get(txn, &totals));
	MUST_DO(limits_put(txn, &limits));
	MUST_DO(index_commit(txn));
}

static int drop_aged(struct stage *stage)
{
	uint64_t evicted = 0;
	int r = cubby_trim(stage->store, &evicted);

	if (r == 0)
		wrong_unless(stage, evicted == 3, "not all that is old went");
	return r;
}

static int count_entry(void *cookie, const char *path,
		       const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	(void)path;
	(void)attr;
	(*count)++;
	return 0;
}

static int list_aged(struct stage *stage)
{
	unsigned count = 0;
	int r = cubby_list_trim(stage->store, count_entry, &count);

	if (r == 0)
		wrong_unless(stage, count == 3,
			     "not all that is old is listed");
	return r;
}

static int hold_one(void *cookie, const char *name,
		    const struct cubby_attr *attr)
{
	(void)name;
	cubby_watch_hold(cookie, attr->id);
	return 0;
}

/* As if there were so much more that it is nearly full. */
static void nearly_full_before(struct stage *stage)
{
	const struct cubby_limits limits = {.max_size = LARGE};
	struct update update = {.store = NULL};
	struct cubby_attr ns;

	MUST_DO(cubby_set_limits(stage->store, &limits));
	MUST_DO(update_begin(stage->store, &update));
	MUST(enlist_rest(&update) >= 0);
	update.totals.disk_bytes += LARGE / 100 * 90;
	MUST_DO(update_commit(&update));
	MUST_DO(cubby_watch_new(stage->store, &stage->watch));
	MUST_DO(cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &ns));
	MUST_DO(cubby_readdir(stage->store, ns.id, "", 0, hold_one,
			      stage->watch));
}

static void count_cold(void *cookie, uint64_t id, uint64_t parent,
		       const char *name)
{
	unsigned *count = cookie;

	(void)id;
	(void)parent;
	*count += cubby_name_is_entry(name);
}

static int watch_cold(struct stage *stage)
{
	unsigned count = 0;
	int r = cubby_watch_cold(stage->watch, count_cold, &count);

	if (r == 0)
		wrong_unless(stage, count == 3, "not all that is cold is told");
	return r;
}

static void watch_before(struct stage *stage)
{
	MUST_DO(cubby_watch_new(stage->store, &stage->watch));
	cubby_watch_hold(stage->watch, 0);
}

static int watch_confirm(struct stage *stage)
{
	struct cubby_attr attr;
	int r = cubby_lookup(stage->store, stage->dir, "text", &attr);

	if (r == 0)
		r = cubby_watch_confirm(stage->watch, stage->dir, "text",
					attr.id);
	return r;
}

/* clang-format off */
#define MAYBE_EVICTED                                                          \
	{"ns/" KEY1, TINY, true}, {"ns/" KEY2, TEXT, true},                    \
	{"ns/" KEY3, NOISE, true}
/* clang-format on */

const struct op report_ops[] = {
	{.name = "ask_limits", .prepare = settings_before, .run = ask_limits},
	{.name = "ask_quotas", .prepare = settings_before, .run = ask_quotas},
	{.name = "ask_contents",
	 .prepare = settings_before,
	 .run = ask_contents},
	{.name = "ask_figures", .prepare = settings_before, .run = ask_figures},
	{.name = "ask_node", .run = ask_node},
	{.name = "unset_quota", .prepare = settings_before, .run = unset_quota},
	{.name = "unset_content",
	 .prepare = settings_before,
	 .run = unset_content},
	{.name = "use_now", .run = use_now},
	{.name = "move_across",
	 .run = move_across,
	 .changed = {{"ns/" KEY2, NOTHING, false}, {"dir/" KEY5, TEXT, false}}},
	{.name = "publish_durable",
	 .opens_itself = true,
	 .keeps_blob = true,
	 .also = -EIO,
	 .may_stay = true,
	 .run = publish_durable,
	 .prepared = {{"dir/new", EMPTY, true},
		      {"dir/noise", NOISE, true},
		      {"dir/" KEY5, NOISE, true}}},
	{.name = "free_disk", .run = free_disk, .prepared = {MAYBE_EVICTED}},
	{.name = "make_room", .run = make_room, .prepared = {MAYBE_EVICTED}},
	{.name = "drop_aged",
	 .prepare = age_before,
	 .run = drop_aged,
	 .prepared = {MAYBE_EVICTED}},
	{.name = "list_aged",
	 .prepare = age_before,
	 .run = list_aged,
	 .prepared = {MAYBE_EVICTED}},
	{.name = "watch_cold",
	 .finds_damage = true, /* its totals are not true */
	 .watches = true,
	 .prepare = nearly_full_before,
	 .run = watch_cold},
	{.name = "watch_confirm",
	 .watches = true,
	 .prepare = watch_before,
	 .run = watch_confirm},
};
const size_t report_ops_count = ARRAY_SIZE(report_ops);
