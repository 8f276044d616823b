/* SPDX-License-Identifier: MIT */
/*
 * What the disk gives up is blobs, plain files, drafts, and the index. Evicting
 * a blob gives its blocks back. Evicting a small entry gives pages of the index
 * back, which only other small entries can use: the data file does not become
 * shorter. So there are two sums that must stay below the limit: the files and
 * what the index holds (any entry that goes helps), and the files and what the
 * data file takes (only blobs help).
 *
 * Pages that were freed since the last checkpoint cannot be used yet, so the
 * data file is longer than what it holds by what is changed between two. For a
 * small store that is much: it takes its checkpoints more often (PACE_STEP).
 *
 * No more goes than is needed: files are deleted after the commit, and until
 * then are beside what came in their stead.
 *
 * Entries go in the order of their last use, over all lists of the table of
 * recent ones that take part. In the first pass those that are protected or
 * held are left; in the second those that are held; in the third nothing.
 */
#include "store/room.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/held.h"
#include "index/nodes.h"
#include "store/coldest.h"
#include "store/enlist.h"
#include "store/figures.h"
#include "store/plan.h"
#include "sys/sys.h"

enum {
	/* Of the limit: for it one commit more, so that what index_set_pace()
	 * asks for is about a ninth of the limit. */
	PACE_STEP = 9 * 256 * 1024,
	ENTRY_WORTH = 8192,
	RANK_UNIT = 1 << 16,
	/* In one transaction. */
	EVICT_MAX = CUBBY_TRIM_LIST_MAX,
	AGED_MAX = 64,
	/* So many that may not go are passed by, in each pass. */
	SKIP_MAX = 256,
};

enum pass {
	PASS_COLD, /* neither protected nor held */
	PASS_WARM, /* not held */
	PASS_HELD,
	PASS_COUNT,
};

struct room {
	struct update *update;
	int64_t now_ns;
	uint64_t slack; /* of the data file */
	uint64_t pending;
	uint64_t wanted; /* bytes that the disk lacks, in blobs */
	uint64_t freed;	 /* bytes of blobs that went */
	size_t evicted;
	struct coldest coldest;
};

/* Set the pace of checkpoints. Returns as index_set_pace(). */
static uint64_t set_pace(const struct update *update)
{
	uint64_t commits = update->limits.max_size / PACE_STEP;

	if (commits == 0 || commits > INDEX_PACE_MAX)
		commits = INDEX_PACE_MAX;
	return index_set_pace(update->store->index, (unsigned)commits);
}

static int begin(struct room *room, struct update *update)
{
	const struct cubby_limits *limits = &update->limits;
	uint64_t free_bytes;
	uint64_t disk_bytes;
	uint64_t min_free;
	int r;

	*room = (struct room){
		.update = update,
		.now_ns = sys_now_ns(),
		.slack = set_pace(update),
	};
	r = held_pending(update->txn, &room->pending);
	if (r < 0 || (limits->min_free == 0 && limits->min_free_percent == 0))
		return r;
	r = sys_disk_room(update->store->dir_fd, &free_bytes, &disk_bytes);
	if (r < 0)
		return r;
	if (update->plan)
		free_bytes += update->plan->freed;
	min_free = disk_bytes / 100 * limits->min_free_percent;
	if (limits->min_free > min_free)
		min_free = limits->min_free;
	if (free_bytes < min_free)
		room->wanted = min_free - free_bytes;
	return 0;
}

static uint64_t file_bytes(const struct room *room)
{
	const struct totals *totals = &room->update->totals;

	return totals->disk_bytes + totals->displaced_bytes + room->pending +
	       ROOM_OVERHEAD;
}

/*
 * By size: what one use is worth, in units of 2^-16, beyond what went last. The
 * constant is what an entry costs beside its bytes; only one repeated use
 * counts, so that what was used often long ago does not stay for ever. Both are
 * from the simulation in tests/sim.
 */
uint64_t room_rank(const struct update *update, const struct record *record)
{
	const uint64_t size = record->stored_size + 1;
	const uint64_t uses = record->hits > 0 ? 2 : 1;

	if (update->limits.policy == CUBBY_LRU)
		return (uint64_t)record->used_ns;
	return update->totals.clock +
	       uses * ((ENTRY_WORTH + size) * RANK_UNIT / size);
}

static bool has_blobs(const struct room *room)
{
	const struct totals *totals = &room->update->totals;

	return totals->disk_bytes > totals->plain_bytes;
}

enum need {
	NEED_NOTHING,
	NEED_BLOBS, /* only these help */
	NEED_ANY,
};

/* What is over? */
static int look(const struct room *room, enum need *ret_need)
{
	const uint64_t limit = room->update->limits.max_size;
	const uint64_t files = file_bytes(room);
	uint64_t file;
	uint64_t live;
	int r;

	*ret_need = NEED_NOTHING;
	if (room->freed < room->wanted && has_blobs(room))
		*ret_need = NEED_BLOBS;
	if (limit == 0)
		return 0;
	file = index_file_bytes(room->update->store->index);
	r = index_live_bytes(room->update->txn, &live);
	if (r < 0)
		return r;
	if (files + live + room->slack > limit)
		*ret_need = NEED_ANY;
	else if (files + file > limit && has_blobs(room))
		*ret_need = NEED_BLOBS;
	return 0;
}

/* Evict one entry. */
static int evict(struct room *room, const struct node *node)
{
	struct update *update = room->update;
	const struct eviction eviction = {
		.dir = node->record.parent,
		.name = node->name,
		.age_ns = room->now_ns - node->record.used_ns,
		.evicted_bytes =
			update->totals.evicted_bytes + node->record.stored_size,
	};
	int r = update_remove(update, node);

	if (r < 0)
		return r;
	update->totals.evicted_bytes = eviction.evicted_bytes;
	if (node->record.rank > update->totals.clock)
		update->totals.clock = node->record.rank;
	room->freed += record_disk_size(&node->record);
	room->evicted++;
	update->evicted++;
	if (update->plan)
		plan_add(update->plan, node->id,
			 record_disk_size(&node->record));
	else
		figures_evict(update->store->figures, &eviction);
	return 0;
}

/* The node of a row; one that is damaged, or not where its row is, loses the
 * row and gives -ENOENT. */
static int node_of(struct room *room, const struct recent *row,
		   struct node *ret_node)
{
	const struct record *record = &ret_node->record;
	struct index_txn *txn = room->update->txn;
	uint64_t named;
	int r = node_get(txn, row->id, ret_node);

	if (r == 0 &&
	    (record->kind != CUBBY_ENTRY || record->rank != row->rank))
		r = -EBADMSG;
	if (r == 0)
		r = names_get(txn, record->parent, record->name,
			      record->name_size, &named);
	if (r == 0 && named != row->id)
		r = -EBADMSG;
	if (!node_is_lost(r))
		return r;
	r = recent_delete(txn, row);
	return r < 0 ? r : -ENOENT;
}

/* The next row. Entries that have none yet are given theirs as soon as one of
 * them may be the next. */
static int next_row(struct room *room, bool blobs_only, struct recent *ret_row)
{
	int r = coldest_next(&room->coldest, blobs_only, ret_row);
	int found;

	if ((r < 0 && r != -ENOENT) ||
	    (r == 0 && ret_row->rank <= room->update->totals.unlisted_rank))
		return r;
	found = enlist_rest(room->update);
	if (found <= 0)
		return found < 0 ? found : r;
	coldest_rewind(&room->coldest);
	return coldest_next(&room->coldest, blobs_only, ret_row);
}

/* May this one go in this pass? Returns 1, 0, or a negative errno. */
static int may_go(struct room *room, const struct node *node, enum pass pass)
{
	int r;

	if (node->id == room->update->newest)
		return 0;
	if (pass == PASS_HELD)
		return 1;
	r = held_find(room->update->txn, node->id);
	return r < 0 ? r : r == 0;
}

static int run_pass(struct room *room, enum pass pass, enum need *ret_need)
{
	const int64_t protected_ns =
		room->now_ns -
		(int64_t)room->update->limits.protect_s * 1000000000;
	unsigned skipped = 0;
	struct recent row;
	struct node node;
	int r = coldest_begin(&room->coldest, room->update->txn);

	while (r == 0 && room->evicted < EVICT_MAX && skipped < SKIP_MAX) {
		r = look(room, ret_need);
		if (r < 0 || *ret_need == NEED_NOTHING)
			return r;
		r = next_row(room, *ret_need == NEED_BLOBS, &row);
		if (r < 0)
			break;
		r = node_of(room, &row, &node);
		if (r == 0 && pass == PASS_COLD &&
		    node.record.used_ns > protected_ns) {
			/* All that follow were used later still. */
			if (room->update->limits.policy == CUBBY_LRU)
				break;
			skipped++;
			continue;
		}
		if (r == 0)
			r = may_go(room, &node, pass);
		if (r > 0)
			r = evict(room, &node);
		else if (r == 0)
			skipped++;
		else if (r == -ENOENT)
			r = 0; /* its row has gone */
	}
	return r == -ENOENT ? 0 : r;
}

/* ---------------------------------------------------------------- entrances */

/* Evict in the group `id` until it fits its quota. */
static int make_in_group(struct room *room, uint64_t id)
{
	struct index_txn *txn = room->update->txn;
	struct group group;
	struct recent row;
	struct node node;
	int r = group_get(txn, id, &group);

	coldest_begin_group(&room->coldest, txn, id);

	while (r == 0 && group.quota > 0 && group.bytes > group.quota &&
	       room->evicted < EVICT_MAX) {
		r = next_row(room, false, &row);
		if (r < 0)
			break;
		r = node_of(room, &row, &node);
		if (r == 0 && node.id != room->update->newest)
			r = evict(room, &node);
		if (r == 0 || r == -ENOENT) /* its row has gone */
			r = group_get(txn, id, &group);
	}
	return r == -ENOENT ? 0 : r;
}

static int drop_aged(struct room *room)
{
	const uint64_t age_s = room->update->limits.max_age_s;
	const int64_t oldest =
		age_s < (uint64_t)room->now_ns / 1000000000
			? room->now_ns - (int64_t)age_s * 1000000000
			: 0;
	struct recent row;
	struct node node;
	int r = coldest_begin(&room->coldest, room->update->txn);

	for (int i = 0; r == 0 && i < AGED_MAX; i++) {
		r = next_row(room, false, &row);
		if (r < 0 || (int64_t)row.rank >= oldest)
			break;
		r = node_of(room, &row, &node);
		if (r == 0 && (r = may_go(room, &node, PASS_WARM)) > 0)
			r = evict(room, &node);
		if (r == -ENOENT)
			r = 0;
	}
	return r == -ENOENT ? 0 : r;
}

int room_make(struct update *update)
{
	enum need need = NEED_NOTHING;
	struct room room;
	int r = begin(&room, update);

	if (r == 0 && update->newest_group != 0)
		r = make_in_group(&room, update->newest_group);
	if (r == 0 && update->limits.max_age_s > 0)
		r = drop_aged(&room);
	if (r == 0)
		r = look(&room, &need);
	for (enum pass pass = PASS_COLD;
	     r == 0 && need != NEED_NOTHING && pass < PASS_COUNT; pass++)
		r = run_pass(&room, pass, &need);
	if (room.evicted > 0 && !update->plan)
		figures_set_scale(update->store->figures,
				  update->limits.max_size, &update->totals);
	return r;
}

int room_free(struct cubby *store, uint64_t bytes)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	enum need need = NEED_BLOBS;
	struct room room;
	int r = update_begin(store, &update);

	if (r == 0)
		r = begin(&room, &update);
	if (r < 0)
		return r;
	room.wanted += bytes;
	for (enum pass pass = PASS_COLD;
	     r == 0 && room.freed < room.wanted && pass < PASS_COUNT; pass++)
		r = run_pass(&room, pass, &need);
	if (r == 0 && room.evicted == 0)
		return 0;
	if (r == 0)
		r = update_commit(&update);
	return r < 0 ? r : 1;
}

/* For the directories and the pages of the index that it may take. */
enum { MAKE_MIN = 1024 * 1024 };

int cubby_make_room(struct cubby *store, uint64_t bytes)
{
	int r = store_verify_writable(store);

	if (bytes > CUBBY_SIZE_MAX)
		bytes = CUBBY_SIZE_MAX;
	return r < 0 ? r : room_free(store, bytes * 2 + MAKE_MIN);
}

bool room_was_made(struct cubby *store, int r, uint64_t bytes)
{
	return (r == -ENOSPC || r == -EDQUOT) &&
	       cubby_make_room(store, bytes) > 0;
}

int room_verify(struct update *update, const struct record *record)
{
	const struct cubby_limits *limits = &update->limits;
	struct group group;
	uint64_t id = 0;
	int r;

	/* Plain files are there already, whatever name they get. */
	if (record->kind != CUBBY_ENTRY)
		return 0;
	if (limits->max_entry > 0 && record->size > limits->max_entry)
		return -EFBIG;
	if (limits->max_size > 0 &&
	    record_disk_size(record) + ROOM_OVERHEAD + set_pace(update) >
		    limits->max_size)
		return -EFBIG;
	r = update_group(update, record->parent, &id);
	if (r < 0 || id == 0)
		return r;
	r = group_get(update->txn, id, &group);
	if (r < 0)
		return r;
	return group.quota > 0 && update_cost(record) > group.quota ? -EFBIG
								    : 0;
}

int room_use(struct update *update, uint64_t *ret_bytes)
{
	struct room room;
	int r = begin(&room, update);

	if (r == 0)
		*ret_bytes = file_bytes(&room) +
			     index_file_bytes(update->store->index);
	return r;
}

int room_sample(struct update *update)
{
	uint64_t use;
	int r = room_use(update, &use);

	if (r == 0)
		figures_sample(update->store->figures, &update->totals, use);
	return r;
}
