/* SPDX-License-Identifier: MIT */
/*
 * Somebody else, who changes the store between two steps of an operation: this
 * program's own mdb_txn_begin(), mdb_txn_renew(), openat() and pread() let him
 * in, before a transaction or a file.
 */
#ifndef UNIT_OTHERS_H
#define UNIT_OTHERS_H

#include <stdbool.h>
#include <stddef.h>

#include "box.h"

enum {
	OTHERS_SIZE = 80000, /* of content: a blob file, compressed or not */
	OTHERS_STEPS_MAX = 60,
};

extern struct box box; /* whose operation it is */

/* What the next scenes are like: */
extern bool is_damaged; /* the entry is */
extern bool is_lost;	/* the plain file has lost its file */
extern bool is_held;	/* all is held through a watch */
extern size_t cut_size; /* what cut_plain() leaves */

/* A store with a directory that holds an entry and a plain file, and with an
 * empty one. */
void scene_new(void);
void scene_end(void);

/* After so many steps of this thread that is done; 0: never. */
extern void (*deed)(void);
extern _Thread_local unsigned steps;
/* Set by it: what the call of LMDB that it is done before gives. */
extern int step_error;

/*
 * The operation with the change before its first step, before its second, and
 * so on, each in a new scene. Its result must be 0 or `error`; the tables of
 * the index must agree then, and each entry must be one of those that were
 * added, whole. Returns how often it gave `error`.
 */
unsigned try_all(int (*operation)(void), void (*change)(void), int error);

/* Operations, on the entry, on the plain file, and on all. */
int get(void);
int get_damaged(void); /* a damaged one may be met, or not any more */
int remove_entry(void);
int move_entry(void);
int unpublish(void);
int publish(void);
int move_plain(void);
int set_mode(void);
int add_below(void); /* in a directory of the empty one */
int recompress(void);
int scrub(void);
int repair(void);

/* What others do. */
void replace_entry(void);
void delete_entry(void);
void unpublish_entry(void);
void move_entry_away(void);
void unpublish_and_publish(void); /* the same id, in the other form */
void delete_plain(void);
void replace_plain(void);
void bring_back(void); /* the file that the plain node has lost */
void bring_back_and_publish(void);
void cut_plain(void);	/* as who writes to it while it is published */
void make_shards(void); /* the directories below blobs/ */
void delete_empty(void);

#endif
