/* SPDX-License-Identifier: MIT */
/*
 * What power_cut.sh needs: a writer to be cut off, the cut, and a look at what
 * is left.
 *
 *   power_cut write STORE SEED   add, replace and delete until killed; prints
 *                                "steady" when a clean close has made what it
 *                                has added so far safe
 *   power_cut cut DIRECTORY      end the ext4 file system as a power cut would:
 *                                what is not on the disk is lost
 *   power_cut verify STORE SEED  every entry is right or a miss, totals are
 *                                exact, what was safe is there, adding works
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cubby/cubby.h"

/* linux/ext4.h, which is not among the headers for programs */
#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define EXT4_SHUTDOWN_WITHOUT_LOG 2u

enum { SAFE = 60, KEYS = 400, SMALL = 3000, LARGE = 120000 };

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	printf("%s: %s\n", what, cubby_strerror(r));
	exit(2);
}

static struct cubby_key key_of(uint64_t seed, uint64_t number)
{
	struct cubby_key key = {{0}};

	memcpy(key.bytes, &seed, sizeof(seed));
	memcpy(key.bytes + 8, &number, sizeof(number));
	return key;
}

/* Content that tells its key and its version, and is known by them. */
static size_t fill(uint8_t *bytes, const struct cubby_key *key,
		   uint64_t version)
{
	uint64_t number;
	uint64_t state;
	size_t size;

	memcpy(&number, key->bytes + 8, sizeof(number));
	state = number * 1000003 + version + key->bytes[0];
	size = 40 + (size_t)(number % 4 == 3 ? LARGE : SMALL) * (version + 1) /
			    (version + 2);
	memcpy(bytes, key->bytes, 32);
	memcpy(bytes + 32, &version, sizeof(version));
	for (size_t i = 40; i < size; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)((state >> 40) & 0x3f);
	}
	return size;
}

static uint8_t buffer[LARGE + 64];
static uint8_t expected[LARGE + 64];

static void add(struct cubby_ns *ns, uint64_t seed, uint64_t number,
		uint64_t version)
{
	struct cubby_key key = key_of(seed, number);

	must(cubby_add_bytes(ns, &key, buffer, fill(buffer, &key, version)),
	     "add");
}

static void open_both(const char *path, struct cubby **ret_store,
		      struct cubby_ns **ret_ns)
{
	must(cubby_open(path, CUBBY_CREATE, ret_store), "open");
	must(cubby_ns_open(*ret_store, "power", ret_ns), "open namespace");
}

static int run_writer(const char *path, uint64_t seed)
{
	struct cubby_ns *ns;
	struct cubby *store;
	uint64_t random = seed;

	open_both(path, &store, &ns);
	for (uint64_t i = 0; i < SAFE; i++)
		add(ns, seed, i, 0);
	cubby_ns_close(ns);
	cubby_close(store);
	if (write(1, "steady\n", 7) != 7)
		return 2;
	open_both(path, &store, &ns);
	for (uint64_t version = 1;; version++) {
		uint64_t number;

		random = random * 6364136223846793005u + 1442695040888963407u;
		number = SAFE + (random >> 33) % KEYS;
		if (version % 5 == 0) {
			struct cubby_key key = key_of(seed, number);

			must(cubby_delete(ns, &key), "delete");
		} else {
			add(ns, seed, number, version);
		}
	}
}

static int run_cut(const char *path)
{
	uint32_t flags = EXT4_SHUTDOWN_WITHOUT_LOG;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, EXT4_IOC_SHUTDOWN, &flags) < 0) {
		perror(path);
		return 2;
	}
	return 0;
}

/* Returns true for a hit that is right; ends the program for a wrong one. */
static bool is_there(struct cubby_ns *ns, const struct cubby_key *key)
{
	struct cubby_reader *reader;
	uint64_t version = 0;
	ssize_t size;
	int r = cubby_get(ns, key, &reader);

	if (r == -ENOENT || r == -EBADMSG)
		return false;
	must(r, "get");
	size = cubby_reader_read(reader, buffer, sizeof(buffer));
	cubby_reader_close(reader);
	if (size == -EBADMSG)
		return false;
	must((int)size, "read");
	if (size >= 40)
		memcpy(&version, buffer + 32, sizeof(version));
	if (size < 40 || fill(expected, key, version) != (size_t)size ||
	    memcmp(buffer, expected, (size_t)size) != 0) {
		printf("wrong bytes\n");
		exit(1);
	}
	return true;
}

struct sums {
	struct cubby_ns *ns;
	uint64_t entries;
	uint64_t raw;
	uint64_t stored;
	uint64_t misses;
};

static int count(void *cookie, const char *path, const struct cubby_attr *attr)
{
	struct sums *sums = cookie;

	(void)path;
	sums->entries++;
	sums->raw += attr->size;
	sums->stored += attr->stored_size;
	return 0;
}

static int read_one(void *cookie, const char *path,
		    const struct cubby_attr *attr)
{
	struct sums *sums = cookie;
	struct cubby_key key;

	(void)attr;
	must(cubby_key_parse(strrchr(path, '/') + 1, &key), path);
	sums->misses += !is_there(sums->ns, &key);
	return 0;
}

static void verify_totals(struct cubby *store, struct cubby_ns *ns,
			  const char *when)
{
	struct sums sums = {.ns = ns};
	struct cubby_stats stats;

	must(cubby_list(ns, count, &sums), "list");
	must(cubby_get_stats(store, &stats), "stats");
	if (stats.entries == sums.entries && stats.raw_bytes == sums.raw &&
	    stats.stored_bytes == sums.stored)
		return;
	printf("totals are wrong %s\n", when);
	exit(1);
}

static int run_verify(const char *path, uint64_t seed)
{
	struct sums sums = {.entries = 0};
	struct cubby_ns *ns;
	struct cubby *store;

	open_both(path, &store, &ns);
	verify_totals(store, ns, "after the cut");
	sums.ns = ns;
	must(cubby_list(ns, read_one, &sums), "list");
	/* Those in the index were safe with it; blobs may lack their bytes. */
	for (uint64_t i = 0; i < SAFE; i++) {
		struct cubby_key key = key_of(seed, i);

		if (i % 4 != 3 && !is_there(ns, &key)) {
			printf("entry %u was safe and is lost\n", (unsigned)i);
			return 1;
		}
	}
	for (uint64_t i = 0; i < 50; i++) {
		struct cubby_key key = key_of(seed, 10000 + i);

		add(ns, seed, 10000 + i, 0);
		if (!is_there(ns, &key)) {
			printf("what was added after the cut is not there\n");
			return 1;
		}
	}
	verify_totals(store, ns, "after adding again");
	printf("%u misses\n", (unsigned)sums.misses);
	cubby_ns_close(ns);
	cubby_close(store);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

	if (argc == 4 && strcmp(argv[1], "write") == 0)
		return run_writer(argv[2], seed);
	if (argc == 3 && strcmp(argv[1], "cut") == 0)
		return run_cut(argv[2]);
	if (argc == 4 && strcmp(argv[1], "verify") == 0)
		return run_verify(argv[2], seed);
	return 2;
}
