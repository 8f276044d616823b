/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/nodes.h"
#include "store/node.h"

int node_get(struct index_txn *txn, uint64_t id, struct node *ret_node)
{
	struct record record;
	int r = nodes_get(txn, id, &record);

	if (r < 0)
		return r;
	memcpy(ret_node->name, record.name, record.name_size);
	ret_node->name[record.name_size] = '\0';
	ret_node->id = id;
	ret_node->record = record;
	ret_node->record.name = ret_node->name;
	return 0;
}

bool node_has_name(const struct node *node, uint64_t parent, const char *name,
		   size_t size)
{
	return node->record.parent == parent &&
	       node->record.name_size == size &&
	       memcmp(node->name, name, size) == 0;
}

int node_find(struct index_txn *txn, uint64_t parent, const char *name,
	      size_t size, struct node *ret_node)
{
	struct record directory;
	uint64_t id;
	int r = names_get(txn, parent, name, size, &id);

	if (r == 0) {
		r = node_get(txn, id, ret_node);
		if (r == 0 && !node_has_name(ret_node, parent, name, size))
			r = -EBADMSG;
		return r == -ENOENT ? -EBADMSG : r;
	}
	if (r == -ENOENT && nodes_get(txn, parent, &directory) == 0 &&
	    directory.kind != CUBBY_DIRECTORY)
		return -ENOTDIR;
	return r;
}

struct found {
	struct index_txn *txn;
	uint64_t dir;
	char name[CUBBY_NAME_MAX];
	size_t size;
};

/* Returns 1 for a name that leads nowhere. */
static int found_name(void *cookie, const char *name, size_t size, uint64_t id)
{
	struct found *found = cookie;
	struct node node;
	int r = node_get(found->txn, id, &node);

	if (r == -EPROTONOSUPPORT ||
	    (r == 0 && node_has_name(&node, found->dir, name, size)))
		return -ENOTEMPTY;
	if (r < 0 && !node_is_lost(r))
		return r;
	memcpy(found->name, name, size);
	found->size = size;
	return 1;
}

int node_make_empty(struct index_txn *txn, uint64_t id)
{
	struct found found = {.txn = txn, .dir = id};
	int r;

	while ((r = names_scan(txn, id, "", 0, found_name, &found)) > 0) {
		r = names_delete(txn, id, found.name, found.size);
		if (r < 0)
			return r;
	}
	return r;
}
