/* SPDX-License-Identifier: MIT */
/*
 * Verifying in two parts: the bytes of all files, one after the other, without
 * a transaction; then the tables of the index, in one. What others change
 * meanwhile is no damage: an entry that looks damaged counts only when its
 * record is still the one that was read before.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/base.h"
#include "cubby/upkeep.h"
#include "index/nodes.h"
#include "store/census.h"
#include "store/gc.h"
#include "store/layout.h"
#include "store/node.h"
#include "store/quarantine.h"
#include "store/reader.h"
#include "store/recount.h"
#include "store/repair.h"
#include "store/verify.h"
#include "store/walk.h"
#include "sys/sys.h"

struct verification {
	struct cubby *store;
	bool repairs;
	cubby_verify_fn *fn;
	void *cookie;
	uint64_t total; /* entries at the beginning */
	int ended;	/* what `fn` ended it with */
	struct cubby_verify_summary summary;
};

/* Tell of a step, which becomes a finding when it has a kind. */
static int tell(struct verification *verification,
		struct cubby_verify_step *step)
{
	struct cubby_verify_summary *summary = &verification->summary;

	step->done = summary->entries;
	step->total = verification->total;
	if (step->finding != CUBBY_FOUND_NOTHING) {
		summary->findings++;
		summary->found[step->finding]++;
	}
	if (verification->fn)
		verification->ended =
			verification->fn(verification->cookie, step);
	return verification->ended;
}

/* ---------------------------------------------------------------- contents */

/* Is the node what it was? Returns 1 and its path, 0, or a negative errno. */
static int is_same(struct cubby *store, uint64_t id,
		   const struct record *record, char *ret_path, size_t size)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	char directory[CUBBY_PATH_MAX + 1] = "";
	struct node node;
	uint64_t found;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = node_get(txn, id, &node);
	if (r == 0)
		r = names_get(txn, node.record.parent, node.name,
			      node.record.name_size, &found);
	if (r < 0)
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	if (found != id || node.record.kind != record->kind ||
	    node.record.place != record->place ||
	    !check_equal(&node.record.check, &record->check))
		return 0;
	/* Names that are cut off from the root: the count tells of them. */
	IGNORE(walk_path(txn, node.record.parent, directory));
	(void)snprintf(ret_path, size, "%s%s%s", directory,
		       *directory ? "/" : "", node.name);
	return 1;
}

/* Take a plain file that has lost its file out of the tree. */
static void drop_plain(struct cubby *store, uint64_t id)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct node node;
	int r = update_begin(store, &update);

	if (r == 0)
		r = node_get(update.txn, id, &node);
	if (r == 0 && node.record.kind == CUBBY_PLAIN)
		r = update_remove(&update, &node);
	if (r == 0)
		IGNORE(update_commit(&update)); /* is looked at again */
}

/* What the entry must hash to, by the name that it has now. */
static int begin_digest(struct cubby *store, uint64_t id, struct digest *digest)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct node node;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = node_get(txn, id, &node);
	if (r < 0)
		return r;
	r = digest_begin(digest, txn, node.record.parent, node.name);
	/* Cut off from the root: the count tells of it. */
	return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

static int look_at_entry(struct cubby *store, uint64_t id,
			 enum cubby_finding *ret_finding)
{
	SCOPED_DIGEST struct digest digest = {.builder = NULL};
	int r = begin_digest(store, id, &digest);

	*ret_finding = CUBBY_FOUND_ENTRY;
	if (r == 0)
		r = reader_verify(store, id, &digest);
	if (r == 0) {
		*ret_finding = CUBBY_FOUND_CONTENT;
		r = digest_verify(&digest);
	}
	/* What a newer version has written it has to verify. */
	return r == -EPROTONOSUPPORT || r == -EINVAL ? -ENOENT : r;
}

/* Returns 0, -EBADMSG, or -ENOENT for a node that is something else now. */
static int look_at_file(struct cubby *store, uint64_t id,
			const struct record *record,
			enum cubby_finding *ret_finding)
{
	char path[LAYOUT_PATH_SIZE];
	struct stat file;
	int r;

	if (record->kind == CUBBY_ENTRY)
		return look_at_entry(store, id, ret_finding);
	*ret_finding = CUBBY_FOUND_PLAIN;
	layout_draft(id, path);
	r = sys_stat(store->dir_fd, path, &file);
	return r == -ENOENT ? -EBADMSG : r;
}

int verify_node(struct cubby *store, uint64_t id, const struct record *record,
		struct verdict *ret_verdict)
{
	int r = look_at_file(store, id, record, &ret_verdict->finding);

	if (r != -EBADMSG)
		return r;
	r = is_same(store, id, record, ret_verdict->path,
		    sizeof(ret_verdict->path));
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	/* It may have been away for an instant: a rename. */
	return look_at_file(store, id, record, &ret_verdict->finding);
}

static int tell_of_file(struct verification *verification, uint64_t id,
			const struct record *record,
			const struct verdict *verdict)
{
	struct cubby_verify_step step = {
		.finding = verdict->finding,
		.path = verdict->path,
	};
	char other[CUBBY_PATH_MAX + CUBBY_NAME_MAX + 2];
	int r = 0;

	if (verification->repairs) {
		if (record->kind == CUBBY_ENTRY)
			quarantine_entry(verification->store, id, record);
		else
			drop_plain(verification->store, id);
		r = is_same(verification->store, id, record, other,
			    sizeof(other));
		verification->summary.repaired += r == 0;
	}
	return r < 0 ? r : tell(verification, &step);
}

static int look_at_node(void *cookie, uint64_t id, const struct record *record)
{
	struct verification *verification = cookie;
	struct cubby_verify_step step = {.finding = CUBBY_FOUND_NOTHING};
	struct verdict verdict;
	int r;

	if (record->kind == CUBBY_DIRECTORY)
		return 0;
	r = verify_node(verification->store, id, record, &verdict);
	if (r == -EBADMSG)
		return tell_of_file(verification, id, record, &verdict);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (record->kind != CUBBY_ENTRY)
		return 0;
	verification->summary.entries++;
	verification->summary.bytes += record->size;
	return tell(verification, &step);
}

/* ------------------------------------------------------------------ tables */

static int repair(struct verification *verification)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	int r = update_begin(verification->store, &update);

	if (r == 0)
		r = repair_index(&update);
	return r < 0 ? r : update_commit(&update);
}

static int look_at_tables(struct verification *verification)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	SCOPED_RECOUNT struct recount recount = {.txn = NULL};
	int r = index_read(verification->store->index, &txn);

	if (r == 0)
		r = recount_run(&recount, txn);
	index_end(TAKE(txn));
	if (r == 0 && recount.issue_count > 0 && verification->repairs) {
		r = repair(verification);
		if (r == 0)
			verification->summary.repaired += recount.issue_count;
	}
	for (size_t i = 0; r == 0 && i < recount.issue_count; i++) {
		struct cubby_verify_step step = {
			.finding = recount.issues[i].finding,
			.path = recount.issues[i].path,
			.kept = recount.issues[i].kept,
			.counted = recount.issues[i].counted,
		};

		r = tell(verification, &step);
	}
	return r;
}

static int run(struct verification *verification)
{
	struct cubby_verify_step step = {.finding = CUBBY_FOUND_INDEX,
					 .path = LAYOUT_INDEX_DATA};
	int r = census_run(verification->store, look_at_node, verification);

	if (r == 0)
		r = look_at_tables(verification);
	if (r == -EBADMSG && verification->ended == 0)
		r = tell(verification, &step);
	return r;
}

int cubby_verify(struct cubby *store, unsigned flags, cubby_verify_fn *fn,
		 void *cookie, struct cubby_verify_summary *ret_summary)
{
	struct verification verification = {
		.store = store,
		.repairs = flags & CUBBY_VERIFY_REPAIR,
		.fn = fn,
		.cookie = cookie,
	};
	struct cubby_gc_summary unused = {.files = 0};
	struct cubby_stats stats;
	int r = verification.repairs ? store_verify_writable(store)
				     : store_verify_process(store);

	if (flags & ~(unsigned)CUBBY_VERIFY_REPAIR)
		return -EINVAL;
	if (r == 0)
		r = cubby_get_stats(store, &stats);
	if (r < 0)
		return r;
	verification.total = stats.entries;
	r = run(&verification);
	if (r == 0)
		r = gc_files(store, true, 0, &unused);
	if (r != 0)
		return r;
	verification.summary.unused_files = unused.files;
	verification.summary.unused_bytes = unused.bytes;
	*ret_summary = verification.summary;
	return 0;
}
