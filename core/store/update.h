/* SPDX-License-Identifier: MIT */
/*
 * A change of the tree: one write transaction that keeps names, records, totals
 * and the queue of displaced nodes in step, and deletes the files of purged
 * nodes after the commit. Everything that changes the tree goes through here.
 */
#ifndef CUBBY_UPDATE_H
#define CUBBY_UPDATE_H

#include "format/record.h"
#include "index/index.h"
#include "index/limits.h"
#include "index/meta.h"
#include "store/node.h"
#include "store/store.h"

struct doomed {
	uint64_t id;
	bool is_blob;	  /* otherwise a plain file */
	enum codec codec; /* of a blob */
};

struct update {
	struct cubby *store;
	struct index_txn *txn;
	struct totals totals;
	struct cubby_limits limits;
	bool grew;	 /* so that it may be more than the limits allow */
	uint64_t newest; /* the entry that was inserted, or 0 */
	uint64_t newest_group; /* its group, or 0 */
	uint64_t evicted;      /* entries */
	struct plan *plan;     /* NULL, or what goes is only noted: plan.h */
	int watched;	       /* 1, 0, or -1 for not known yet */
	struct doomed *doomed;
	size_t doomed_count;
	size_t doomed_capacity;
};

/* Begin; waits for other writers. The caller ends with update_commit() or
 * update_end(). */
CUBBY_MUST_CHECK int update_begin(struct cubby *store,
				  struct update *ret_update);
/* Note the uses, make room, commit, delete the files of what was purged, and
 * end. */
CUBBY_MUST_CHECK int update_commit(struct update *update);
/* Drop what is not committed. May be called again, and on zeroes. */
void update_end(struct update *update);
#define SCOPED_UPDATE __attribute__((cleanup(update_end)))

/*
 * Give `record` (of a node that has no name) the name, and write it. What has
 * the name is displaced: a file by a file, an empty directory by a directory.
 *
 * Returns 0, -ENOENT when `parent` is gone, -ENOTDIR, -EISDIR, -ENOTEMPTY, or
 * an error of the index.
 */
CUBBY_MUST_CHECK int update_insert(struct update *update, uint64_t parent,
				   const char *name, size_t name_size,
				   uint64_t id, const struct record *record);

/* Take away the name of a node, which gets another one; the record is left as
 * it is. Watches are told, except of plain files: they are renamed all the
 * time, to be published. */
CUBBY_MUST_CHECK int update_detach(struct update *update,
				   const struct node *node);

/* Take away the name of a node and purge it, or displace it as long as somebody
 * watches. */
CUBBY_MUST_CHECK int update_remove(struct update *update,
				   const struct node *node);

/* Forget the stored bytes of the entry `id`, which becomes something else. */
CUBBY_MUST_CHECK int update_drop_bytes(struct update *update, uint64_t id,
				       const struct record *record);

/* Count a node that has its name in (1) or out (-1). */
void update_count(struct totals *totals, const struct record *record, int sign);

/* What an entry takes of a quota. */
uint64_t update_cost(const struct record *record);

/* The group that an entry in the directory `parent` belongs to, or 0. */
CUBBY_MUST_CHECK int update_group(struct update *update, uint64_t parent,
				  uint64_t *ret_group);

/* Put other stored bytes in place of those of an entry that has its name:
 * `bytes` says where and what they are. Its name and content stay. */
CUBBY_MUST_CHECK int update_replace_bytes(struct update *update,
					  const struct node *node,
					  const struct record *bytes);

/* Note what the file of a plain node takes of the disk. */
CUBBY_MUST_CHECK int update_resize(struct update *update,
				   const struct node *node,
				   uint64_t stored_size);

#endif
