/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/base.h"
#include "index/lmdb_index.h"
#include "sys/sys.h"

enum { KEY_MAX = 511 }; /* of LMDB */

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

		index_join(file, path, names[i]);
		r = sys_stat(AT_FDCWD, file, &found);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && (!S_ISREG(found.st_mode) || found.st_nlink > 1))
			return -EBADMSG;
	}
	return 0;
}

int lmdb_fd(MDB_env *env)
{
	int fd;

	CHECK(mdb_env_get_fd(env, &fd) == 0);
	return fd;
}

MDB_envinfo lmdb_info(MDB_env *env)
{
	MDB_envinfo info;

	CHECK(mdb_env_info(env, &info) == 0);
	return info;
}

size_t lmdb_page_size(MDB_env *env)
{
	MDB_stat stat;

	CHECK(mdb_env_stat(env, &stat) == 0);
	return stat.ms_psize;
}

/* The key of a row, as it is in the tree. */
struct key {
	uint8_t bytes[KEY_MAX];
	MDB_val val;
	MDB_dbi dbi;
};

static void make_key(struct index_txn *txn, enum table table, const void *key,
		     size_t size, struct key *ret_key)
{
	size_t prefix = table != TABLE_META;

	CHECK(size <= KEY_MAX - prefix);
	ret_key->bytes[0] = (uint8_t)table;
	memcpy(ret_key->bytes + prefix, key, size);
	ret_key->val =
		(MDB_val){.mv_size = prefix + size, .mv_data = ret_key->bytes};
	ret_key->dbi = prefix ? txn->index->tree : txn->index->meta;
}

int lmdb_get(struct index_txn *txn, enum table table, const void *key,
	     size_t key_size, MDB_val *ret_value)
{
	struct key row;
	MDB_val value;
	int r;

	make_key(txn, table, key, key_size, &row);
	r = mdb_get(txn->txn, row.dbi, &row.val, &value);
	if (r == 0)
		*ret_value = value;
	return lmdb_error(r);
}

int lmdb_put(struct index_txn *txn, enum table table, const void *key,
	     size_t key_size, const void *value, size_t value_size)
{
	MDB_val data = {.mv_size = value_size,
			.mv_data = (void *)(uintptr_t)value};
	struct key row;

	make_key(txn, table, key, key_size, &row);
	return lmdb_error(mdb_put(txn->txn, row.dbi, &row.val, &data, 0));
}

int lmdb_delete(struct index_txn *txn, enum table table, const void *key,
		size_t key_size)
{
	struct key row;

	make_key(txn, table, key, key_size, &row);
	return lmdb_error(mdb_del(txn->txn, row.dbi, &row.val, NULL));
}

int cursor_open(struct index_txn *txn, enum table table,
		struct cursor *ret_cursor)
{
	CHECK(table != TABLE_META);
	ret_cursor->table = table;
	return lmdb_error(mdb_cursor_open(txn->txn, txn->index->tree,
					  &ret_cursor->of_tree));
}

static int move(struct cursor *cursor, MDB_cursor_op op, MDB_val *key,
		MDB_val *ret_value)
{
	int r = lmdb_error(mdb_cursor_get(cursor->of_tree, key, ret_value, op));
	const uint8_t *bytes = key->mv_data;

	if (r < 0)
		return r;
	if (key->mv_size == 0 || bytes[0] != cursor->table)
		return -ENOENT;
	key->mv_data = (uint8_t *)key->mv_data + 1;
	key->mv_size--;
	return 0;
}

int cursor_seek(struct cursor *cursor, const void *key, size_t key_size,
		MDB_val *ret_key, MDB_val *ret_value)
{
	uint8_t bytes[KEY_MAX];

	CHECK(key_size < KEY_MAX);
	bytes[0] = (uint8_t)cursor->table;
	memcpy(bytes + 1, key, key_size);
	*ret_key = (MDB_val){.mv_size = key_size + 1, .mv_data = bytes};
	return move(cursor, MDB_SET_RANGE, ret_key, ret_value);
}

int cursor_next(struct cursor *cursor, MDB_val *ret_key, MDB_val *ret_value)
{
	return move(cursor, MDB_NEXT, ret_key, ret_value);
}

int cursor_last(struct cursor *cursor, MDB_val *ret_key, MDB_val *ret_value)
{
	uint8_t beyond = (uint8_t)(cursor->table + 1);
	int r;

	/* To before the first row of the next table, or the end of the tree. */
	*ret_key = (MDB_val){.mv_size = 1, .mv_data = &beyond};
	r = lmdb_error(mdb_cursor_get(cursor->of_tree, ret_key, ret_value,
				      MDB_SET_RANGE));
	if (r < 0 && r != -ENOENT)
		return r;
	return move(cursor, r == 0 ? MDB_PREV : MDB_LAST, ret_key, ret_value);
}
