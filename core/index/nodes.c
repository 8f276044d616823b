/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "sys/sys.h"

enum {
	ID_SIZE = 8,
	NAME_KEY_MAX = ID_SIZE + NAME_PACKED_MAX,
	PART_KEY_SIZE = ID_SIZE + 1,
};

static size_t name_key(uint64_t parent, const char *name, size_t size,
		       uint8_t ret_key[NAME_KEY_MAX])
{
	put_be64(ret_key, parent);
	return ID_SIZE + name_pack(name, size, ret_key + ID_SIZE);
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
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint8_t start[NAME_KEY_MAX];
	size_t start_size = name_key(parent, after, after_size, start);
	MDB_val key;
	MDB_val value;
	uint64_t id = 0;
	int r = cursor_open(txn, TABLE_NAMES, &cursor);

	if (r < 0)
		return r;
	r = cursor_seek(&cursor, start, start_size, &key, &value);
	if (r == 0 && key.mv_size == start_size &&
	    memcmp(key.mv_data, start, start_size) == 0)
		r = cursor_next(&cursor, &key, &value);
	for (; r == 0; r = cursor_next(&cursor, &key, &value)) {
		const uint8_t *bytes = key.mv_data;
		char name[CUBBY_NAME_MAX];
		ssize_t size;

		if (key.mv_size <= ID_SIZE)
			return -EBADMSG;
		if (memcmp(bytes, start, ID_SIZE) != 0)
			return 0;
		size = name_unpack(bytes + ID_SIZE, key.mv_size - ID_SIZE,
				   name);
		r = size < 0 ? (int)size : decode_id(&value, &id);
		if (r == 0)
			r = fn(cookie, name, (size_t)size, id);
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

int nodes_put_root(struct index_txn *txn)
{
	const struct record root = {
		.kind = CUBBY_DIRECTORY,
		.mode = 0755,
		.uid = sys_uid(),
		.gid = sys_gid(),
		.parent = CUBBY_ROOT_ID,
		.mtime_ns = sys_now_ns(),
		.name = "",
	};

	return nodes_put(txn, CUBBY_ROOT_ID, &root);
}

int nodes_delete(struct index_txn *txn, uint64_t id)
{
	uint8_t key[ID_SIZE];

	put_be64(key, id);
	return lmdb_delete(txn, TABLE_NODES, key, sizeof(key));
}

int nodes_next(struct index_txn *txn, uint64_t *id)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint8_t start[ID_SIZE];
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_NODES, &cursor);

	put_be64(start, *id + 1);
	if (r == 0)
		r = cursor_seek(&cursor, start, sizeof(start), &key, &value);
	/* Bytes that lost their record. */
	while (r == 0 && key.mv_size == PART_KEY_SIZE)
		r = cursor_next(&cursor, &key, &value);
	return r < 0 ? r : decode_id(&key, id);
}

/*
 * The bytes of a small entry are right behind its record, so that an add
 * changes one page for both. A value that does not fit one page is cut in two:
 * LMDB would look for pages side by side, and make the file longer when it
 * finds none.
 */
enum { PART_MAX = SMALL_BYTES_MAX / SMALL_PARTS_MAX };

static void part_key(uint64_t id, size_t part, uint8_t ret_key[PART_KEY_SIZE])
{
	put_be64(ret_key, id);
	ret_key[ID_SIZE] = (uint8_t)(part + 1);
}

static bool is_part(const MDB_val *key, uint64_t id)
{
	return key->mv_size == PART_KEY_SIZE && get_be64(key->mv_data) == id;
}

/* How much of `size` bytes is in this part? */
static size_t part_size(size_t size, size_t part)
{
	return size > part * PART_MAX
		       ? min_size(size - part * PART_MAX, PART_MAX)
		       : 0;
}

int small_get(struct index_txn *txn, uint64_t id, void *buffer, size_t size)
{
	uint8_t *to = buffer;

	for (size_t part = 0; part == 0 || part * PART_MAX < size; part++) {
		uint8_t key[PART_KEY_SIZE];
		MDB_val value;
		int r;

		part_key(id, part, key);
		r = lmdb_get(txn, TABLE_NODES, key, sizeof(key), &value);
		if (r < 0)
			return r;
		if (value.mv_size != part_size(size, part))
			return -EBADMSG;
		memcpy(to + part * PART_MAX, value.mv_data, value.mv_size);
	}
	return 0;
}

int small_put(struct index_txn *txn, uint64_t id, const void *data, size_t size)
{
	const uint8_t *from = data;
	int r = 0;

	CHECK(size <= SMALL_BYTES_MAX);
	for (size_t part = 0; r == 0 && (part == 0 || part * PART_MAX < size);
	     part++) {
		uint8_t key[PART_KEY_SIZE];

		part_key(id, part, key);
		r = lmdb_put(txn, TABLE_NODES, key, sizeof(key),
			     from + part * PART_MAX, part_size(size, part));
	}
	return r;
}

int small_delete(struct index_txn *txn, uint64_t id)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint8_t first[PART_KEY_SIZE];
	bool is_found = false;
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_NODES, &cursor);

	part_key(id, 0, first);
	if (r == 0)
		r = cursor_seek(&cursor, first, sizeof(first), &key, &value);
	while (r == 0 && is_part(&key, id)) {
		is_found = true;
		r = lmdb_error(mdb_cursor_del(cursor.of_tree, 0));
		if (r == 0)
			r = cursor_next(&cursor, &key, &value);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	return is_found ? 0 : -ENOENT;
}
