/* SPDX-License-Identifier: MIT */
#include "store/uses.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/nodes.h"
#include "index/recent.h"
#include "store/enlist.h"
#include "store/room.h"
#include "store/store.h"
#include "store/update.h"
#include "sys/sys.h"

/* How long a use waits for an update that would take it along. */
static const int64_t wait_ns = INT64_C(5) * 1000 * 1000 * 1000;

void uses_init(struct uses *uses)
{
	pthread_mutex_init(&uses->lock, NULL);
}

void uses_done(struct uses *uses)
{
	pthread_mutex_destroy(&uses->lock);
}

/* Is there anything that should not wait any longer? */
static bool is_due(const struct uses *uses, int64_t now)
{
	return uses->count == USES_MAX ||
	       (uses->count > 0 && now - uses->first_ns >= wait_ns);
}

/* Returns whether it is time to write. */
static bool note(struct uses *uses, const struct use *use)
{
	bool due;
	size_t at = 0;

	pthread_mutex_lock(&uses->lock);
	while (at < uses->count && uses->uses[at].id != use->id)
		at++;
	if (at < uses->count) {
		uses->uses[at].when_ns = use->when_ns;
		if (!uses->uses[at].sets_mtime)
			atomic_fetch_add(&uses->mtimes, use->sets_mtime);
		uses->uses[at].sets_mtime |= use->sets_mtime;
	} else if (at < USES_MAX) {
		/* Full: somebody is about to write them. One is lost. */
		atomic_fetch_add(&uses->mtimes, use->sets_mtime);
		uses->uses[uses->count++] = *use;
	}
	if (uses->count == 1)
		uses->first_ns = use->when_ns;
	due = is_due(uses, use->when_ns);
	pthread_mutex_unlock(&uses->lock);
	return due;
}

void uses_note(struct cubby *store, uint64_t id, int64_t used_ns)
{
	const struct use use = {.id = id, .when_ns = sys_now_ns()};

	if (store->read_only ||
	    use.when_ns - used_ns < atomic_load(&store->resolution_ns))
		return;
	/* What cannot be written is only a use. */
	if (note(&store->uses, &use))
		IGNORE(uses_flush(store, true));
}

int64_t uses_touch(struct cubby *store, uint64_t id)
{
	const struct use use = {
		.id = id, .when_ns = sys_now_ns(), .sets_mtime = true};

	if (note(&store->uses, &use))
		IGNORE(uses_flush(store, true));
	return use.when_ns;
}

void uses_overlay(struct cubby *store, struct cubby_attr *attr)
{
	struct uses *uses = &store->uses;

	if (atomic_load(&uses->mtimes) == 0)
		return;
	pthread_mutex_lock(&uses->lock);
	for (size_t i = 0; i < uses->count; i++) {
		const struct use *use = &uses->uses[i];

		if (use->id == attr->id && use->sets_mtime)
			attr->mtime_ns = attr->used_ns = use->when_ns;
	}
	pthread_mutex_unlock(&uses->lock);
}

int uses_set(struct update *update, uint64_t id, const struct record *record)
{
	struct record ranked = *record;
	struct record old;
	struct recent row = {.id = id};
	int r = nodes_get(update->txn, id, &old);

	if (r == 0)
		r = update_group(update, old.parent, &row.group);
	row.is_blob = old.place == PLACE_BLOB;
	row.rank = old.rank;
	if (r == 0)
		r = recent_delete(update->txn, &row);
	/* A node without a name has none, and a new one not yet. */
	ranked.rank = row.rank = room_rank(update, record);
	if (r == 0)
		r = recent_put(update->txn, &row);
	else if (r == -ENOENT)
		enlist_rank(update, id, ranked.rank);
	if (r < 0 && r != -ENOENT)
		return r;
	return nodes_put(update->txn, id, &ranked);
}

static int write_use(struct update *update, const struct use *use)
{
	struct node node;
	int r = node_get(update->txn, use->id, &node);

	if (r < 0 || node.record.kind != CUBBY_ENTRY)
		return r == -ENOENT ? 0 : r;
	if (use->when_ns > node.record.used_ns) {
		node.record.used_ns = use->when_ns;
		if (node.record.hits < UINT32_MAX)
			node.record.hits++;
	}
	if (use->sets_mtime)
		node.record.mtime_ns = use->when_ns;
	return uses_set(update, use->id, &node.record);
}

int uses_write(struct update *update)
{
	struct uses *uses = &update->store->uses;
	SCOPED_FREE struct use *taken = NULL;
	size_t count;
	int r = 0;

	pthread_mutex_lock(&uses->lock);
	count = uses->count;
	if (count > 0)
		taken = malloc(count * sizeof(*taken));
	if (taken) {
		memcpy(taken, uses->uses, count * sizeof(*taken));
		uses->count = 0;
		uses->mtimes = 0;
	}
	pthread_mutex_unlock(&uses->lock);
	for (size_t i = 0; taken && r == 0 && i < count; i++)
		/* A damaged record is for who reads it to find. */
		if (node_is_lost(r = write_use(update, &taken[i])))
			r = 0;
	return r;
}

int uses_flush(struct cubby *store, bool at_once)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	const int64_t now = sys_now_ns();
	bool due;
	int r;

	if (store->read_only)
		return 0;
	pthread_mutex_lock(&store->uses.lock);
	due = at_once ? store->uses.count > 0 : is_due(&store->uses, now);
	pthread_mutex_unlock(&store->uses.lock);
	if (!due)
		return 0;
	r = update_begin(store, &update);
	return r < 0 ? r : update_commit(&update);
}
