/* SPDX-License-Identifier: MIT */
/*
 * The store: what the files of this folder share. Who reads this folder for the
 * first time reads, in this order: update.h (how anything changes), encoder.h
 * (content to stored bytes), publish.h (how an entry comes into being),
 * reader.c (and how it is read), hot.h (and how a small one is read again).
 *
 * Order of locks: a reader's lock, then the lock of ids, then those of the
 * index (index.c, steady.c). Neither of the first two is held while a write
 * transaction of the index is begun, but for the lock of ids, which is held
 * while ids are reserved; so nobody asks for an id in a transaction.
 *
 * Order of changes on disk: the file of a new blob is complete before the
 * transaction that names it; files are deleted after the transaction that
 * forgot them. A process that dies in between leaves a file that nothing
 * refers to, never a name without its file.
 */
#ifndef CUBBY_STORE_H
#define CUBBY_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "index/index.h"
#include "store/hot.h"
#include "store/layout.h"
#include "store/uses.h"

struct later;
struct team;

struct cubby {
	int dir_fd;
	bool read_only;
	bool is_durable;
	_Atomic(bool) is_shard_synced[LAYOUT_SHARDS]; /* see durable.c */
	unsigned generation; /* see index_fork_generation() */
	struct index *index;
	struct figures *figures; /* or NULL */
	struct uses uses;
	struct hot hot;
	_Atomic(int64_t) resolution_ns; /* of the times of use */
	pthread_mutex_t id_lock;	/* guards the two below */
	uint64_t next_id;
	uint64_t end_id;
	struct team *team;   /* for the frames of large entries */
	struct later *later; /* NULL: compress at once; see later.h */
};

/* May this process use the handle? Returns 0 or -ECHILD. */
CUBBY_MUST_CHECK int store_verify_process(const struct cubby *store);
/* If so, begin to read. Returns 0, -ECHILD, or as index_read(). */
CUBBY_MUST_CHECK int store_read(struct cubby *store,
				struct index_txn **ret_txn);
/* May it use the handle, and write? Returns 0, -ECHILD or -EROFS. */
CUBBY_MUST_CHECK int store_verify_writable(const struct cubby *store);

/* An id that nobody has had. Not within a write transaction. */
CUBBY_MUST_CHECK int store_new_id(struct cubby *store, uint64_t *ret_id);

#endif
