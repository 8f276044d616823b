/* SPDX-License-Identifier: MIT */
/*
 * What the files of this folder share, and nobody else sees: the environment,
 * its tables, and access to one value by its key.
 */
#ifndef CUBBY_LMDB_INDEX_H
#define CUBBY_LMDB_INDEX_H

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "index/index.h"

enum {
	TXN_POOL_SIZE = 32,
	WATCHES_MAX = 256, /* at a time, on one store */
	FREE_DBI = 0,	   /* the database that LMDB keeps of free pages */
};

/*
 * A table is the keys of the tree that begin with its number, which stays out
 * of sight here: the key of a row is what follows. One tree for all of them has
 * fewer pages from its root to the rows that a commit changes than trees of
 * their own. What changes with every commit is in the database that LMDB
 * changes with every commit anyhow: the one that names the tree.
 */
enum table {
	TABLE_META = 0, /* beside the name of the tree */
	TABLE_NAMES = 1,
	TABLE_NODES = 2, /* id: a record; id, part: its bytes; see nodes.h */
	TABLE_RECENT = 3,
	TABLE_GROUPS = 4,
	TABLE_DISPLACED = 5,
	TABLE_WATCHES = 6,
};

struct region;
struct shared;

/* The thread that takes the checkpoints: see keeper.c. */
struct keeper {
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t wake;
	pthread_t thread;
	bool has_thread; /* it runs, or is to be joined */
	bool is_called;
	bool is_ending;
	_Atomic(bool) is_running; /* written with the lock held */
};

struct index {
	struct index *next; /* in the registry */
	dev_t dev;
	ino_t ino;
	unsigned references; /* guarded by the registry's lock */
	unsigned generation; /* see index_fork_generation() */
	bool read_only;
	MDB_env *env; /* see environment.h */
	_Atomic(unsigned) users;
	_Atomic(bool) is_reopening;
	char *path;
	char *watches_path;
	int watch_fd; /* the files whose bytes are locked: see steady.c */
	int lock_fd;
	pthread_mutex_t steady_lock; /* guards the pin and its version */
	MDB_txn *pin;		     /* holds the steady snapshot, or NULL */
	_Atomic(uint64_t) steady_version;
	_Atomic(bool) is_pinned; /* ends with the lock of the writers held */
	_Atomic(uint64_t) steady_work;
	_Atomic(unsigned) commits; /* of this process, not yet on the disk: the
				      work of them, see pace.c */
	_Atomic(uint64_t) last_work;   /* of all, after the last commit here */
	_Atomic(unsigned) commits_max; /* so many are due for a checkpoint */
	_Atomic(bool) is_durable;      /* each commit waits for one */
	_Atomic(int) steady_error;     /* of the last checkpoint, or 0 */
	pthread_mutex_t settling_lock; /* guards is_settling; no other is taken
					  under it */
	pthread_cond_t settled;
	bool is_settling; /* a thread takes a checkpoint for all who wait */
	bool is_doubtful; /* what a sync has lost: see steady.c; steady_lock */
	struct keeper keeper;
	_Atomic(bool) is_tight;	       /* the file could not be made longer */
	_Atomic(uint64_t) known_pages; /* of the data file, at least */
	int held_fd;		       /* see held.c */
	struct shared *shared; /* NULL when it is open for reading only */
	struct region *regions[WATCHES_MAX];
	MDB_dbi meta;
	MDB_dbi tree;
	pthread_mutex_t lock; /* guards the pool */
	unsigned pool_count;
	struct index_txn *pool[TXN_POOL_SIZE]; /* reset read transactions */
};

struct index_txn {
	struct index *index;
	MDB_txn *txn;
	bool is_write;
	int watch_count; /* living ones, or -1 for not known yet */
	uint32_t watches[WATCHES_MAX];
};

/* The path of a file of the index in `path`; index_open() has seen to it that
 * there is room. */
void index_join(char ret_path[PATH_MAX], const char *path, const char *name);

/* An error of LMDB as a negative errno. */
int lmdb_error(int r);

/*
 * Before LMDB opens its files in the directory `path`: are they files, and
 * nobody else's? It follows symlinks, waits for FIFOs, and overwrites what it
 * takes for its lock file. What is missing is right, too: it will be made.
 * Returns 0, -EBADMSG, or an error of stat(2).
 */
CUBBY_MUST_CHECK int lmdb_verify_files(const char *path);

/* What LMDB says of an environment, which is there: without one it would fail,
 * and in no other case. */
int lmdb_fd(MDB_env *env);
MDB_envinfo lmdb_info(MDB_env *env);
size_t lmdb_page_size(MDB_env *env);

/* One value. A value that is found points into the index. */
CUBBY_MUST_CHECK int lmdb_get(struct index_txn *txn, enum table table,
			      const void *key, size_t key_size,
			      MDB_val *ret_value);
CUBBY_MUST_CHECK int lmdb_put(struct index_txn *txn, enum table table,
			      const void *key, size_t key_size,
			      const void *value, size_t value_size);
CUBBY_MUST_CHECK int lmdb_delete(struct index_txn *txn, enum table table,
				 const void *key, size_t key_size);

/* A place in a table of the tree. */
struct cursor {
	MDB_cursor *of_tree;
	enum table table;
};

static inline void cursor_close(struct cursor *cursor)
{
	if (cursor->of_tree)
		mdb_cursor_close(cursor->of_tree);
}
#define SCOPED_CURSOR __attribute__((cleanup(cursor_close)))

CUBBY_MUST_CHECK int cursor_open(struct index_txn *txn, enum table table,
				 struct cursor *ret_cursor);
/* Move to the first row whose key is not less than the given one, to the next
 * row, or to the last one. Returns 0, or -ENOENT when there is none. */
CUBBY_MUST_CHECK int cursor_seek(struct cursor *cursor, const void *key,
				 size_t key_size, MDB_val *ret_key,
				 MDB_val *ret_value);
CUBBY_MUST_CHECK int cursor_next(struct cursor *cursor, MDB_val *ret_key,
				 MDB_val *ret_value);
CUBBY_MUST_CHECK int cursor_last(struct cursor *cursor, MDB_val *ret_key,
				 MDB_val *ret_value);

#endif
