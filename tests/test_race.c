/* SPDX-License-Identifier: MIT */
/*
 * Many threads of many processes add, replace, get and delete a few entries.
 * Whatever a get gives is one version that somebody wrote, whole, and not one
 * that this thread has itself replaced before.
 *
 * Content says what it is: every line of 64 bytes has the key, the version, its
 * number, how many there are, and a checksum. A program of its own because
 * criterion's processes and ThreadSanitizer do not go together.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"

enum {
	PROCESSES = 3,
	THREADS = 4,
	WRITERS = PROCESSES * THREADS,
	KEYS = 6,
	KEPT_KEYS = 2, /* the first ones are never deleted: a get must hit */
	LINE = 64,
	LINES_MAX = 6000,
	RUN_MS = 4000,
};

/* What all processes share. */
struct board {
	/* The last version that each thread has begun to write of each key;
	 * the last row is of who puts the first ones there. */
	_Atomic uint32_t begun[WRITERS + 1][KEYS];
	_Atomic uint64_t hits;
	_Atomic uint64_t misses;
	_Atomic uint64_t adds;
};

struct worker {
	const struct box *box;
	struct board *board;
	unsigned number; /* of all threads of all processes */
	unsigned seed;
	uint32_t done[KEYS]; /* the last version of its own that is there */
	char *buffer;
	char finding[256]; /* what is wrong, or empty */
};

static uint32_t checksum(const char *text, size_t size)
{
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (uint8_t)text[i]) * 16777619U;
	return sum;
}

static void line_write(char line[LINE + 1], unsigned key, unsigned writer,
		       uint32_t version, unsigned number, unsigned count)
{
	int used = snprintf(line, LINE + 1,
			    "key %02u writer %03u version %08" PRIx32
			    " line %05u of %05u ",
			    key, writer, version, number, count);

	(void)snprintf(line + used, (size_t)(LINE + 1 - used),
		       "%0*" PRIx32 "\n", LINE - used - 1,
		       checksum(line, (size_t)used));
}

static size_t content_write(char *buffer, unsigned key, unsigned writer,
			    uint32_t version, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char line[LINE + 1];

		line_write(line, key, writer, version, i, count);
		memcpy(buffer + (size_t)i * LINE, line, LINE);
	}
	return (size_t)count * LINE;
}

static bool complain(struct worker *worker, const char *what, size_t at)
{
	(void)snprintf(worker->finding, sizeof(worker->finding), "%s at %zu",
		       what, at);
	return false;
}

/* Is this one whole version that somebody has written, and that this thread
 * does not know to be replaced? */
static bool content_check(struct worker *worker, unsigned key, const char *got,
			  size_t size)
{
	unsigned writer;
	unsigned count;
	uint32_t version;
	unsigned got_key;

	if (size < LINE || size % LINE != 0)
		return complain(worker, "not whole lines", size);
	if (sscanf(got,
		   "key %02u writer %03u version %08" SCNx32
		   " line 00000 of %05u ",
		   &got_key, &writer, &version, &count) != 4)
		return complain(worker, "not a first line", 0);
	if (got_key != key || writer > WRITERS)
		return complain(worker, "another entry's content", got_key);
	if (count != size / LINE)
		return complain(worker, "not all lines", size);
	if (version > atomic_load(&worker->board->begun[writer][key]))
		return complain(worker, "a version nobody wrote", version);
	if (writer == worker->number && version < worker->done[key])
		return complain(worker, "a version that was replaced", version);
	for (unsigned i = 0; i < count; i++) {
		char line[LINE + 1];

		line_write(line, key, writer, version, i, count);
		if (memcmp(got + (size_t)i * LINE, line, LINE) != 0)
			return complain(worker, "torn", (size_t)i * LINE);
	}
	return true;
}

static bool work_add(struct worker *worker, unsigned key)
{
	unsigned count = 1;
	uint32_t version =
		1 + atomic_load(&worker->board->begun[worker->number][key]);
	struct cubby_key name = key_of(key);
	size_t size;
	int r;

	/* Half of them small enough to be in the index. */
	if (rand_r(&worker->seed) % 2)
		count += (unsigned)rand_r(&worker->seed) % LINES_MAX;
	else
		count += (unsigned)rand_r(&worker->seed) % 20;
	atomic_store(&worker->board->begun[worker->number][key], version);
	size = content_write(worker->buffer, key, worker->number, version,
			     count);
	r = cubby_add_bytes(worker->box->ns, &name, worker->buffer, size);
	if (r < 0)
		return complain(worker, cubby_strerror(r), 0);
	worker->done[key] = version;
	atomic_fetch_add(&worker->board->adds, 1);
	return true;
}

static bool work_get(struct worker *worker, unsigned key)
{
	struct cubby_key name = key_of(key);
	struct cubby_reader *reader;
	uint64_t size;
	bool right;
	ssize_t n;
	int r = cubby_get(worker->box->ns, &name, &reader);

	if (r == -ENOENT && key < KEPT_KEYS)
		return complain(worker, "a miss of what is never deleted", key);
	if (r == -ENOENT) {
		atomic_fetch_add(&worker->board->misses, 1);
		return true;
	}
	if (r < 0)
		return complain(worker, cubby_strerror(r), 1);
	size = cubby_reader_size(reader);
	if (size > (uint64_t)LINES_MAX * LINE) {
		cubby_reader_close(reader);
		return complain(worker, "too long", (size_t)size);
	}
	/* Now and then, others have time to replace it. */
	if (rand_r(&worker->seed) % 8 == 0)
		pause_ms(2);
	n = cubby_reader_read(reader, worker->buffer, (size_t)size);
	cubby_reader_close(reader);
	if (n < 0)
		return complain(worker, cubby_strerror((int)n), 2);
	right = content_check(worker, key, worker->buffer, (size_t)n);
	atomic_fetch_add(&worker->board->hits, 1);
	return right;
}

static bool work_once(struct worker *worker)
{
	unsigned key = (unsigned)rand_r(&worker->seed) % KEYS;
	unsigned what = (unsigned)rand_r(&worker->seed) % 100;
	struct cubby_key name = key_of(key);
	struct cubby_stats stats;
	int r;

	if (what < 30)
		return work_add(worker, key);
	if (what < 90)
		return work_get(worker, key);
	if (what < 97 && key < KEPT_KEYS)
		return true;
	if (what < 97)
		r = cubby_delete(worker->box->ns, &name);
	else
		r = cubby_get_stats(worker->box->store, &stats);
	if (r < 0)
		return complain(worker, cubby_strerror(r), 3);
	if (what >= 97 && stats.entries > KEYS)
		return complain(worker, "too many entries", stats.entries);
	return true;
}

static void *worker_run(void *cookie)
{
	struct worker *worker = cookie;
	int64_t end = now_ms() + RUN_MS;

	while (now_ms() < end && work_once(worker))
		;
	return NULL;
}

static void process_run(const char *path, struct board *board, unsigned number)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct box box;

	box_open(&box, path, "race");
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.box = &box,
			.board = board,
			.number = number * THREADS + i,
			.seed = number * THREADS + i + 1,
			.buffer = malloc((size_t)LINES_MAX * LINE + 1),
		};
		MUST(workers[i].buffer != NULL);
	}
	for (unsigned i = 0; i < THREADS; i++)
		MUST_DO(pthread_create(&threads[i], NULL, worker_run,
				       &workers[i]));
	for (unsigned i = 0; i < THREADS; i++)
		MUST_DO(pthread_join(threads[i], NULL));
	for (unsigned i = 0; i < THREADS; i++) {
		if (workers[i].finding[0])
			must_fail(__FILE__, __LINE__, "writer %u: %s",
				  workers[i].number, workers[i].finding);
		free(workers[i].buffer);
	}
	box_close(&box);
}

/* What is left is whole, and the totals and the files are those of it. */
static void leftovers_check(const char *path, struct board *board)
{
	struct worker worker = {.board = board, .number = WRITERS};
	struct cubby_stats stats;
	unsigned entries = 0;
	uint64_t raw = 0;
	uint64_t stored = 0;
	struct box box;
	char *blobs;
	char *drafts;

	box_open(&box, path, "race");
	for (unsigned i = 0; i < KEYS; i++) {
		uint8_t *got;
		size_t size;
		int r = box_get(&box, name_of(i), &got, &size);

		if (r == -ENOENT && i >= KEPT_KEYS)
			continue;
		MUST_DO(r);
		if (!content_check(&worker, i, (const char *)got, size))
			must_fail(__FILE__, __LINE__, "left: %s",
				  worker.finding);
		entries++;
		raw += size;
		stored += box_attr(&box, name_of(i)).stored_size;
		free(got);
	}
	stats = box_stats(&box);
	MUST_BE(stats.entries, entries);
	MUST_BE(stats.raw_bytes, raw);
	MUST_BE(stats.stored_bytes, stored);
	MUST_BE(stats.displaced, 0);
	MUST_BE(stats.quarantined, 0);
	blobs = text_new("%s/blobs", path);
	drafts = text_new("%s/drafts", path);
	MUST(files_below(blobs, NULL, 0) <= entries);
	MUST_BE(files_below(drafts, NULL, 0), 0);
	free(blobs);
	free(drafts);
	box_close(&box);
}

static void kept_begin(const char *path, struct board *board)
{
	static char content[LINE * 10];
	struct box box;

	box_open(&box, path, "race");
	for (unsigned i = 0; i < KEPT_KEYS; i++) {
		board->begun[WRITERS][i] = 1;
		box_add(&box, name_of(i), content,
			content_write(content, i, WRITERS, 1, 10));
	}
	box_close(&box);
}

int main(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *path = scratch_path("store");
	pid_t pids[PROCESSES];

	MUST(board != MAP_FAILED);
	kept_begin(path, board);
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			process_run(path, board, i);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		child_must_succeed(pids[i]);
	printf("ok - every get is one whole version, and never one replaced "
	       "before\n# %" PRIu64 " hits, %" PRIu64 " misses, %" PRIu64
	       " adds\n",
	       board->hits, board->misses, board->adds);
	MUST(board->hits > 100 && board->adds > 100);
	leftovers_check(path, board);
	printf("ok - totals and files are exact after the race\n");
	free(path);
	scratch_end();
	return 0;
}
