/* SPDX-License-Identifier: MIT */
/*
 * An entry of 4 GiB goes in and out, right, in less than 64 MiB of memory:
 * adding and getting take buffers, not the content. A program of its own, so
 * that what it used at most is what this took.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum { RSS_MAX_KIB = 64 * 1024, PIECE_SIZE = 1 << 18 };

#define BIG_SIZE (UINT64_C(4) << 30)

static long rss_kib(void)
{
	struct rusage usage;

	MUST(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_maxrss;
}

/* Sanitizers keep memory of their own. */
static bool rss_means_something(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
	__has_feature(memory_sanitizer)
	return false;
#else
	return true;
#endif
#else
	return true;
#endif
}

static void rss_verdict(const char *what)
{
	long used = rss_kib();

	if (!rss_means_something()) {
		printf("ok - %s # SKIP the sanitizer takes memory itself\n",
		       what);
		return;
	}
	if (used >= RSS_MAX_KIB)
		must_fail(__FILE__, __LINE__, "%s: %ld KiB were used", what,
			  used);
	printf("ok - %s\n# %ld KiB at the most\n", what, used);
}

static void add_big(const struct box *box, const struct cubby_key *key)
{
	struct sample_stream stream = {.seed = 5, .size = BIG_SIZE};

	MUST_DO(cubby_add(box->ns, key, sample_stream_read, &stream));
	MUST(stream.at == BIG_SIZE);
	printf("ok - an entry of 4 GiB is added\n");
}

static void get_big(const struct box *box, const struct cubby_key *key)
{
	struct sample_stream stream = {.seed = 5, .size = BIG_SIZE};
	static uint8_t piece[PIECE_SIZE];
	struct cubby_reader *reader;
	uint8_t want[100];
	ssize_t n;

	MUST_DO(cubby_get(box->ns, key, &reader));
	MUST(cubby_reader_size(reader) == BIG_SIZE);
	while ((n = cubby_reader_read(reader, piece, sizeof(piece))) > 0)
		MUST(sample_stream_check(&stream, piece, (size_t)n));
	MUST_DO(n);
	MUST(stream.at == BIG_SIZE);
	printf("ok - an entry of 4 GiB is read back byte for byte\n");

	for (uint64_t at = 77; at + sizeof(want) < BIG_SIZE;
	     at += BIG_SIZE / 7) {
		sample_piece(5, at, want, sizeof(want));
		MUST_BE(cubby_reader_pread(reader, piece, sizeof(want), at),
			sizeof(want));
		MUST(memcmp(piece, want, sizeof(want)) == 0);
	}
	MUST_BE(cubby_reader_pread(reader, piece, 10, BIG_SIZE - 3), 3);
	printf("ok - an entry of 4 GiB is read at positions behind 2^32/2\n");
	cubby_reader_close(reader);
}

int main(void)
{
	struct cubby_key key = key_of(1);
	struct cubby_attr attr;
	struct statvfs vfs;
	struct box box;

	MUST(statvfs(scratch(), &vfs) == 0);
	if ((uint64_t)vfs.f_bavail * vfs.f_frsize < BIG_SIZE / 2) {
		printf("ok - an entry of 4 GiB # SKIP the disk has less than "
		       "2 GiB left\n");
		return 0;
	}
	box_new(&box, "ns");
	add_big(&box, &key);
	rss_verdict("adding 4 GiB takes less than 64 MiB of memory");
	MUST_DO(cubby_stat(box.ns, &key, &attr));
	MUST(attr.size == BIG_SIZE);
	get_big(&box, &key);
	rss_verdict("getting 4 GiB takes less than 64 MiB of memory");
	box_close(&box);
	scratch_end();
	return 0;
}
