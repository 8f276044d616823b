/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/addressed.h"
#include "index/lmdb_index.h"

enum { ROW_SIZE = 16, AT_CONTENT = 8 };

static const char content_key[] = "content";

int addressed_list(struct index_txn *txn,
		   struct addressed ret_rows[CUBBY_CONTENTS_MAX],
		   size_t *ret_count)
{
	const uint8_t *from;
	MDB_val value;
	size_t count;
	int r = lmdb_get(txn, TABLE_META, content_key, strlen(content_key),
			 &value);

	if (r == -ENOENT)
		*ret_count = 0;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	count = value.mv_size / ROW_SIZE;
	if (count > CUBBY_CONTENTS_MAX || value.mv_size % ROW_SIZE != 0)
		return -EBADMSG;
	from = value.mv_data;
	for (size_t i = 0; i < count; i++, from += ROW_SIZE)
		ret_rows[i] = (struct addressed){
			.id = get_le(from, AT_CONTENT),
			.content = from[AT_CONTENT],
		};
	*ret_count = count;
	return 0;
}

int addressed_exist(struct index_txn *txn)
{
	MDB_val value;
	int r = lmdb_get(txn, TABLE_META, content_key, strlen(content_key),
			 &value);

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int addressed_put(struct index_txn *txn, const struct addressed *rows,
		  size_t count)
{
	uint8_t bytes[CUBBY_CONTENTS_MAX * ROW_SIZE] = {0};

	CHECK(count <= CUBBY_CONTENTS_MAX);
	for (size_t i = 0; i < count; i++) {
		put_le(bytes + i * ROW_SIZE, rows[i].id, AT_CONTENT);
		bytes[i * ROW_SIZE + AT_CONTENT] = (uint8_t)rows[i].content;
	}
	if (count > 0)
		return lmdb_put(txn, TABLE_META, content_key,
				strlen(content_key), bytes, count * ROW_SIZE);
	return lmdb_delete(txn, TABLE_META, content_key, strlen(content_key));
}

int addressed_delete(struct index_txn *txn, uint64_t id)
{
	struct addressed rows[CUBBY_CONTENTS_MAX];
	size_t count = 0;
	int r = addressed_list(txn, rows, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (rows[i].id != id)
			continue;
		memmove(rows + i, rows + i + 1,
			(count - i - 1) * sizeof(*rows));
		return addressed_put(txn, rows, count - 1);
	}
	return r;
}
