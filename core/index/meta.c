/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/lmdb_index.h"
#include "index/meta.h"
#include "index/nodes.h"

enum {
	VERSION = 2,
	FORMAT_SIZE = 16,
	AT_VERSION = 8,
	AT_INCOMPAT = 10,
	AT_COMPAT = 11,
	TOTALS_COUNT = 15, /* numbers of struct totals */
};

static const char format_key[] = "format";
static const char next_id_key[] = "next_id";
static const char totals_key[] = "totals";
/* Of version 1, in which each table was a database. */
static const char old_key[] = "meta";
static const char magic[8] = {'c', 'u', 'b', 'b', 'y', 'i', 'd', 'x'};

static int get(struct index_txn *txn, const char *key, uint8_t *ret_bytes,
	       size_t size)
{
	MDB_val value;
	int r = lmdb_get(txn, TABLE_META, key, strlen(key), &value);

	if (r < 0)
		return r;
	/* A newer version may have added to the end. */
	if (value.mv_size < size)
		return -EBADMSG;
	memcpy(ret_bytes, value.mv_data, size);
	return 0;
}

static int put(struct index_txn *txn, const char *key, const uint8_t *bytes,
	       size_t size)
{
	return lmdb_put(txn, TABLE_META, key, strlen(key), bytes, size);
}

int meta_refuse_old(struct index_txn *txn)
{
	MDB_val value;
	int r = lmdb_get(txn, TABLE_META, old_key, strlen(old_key), &value);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : -EPROTONOSUPPORT;
}

int meta_format(struct index_txn *txn)
{
	uint8_t format[FORMAT_SIZE] = {0};
	uint8_t next_id[8];
	MDB_val value;
	int r;

	r = lmdb_get(txn, TABLE_META, format_key, strlen(format_key), &value);
	if (r != -ENOENT)
		return r;
	memcpy(format, magic, sizeof(magic));
	put_le(format + AT_VERSION, VERSION, 2);
	r = put(txn, format_key, format, sizeof(format));
	if (r < 0)
		return r;
	put_le(next_id, CUBBY_ROOT_ID + 1, sizeof(next_id));
	r = put(txn, next_id_key, next_id, sizeof(next_id));
	if (r < 0)
		return r;
	r = totals_put(txn, &(struct totals){.unlisted = CUBBY_ROOT_ID + 1,
					     .unlisted_rank = UINT64_MAX});
	if (r < 0)
		return r;
	return nodes_put_root(txn);
}

int meta_verify(struct index_txn *txn)
{
	uint8_t format[FORMAT_SIZE];
	int r = get(txn, format_key, format, sizeof(format));

	if (r < 0)
		return r;
	if (memcmp(format, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (get_le(format + AT_VERSION, 2) != VERSION || format[AT_INCOMPAT])
		return -EPROTONOSUPPORT;
	/* What this version does not know it would not keep right. */
	if (format[AT_COMPAT] && txn->is_write)
		return -EPROTONOSUPPORT;
	return 0;
}

int meta_reserve_ids(struct index_txn *txn, uint64_t count, uint64_t *ret_first)
{
	uint8_t bytes[8];
	uint64_t first;
	int r = get(txn, next_id_key, bytes, sizeof(bytes));

	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	first = get_le(bytes, sizeof(bytes));
	if (first <= CUBBY_ROOT_ID || first > UINT64_MAX / 2)
		return -EBADMSG;
	put_le(bytes, first + count, sizeof(bytes));
	r = put(txn, next_id_key, bytes, sizeof(bytes));
	if (r == 0)
		*ret_first = first;
	return r;
}

int totals_get(struct index_txn *txn, struct totals *ret_totals)
{
	uint8_t bytes[TOTALS_COUNT * 8];
	int r = get(txn, totals_key, bytes, sizeof(bytes));

	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret_totals = (struct totals){
		.entries = get_le(bytes, 8),
		.directories = get_le(bytes + 8, 8),
		.plain_files = get_le(bytes + 16, 8),
		.raw_bytes = get_le(bytes + 24, 8),
		.stored_bytes = get_le(bytes + 32, 8),
		.displaced = get_le(bytes + 40, 8),
		.displaced_next = get_le(bytes + 48, 8),
		.quarantined = get_le(bytes + 56, 8),
		.disk_bytes = get_le(bytes + 64, 8),
		.displaced_bytes = get_le(bytes + 72, 8),
		.plain_bytes = get_le(bytes + 80, 8),
		.evicted_bytes = get_le(bytes + 88, 8),
		.clock = get_le(bytes + 96, 8),
		.unlisted = get_le(bytes + 104, 8),
		.unlisted_rank = get_le(bytes + 112, 8),
	};
	return 0;
}

int totals_put(struct index_txn *txn, const struct totals *totals)
{
	uint8_t bytes[TOTALS_COUNT * 8];

	put_le(bytes, totals->entries, 8);
	put_le(bytes + 8, totals->directories, 8);
	put_le(bytes + 16, totals->plain_files, 8);
	put_le(bytes + 24, totals->raw_bytes, 8);
	put_le(bytes + 32, totals->stored_bytes, 8);
	put_le(bytes + 40, totals->displaced, 8);
	put_le(bytes + 48, totals->displaced_next, 8);
	put_le(bytes + 56, totals->quarantined, 8);
	put_le(bytes + 64, totals->disk_bytes, 8);
	put_le(bytes + 72, totals->displaced_bytes, 8);
	put_le(bytes + 80, totals->plain_bytes, 8);
	put_le(bytes + 88, totals->evicted_bytes, 8);
	put_le(bytes + 96, totals->clock, 8);
	put_le(bytes + 104, totals->unlisted, 8);
	put_le(bytes + 112, totals->unlisted_rank, 8);
	return put(txn, totals_key, bytes, sizeof(bytes));
}
