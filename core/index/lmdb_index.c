/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/base.h"
#include "index/lmdb_index.h"
#include "sys/sys.h"

int lmdb_error(int r)
{
	switch (r) {
	case MDB_SUCCESS:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_KEYEXIST:
		return -EEXIST;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EUSERS;
	case MDB_MAP_RESIZED: /* larger than what could be mapped here */
		return -ENOMEM;
	case MDB_VERSION_MISMATCH:
		return -EPROTONOSUPPORT;
	case MDB_BAD_TXN:
	case MDB_PANIC: /* the disk has refused a meta page */
		return -EIO;
	default:
		return r > 0 ? -r : -EBADMSG;
	}
}

int lmdb_verify_files(const char *path)
{
	static const char *const names[] = {"data.mdb", "lock.mdb"};
	char file[PATH_MAX];
	struct stat found;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r;

		if (snprintf(file, sizeof(file), "%s/%s", path, names[i]) >=
		    (int)sizeof(file))
			return -ENAMETOOLONG;
		r = sys_stat(AT_FDCWD, file, &found);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && (!S_ISREG(found.st_mode) || found.st_nlink > 1))
			return -EBADMSG;
	}
	return 0;
}

int lmdb_get(struct index_txn *txn, enum table table, const void *key,
	     size_t key_size, MDB_val *ret_value)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	MDB_val value;
	int r = mdb_get(txn->txn, txn->index->tables[table], &name, &value);

	if (r == 0)
		*ret_value = value;
	return lmdb_error(r);
}

int lmdb_put(struct index_txn *txn, enum table table, const void *key,
	     size_t key_size, const void *value, size_t value_size)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	MDB_val data = {.mv_size = value_size,
			.mv_data = (void *)(uintptr_t)value};

	return lmdb_error(
		mdb_put(txn->txn, txn->index->tables[table], &name, &data, 0));
}

int lmdb_delete(struct index_txn *txn, enum table table, const void *key,
		size_t key_size)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};

	return lmdb_error(
		mdb_del(txn->txn, txn->index->tables[table], &name, NULL));
}

int lmdb_cursor(struct index_txn *txn, enum table table,
		MDB_cursor **ret_cursor)
{
	return lmdb_error(mdb_cursor_open(txn->txn, txn->index->tables[table],
					  ret_cursor));
}

int lmdb_seek(MDB_cursor *cursor, const void *key, size_t key_size,
	      MDB_val *ret_key, MDB_val *ret_value)
{
	*ret_key = (MDB_val){.mv_size = key_size,
			     .mv_data = (void *)(uintptr_t)key};
	return lmdb_error(
		mdb_cursor_get(cursor, ret_key, ret_value, MDB_SET_RANGE));
}

int lmdb_next(MDB_cursor *cursor, MDB_val *ret_key, MDB_val *ret_value)
{
	return lmdb_error(mdb_cursor_get(cursor, ret_key, ret_value, MDB_NEXT));
}
