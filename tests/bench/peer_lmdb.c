/* SPDX-License-Identifier: MIT */
/* LMDB, a transaction for each entry, without waiting for the disk. */
#include <lmdb.h>

#include "bench.h"
#include "peer.h"

#define MAP_SIZE ((size_t)16 << 30)

struct handle {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader; /* renewed for each get: that is the cheap way */
};

static void must(int r, const char *what)
{
	if (r != 0)
		bench_give_up("LMDB: %s: %s", what, mdb_strerror(r));
}

static void *open_store(const char *dir)
{
	struct handle *handle = bench_alloc(sizeof(*handle));
	MDB_txn *txn;

	must(mdb_env_create(&handle->env), "create");
	must(mdb_env_set_mapsize(handle->env, MAP_SIZE), "map size");
	must(mdb_env_open(handle->env, dir, MDB_NOSYNC | MDB_NOTLS, 0644),
	     "open");
	must(mdb_txn_begin(handle->env, NULL, 0, &txn), "begin");
	must(mdb_dbi_open(txn, NULL, MDB_CREATE, &handle->dbi), "database");
	must(mdb_txn_commit(txn), "commit");
	must(mdb_txn_begin(handle->env, NULL, MDB_RDONLY, &handle->reader),
	     "begin");
	mdb_txn_reset(handle->reader);
	return handle;
}

static void close_store(void *store)
{
	struct handle *handle = store;

	mdb_txn_abort(handle->reader);
	mdb_env_close(handle->env);
}

static MDB_val key_of(const uint8_t *bytes)
{
	/* LMDB does not write to it, though it says nothing of the kind. */
	return (MDB_val){BENCH_KEY_SIZE, (void *)(uintptr_t)bytes};
}

static ssize_t get(void *store, const uint8_t *bytes, uint8_t *ret_data,
		   size_t size)
{
	struct handle *handle = store;
	MDB_val key = key_of(bytes);
	MDB_val value;
	ssize_t got = -1;
	int r;

	must(mdb_txn_renew(handle->reader), "renew");
	r = mdb_get(handle->reader, handle->dbi, &key, &value);
	if (r != MDB_NOTFOUND) {
		must(r, "get");
		got = unpack(value.mv_data, value.mv_size, ret_data, size);
	}
	mdb_txn_reset(handle->reader);
	return got;
}

static void add(void *store, const uint8_t *bytes, const uint8_t *data,
		size_t size)
{
	const struct handle *handle = store;
	MDB_val key = key_of(bytes);
	MDB_val value;
	MDB_txn *txn;
	const void *packed = pack(data, size, &value.mv_size);

	value.mv_data = (void *)(uintptr_t)packed;
	must(mdb_txn_begin(handle->env, NULL, 0, &txn), "begin");
	must(mdb_put(txn, handle->dbi, &key, &value, 0), "put");
	must(mdb_txn_commit(txn), "commit");
}

static void remove_key(void *store, const uint8_t *bytes)
{
	const struct handle *handle = store;
	MDB_val key = key_of(bytes);
	MDB_txn *txn;

	must(mdb_txn_begin(handle->env, NULL, 0, &txn), "begin");
	must(mdb_del(txn, handle->dbi, &key, NULL), "delete");
	must(mdb_txn_commit(txn), "commit");
}

const struct peer peer_lmdb = {
	"LMDB", open_store, close_store, get, add, remove_key,
};
