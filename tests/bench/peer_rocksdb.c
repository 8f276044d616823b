/* SPDX-License-Identifier: MIT */
/* RocksDB with its defaults, and zstd as its compression. */
#include <rocksdb/c.h>
#include <string.h>

#include "bench.h"
#include "peer.h"

enum { DEFAULT_WINDOW = -14, LEVEL = 1 };

struct handle {
	rocksdb_t *db;
	rocksdb_readoptions_t *reading;
	rocksdb_writeoptions_t *writing;
};

static void must(const char *error, const char *what)
{
	if (error)
		bench_give_up("RocksDB: %s: %s", what, error);
}

static void *open_store(const char *dir)
{
	struct handle *handle = bench_alloc(sizeof(*handle));
	rocksdb_options_t *options = rocksdb_options_create();
	char *error = NULL;

	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_options_set_compression(options, rocksdb_zstd_compression);
	rocksdb_options_set_compression_options(options, DEFAULT_WINDOW, LEVEL,
						0, 0);
	handle->db = rocksdb_open(options, dir, &error);
	must(error, "open");
	rocksdb_options_destroy(options);
	handle->reading = rocksdb_readoptions_create();
	handle->writing = rocksdb_writeoptions_create();
	return handle;
}

static void close_store(void *store)
{
	struct handle *handle = store;

	rocksdb_readoptions_destroy(handle->reading);
	rocksdb_writeoptions_destroy(handle->writing);
	rocksdb_close(handle->db);
}

static ssize_t get(void *store, const uint8_t *key, uint8_t *ret_data,
		   size_t size)
{
	const struct handle *handle = store;
	rocksdb_pinnableslice_t *slice;
	const char *value;
	size_t value_size;
	char *error = NULL;

	slice = rocksdb_get_pinned(handle->db, handle->reading,
				   (const char *)key, BENCH_KEY_SIZE, &error);
	must(error, "get");
	if (!slice)
		return -1;
	value = rocksdb_pinnableslice_value(slice, &value_size);
	if (value_size > size)
		bench_give_up("RocksDB: an entry is too large");
	memcpy(ret_data, value, value_size);
	rocksdb_pinnableslice_destroy(slice);
	return (ssize_t)value_size;
}

static void add(void *store, const uint8_t *key, const uint8_t *data,
		size_t size)
{
	const struct handle *handle = store;
	char *error = NULL;

	rocksdb_put(handle->db, handle->writing, (const char *)key,
		    BENCH_KEY_SIZE, (const char *)data, size, &error);
	must(error, "put");
}

static void remove_key(void *store, const uint8_t *key)
{
	const struct handle *handle = store;
	char *error = NULL;

	rocksdb_delete(handle->db, handle->writing, (const char *)key,
		       BENCH_KEY_SIZE, &error);
	must(error, "delete");
}

const struct peer peer_rocksdb = {
	"RocksDB", open_store, close_store, get, add, remove_key,
};
