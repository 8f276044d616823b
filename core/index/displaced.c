/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "index/displaced.h"
#include "index/lmdb_index.h"
#include "sys/sys.h"

enum {
	NUMBER_SIZE = 8,
	VALUE_MAX = 16 + CUBBY_NAME_MAX,
};

/* The byte of the watches file that belongs to a slot is the slot's number. */

/* The living watches into the transaction, and what they have been told. The
 * dead are forgotten. */
static int list(struct index_txn *txn, uint64_t next, uint64_t *ret_horizon)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint64_t horizon = next;
	int count = 0;
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_WATCHES, &cursor);

	if (r < 0)
		return r;
	r = cursor_seek(&cursor, "", 0, &key, &value);
	for (; r == 0; r = cursor_next(&cursor, &key, &value)) {
		uint64_t slot;

		if (key.mv_size != NUMBER_SIZE || value.mv_size != NUMBER_SIZE)
			return -EBADMSG;
		slot = get_be64(key.mv_data);
		if (slot >= WATCHES_MAX)
			return -EBADMSG;
		r = sys_byte_is_locked(txn->index->watch_fd, slot);
		if (r > 0) {
			txn->watches[count++] = (uint32_t)slot;
			if (get_be64(value.mv_data) < horizon)
				horizon = get_be64(value.mv_data);
		} else if (r == 0) {
			r = lmdb_error(mdb_cursor_del(cursor.of_tree, 0));
		}
		if (r < 0)
			return r;
	}
	if (r != -ENOENT)
		return r;
	txn->watch_count = count;
	*ret_horizon = horizon;
	return 0;
}

int watches_horizon(struct index_txn *txn, uint64_t next, uint64_t *ret_horizon)
{
	int r = list(txn, next, ret_horizon);

	return r < 0 ? r : txn->watch_count > 0;
}

int watches_list(struct index_txn *txn)
{
	uint64_t horizon;

	return list(txn, 0, &horizon);
}

int watches_add(struct index_txn *txn, uint64_t next, int *ret_fd,
		uint32_t *ret_slot)
{
	/* A lock belongs to the open file: each watch has its own. */
	SCOPED_FD int fd = sys_open(AT_FDCWD, txn->index->watches_path, O_RDWR);
	uint32_t slot = 0;
	int r = -EAGAIN;

	if (fd < 0)
		return fd;
	/* Nobody else chooses a slot while this write transaction lasts. */
	for (; slot < WATCHES_MAX; slot++) {
		r = sys_lock_byte(fd, slot);
		if (r != -EAGAIN)
			break;
	}
	if (r == 0)
		r = watches_set(txn, slot, next);
	if (r < 0)
		return r == -EAGAIN ? -EUSERS : r;
	*ret_slot = slot;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int watches_set(struct index_txn *txn, uint32_t slot, uint64_t next)
{
	uint8_t key[NUMBER_SIZE];
	uint8_t value[NUMBER_SIZE];

	put_be64(key, slot);
	put_be64(value, next);
	return lmdb_put(txn, TABLE_WATCHES, key, sizeof(key), value,
			sizeof(value));
}

int watches_delete(struct index_txn *txn, uint32_t slot)
{
	uint8_t key[NUMBER_SIZE];

	put_be64(key, slot);
	return lmdb_delete(txn, TABLE_WATCHES, key, sizeof(key));
}

int displaced_put(struct index_txn *txn, uint64_t number, uint64_t id,
		  uint64_t parent, const char *name, size_t name_size)
{
	uint8_t key[NUMBER_SIZE];
	uint8_t value[VALUE_MAX];

	CHECK(name_size <= CUBBY_NAME_MAX);
	put_be64(key, number);
	put_be64(value, id);
	put_be64(value + 8, parent);
	memcpy(value + 16, name, name_size);
	return lmdb_put(txn, TABLE_DISPLACED, key, sizeof(key), value,
			16 + name_size);
}

int displaced_delete(struct index_txn *txn, uint64_t number)
{
	uint8_t key[NUMBER_SIZE];

	put_be64(key, number);
	return lmdb_delete(txn, TABLE_DISPLACED, key, sizeof(key));
}

int displaced_scan(struct index_txn *txn, uint64_t from, displaced_fn *fn,
		   void *cookie)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint8_t start[NUMBER_SIZE];
	MDB_val key;
	MDB_val value;
	int r = cursor_open(txn, TABLE_DISPLACED, &cursor);

	if (r < 0)
		return r;
	put_be64(start, from);
	r = cursor_seek(&cursor, start, sizeof(start), &key, &value);
	for (; r == 0; r = cursor_next(&cursor, &key, &value)) {
		const uint8_t *bytes = value.mv_data;

		if (key.mv_size != NUMBER_SIZE || value.mv_size < 16 ||
		    value.mv_size > VALUE_MAX)
			return -EBADMSG;
		r = fn(cookie, get_be64(key.mv_data), get_be64(bytes),
		       get_be64(bytes + 8), (const char *)bytes + 16,
		       value.mv_size - 16);
		if (r != 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}
