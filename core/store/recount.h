/* SPDX-License-Identifier: MIT */
/*
 * Every table of the index against the others, and the totals counted anew, in
 * one transaction. What is found is collected, so that nobody is called while
 * it is open.
 */
#ifndef CUBBY_RECOUNT_H
#define CUBBY_RECOUNT_H

#include "cubby/upkeep.h"
#include "index/limits.h"
#include "index/meta.h"
#include "index/recent.h"
#include "store/update.h"

/* Something that is wrong, and the key of its row. */
struct issue {
	enum cubby_finding finding;
	char *path; /* on the heap */
	uint64_t kept;
	uint64_t counted;
	uint64_t id;	   /* of the node; of the directory of a quota */
	uint64_t parent;   /* of a name, which is `name` */
	bool is_missing;   /* a row that there should be */
	bool is_sum;	   /* of the rows */
	struct recent row; /* of a use */
	uint16_t name_size;
	char name[CUBBY_NAME_MAX];
};

struct recount {
	struct index_txn *txn;
	struct totals totals; /* as they should be */
	struct group groups[CUBBY_QUOTAS_MAX];
	size_t group_count;
	struct issue *issues;
	size_t issue_count;
	size_t issue_capacity;
	uint64_t *displaced; /* ids, in order */
	size_t displaced_count;
	size_t displaced_capacity;
	uint64_t parent; /* the directory that was looked at last */
	bool parent_is_directory;
};

/* Count in a transaction of any kind. The caller ends with recount_done(),
 * whatever the result. Returns 0 or an error of the index. */
CUBBY_MUST_CHECK int recount_run(struct recount *recount,
				 struct index_txn *txn);
void recount_done(struct recount *recount);
#define SCOPED_RECOUNT __attribute__((cleanup(recount_done)))

#endif
