/* SPDX-License-Identifier: MIT */
#include <cubby/cubby.h>
#include <errno.h>
#include <string.h>

#include "bench.h"
#include "peer.h"

struct handle {
	struct cubby *store;
	struct cubby_ns *ns;
};

static int must(int r, const char *what)
{
	if (r < 0)
		bench_give_up("cubby: %s: %s", what, cubby_strerror(r));
	return r;
}

static struct cubby_key key_of(const uint8_t *bytes)
{
	struct cubby_key key;

	memcpy(key.bytes, bytes, sizeof(key.bytes));
	return key;
}

static void *open_store(const char *dir)
{
	struct handle *handle = bench_alloc(sizeof(*handle));

	/* As RocksDB compresses, too: behind who adds. */
	must(cubby_open(dir, CUBBY_CREATE | CUBBY_COMPRESS_LATER,
			&handle->store),
	     "open");
	must(cubby_ns_open(handle->store, "bench", &handle->ns), "namespace");
	return handle;
}

static void close_store(void *store)
{
	struct handle *handle = store;

	cubby_ns_close(handle->ns);
	cubby_close(handle->store);
}

static ssize_t get(void *store, const uint8_t *bytes, uint8_t *ret_data,
		   size_t size)
{
	const struct handle *handle = store;
	struct cubby_key key = key_of(bytes);
	struct cubby_reader *reader;
	ssize_t got;
	int r = cubby_get(handle->ns, &key, &reader);

	if (r == -ENOENT)
		return -1;
	must(r, "get");
	got = cubby_reader_read(reader, ret_data, size);
	cubby_reader_close(reader);
	must((int)got, "read");
	return got;
}

static void add(void *store, const uint8_t *bytes, const uint8_t *data,
		size_t size)
{
	const struct handle *handle = store;
	struct cubby_key key = key_of(bytes);

	must(cubby_add_bytes(handle->ns, &key, data, size), "add");
}

static void remove_key(void *store, const uint8_t *bytes)
{
	const struct handle *handle = store;
	struct cubby_key key = key_of(bytes);

	must(cubby_delete(handle->ns, &key), "delete");
}

const struct peer peer_cubby = {
	"cubby", open_store, close_store, get, add, remove_key,
};
