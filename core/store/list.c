/* SPDX-License-Identifier: MIT */
/*
 * Listing entries below a namespace. Names are fetched in pages, each page from
 * one instant, so that neither a long listing nor its callback holds a
 * transaction.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "store/namespace.h"
#include "store/walk.h"

enum { PAGE_SIZE = 64 };

struct page {
	size_t count;
	struct {
		struct cubby_attr attr;
		char name[CUBBY_NAME_MAX + 1];
	} rows[PAGE_SIZE];
};

struct lister {
	struct cubby *store;
	cubby_list_fn *fn;
	void *cookie;
	char path[CUBBY_PATH_MAX + 1];
};

static int take_row(void *cookie, const char *name,
		    const struct cubby_attr *attr)
{
	struct page *page = cookie;

	page->rows[page->count].attr = *attr;
	strcpy(page->rows[page->count++].name, name);
	return 0;
}

static int list_directory(struct lister *lister, uint64_t id, size_t path_size);

static int list_row(struct lister *lister, const char *name,
		    const struct cubby_attr *attr, size_t path_size)
{
	const size_t name_size = strlen(name);

	if (attr->kind == CUBBY_PLAIN)
		return 0;
	if (path_size + 1 + name_size > CUBBY_PATH_MAX)
		return -ENAMETOOLONG;
	if (path_size > 0)
		lister->path[path_size++] = '/';
	memcpy(lister->path + path_size, name, name_size + 1);
	if (attr->kind == CUBBY_ENTRY)
		return lister->fn(lister->cookie, lister->path, attr);
	return list_directory(lister, attr->id, path_size + name_size);
}

static int list_directory(struct lister *lister, uint64_t id, size_t path_size)
{
	SCOPED_FREE struct page *page = calloc(1, sizeof(*page));
	char after[CUBBY_NAME_MAX + 1] = "";
	int r;

	if (!page)
		return -ENOMEM;
	do {
		page->count = 0;
		r = cubby_readdir(lister->store, id, after, PAGE_SIZE, take_row,
				  page);
		/* A directory that is deleted meanwhile has no entries. */
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		for (size_t i = 0; i < page->count; i++) {
			r = list_row(lister, page->rows[i].name,
				     &page->rows[i].attr, path_size);
			if (r != 0)
				return r;
		}
		if (page->count > 0)
			strcpy(after, page->rows[page->count - 1].name);
	} while (page->count == PAGE_SIZE);
	return 0;
}

static int find_directory(struct cubby_ns *ns, uint64_t *ret_id)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = store_read(ns->store, &txn);

	return r < 0 ? r : walk_find(txn, ns->path, ret_id);
}

int cubby_list(struct cubby_ns *ns, cubby_list_fn *fn, void *cookie)
{
	SCOPED_FREE struct lister *lister = NULL;
	uint64_t id;
	int r = find_directory(ns, &id);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	lister = calloc(1, sizeof(*lister));
	if (!lister)
		return -ENOMEM;
	lister->store = ns->store;
	lister->fn = fn;
	lister->cookie = cookie;
	strcpy(lister->path, ns->path);
	return list_directory(lister, id, strlen(ns->path));
}
