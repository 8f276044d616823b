/* SPDX-License-Identifier: MIT */
/*
 * What the index says of the store as a whole, and its queue of displaced
 * nodes: hostile values in a well-formed index, in a transaction that is never
 * committed. Input: which value, then the value.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "fuzz.h"
#include "index/displaced.h"
#include "index/lmdb_index.h"
#include "index/meta.h"
#include "index/nodes.h"

static struct index *opened;

static int take_displaced(void *cookie, uint64_t number, uint64_t id,
			  uint64_t parent, const char *name, size_t name_size)
{
	(void)cookie;
	(void)number;
	(void)id;
	(void)parent;
	HOLDS(name_size <= CUBBY_NAME_MAX);
	return name_size > 0 && name[name_size - 1] == 'x' ? 1 : 0;
}

static int take_name(void *cookie, const char *name, size_t size, uint64_t id)
{
	(void)cookie;
	(void)id;
	HOLDS(size >= 1 && size <= CUBBY_NAME_MAX);
	return name[size - 1] == 'x' ? 1 : 0;
}

static void decode_meta(struct index_txn *txn)
{
	struct totals totals;
	uint64_t first = 0;
	int r = meta_verify(txn);

	HOLDS(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	r = totals_get(txn, &totals);
	HOLDS(r == 0 || r == -EBADMSG);
	r = meta_reserve_ids(txn, 256, &first);
	HOLDS(r == 0 ? first > 1 && first <= UINT64_MAX / 2 : r == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		enum table table;
		const char *key;
		size_t key_size;
	} values[] = {
		{TABLE_META, "format", 6},
		{TABLE_META, "next_id", 7},
		{TABLE_META, "totals", 6},
		{TABLE_DISPLACED, "\0\0\0\0\0\0\0\5", 8},
		{TABLE_WATCHES, "\0\0\0\0\0\0\0\1", 8},
		{TABLE_NAMES, "\0\0\0\0\0\0\0\1abc", 11},
		{TABLE_NODES, "\0\0\0\0\0\0\0\1", 8},
		/* a key that is itself what was damaged */
		{TABLE_DISPLACED, NULL, 0},
		{TABLE_WATCHES, NULL, 0},
		{TABLE_NAMES, NULL, 0},
	};
	size_t which;
	struct record record;
	struct index_txn *txn;
	uint64_t number;
	int r;

	if (!opened)
		HOLDS(index_open(fuzz_directory(), false, true, &opened) == 0);
	if (size < 2)
		return 0;
	which = data[0] % ARRAY_SIZE(values);
	HOLDS(index_write(opened, &txn) == 0);
	if (values[which].key)
		r = lmdb_put(txn, values[which].table, values[which].key,
			     values[which].key_size, data + 1, size - 1);
	else
		r = lmdb_put(txn, values[which].table, data + 1,
			     min_size(size - 1, 500), data, min_size(size, 8));
	HOLDS(r == 0);
	decode_meta(txn);
	r = displaced_scan(txn, 0, take_displaced, NULL);
	HOLDS(r == 0 || r == 1 || r == -EBADMSG);
	r = watches_horizon(txn, 7, &number);
	HOLDS(r == 0 || r == 1 || r == -EBADMSG || r == -EINVAL ||
	      r == -EOVERFLOW);
	r = names_scan(txn, 1, "", 0, take_name, NULL);
	HOLDS(r == 0 || r == 1 || r == -EBADMSG);
	r = names_get(txn, 1, "abc", 3, &number);
	HOLDS(r == 0 || r == -ENOENT || r == -EBADMSG);
	r = nodes_get(txn, 1, &record);
	HOLDS(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	index_end(txn);
	return 0;
}
