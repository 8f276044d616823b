/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/base.h"
#include "index/lmdb_index.h"
#include "index/recent.h"

enum { KEY_SIZE = 24 };

static void encode(const struct recent *row, uint8_t ret_key[KEY_SIZE])
{
	/* Ids end long before the highest bit. */
	put_be64(ret_key, row->group << 1 | row->is_blob);
	put_be64(ret_key + 8, row->rank);
	put_be64(ret_key + 16, row->id);
}

int recent_put(struct index_txn *txn, const struct recent *row)
{
	uint8_t key[KEY_SIZE];

	encode(row, key);
	return lmdb_put(txn, TABLE_RECENT, key, sizeof(key), "", 0);
}

int recent_delete(struct index_txn *txn, const struct recent *row)
{
	uint8_t key[KEY_SIZE];

	encode(row, key);
	return lmdb_delete(txn, TABLE_RECENT, key, sizeof(key));
}

/* Damaged ones are passed by. No node has the first id or the last one, and
 * who steps on counts on it. */
static bool is_row(const MDB_val *key)
{
	const uint8_t *bytes = key->mv_data;

	return key->mv_size == KEY_SIZE && get_be64(bytes + 16) != 0 &&
	       get_be64(bytes + 16) != UINT64_MAX;
}

int recent_next(struct index_txn *txn, struct recent *row)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	struct recent from = *row;
	uint8_t start[KEY_SIZE];
	const uint8_t *found;
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_RECENT, &cursor);

	if (r < 0)
		return r;
	from.id++; /* see is_row() */
	encode(&from, start);
	r = cursor_seek(&cursor, start, sizeof(start), &key, &value);
	while (r == 0 && !is_row(&key))
		r = cursor_next(&cursor, &key, &value);
	if (r < 0)
		return r;
	found = key.mv_data;
	if (get_be64(found) != (row->group << 1 | row->is_blob))
		return -ENOENT;
	row->rank = get_be64(found + 8);
	row->id = get_be64(found + 16);
	return 0;
}
