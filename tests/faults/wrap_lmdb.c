/* SPDX-License-Identifier: MIT */
/*
 * The calls of the core to LMDB, in front of those of LMDB. Most of them make
 * no system call, as the index is mapped and written when it is committed; but
 * each may fail: for want of memory, of space in the map, or when a page has to
 * be written early. What LMDB calls of itself is left alone.
 */
#include <dlfcn.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdlib.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

/* The next definition of a function, after the one of this program. */
static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

/* Does this call fail? */
static bool fails(const char *name, const void *caller, int *ret_error)
{
	return fault_is_core(caller) &&
	       fault_hits(FAULT_INDEX, name, caller, false, ret_error);
}

/* WRAP(name, (parameters), (arguments)) */
#define WRAP(name, parameters, arguments)                                      \
	EXPORT int name parameters                                             \
	{                                                                      \
		static int(*real) parameters;                                  \
		int error;                                                     \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		return fails(#name, CALLER, &error) ? error : real arguments;  \
	}

/* clang-format off */
WRAP(mdb_env_create, (MDB_env **ret_env), (ret_env))
WRAP(mdb_txn_begin,
     (MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **ret_txn),
     (env, parent, flags, ret_txn))
WRAP(mdb_txn_renew, (MDB_txn *txn), (txn))
WRAP(mdb_dbi_open,
     (MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *ret_dbi),
     (txn, name, flags, ret_dbi))
WRAP(mdb_stat, (MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat), (txn, dbi, stat))
WRAP(mdb_get, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value),
     (txn, dbi, key, value))
WRAP(mdb_put,
     (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags),
     (txn, dbi, key, value, flags))
WRAP(mdb_del, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value),
     (txn, dbi, key, value))
WRAP(mdb_cursor_open, (MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret_cursor),
     (txn, dbi, ret_cursor))
WRAP(mdb_cursor_get,
     (MDB_cursor *cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op),
     (cursor, key, value, op))
WRAP(mdb_cursor_del, (MDB_cursor *cursor, unsigned flags), (cursor, flags))
WRAP(mdb_reader_check, (MDB_env *env, int *ret_dead), (env, ret_dead))
/* clang-format on */

/* One that fails has dropped the transaction. */
EXPORT int mdb_txn_commit(MDB_txn *txn)
{
	static int (*real)(MDB_txn *);
	int error;

	if (!real)
		*(void **)&real = next("mdb_txn_commit");
	if (!fails("mdb_txn_commit", CALLER, &error))
		return real(txn);
	mdb_txn_abort(txn);
	return error;
}
