/* SPDX-License-Identifier: MIT */
/*
 * Entries that are made to cost: every check over them is right, and what they
 * say of themselves is not. Each is refused within 10 ms and 64 MiB, by a get
 * or by the first read.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "format/footer.h"
#include "index/nodes.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"
#include "store/layout.h"
#include "victim.h"

enum {
	LIMIT_US = 10000,
	LIMIT_KB = 64 * 1024,
	TRIES = 9, /* the best counts: others use the machine as well */
	FRAME_MAX = FRAME_SIZE + 512,
	HEADER = 60, /* of a footer, before its table */
};

static struct crime_scene scene;

/* ------------------------------------------------------------------ making */

static void put_record(const struct victim *victim, struct record *record)
{
	struct index_txn *txn;

	MUST_DO(index_write(scene.index, &txn));
	MUST_DO(nodes_put(txn, victim->id, record));
	MUST_DO(index_commit(txn));
}

/* The record of a victim, to be changed and put back. */
static struct record record_of(const struct victim *victim)
{
	static char names[4][CUBBY_NAME_MAX];
	static unsigned next;
	char *name = names[next++ % 4];
	struct index_txn *txn;
	struct record record;

	MUST_DO(index_read(scene.index, &txn));
	MUST_DO(nodes_get(txn, victim->id, &record));
	memcpy(name, record.name, record.name_size);
	record.name = name;
	index_end(txn);
	return record;
}

/* An entry in the index with these stored bytes under a right check. */
static const struct victim *put_small(uint64_t size, const uint8_t *stored,
				      size_t stored_size)
{
	const struct victim *victim = &scene.victims[SHAPE_SMALL_ZSTD];
	struct record record = record_of(victim);

	victim_put(&scene, victim, stored, stored_size);
	record.codec = CODEC_ZSTD;
	record.size = size;
	record.stored_size = stored_size;
	record.check = check_frame(victim->id, 0, stored, stored_size);
	put_record(victim, &record);
	return victim;
}

/* Put the right check over a footer, and a record that names it. */
static const struct victim *put_footer(uint64_t size, uint8_t *footer,
				       size_t footer_size, uint64_t file_size)
{
	const struct victim *victim = &scene.victims[SHAPE_BLOB_ZSTD];
	struct record record = record_of(victim);

	put_le(footer + 28, victim->id, 8);
	record.check = check_footer(victim->id, footer,
				    footer_size - FOOTER_TAIL_SIZE);
	memcpy(footer + footer_size - FOOTER_TAIL_SIZE, record.check.bytes,
	       CHECK_SIZE);
	MUST(ftruncate(victim->fd, (off_t)file_size) == 0);
	MUST_BE(pwrite(victim->fd, footer, footer_size,
		       (off_t)(file_size - footer_size)),
		footer_size);
	record.codec = CODEC_ZSTD;
	record.size = size;
	record.stored_size = file_size;
	put_record(victim, &record);
	return victim;
}

/* A footer of `count` frames, all of `stored` bytes; to be freed. */
static uint8_t *footer_new(uint64_t size, uint64_t count, uint32_t stored,
			   size_t *ret_size)
{
	struct frame *frames = calloc((size_t)count + 1, sizeof(*frames));
	struct footer footer = {
		.id = scene.victims[SHAPE_BLOB_ZSTD].id,
		.size = size,
		.payload_size = count * stored,
		.codec = CODEC_ZSTD,
		.path = "",
		.name = "",
		.frame_count = count,
		.frames = frames,
	};
	struct check check;
	uint8_t *bytes;

	MUST(frames != NULL);
	for (uint64_t i = 0; i < count; i++)
		frames[i].stored_size = stored;
	*ret_size = footer_encoded_size(&footer);
	bytes = malloc(*ret_size);
	MUST(bytes != NULL);
	footer_encode(&footer, bytes, &check);
	free(frames);
	return bytes;
}

/* A blob of one frame of these stored bytes under right checks. */
static const struct victim *put_frame(uint64_t size, const uint8_t *stored,
				      size_t stored_size)
{
	const struct victim *victim = &scene.victims[SHAPE_BLOB_ZSTD];
	struct check check = check_frame(victim->id, 0, stored, stored_size);
	size_t footer_size;
	uint8_t *footer =
		footer_new(size, 1, (uint32_t)stored_size, &footer_size);

	memcpy(footer + HEADER + 4, check.bytes, CHECK_SIZE);
	(void)put_footer(size, footer, footer_size, stored_size + footer_size);
	MUST_BE(pwrite(victim->fd, stored, stored_size, 0), stored_size);
	free(footer);
	return victim;
}

/* Fill a frame with `piece`, again and again. */
static size_t repeat(uint8_t *stored, const void *piece, size_t size)
{
	size_t at = 0;

	for (; at + size <= FRAME_MAX; at += size)
		memcpy(stored + at, piece, size);
	return at;
}

/* ------------------------------------------------------------------- bombs */

static const struct victim *declares_a_tebibyte(void)
{
	/* magic, 8 bytes of content size and a window; one raw block */
	static const uint8_t stored[] = {0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xa8,
					 0,    0,    0,	   0,	 0,    1,
					 0,    0,    9,	   0,	 0,    'x'};

	return put_small(FRAME_SIZE, stored, sizeof(stored));
}

static const struct victim *has_the_largest_window(void)
{
	/* no content size; window log 41 */
	static const uint8_t stored[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00,
					 0xff, 9,    0,	   0,	 'x'};

	return put_small(FRAME_SIZE, stored, sizeof(stored));
}

static const struct victim *is_a_row_of_empty_frames(void)
{
	static const uint8_t empty[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20,
					0,    1,    0,	  0};
	uint8_t stored[FRAME_MAX];

	return put_frame(FRAME_SIZE, stored,
			 repeat(stored, empty, sizeof(empty)));
}

static const struct victim *is_a_chain_of_skippable_frames(void)
{
	static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
	uint8_t stored[FRAME_MAX];

	return put_frame(FRAME_SIZE, stored,
			 repeat(stored, skippable, sizeof(skippable)));
}

static const struct victim *skips_four_gigabytes(void)
{
	static const uint8_t stored[] = {0x50, 0x2a, 0x4d, 0x18,
					 0xff, 0xff, 0xff, 0xff};

	return put_small(FRAME_SIZE, stored, sizeof(stored));
}

static const struct victim *repeats_a_byte_for_gigabytes(void)
{
	/* blocks of 128 KiB in 4 bytes each, behind a header of 128 KiB */
	static const uint8_t block[] = {0x02, 0x00, 0x10, 'x'};
	uint8_t stored[FRAME_MAX];
	size_t size = repeat(stored, block, sizeof(block));

	memcpy(stored, "\x28\xb5\x2f\xfd\xa0\x00\x00\x02\x00", 9);
	memcpy(stored + 9, "\x02\x00\x10", 3);
	stored[size - 4] |= 1; /* the last block */
	return put_frame(FRAME_SIZE, stored, size);
}

static const struct victim *has_a_million_empty_rows(void)
{
	size_t size;
	uint8_t *footer = footer_new(CUBBY_SIZE_MAX,
				     CUBBY_SIZE_MAX / FRAME_SIZE, 0, &size);
	const struct victim *victim =
		put_footer(CUBBY_SIZE_MAX, footer, size, size);

	free(footer);
	return victim;
}

static const struct victim *is_a_sparse_tebibyte(void)
{
	const uint64_t file_size = UINT64_C(1) << 40;
	size_t size;
	uint8_t *footer = footer_new(CUBBY_SIZE_MAX,
				     CUBBY_SIZE_MAX / FRAME_SIZE, 20, &size);
	const struct victim *victim;

	put_le(footer + 44, file_size - size, 8);
	victim = put_footer(CUBBY_SIZE_MAX, footer, size, file_size);
	free(footer);
	return victim;
}

/* With a right check over what lies at the end. */
static const struct victim *has_a_footer_of(uint32_t declared)
{
	size_t size;
	uint8_t *footer = footer_new(FRAME_SIZE, 1, 20, &size);
	const struct victim *victim;

	put_le(footer + size - 12, declared, 4);
	victim = put_footer(FRAME_SIZE, footer, size, size + 20);
	free(footer);
	return victim;
}

static const struct victim *has_a_footer_of_four_gigabytes(void)
{
	return has_a_footer_of(UINT32_MAX);
}

static const struct victim *has_a_footer_larger_than_its_file(void)
{
	return has_a_footer_of(16 << 20);
}

/* The sum is not the payload, which is as large as rows may describe. */
static const struct victim *has_rows_of_four_gigabytes(void)
{
	enum { COUNT = 64, STORED = 30000 };
	const uint64_t raw = COUNT * (uint64_t)FRAME_SIZE;
	size_t size;
	uint8_t *footer = footer_new(raw, COUNT, STORED, &size);
	const struct victim *victim;

	for (unsigned i = 0; i < COUNT; i++)
		put_le(footer + HEADER + i * 20, UINT32_MAX, 4);
	victim = put_footer(raw, footer, size, COUNT * STORED + size);
	free(footer);
	return victim;
}

static const struct victim *has_a_path_beyond_its_footer(void)
{
	size_t size;
	uint8_t *footer = footer_new(FRAME_SIZE, 1, 20, &size);
	const struct victim *victim;

	put_le(footer + 22, UINT16_MAX, 2);
	put_le(footer + 24, UINT16_MAX, 2);
	victim = put_footer(FRAME_SIZE, footer, size, size + 20);
	free(footer);
	return victim;
}

static const struct victim *has_sizes_that_overflow(void)
{
	const struct victim *victim = &scene.victims[SHAPE_BLOB_ZSTD];
	struct record record = record_of(victim);

	record.size = CUBBY_SIZE_MAX;
	record.stored_size = UINT64_MAX;
	put_record(victim, &record);
	return victim;
}

static const struct victim *is_larger_than_an_entry_may_be(void)
{
	static const uint8_t stored[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20,
					 0,    1,    0,	   0};

	return put_small(UINT64_MAX, stored, sizeof(stored));
}

/* Its decoders are less looked after: who wrote none of it reads none. */
static const struct victim *is_of_a_very_old_zstd(void)
{
	static const uint8_t stored[] = {0x27, 0xb5, 0x2f, 0xfd, 0xa0, 0,
					 0,    2,    0,	   0x82, 0,    0,
					 'x',  0xc0, 0,	   0};

	return put_small(FRAME_SIZE, stored, sizeof(stored));
}

static const struct {
	const char *name;
	const struct victim *(*make)(void);
} bombs[] = {
	{"a frame that declares 1 TiB", declares_a_tebibyte},
	{"a frame with the largest window", has_the_largest_window},
	{"a row of empty frames", is_a_row_of_empty_frames},
	{"a chain of skippable frames", is_a_chain_of_skippable_frames},
	{"a frame that skips 4 GiB", skips_four_gigabytes},
	{"blocks that repeat a byte", repeats_a_byte_for_gigabytes},
	{"a million empty rows", has_a_million_empty_rows},
	{"a sparse file of 1 TiB", is_a_sparse_tebibyte},
	{"a footer of 4 GiB", has_a_footer_of_four_gigabytes},
	{"a footer larger than its file", has_a_footer_larger_than_its_file},
	{"rows of 4 GiB each", has_rows_of_four_gigabytes},
	{"a path beyond the footer", has_a_path_beyond_its_footer},
	{"sizes that overflow", has_sizes_that_overflow},
	{"a frame of zstd 0.7, before the format", is_of_a_very_old_zstd},
	{"more than an entry may have", is_larger_than_an_entry_may_be},
};

/* --------------------------------------------------------------- measuring */

struct cost {
	int64_t best_us;
	long rss_kb;
	int result;
};

static int64_t now_us(void)
{
	struct timespec now;

	MUST(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The error of a get, or of the first read; 0 when both go well. */
static int try_it(const struct victim *victim)
{
	static uint8_t buffer[FRAME_SIZE];
	struct cubby_reader *reader;
	ssize_t n;
	int r = cubby_get_name(scene.box.ns, victim->name, &reader);

	if (r < 0)
		return r;
	n = cubby_reader_read(reader, buffer, sizeof(buffer));
	cubby_reader_close(reader);
	return n < 0 ? (int)n : 0;
}

static void measure(const char *path, const struct victim *victim,
		    struct cost *cost)
{
	struct rusage usage;

	/* A handle of this process: what is forked must not be used. */
	MUST_DO(cubby_open(path, CUBBY_READ_ONLY, &scene.box.store));
	MUST_DO(cubby_ns_open(scene.box.store, "ns", &scene.box.ns));
	for (unsigned i = 0; i < TRIES; i++) {
		int64_t start = now_us();

		cost->result = try_it(victim);
		start = now_us() - start;
		if (i == 0 || start < cost->best_us)
			cost->best_us = start;
	}
	MUST(getrusage(RUSAGE_SELF, &usage) == 0);
	cost->rss_kb = usage.ru_maxrss;
}

int main(void)
{
	struct cost *cost = mmap(NULL, sizeof(*cost), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(cost != MAP_FAILED);
	printf("1..%zu\n", ARRAY_SIZE(bombs));
	crime_scene_new(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(bombs); i++) {
		const struct victim *victim = bombs[i].make();
		char *path = text_new("%s", scene.box.path);
		pid_t pid = fork_child();
		bool is_good;

		if (pid == 0) {
			(void)alarm(20);
			measure(path, victim, cost);
			_exit(0);
		}
		child_must_succeed(pid);
		is_good = cost->result < 0 && cost->best_us < LIMIT_US &&
			  cost->rss_kb < LIMIT_KB;
		printf("# %s: %s, %" PRId64 " us, at most %ld KiB\n",
		       bombs[i].name, must_show(cost->result), cost->best_us,
		       cost->rss_kb);
		printf("%s - %s\n", is_good ? "ok" : "not ok", bombs[i].name);
		(void)fflush(stdout);
		free(path);
	}
	crime_scene_free(&scene);
	scratch_end();
	return 0;
}
