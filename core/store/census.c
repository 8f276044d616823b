/* SPDX-License-Identifier: MIT */
#include "store/census.h"

#include <errno.h>

#include "base/base.h"
#include "index/nodes.h"
#include "index/scan.h"

enum { PAGE_SIZE = 64, LOOK_MAX = 1024 };

struct page {
	struct index_txn *txn;
	uint64_t next; /* where the next page begins */
	uint64_t last;
	size_t looked;
	size_t count;
	struct {
		uint64_t id;
		struct record record;
	} rows[PAGE_SIZE];
};

/* Returns 1 when the page is full. */
static int take_row(void *cookie, uint64_t id, const struct record *record)
{
	struct page *page = cookie;
	uint64_t found;
	int r;

	if (id > page->last || page->count == PAGE_SIZE ||
	    page->looked++ == LOOK_MAX)
		return 1;
	page->next = id + 1;
	if (!record)
		return 0;
	r = names_get(page->txn, record->parent, record->name,
		      record->name_size, &found);
	if (r < 0 || found != id)
		return r == -ENOENT ? 0 : r;
	page->rows[page->count].id = id;
	page->rows[page->count].record = *record;
	page->rows[page->count++].record.name = NULL;
	return 0;
}

/* Returns 1 when there may be more. */
static int fetch(struct cubby *store, struct page *page)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = index_read(store->index, &txn);

	if (r == 0 && page->last == 0)
		r = scan_last_node(txn, &page->last);
	page->txn = txn;
	page->count = page->looked = 0;
	return r < 0 ? r : scan_nodes(txn, page->next, take_row, page);
}

int census_run(struct cubby *store, census_fn *fn, void *cookie)
{
	SCOPED_FREE struct page *page = calloc(1, sizeof(*page));
	int more;

	if (!page)
		return -ENOMEM;
	do {
		more = fetch(store, page);
		if (more < 0)
			return more;
		for (size_t i = 0; i < page->count; i++) {
			int r = fn(cookie, page->rows[i].id,
				   &page->rows[i].record);

			if (r != 0)
				return r;
		}
	} while (more && page->next <= page->last);
	return 0;
}
