/* SPDX-License-Identifier: MIT */
/*
 * Nodes are the truth: what a node says of its name, its last use and its bytes
 * is compared with the rows of the other tables, and the other way round each
 * row with its node. So no table has to be kept in memory, but for the ids of
 * displaced nodes, of which there are few, and which are in the order of their
 * displacement.
 */
#include "store/recount.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/addressed.h"
#include "index/displaced.h"
#include "index/nodes.h"
#include "index/scan.h"
#include "store/node.h"
#include "store/walk.h"

/* Make room for one more element of an array. */
static int grow(void **array, size_t count, size_t *capacity, size_t size)
{
	void *more;

	if (count < *capacity)
		return 0;
	more = realloc(*array, (*capacity * 2 + 8) * size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*capacity = *capacity * 2 + 8;
	return 0;
}

/* The path of a name, as far as it has one. */
static char *path_of(struct index_txn *txn, uint64_t parent, const char *name,
		     size_t size)
{
	char path[CUBBY_PATH_MAX + 1] = "";
	char *text = NULL;

	if (walk_path(txn, parent, path) < 0)
		(void)snprintf(path, sizeof(path), "#%" PRIu64, parent);
	if (asprintf(&text, "%s%s%.*s", path, *path ? "/" : "", (int)size,
		     name) < 0)
		return NULL;
	return text;
}

static char *path_of_id(uint64_t id)
{
	char *text = NULL;

	return asprintf(&text, "#%" PRIu64, id) < 0 ? NULL : text;
}

/* Takes issue->path. */
static int add_issue(struct recount *recount, const struct issue *issue)
{
	void *issues = recount->issues;
	int r = -ENOMEM;

	if (issue->path)
		r = grow(&issues, recount->issue_count,
			 &recount->issue_capacity, sizeof(*issue));
	recount->issues = issues;
	if (r < 0)
		free(issue->path);
	else
		recount->issues[recount->issue_count++] = *issue;
	return r;
}

/* ------------------------------------------------------------- displaced */

static int take_displaced(void *cookie, uint64_t number, uint64_t id,
			  uint64_t parent, const char *name, size_t name_size)
{
	struct recount *recount = cookie;
	void *ids = recount->displaced;
	int r = grow(&ids, recount->displaced_count,
		     &recount->displaced_capacity, sizeof(id));

	(void)parent;
	(void)name;
	(void)name_size;
	recount->displaced = ids;
	if (r < 0)
		return r;
	recount->displaced[recount->displaced_count++] = id;
	recount->totals.displaced++;
	if (number >= recount->totals.displaced_next)
		recount->totals.displaced_next = number + 1;
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a;
	const uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static bool is_displaced(const struct recount *recount, uint64_t id)
{
	return recount->displaced_count > 0 &&
	       bsearch(&id, recount->displaced, recount->displaced_count,
		       sizeof(id), compare_ids);
}

/* ----------------------------------------------------------------- names */

static int look_at_parent(struct recount *recount, uint64_t parent)
{
	struct record record;
	int r;

	if (parent == recount->parent)
		return 0;
	r = nodes_get(recount->txn, parent, &record);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	recount->parent = parent;
	recount->parent_is_directory = r == 0 && record.kind == CUBBY_DIRECTORY;
	return 0;
}

static int look_at_name(void *cookie, uint64_t parent, const char *name,
			size_t size, uint64_t id)
{
	struct recount *recount = cookie;
	struct issue issue = {.finding = CUBBY_FOUND_NAME,
			      .id = id,
			      .parent = parent,
			      .name_size = (uint16_t)size};
	struct node node;
	int r = look_at_parent(recount, parent);

	if (r == 0)
		r = node_get(recount->txn, id, &node);
	if (r == 0 && recount->parent_is_directory &&
	    node_has_name(&node, parent, name, size))
		return 0;
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	memcpy(issue.name, name, size);
	issue.path = path_of(recount->txn, parent, name, size);
	return add_issue(recount, &issue);
}

/* ----------------------------------------------------------------- nodes */

static struct group *find_group(struct recount *recount, uint64_t id)
{
	for (size_t i = 0; i < recount->group_count; i++)
		if (recount->groups[i].id == id)
			return &recount->groups[i];
	return NULL;
}

/* The group of the entries in a directory, which may be cut off. */
static int group_of(struct recount *recount, uint64_t parent, uint64_t *ret_id)
{
	struct update update = {.txn = recount->txn};
	int r;

	*ret_id = 0;
	if (recount->group_count == 0)
		return 0;
	r = update_group(&update, parent, ret_id);
	return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

/* An entry that has its name: is it where it belongs among the recent ones? */
static int look_at_entry(struct recount *recount, uint64_t id,
			 const struct record *record)
{
	struct issue issue = {.finding = CUBBY_FOUND_USE,
			      .id = id,
			      .is_missing = true,
			      .row = {.is_blob = record->place == PLACE_BLOB,
				      .rank = record->rank,
				      .id = id}};
	struct recent before;
	struct group *group;
	int r = group_of(recount, record->parent, &issue.row.group);

	if (r < 0)
		return r;
	group = find_group(recount, issue.row.group);
	if (group) {
		group->bytes += update_cost(record);
		group->entries++;
	}
	before = issue.row;
	before.id--;
	r = recent_next(recount->txn, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && before.rank == issue.row.rank && before.id == id)
		return 0;
	if (id >= recount->totals.unlisted)
		return 0;
	issue.path = path_of(recount->txn, record->parent, record->name,
			     record->name_size);
	return add_issue(recount, &issue);
}

static int look_at_node(void *cookie, uint64_t id, const struct record *record)
{
	struct recount *recount = cookie;
	struct issue issue = {.finding = CUBBY_FOUND_NODE, .id = id};
	struct record unread;
	uint64_t found = 0;
	int r = 0;

	if (id == CUBBY_ROOT_ID && record && record->kind == CUBBY_DIRECTORY)
		return 0;
	if (record)
		r = names_get(recount->txn, record->parent, record->name,
			      record->name_size, &found);
	else if (nodes_get(recount->txn, id, &unread) == -EPROTONOSUPPORT)
		r = -EPROTONOSUPPORT; /* it is right, but cannot be counted */
	if (r < 0 && r != -ENOENT)
		return r;
	if (record && found == id) {
		update_count(&recount->totals, record, 1);
		return record->kind == CUBBY_ENTRY
			       ? look_at_entry(recount, id, record)
			       : 0;
	}
	if (record && is_displaced(recount, id)) {
		recount->totals.displaced_bytes += record_disk_size(record);
		return 0;
	}
	issue.path = record ? path_of(recount->txn, record->parent,
				      record->name, record->name_size)
			    : path_of_id(id);
	return add_issue(recount, &issue);
}

/* ------------------------------------------------------ rows without nodes */

static int look_at_recent(void *cookie, const struct recent *row)
{
	struct recount *recount = cookie;
	struct issue issue = {
		.finding = CUBBY_FOUND_USE, .id = row->id, .row = *row};
	struct record record;
	uint64_t found = 0;
	uint64_t group = 0;
	int r = nodes_get(recount->txn, row->id, &record);

	if (r == 0)
		r = names_get(recount->txn, record.parent, record.name,
			      record.name_size, &found);
	if (r == 0)
		r = group_of(recount, record.parent, &group);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	if (r == 0 && found == row->id && record.kind == CUBBY_ENTRY &&
	    record.rank == row->rank &&
	    (record.place == PLACE_BLOB) == row->is_blob && group == row->group)
		return 0;
	issue.path = path_of_id(row->id);
	return add_issue(recount, &issue);
}

/* Bytes that are too few or too many, their checksum shows; here it is only
 * whose they are. */
static int look_at_small(void *cookie, uint64_t id, size_t size)
{
	struct recount *recount = cookie;
	struct issue issue = {.finding = CUBBY_FOUND_BYTES, .id = id};
	struct record record;
	int r = nodes_get(recount->txn, id, &record);

	(void)size;
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	if (r == 0 && record.place == PLACE_INDEX && record.stored_size > 0)
		return 0;
	issue.path = path_of_id(id);
	return add_issue(recount, &issue);
}

/* ---------------------------------------------------------------- sums */

static int compare_total(struct recount *recount, const char *name,
			 uint64_t kept, uint64_t counted)
{
	struct issue issue = {.finding = CUBBY_FOUND_TOTAL,
			      .is_sum = true,
			      .kept = kept,
			      .counted = counted};

	if (kept == counted)
		return 0;
	issue.path = strdup(name);
	return add_issue(recount, &issue);
}

static int compare_totals(struct recount *recount)
{
	const struct totals *counted = &recount->totals;
	struct totals kept = {0};
	int r = totals_get(recount->txn, &kept);
	const struct {
		const char *name;
		uint64_t kept;
		uint64_t counted;
	} rows[] = {
		{"entries", kept.entries, counted->entries},
		{"directories", kept.directories, counted->directories},
		{"plain_files", kept.plain_files, counted->plain_files},
		{"raw_bytes", kept.raw_bytes, counted->raw_bytes},
		{"stored_bytes", kept.stored_bytes, counted->stored_bytes},
		{"disk_bytes", kept.disk_bytes, counted->disk_bytes},
		{"plain_bytes", kept.plain_bytes, counted->plain_bytes},
		{"displaced", kept.displaced, counted->displaced},
		{"displaced_bytes", kept.displaced_bytes,
		 counted->displaced_bytes},
		{"displaced_next", kept.displaced_next,
		 counted->displaced_next},
	};

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = compare_total(recount, rows[i].name, rows[i].kept,
				  rows[i].counted);
	return r;
}

static int compare_groups(struct recount *recount)
{
	struct group kept[CUBBY_QUOTAS_MAX];
	struct record record;
	size_t count = 0;
	int r = groups_list(recount->txn, kept, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct issue issue = {.finding = CUBBY_FOUND_QUOTA,
				      .id = kept[i].id,
				      .kept = kept[i].bytes,
				      .counted = recount->groups[i].bytes};

		r = nodes_get(recount->txn, issue.id, &record);
		if (r < 0 && r != -ENOENT && r != -EBADMSG)
			return r;
		if (r == 0 && record.kind == CUBBY_DIRECTORY &&
		    kept[i].bytes == recount->groups[i].bytes &&
		    kept[i].entries == recount->groups[i].entries)
			continue;
		issue.is_sum = r == 0 && record.kind == CUBBY_DIRECTORY;
		issue.path = issue.is_sum
				     ? path_of(recount->txn, record.parent,
					       record.name, record.name_size)
				     : path_of_id(issue.id);
		r = add_issue(recount, &issue);
	}
	return r;
}

/* Which directories it was about cannot be told. */
static int look_at_contents(struct recount *recount)
{
	struct issue issue = {.finding = CUBBY_FOUND_SETTINGS};
	struct addressed rows[CUBBY_CONTENTS_MAX];
	size_t count;
	int r = addressed_list(recount->txn, rows, &count);

	if (r != -EBADMSG)
		return r;
	issue.path = strdup("content");
	return add_issue(recount, &issue);
}

/* --------------------------------------------------------------- entrances */

static int begin(struct recount *recount, struct index_txn *txn)
{
	struct totals kept;
	int r = totals_get(txn, &kept);

	*recount = (struct recount){.txn = txn};
	if (r < 0)
		return r;
	/* What is no sum stays as it is. */
	recount->totals.displaced_next = kept.displaced_next;
	recount->totals.quarantined = kept.quarantined;
	recount->totals.evicted_bytes = kept.evicted_bytes;
	recount->totals.clock = kept.clock;
	recount->totals.unlisted = kept.unlisted;
	recount->totals.unlisted_rank = kept.unlisted_rank;
	r = groups_list(txn, recount->groups, &recount->group_count);
	for (size_t i = 0; r == 0 && i < recount->group_count; i++)
		recount->groups[i].bytes = recount->groups[i].entries = 0;
	return r;
}

int recount_run(struct recount *recount, struct index_txn *txn)
{
	int r = begin(recount, txn);

	if (r == 0)
		r = displaced_scan(txn, 0, take_displaced, recount);
	if (r == 0 && recount->displaced_count > 0)
		qsort(recount->displaced, recount->displaced_count,
		      sizeof(*recount->displaced), compare_ids);
	if (r == 0)
		r = scan_names(txn, look_at_name, recount);
	if (r == 0)
		r = scan_nodes(txn, 0, look_at_node, recount);
	if (r == 0)
		r = scan_recent(txn, look_at_recent, recount);
	if (r == 0)
		r = scan_small(txn, look_at_small, recount);
	if (r == 0)
		r = look_at_contents(recount);
	if (r == 0)
		r = compare_totals(recount);
	return r < 0 ? r : compare_groups(recount);
}

void recount_done(struct recount *recount)
{
	for (size_t i = 0; i < recount->issue_count; i++)
		free(recount->issues[i].path);
	recount->issue_count = 0;
	free(TAKE(recount->issues));
	free(TAKE(recount->displaced));
}
