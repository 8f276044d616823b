/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "index/limits.h"
#include "index/lmdb_index.h"

enum {
	LIMITS_SIZE = 64,
	GROUP_SIZE = 32,
	FLAG_PINNED = 1,
	ID_SIZE = 8,
};

static const char limits_key[] = "limits";

int limits_get(struct index_txn *txn, struct cubby_limits *ret_limits)
{
	const uint8_t *from;
	MDB_val value;
	int r = lmdb_get(txn, TABLE_META, limits_key, strlen(limits_key),
			 &value);

	if (r == -ENOENT) {
		*ret_limits = (struct cubby_limits){
			.protect_s = CUBBY_PROTECT_S,
			.resolution_s = CUBBY_RESOLUTION_S,
		};
		return 0;
	}
	if (r < 0)
		return r;
	if (value.mv_size < LIMITS_SIZE)
		return -EBADMSG;
	from = value.mv_data;
	*ret_limits = (struct cubby_limits){
		.max_size = get_le(from, 8),
		.min_free = get_le(from + 8, 8),
		.max_entry = get_le(from + 16, 8),
		.max_age_s = get_le(from + 24, 8),
		.min_free_percent = (uint32_t)get_le(from + 32, 4),
		.protect_s = (uint32_t)get_le(from + 36, 4),
		.resolution_s = (uint32_t)get_le(from + 40, 4),
		.policy = from[44],
	};
	return 0;
}

int limits_put(struct index_txn *txn, const struct cubby_limits *limits)
{
	uint8_t to[LIMITS_SIZE] = {0};

	put_le(to, limits->max_size, 8);
	put_le(to + 8, limits->min_free, 8);
	put_le(to + 16, limits->max_entry, 8);
	put_le(to + 24, limits->max_age_s, 8);
	put_le(to + 32, limits->min_free_percent, 4);
	put_le(to + 36, limits->protect_s, 4);
	put_le(to + 40, limits->resolution_s, 4);
	to[44] = (uint8_t)limits->policy;
	return lmdb_put(txn, TABLE_META, limits_key, strlen(limits_key), to,
			sizeof(to));
}

static int decode(const MDB_val *key, const MDB_val *value,
		  struct group *ret_group)
{
	const uint8_t *from = value->mv_data;

	if (key->mv_size != ID_SIZE || value->mv_size < GROUP_SIZE)
		return -EBADMSG;
	*ret_group = (struct group){
		.id = get_be64(key->mv_data),
		.quota = get_le(from, 8),
		.bytes = get_le(from + 8, 8),
		.entries = get_le(from + 16, 8),
		.is_pinned = from[24] & FLAG_PINNED,
	};
	return 0;
}

int group_get(struct index_txn *txn, uint64_t id, struct group *ret_group)
{
	uint8_t bytes[ID_SIZE];
	MDB_val key = {.mv_size = ID_SIZE, .mv_data = bytes};
	MDB_val value;
	int r;

	put_be64(bytes, id);
	r = lmdb_get(txn, TABLE_GROUPS, bytes, sizeof(bytes), &value);
	return r < 0 ? r : decode(&key, &value, ret_group);
}

int group_put(struct index_txn *txn, const struct group *group)
{
	uint8_t to[GROUP_SIZE] = {0};
	uint8_t key[ID_SIZE];

	put_be64(key, group->id);
	put_le(to, group->quota, 8);
	put_le(to + 8, group->bytes, 8);
	put_le(to + 16, group->entries, 8);
	to[24] = group->is_pinned ? FLAG_PINNED : 0;
	return lmdb_put(txn, TABLE_GROUPS, key, sizeof(key), to, sizeof(to));
}

int group_delete(struct index_txn *txn, uint64_t id)
{
	uint8_t key[ID_SIZE];

	put_be64(key, id);
	return lmdb_delete(txn, TABLE_GROUPS, key, sizeof(key));
}

int groups_exist(struct index_txn *txn)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_GROUPS, &cursor);

	if (r == 0)
		r = cursor_seek(&cursor, "", 0, &key, &value);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int groups_list(struct index_txn *txn,
		struct group ret_groups[CUBBY_QUOTAS_MAX], size_t *ret_count)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	size_t count = 0;
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_GROUPS, &cursor);

	if (r < 0)
		return r;
	r = cursor_seek(&cursor, "", 0, &key, &value);
	for (; r == 0; r = cursor_next(&cursor, &key, &value)) {
		if (count == CUBBY_QUOTAS_MAX)
			return -EBADMSG;
		r = decode(&key, &value, &ret_groups[count++]);
		if (r < 0)
			return r;
	}
	if (r != -ENOENT)
		return r;
	*ret_count = count;
	return 0;
}
