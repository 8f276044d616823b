/* SPDX-License-Identifier: MIT */
/*
 * A node with its name, copied out of the index: what is in the index may move
 * with the next write of the same transaction.
 */
#ifndef CUBBY_NODE_H
#define CUBBY_NODE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "format/record.h"
#include "index/index.h"

struct node {
	uint64_t id;
	struct record record; /* its name is `name` */
	char name[CUBBY_NAME_MAX + 1];
};

/* Returns 0, -ENOENT, or an error of the index. */
CUBBY_MUST_CHECK int node_get(struct index_txn *txn, uint64_t id,
			      struct node *ret_node);

/* The node that has a name of `size` bytes in `parent`. Returns 0, -ENOENT,
 * -ENOTDIR when `parent` is a file, -EBADMSG when the name leads to no node or
 * to one that has another name, or an error of the index. */
CUBBY_MUST_CHECK int node_find(struct index_txn *txn, uint64_t parent,
			       const char *name, size_t size,
			       struct node *ret_node);

/* Of an error of node_get(): is there no node that this version can use? What
 * led to it may lead to another one then. */
static inline bool node_is_lost(int r)
{
	return r == -ENOENT || r == -EBADMSG || r == -EPROTONOSUPPORT;
}

/* Does the node have this name? If not, who found it by the name follows a
 * damaged index: another key's bytes would be right by all other checks. */
bool node_has_name(const struct node *node, uint64_t parent, const char *name,
		   size_t size);

/* Does the directory `id`, which is to go, hold nothing? Names that lead
 * nowhere, which no listing shows, are deleted. Returns 0, -ENOTEMPTY, or an
 * error of the index: then the transaction is to be dropped. */
CUBBY_MUST_CHECK int node_make_empty(struct index_txn *txn, uint64_t id);

#endif
