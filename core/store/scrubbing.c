/* SPDX-License-Identifier: MIT */
/*
 * The scrub: verify, one entry at a time and for ever. How far it is and what
 * it found is kept among the figures, which all processes share, so that it
 * goes on where it was, whoever goes on. Two that scrub at once may look at one
 * entry twice, and at none never: who has looked at one says so before he looks
 * for the next.
 */
#include <errno.h>

#include "base/base.h"
#include "cubby/upkeep.h"
#include "index/nodes.h"
#include "store/figures.h"
#include "store/node.h"
#include "store/quarantine.h"
#include "store/verify.h"
#include "sys/sys.h"

/* Nodes that are passed by in one transaction. */
enum { LOOK_MAX = 1024 };

/* The next entry after `*id` that has its name. Returns 1, 0 when only `*id`
 * has moved, or -ENOENT at the end. */
static int find_next(struct cubby *store, uint64_t *id,
		     struct record *ret_record)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct node node;
	uint64_t found;
	int r = index_read(store->index, &txn);

	for (int i = 0; r == 0 && i < LOOK_MAX; i++) {
		r = nodes_next(txn, id);
		if (r < 0)
			return r;
		r = node_get(txn, *id, &node);
		if (r == 0 && node.record.kind == CUBBY_ENTRY) {
			r = names_get(txn, node.record.parent, node.name,
				      node.record.name_size, &found);
			if (r == 0 && found == *id) {
				*ret_record = node.record;
				ret_record->name = NULL;
				return 1;
			}
		}
		if (node_is_lost(r))
			r = 0; /* verify finds it in the tables */
	}
	return r;
}

static uint64_t now_s(void)
{
	return (uint64_t)(sys_now_ns() / 1000000000);
}

static void end_round(struct scrub_figures *scrub)
{
	scrub->last_id = 0;
	scrub->round_checked = 0;
	scrub->begun_s = 0;
	scrub->ended_s = now_s();
	scrub->rounds++;
}

int cubby_scrub(struct cubby *store)
{
	struct scrub_figures *scrub = figures_scrub(store->figures);
	SCOPED_FREE struct verdict *verdict = malloc(sizeof(*verdict));
	struct record record;
	uint64_t id;
	int r = store_verify_writable(store);

	if (r < 0)
		return r;
	if (!scrub || !verdict)
		return !scrub ? -ENOTSUP : -ENOMEM;
	if (scrub->begun_s == 0)
		scrub->begun_s = now_s();
	id = scrub->last_id;
	do
		r = find_next(store, &id, &record);
	while (r == 0);
	if (r == -ENOENT) {
		end_round(scrub);
		return 0;
	}
	if (r < 0)
		return r;
	r = verify_node(store, id, &record, verdict);
	/* What lacks is of this process, not of this entry: it comes again. */
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EUSERS)
		return r;
	scrub->last_id = id;
	if (r == -ENOENT) /* gone meanwhile */
		return 1;
	scrub->round_checked++;
	scrub->checked++;
	if (r == 0)
		return 1;
	if (r != -EBADMSG) {
		scrub->unreadable++;
	} else if (verdict->finding == CUBBY_FOUND_CONTENT) {
		scrub->misnamed++;
	} else {
		scrub->damaged++;
		quarantine_entry(store, id, &record);
	}
	return 1;
}
