/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"

enum { ID_SIZE = 8, NAME_KEY_MAX = ID_SIZE + CUBBY_NAME_MAX };

static size_t name_key(uint64_t parent, const char *name, size_t size,
		       uint8_t ret_key[NAME_KEY_MAX])
{
	CHECK(size <= CUBBY_NAME_MAX);
	put_be64(ret_key, parent);
	memcpy(ret_key + ID_SIZE, name, size);
	return ID_SIZE + size;
}

static int decode_id(const MDB_val *value, uint64_t *ret_id)
{
	if (value->mv_size != ID_SIZE)
		return -EBADMSG;
	*ret_id = get_be64(value->mv_data);
	return 0;
}

int names_get(struct index_txn *txn, uint64_t parent, const char *name,
	      size_t size, uint64_t *ret_id)
{
	uint8_t key[NAME_KEY_MAX];
	MDB_val value;
	int r = lmdb_get(txn, TABLE_NAMES, key,
			 name_key(parent, name, size, key), &value);

	return r < 0 ? r : decode_id(&value, ret_id);
}

int names_put(struct index_txn *txn, uint64_t parent, const char *name,
	      size_t size, uint64_t id)
{
	uint8_t key[NAME_KEY_MAX];
	uint8_t value[ID_SIZE];

	put_be64(value, id);
	return lmdb_put(txn, TABLE_NAMES, key,
			name_key(parent, name, size, key), value,
			sizeof(value));
}

int names_delete(struct index_txn *txn, uint64_t parent, const char *name,
		 size_t size)
{
	uint8_t key[NAME_KEY_MAX];

	return lmdb_delete(txn, TABLE_NAMES, key,
			   name_key(parent, name, size, key));
}

int names_scan(struct index_txn *txn, uint64_t parent, const char *after,
	       size_t after_size, names_fn *fn, void *cookie)
{
	SCOPED_CURSOR MDB_cursor *cursor = NULL;
	uint8_t start[NAME_KEY_MAX];
	size_t start_size = name_key(parent, after, after_size, start);
	MDB_val key;
	MDB_val value;
	uint64_t id;
	int r = lmdb_cursor(txn, TABLE_NAMES, &cursor);

	if (r < 0)
		return r;
	r = lmdb_seek(cursor, start, start_size, &key, &value);
	if (r == 0 && key.mv_size == start_size &&
	    memcmp(key.mv_data, start, start_size) == 0)
		r = lmdb_next(cursor, &key, &value);
	for (; r == 0; r = lmdb_next(cursor, &key, &value)) {
		const char *bytes = key.mv_data;

		if (key.mv_size <= ID_SIZE || key.mv_size > NAME_KEY_MAX)
			return -EBADMSG;
		if (memcmp(bytes, start, ID_SIZE) != 0)
			return 0;
		r = decode_id(&value, &id);
		if (r == 0)
			r = fn(cookie, bytes + ID_SIZE, key.mv_size - ID_SIZE,
			       id);
		if (r != 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

int nodes_get(struct index_txn *txn, uint64_t id, struct record *ret_record)
{
	uint8_t key[ID_SIZE];
	MDB_val value;
	int r;

	put_be64(key, id);
	r = lmdb_get(txn, TABLE_NODES, key, sizeof(key), &value);
	if (r < 0)
		return r;
	return record_decode(value.mv_data, value.mv_size, ret_record);
}

int nodes_put(struct index_txn *txn, uint64_t id, const struct record *record)
{
	uint8_t bytes[RECORD_SIZE_MAX];
	uint8_t key[ID_SIZE];

	put_be64(key, id);
	return lmdb_put(txn, TABLE_NODES, key, sizeof(key), bytes,
			record_encode(record, bytes));
}

int nodes_delete(struct index_txn *txn, uint64_t id)
{
	uint8_t key[ID_SIZE];

	put_be64(key, id);
	return lmdb_delete(txn, TABLE_NODES, key, sizeof(key));
}

int nodes_next(struct index_txn *txn, uint64_t *id)
{
	SCOPED_CURSOR MDB_cursor *cursor = NULL;
	uint8_t start[ID_SIZE];
	MDB_val key;
	MDB_val value;
	int r = lmdb_cursor(txn, TABLE_NODES, &cursor);

	put_be64(start, *id + 1);
	if (r == 0)
		r = lmdb_seek(cursor, start, sizeof(start), &key, &value);
	return r < 0 ? r : decode_id(&key, id);
}

/*
 * A value that does not fit one page is cut in two: LMDB would look for pages
 * side by side, and make the file longer when it finds none. The second part
 * has a longer key, and comes right behind.
 */
enum { PART_MAX = SMALL_BYTES_MAX / 2, PART_KEY_SIZE = ID_SIZE + 1 };

static void part_key(uint64_t id, uint8_t ret_key[PART_KEY_SIZE])
{
	put_be64(ret_key, id);
	ret_key[ID_SIZE] = 1;
}

static int get_part(struct index_txn *txn, const uint8_t *key, size_t key_size,
		    void *buffer, size_t size)
{
	MDB_val value;
	int r = lmdb_get(txn, TABLE_SMALL, key, key_size, &value);

	if (r < 0)
		return r;
	if (value.mv_size != size)
		return -EBADMSG;
	memcpy(buffer, value.mv_data, size);
	return 0;
}

int small_get(struct index_txn *txn, uint64_t id, void *buffer, size_t size)
{
	const size_t first = min_size(size, PART_MAX);
	uint8_t key[PART_KEY_SIZE];
	int r;

	part_key(id, key);
	r = get_part(txn, key, ID_SIZE, buffer, first);
	if (r == 0 && size > first)
		r = get_part(txn, key, sizeof(key), (uint8_t *)buffer + first,
			     size - first);
	return r;
}

int small_put(struct index_txn *txn, uint64_t id, const void *data, size_t size)
{
	const size_t first = min_size(size, PART_MAX);
	uint8_t key[PART_KEY_SIZE];
	int r;

	CHECK(size <= SMALL_BYTES_MAX);
	part_key(id, key);
	r = lmdb_put(txn, TABLE_SMALL, key, ID_SIZE, data, first);
	if (r == 0 && size > first)
		r = lmdb_put(txn, TABLE_SMALL, key, sizeof(key),
			     (const uint8_t *)data + first, size - first);
	return r;
}

int small_delete(struct index_txn *txn, uint64_t id)
{
	uint8_t key[PART_KEY_SIZE];
	int r;

	part_key(id, key);
	r = lmdb_delete(txn, TABLE_SMALL, key, sizeof(key));
	if (r < 0 && r != -ENOENT)
		return r;
	return lmdb_delete(txn, TABLE_SMALL, key, ID_SIZE);
}
