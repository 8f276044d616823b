/* SPDX-License-Identifier: MIT */
#include "index/scan.h"

#include <errno.h>

#include "base/base.h"
#include "format/name.h"
#include "index/lmdb_index.h"

enum { ID_SIZE = 8, PART_KEY_SIZE = 9, RECENT_KEY_SIZE = 24 };

struct scan {
	union {
		scan_name_fn *name;
		scan_node_fn *node;
		scan_small_fn *small;
		scan_recent_fn *recent;
	} fn;
	void *cookie;
};

typedef int row_fn(const struct scan *scan, const MDB_val *key,
		   const MDB_val *value);

/* All rows whose key is not less than the id `from`. */
static int scan_table(struct index_txn *txn, enum table table, uint64_t from,
		      row_fn *row, const struct scan *scan)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint8_t start[ID_SIZE];
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, table, &cursor);

	if (r < 0)
		return r;
	put_be64(start, from);
	r = cursor_seek(&cursor, start, from == 0 ? 0 : ID_SIZE, &key, &value);
	for (; r == 0; r = cursor_next(&cursor, &key, &value)) {
		if (key.mv_size < ID_SIZE)
			return -EBADMSG;
		r = row(scan, &key, &value);
		if (r != 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static int name_row(const struct scan *scan, const MDB_val *key,
		    const MDB_val *value)
{
	const uint8_t *from = key->mv_data;
	char name[CUBBY_NAME_MAX];
	ssize_t size =
		name_unpack(from + ID_SIZE, key->mv_size - ID_SIZE, name);

	if (size < 0 || value->mv_size != ID_SIZE)
		return -EBADMSG;
	return scan->fn.name(scan->cookie, get_be64(from), name, (size_t)size,
			     get_be64(value->mv_data));
}

int scan_names(struct index_txn *txn, scan_name_fn *fn, void *cookie)
{
	const struct scan scan = {.fn.name = fn, .cookie = cookie};

	return scan_table(txn, TABLE_NAMES, 0, name_row, &scan);
}

static int node_row(const struct scan *scan, const MDB_val *key,
		    const MDB_val *value)
{
	struct record record;
	int r;

	if (key->mv_size == PART_KEY_SIZE)
		return 0;
	if (key->mv_size != ID_SIZE)
		return -EBADMSG;
	r = record_decode(value->mv_data, value->mv_size, &record);
	return scan->fn.node(scan->cookie, get_be64(key->mv_data),
			     r < 0 ? NULL : &record);
}

int scan_nodes(struct index_txn *txn, uint64_t from, scan_node_fn *fn,
	       void *cookie)
{
	const struct scan scan = {.fn.node = fn, .cookie = cookie};

	return scan_table(txn, TABLE_NODES, from, node_row, &scan);
}

int scan_last_node(struct index_txn *txn, uint64_t *ret_id)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_NODES, &cursor);

	if (r == 0)
		r = cursor_last(&cursor, &key, &value);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r; /* there is a root */
	if (key.mv_size != ID_SIZE && key.mv_size != PART_KEY_SIZE)
		return -EBADMSG;
	*ret_id = get_be64(key.mv_data);
	return 0;
}

static int small_row(const struct scan *scan, const MDB_val *key,
		     const MDB_val *value)
{
	if (key->mv_size != PART_KEY_SIZE)
		return 0;
	return scan->fn.small(scan->cookie, get_be64(key->mv_data),
			      value->mv_size);
}

int scan_small(struct index_txn *txn, scan_small_fn *fn, void *cookie)
{
	const struct scan scan = {.fn.small = fn, .cookie = cookie};

	return scan_table(txn, TABLE_NODES, 0, small_row, &scan);
}

static int recent_row(const struct scan *scan, const MDB_val *key,
		      const MDB_val *value)
{
	const uint8_t *from = key->mv_data;
	struct recent row;

	(void)value;
	if (key->mv_size != RECENT_KEY_SIZE)
		return -EBADMSG;
	row = (struct recent){
		.group = get_be64(from) >> 1,
		.is_blob = from[7] & 1,
		.rank = get_be64(from + 8),
		.id = get_be64(from + 16),
	};
	return scan->fn.recent(scan->cookie, &row);
}

int scan_recent(struct index_txn *txn, scan_recent_fn *fn, void *cookie)
{
	const struct scan scan = {.fn.recent = fn, .cookie = cookie};

	return scan_table(txn, TABLE_RECENT, 0, recent_row, &scan);
}
