/* SPDX-License-Identifier: MIT */
/*
 * A store to be damaged: three entries in a directory with a quota, which have
 * their rows in the order of uses.
 */
#ifndef UNIT_TRIO_H
#define UNIT_TRIO_H

#include "box.h"
#include "format/record.h"
#include "index/index.h"

enum { TRIO_ROOT = (int)CUBBY_ROOT_ID, TRIO_SIZE = 20000 };

#define SMALL name_of(1) /* 100 bytes in the index */
#define BLOB name_of(2)	 /* TRIO_SIZE bytes, raw, in a file */
#define NONE name_of(3)	 /* no bytes */

extern struct box box;
extern uint8_t *data;
extern uint64_t dir, small_id, blob_id, empty_id;

void trio_new(void);
void trio_end(void);

uint64_t id_of(uint64_t parent, const char *name);

/* A write transaction. */
struct index_txn *begin(void);

/* The record of a node, with its name in `name`: to be changed by the caller.
 */
struct record record_of(uint64_t id, char name[CUBBY_NAME_MAX]);
void set_record(uint64_t id, const struct record *record);

#endif
