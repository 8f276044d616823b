/* SPDX-License-Identifier: MIT */
/*
 * A peer: a library, or a way of using one, that keeps entries under keys of
 * 32 bytes. All of them compress with zstd at level 1, and none waits for the
 * disk when it adds.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <stdint.h>
#include <sys/types.h>

struct peer {
	const char *name;
	/* Open the store in an existing directory, made if it is missing. */
	void *(*open)(const char *dir);
	void (*close)(void *store);
	/* Give the whole entry, decompressed, of up to `size` bytes: how many
	 * it has, or -1 for a miss. */
	ssize_t (*get)(void *store, const uint8_t *key, uint8_t *ret_data,
		       size_t size);
	void (*add)(void *store, const uint8_t *key, const uint8_t *data,
		    size_t size);
	void (*remove)(void *store, const uint8_t *key);
};

extern const struct peer peer_cubby;
extern const struct peer peer_files;
extern const struct peer peer_lmdb;
extern const struct peer peer_rocksdb;
extern const struct peer peer_sqlite;

/* For peers without compression. Both use buffers of the process, so what
 * pack() gives is valid until its next call. */
const void *pack(const uint8_t *data, size_t size, size_t *ret_size);
ssize_t unpack(const void *packed, size_t packed_size, uint8_t *ret_data,
	       size_t size);

#endif
