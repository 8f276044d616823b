/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed in the middle: what they had published is there,
 * nothing else is, and the store goes on working for everybody.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum { ROUNDS = 60, WRITERS = 3, KEYS = 12, RUN_MAX_MS = 40 };

/* What each writer has done, shared with who kills it. A version is begun,
 * then added, then done; the content is made of it. */
struct board {
	volatile uint32_t begun[WRITERS][KEYS];
	volatile uint32_t done[WRITERS][KEYS];
};

static size_t version_size(uint32_t version)
{
	static const size_t sizes[] = {10, 900, 20000, 140000, 500000};

	return sizes[version % 5] + version;
}

static uint8_t *version_new(unsigned writer, unsigned key, uint32_t version)
{
	return sample_new(version % 2 ? SAMPLE_TEXT : SAMPLE_NOISE,
			  writer << 28 | key << 20 | version,
			  version_size(version));
}

/* Each writer has keys of its own, so that it is known what must be there. */
static const char *own_name(unsigned writer, unsigned key)
{
	return name_of(writer * KEYS + key);
}

static void writer_run(const char *path, struct board *board, unsigned writer)
{
	unsigned seed = (unsigned)getpid();
	struct box box;

	box_open(&box, path, "kill");
	for (;;) {
		unsigned key = (unsigned)rand_r(&seed) % KEYS;
		uint32_t version = board->begun[writer][key] + 1;
		uint8_t *data = version_new(writer, key, version);

		board->begun[writer][key] = version;
		box_add(&box, own_name(writer, key), data,
			version_size(version));
		board->done[writer][key] = version;
		free(data);
	}
}

/* The last version that was done, or the one that was begun after it. */
static void writer_check(const struct box *box, const struct board *board,
			 unsigned writer)
{
	for (unsigned key = 0; key < KEYS; key++) {
		uint32_t done = board->done[writer][key];
		uint32_t begun = board->begun[writer][key];
		bool found = false;

		if (done == 0 && box_misses(box, own_name(writer, key)))
			continue;
		for (uint32_t version = done; version <= begun; version++) {
			uint8_t *data = version_new(writer, key, version);

			found |= version != 0 &&
				 box_has(box, own_name(writer, key), data,
					 version_size(version));
			free(data);
		}
		if (!found)
			must_fail(__FILE__, __LINE__,
				  "writer %u, key %u: neither version %" PRIu32
				  " nor %" PRIu32,
				  writer, key, done, begun);
	}
}

struct sums {
	uint64_t entries;
	uint64_t raw;
	uint64_t stored;
};

static int sum_one(void *cookie, const char *path,
		   const struct cubby_attr *attr)
{
	struct sums *sums = cookie;

	(void)path;
	sums->entries++;
	sums->raw += attr->size;
	sums->stored += attr->stored_size;
	return 0;
}

static void totals_check(const struct box *box)
{
	struct cubby_stats stats = box_stats(box);
	struct sums sums = {0};

	MUST_DO(cubby_list(box->ns, sum_one, &sums));
	MUST_BE(stats.entries, sums.entries);
	MUST_BE(stats.raw_bytes, sums.raw);
	MUST_BE(stats.stored_bytes, sums.stored);
	MUST_BE(stats.quarantined, 0);
}

static void round_run(const char *path, struct board *board, unsigned round)
{
	unsigned seed = round + 1;
	pid_t pids[WRITERS];
	struct box box;

	for (unsigned i = 0; i < WRITERS; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0)
			writer_run(path, board, i);
	}
	pause_ms(1 + rand_r(&seed) % RUN_MAX_MS);
	for (unsigned i = 0; i < WRITERS; i++) {
		MUST(kill(pids[i], SIGKILL) == 0);
		/* The others go on for a moment beside a dead one. */
		pause_ms(rand_r(&seed) % 3);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;

		MUST(waitpid(pids[i], &status, 0) == pids[i]);
		MUST(WIFSIGNALED(status));
	}
	box_open(&box, path, "kill");
	for (unsigned i = 0; i < WRITERS; i++)
		writer_check(&box, board, i);
	totals_check(&box);
	box_close(&box);
}

int main(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *path = scratch_path("store");
	uint32_t versions = 0;

	MUST(board != MAP_FAILED);
	for (unsigned round = 0; round < ROUNDS; round++)
		round_run(path, board, round);
	for (unsigned i = 0; i < WRITERS * KEYS; i++)
		versions += board->done[i / KEYS][i % KEYS];
	MUST(versions > ROUNDS);
	printf("ok - writers that are killed lose nothing they published\n"
	       "# %u kills, %" PRIu32 " entries\n",
	       ROUNDS * WRITERS, versions);
	free(path);
	scratch_end();
	return 0;
}
