/* SPDX-License-Identifier: MIT */
/* SQLite with a write-ahead log, a transaction for each entry. */
#include <sqlite3.h>
#include <stdio.h>

#include "bench.h"
#include "peer.h"

enum statement { GET, ADD, REMOVE, STATEMENTS };

static const char *const texts[STATEMENTS] = {
	[GET] = "SELECT value FROM entries WHERE key = ?1",
	[ADD] = "INSERT OR REPLACE INTO entries VALUES (?1, ?2)",
	[REMOVE] = "DELETE FROM entries WHERE key = ?1",
};

struct handle {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
};

static void must(const struct handle *handle, int r, const char *what)
{
	if (r != SQLITE_OK && r != SQLITE_ROW && r != SQLITE_DONE)
		bench_give_up("SQLite: %s: %s", what,
			      sqlite3_errmsg(handle->db));
}

static void *open_store(const char *dir)
{
	struct handle *handle = bench_alloc(sizeof(*handle));
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/entries.db", dir);
	must(handle, sqlite3_open(path, &handle->db), "open");
	must(handle,
	     sqlite3_exec(handle->db,
			  "PRAGMA journal_mode = WAL;"
			  "PRAGMA synchronous = NORMAL;"
			  "CREATE TABLE IF NOT EXISTS entries"
			  "(key BLOB PRIMARY KEY, value BLOB)",
			  NULL, NULL, NULL),
	     "prepare the table");
	for (int i = 0; i < STATEMENTS; i++)
		must(handle,
		     sqlite3_prepare_v2(handle->db, texts[i], -1,
					&handle->statements[i], NULL),
		     "prepare a statement");
	return handle;
}

static void close_store(void *store)
{
	struct handle *handle = store;

	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(handle->statements[i]);
	must(handle, sqlite3_close(handle->db), "close");
}

/* Begin a statement with its key; its row, if it has one, is there then. */
static sqlite3_stmt *begin(struct handle *handle, enum statement which,
			   const uint8_t *key, const void *value, size_t size)
{
	sqlite3_stmt *statement = handle->statements[which];

	must(handle,
	     sqlite3_bind_blob(statement, 1, key, BENCH_KEY_SIZE,
			       SQLITE_STATIC),
	     "bind");
	if (value)
		must(handle,
		     sqlite3_bind_blob64(statement, 2, value, size,
					 SQLITE_STATIC),
		     "bind");
	must(handle, sqlite3_step(statement), "step");
	return statement;
}

static ssize_t get(void *store, const uint8_t *key, uint8_t *ret_data,
		   size_t size)
{
	sqlite3_stmt *statement = begin(store, GET, key, NULL, 0);
	ssize_t got = -1;

	if (sqlite3_data_count(statement) == 1)
		got = unpack(sqlite3_column_blob(statement, 0),
			     (size_t)sqlite3_column_bytes(statement, 0),
			     ret_data, size);
	must(store, sqlite3_reset(statement), "get");
	return got;
}

static void add(void *store, const uint8_t *key, const uint8_t *data,
		size_t size)
{
	size_t packed_size;
	const void *packed = pack(data, size, &packed_size);

	must(store, sqlite3_reset(begin(store, ADD, key, packed, packed_size)),
	     "add");
}

static void remove_key(void *store, const uint8_t *key)
{
	must(store, sqlite3_reset(begin(store, REMOVE, key, NULL, 0)),
	     "delete");
}

const struct peer peer_sqlite = {
	"SQLite", open_store, close_store, get, add, remove_key,
};
