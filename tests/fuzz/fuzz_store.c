/* SPDX-License-Identifier: MIT */
/*
 * A whole store whose index is well-formed, but holds hostile values, and whose
 * blob is hostile: everything that reads, by the public interface. (A data file
 * of LMDB that is itself damaged is not for a fuzzer: see
 * tests/hostile/hostile_index.c.)
 *
 * Input: the seals (1 byte: of the small entry, of the blob), then chunks of
 * a size (2 bytes; 0xffff: leave what is right) and that many bytes: the record
 * of a small entry, its stored bytes, the record of a blob, the blob, the
 * record of the directory, the id that the blob's name leads to.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/footer.h"
#include "fuzz.h"
#include "index/lmdb_index.h"
#include "store/layout.h"

enum { CHUNKS = 6, MOST = 1 << 16, AT_STORED_SIZE = 32, AT_CHECK = 56 };
enum { SMALL_RECORD, SMALL_BYTES, BLOB_RECORD, BLOB_BYTES, DIR_RECORD, NAME };

struct chunk {
	enum table table;
	uint8_t key[128];
	size_t key_size;
	uint8_t good[MOST];
	size_t good_size;
	uint8_t bytes[MOST]; /* what is there now */
	size_t size;
};

static const char *const names[] = {"00000000000000000000000000000000",
				    "11111111111111111111111111111111"};
static struct chunk chunks[CHUNKS];
static uint64_t ids[2];
static struct index *opened;
static struct cubby *store;
static struct cubby_ns *ns;
static int blob_fd;

static void add(unsigned number, size_t size)
{
	struct cubby_writer *writer;
	struct cubby_attr attr;
	uint64_t state = number;
	uint8_t *data = malloc(size);

	HOLDS(data != NULL);
	for (size_t i = 0; i < size; i++) {
		state = state * UINT64_C(6364136223846793005) + 1;
		data[i] = (uint8_t)(i % 3 ? 'a' + (state >> 62) : state >> 33);
	}
	HOLDS(cubby_writer_open_name(ns, names[number], &writer) == 0);
	HOLDS(cubby_writer_write(writer, data, size) == 0);
	HOLDS(cubby_writer_commit(writer) == 0);
	HOLDS(cubby_stat_name(ns, names[number], &attr) == 0);
	ids[number] = attr.id;
	free(data);
}

static void chunk_get(struct chunk *chunk, struct index_txn *txn,
		      enum table table, uint64_t id, const char *name)
{
	MDB_val value;

	chunk->table = table;
	put_be64(chunk->key, id);
	memcpy(chunk->key + 8, name, strlen(name));
	chunk->key_size = 8 + strlen(name); /* too short to be packed */
	HOLDS(lmdb_get(txn, table, chunk->key, chunk->key_size, &value) == 0);
	HOLDS(value.mv_size <= MOST);
	memcpy(chunk->good, value.mv_data, value.mv_size);
	chunk->good_size = value.mv_size;
}

static void start(void)
{
	const char *path = fuzz_directory();
	char file[256];
	char blob[LAYOUT_PATH_SIZE];
	struct index_txn *txn;
	struct cubby_attr dir;
	ssize_t n;

	(void)snprintf(file, sizeof(file), "%s/index", path);
	HOLDS(cubby_open(path, CUBBY_CREATE, &store) == 0);
	HOLDS(cubby_ns_open(store, "ns", &ns) == 0);
	add(0, 3000);
	add(1, 40000);
	HOLDS(cubby_lookup(store, CUBBY_ROOT_ID, "ns", &dir) == 0);
	cubby_ns_close(ns);
	cubby_close(store);
	/* Read only, so that nothing is put into quarantine. */
	HOLDS(index_open(file, false, false, &opened) == 0);
	HOLDS(cubby_open(path, CUBBY_READ_ONLY, &store) == 0);
	HOLDS(cubby_ns_open(store, "ns", &ns) == 0);
	HOLDS(index_read(opened, &txn) == 0);
	chunk_get(&chunks[SMALL_RECORD], txn, TABLE_NODES, ids[0], "");
	chunk_get(&chunks[SMALL_BYTES], txn, TABLE_NODES, ids[0], "\1");
	chunk_get(&chunks[BLOB_RECORD], txn, TABLE_NODES, ids[1], "");
	chunk_get(&chunks[DIR_RECORD], txn, TABLE_NODES, dir.id, "");
	chunk_get(&chunks[NAME], txn, TABLE_NAMES, dir.id, names[1]);
	index_end(txn);
	layout_blob(ids[1], CODEC_ZSTD, blob);
	(void)snprintf(file, sizeof(file), "%s/%s", path, blob);
	blob_fd = open(file, O_RDWR | O_CLOEXEC);
	HOLDS(blob_fd >= 0);
	n = pread(blob_fd, chunks[BLOB_BYTES].good, MOST, 0);
	HOLDS(n > 0 && n < MOST);
	chunks[BLOB_BYTES].good_size = (size_t)n;
}

static void take_chunks(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct chunk *chunk = &chunks[i];
		size_t length = size < 2 ? 0xffff : get_le(data, 2);

		data += size < 2 ? 0 : 2;
		size -= size < 2 ? 0 : 2;
		if (length == 0xffff) {
			memcpy(chunk->bytes, chunk->good, chunk->good_size);
			chunk->size = chunk->good_size;
			continue;
		}
		chunk->size = min_size(length, size);
		memcpy(chunk->bytes, data, chunk->size);
		data += chunk->size;
		size -= chunk->size;
	}
}

static void seal_small(void)
{
	const struct chunk *bytes = &chunks[SMALL_BYTES];
	struct chunk *record = &chunks[SMALL_RECORD];
	struct check check = check_frame(ids[0], 0, bytes->bytes, bytes->size);

	if (record->size < AT_CHECK + CHECK_SIZE)
		return;
	put_le(record->bytes + AT_STORED_SIZE, bytes->size, 8);
	memcpy(record->bytes + AT_CHECK, check.bytes, CHECK_SIZE);
}

/* The right check over the footer, and in every row of its table. */
static void seal_blob(void)
{
	struct chunk *record = &chunks[BLOB_RECORD];
	struct chunk *blob = &chunks[BLOB_BYTES];
	uint8_t *end = blob->bytes + blob->size;
	struct check check;
	size_t size;
	size_t at = 0;

	if (blob->size < 88 || record->size < AT_CHECK + CHECK_SIZE)
		return;
	size = get_le(end - 12, 4);
	if (size < 88 || size > blob->size)
		return;
	put_le(end - size + 44, blob->size - size, 8);
	for (size_t row = 60; row + 20 <= size - FOOTER_TAIL_SIZE; row += 20) {
		size_t stored = get_le(end - size + row, 4);

		if (stored > blob->size - size - at)
			break;
		check = check_frame(ids[1], (row - 60) / 20, blob->bytes + at,
				    stored);
		memcpy(end - size + row + 4, check.bytes, CHECK_SIZE);
		at += stored;
		if (at == blob->size - size)
			break;
	}
	check = check_footer(ids[1], end - size, size - FOOTER_TAIL_SIZE);
	memcpy(end - FOOTER_TAIL_SIZE, check.bytes, CHECK_SIZE);
	put_le(record->bytes + AT_STORED_SIZE, blob->size, 8);
	memcpy(record->bytes + 24, end - size + 36, 8);
	memcpy(record->bytes + AT_CHECK, check.bytes, CHECK_SIZE);
}

static void put_chunks(void)
{
	struct index_txn *txn;

	HOLDS(index_write(opened, &txn) == 0);
	for (unsigned i = 0; i < CHUNKS; i++) {
		const struct chunk *chunk = &chunks[i];

		if (i == BLOB_BYTES)
			continue;
		HOLDS(lmdb_put(txn, chunk->table, chunk->key, chunk->key_size,
			       chunk->bytes, chunk->size) == 0);
	}
	HOLDS(index_commit(txn) == 0);
	HOLDS(pwrite(blob_fd, chunks[BLOB_BYTES].bytes, chunks[BLOB_BYTES].size,
		     0) == (ssize_t)chunks[BLOB_BYTES].size);
	HOLDS(ftruncate(blob_fd, (off_t)chunks[BLOB_BYTES].size) == 0);
}

static void get(const char *name)
{
	static uint8_t buffer[FRAME_SIZE + 7];
	struct cubby_reader *reader;
	struct cubby_attr attr;
	ssize_t n = 1;
	int r = cubby_get_name(ns, name, &reader);

	HOLDS(r == 0 || r == -ENOENT || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r == 0) {
		HOLDS(cubby_reader_size(reader) <= CUBBY_SIZE_MAX);
		for (unsigned i = 0; n > 0 && i < 64; i++)
			n = cubby_reader_read(reader, buffer, sizeof(buffer));
		HOLDS(n >= 0 || n == -EBADMSG);
		cubby_reader_close(reader);
	}
	(void)!cubby_stat_name(ns, name, &attr);
}

static int list_one(void *cookie, const char *path,
		    const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	HOLDS(strlen(path) <= CUBBY_PATH_MAX);
	HOLDS(attr->mode <= 07777);
	return ++*count > 100 ? -E2BIG : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned count = 0;
	int r;

	if (!opened)
		start();
	if (size < 1)
		return 0;
	take_chunks(data + 1, size - 1);
	if (data[0] & 1)
		seal_small();
	if (data[0] & 2)
		seal_blob();
	put_chunks();
	get(names[0]);
	get(names[1]);
	r = cubby_list(ns, list_one, &count);
	HOLDS(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT ||
	      r == -ENAMETOOLONG || r == -E2BIG || r == -ENOTDIR);
	return 0;
}
