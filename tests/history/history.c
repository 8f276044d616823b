/* SPDX-License-Identifier: MIT */
/*
 * Threads of many processes get, look up, add and delete the same keys of one
 * store. Every operation notes its two ticks of a clock that all share, and
 * what it found; afterwards the history of each key is checked: see ledger.h.
 * So what a get returns is what was added, whole, and never older than a delete
 * or a replacement that came back before the get began.
 *
 *   history                               5,000,000 operations, then some with
 *                                         evictions, then some by a mount too
 *   history OPERATIONS PROCESSES THREADS  only the first, of so many
 *
 * With DEEP=1 in the environment there are twenty times as many, as far as
 * there is time.
 *
 * The content of a value is made of its key and its number, and its size is the
 * number and a constant, so that a look-up, which learns the size only, knows
 * the value. Each round has a namespace of its own, where nothing was before.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "deep.h"
#include "ledger.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum {
	DEEP_FACTOR = 20,
	OPERATIONS = 5000000,
	EVICTING_OPERATIONS = 100000,
	MOUNT_OPERATIONS = 40000,
	ROUND = 500000, /* operations whose records are in memory */
	KEYS = 16,
	EVICTING_KEYS = 400,
	KEYS_MAX = EVICTING_KEYS,
	PROCESSES = 8,
	THREADS = 8,
	SMALL = 40,    /* bytes of the value 0, that the index holds */
	LARGE = 17000, /* the same, that has a file */
	HUGE = 60000,  /* of which the keys take more than the limit */
	SIZE_MAX_BYTES = HUGE + ROUND,
};

struct variant {
	const char *space;
	unsigned operations;
	unsigned processes;
	unsigned threads;
	unsigned keys;
	bool may_evict;
	const struct mounted *mount; /* what the first process uses, or NULL */
};

/* What all processes share. */
struct board {
	_Atomic uint64_t clock;
	_Atomic uint32_t taken;		   /* records that somebody has */
	uint32_t count;			   /* of operations in this round */
	_Atomic uint32_t values[KEYS_MAX]; /* the last that was begun */
	struct ledger_record records[ROUND];
};

struct worker {
	const struct variant *variant;
	const struct box *box;
	struct board *board;
	const char *at;	 /* the namespace on the mount, or NULL */
	bool is_slowed;	 /* so that a mount keeps up */
	unsigned number; /* of all threads of all processes */
	unsigned seed;
	uint8_t *got;
	uint8_t *want;
};

static uint64_t tick(struct board *board)
{
	return atomic_fetch_add(&board->clock, 1) + 1;
}

static size_t value_base(const struct variant *variant, unsigned key)
{
	if (variant->may_evict)
		return HUGE;
	return key % KEYS == 0 ? LARGE : SMALL;
}

static size_t value_fill(const struct variant *variant, unsigned key,
			 uint32_t value, uint8_t *buffer)
{
	size_t size = value_base(variant, key) + value;

	sample_fill(SAMPLE_NOISE, key << 20 ^ value, buffer, size);
	return size;
}

static uint32_t value_of(const struct worker *worker, unsigned key,
			 uint64_t size)
{
	size_t base = value_base(worker->variant, key);

	if (size <= base || size > SIZE_MAX_BYTES)
		must_fail(__FILE__, __LINE__, "key %u: %" PRIu64 " bytes", key,
			  size);
	return (uint32_t)(size - base);
}

/* The value whose content is in the buffer, all of it. */
static uint32_t value_got(const struct worker *worker, unsigned key,
			  size_t size)
{
	uint32_t value = value_of(worker, key, size);

	MUST_BE(value_fill(worker->variant, key, value, worker->want), size);
	if (memcmp(worker->got, worker->want, size) != 0)
		must_fail(__FILE__, __LINE__,
			  "key %u: wrong bytes in value %" PRIu32, key, value);
	return value;
}

/* -------------------------------------------------------- by the library */

static void do_get(struct worker *worker, struct ledger_record *record)
{
	const struct cubby_key key = key_of(record->key);
	struct cubby_reader *reader;
	size_t size;
	int r = cubby_get(worker->box->ns, &key, &reader);

	record->end = tick(worker->board);
	record->act = r < 0 ? LEDGER_MISS : LEDGER_HIT;
	if (r == -ENOENT)
		return;
	MUST_DO(r);
	/* That others replace it or evict it meanwhile changes nothing. */
	size = (size_t)cubby_reader_size(reader);
	MUST(size <= SIZE_MAX_BYTES);
	MUST_BE(cubby_reader_read(reader, worker->got, size), size);
	cubby_reader_close(reader);
	record->value = value_got(worker, record->key, size);
}

static void do_stat(struct worker *worker, struct ledger_record *record)
{
	const struct cubby_key key = key_of(record->key);
	struct cubby_attr attr;
	int r = cubby_stat(worker->box->ns, &key, &attr);

	record->end = tick(worker->board);
	record->act = r < 0 ? LEDGER_MISS : LEDGER_HIT;
	if (r == -ENOENT)
		return;
	MUST_DO(r);
	record->value = value_of(worker, record->key, attr.size);
}

static void do_delete(struct worker *worker, struct ledger_record *record)
{
	const struct cubby_key key = key_of(record->key);

	record->act = LEDGER_DELETE;
	MUST_DO(cubby_delete(worker->box->ns, &key));
	record->end = tick(worker->board);
}

/* The value and its content, before the clock is read. */
static size_t begin_add(struct worker *worker, struct ledger_record *record)
{
	uint32_t value =
		atomic_fetch_add(&worker->board->values[record->key], 1) + 1;

	record->act = LEDGER_ADD;
	record->value = value;
	return value_fill(worker->variant, record->key, value, worker->want);
}

static void do_add(struct worker *worker, struct ledger_record *record)
{
	const struct cubby_key key = key_of(record->key);
	size_t size = begin_add(worker, record);

	record->begin = tick(worker->board);
	MUST_DO(cubby_add_bytes(worker->box->ns, &key, worker->want, size));
	record->end = tick(worker->board);
}

/* ------------------------------------------------------------ by a mount */

static char *path_on(const struct worker *worker, unsigned key)
{
	return text_new("%s/%s", worker->at, name_of(key));
}

/* A mount may learn late of what others do. */
static void do_read(struct worker *worker, struct ledger_record *record)
{
	char *path = path_on(worker, record->key);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	free(path);
	record->act = LEDGER_NONE;
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0)
		must_fail(__FILE__, __LINE__, "open: %s", strerror(errno));
	n = read(fd, worker->got, SIZE_MAX_BYTES);
	MUST(close(fd) == 0);
	MUST(n > 0);
	record->end = tick(worker->board);
	record->act = LEDGER_LATE_HIT;
	record->value = value_got(worker, record->key, (size_t)n);
}

/* It may not know of the name: then nothing is removed. */
static void do_unlink(struct worker *worker, struct ledger_record *record)
{
	char *path = path_on(worker, record->key);
	int r = unlink(path);

	if (r != 0 && errno != ENOENT)
		must_fail(__FILE__, __LINE__, "unlink: %s", strerror(errno));
	record->end = tick(worker->board);
	record->act = r == 0 ? LEDGER_DELETE : LEDGER_NONE;
	free(path);
}

static void do_rename(struct worker *worker, struct ledger_record *record)
{
	char *temp = text_new("%s/%u.tmp", worker->at, worker->number);
	char *path = path_on(worker, record->key);

	file_write(temp, worker->want, begin_add(worker, record));
	record->begin = tick(worker->board);
	MUST(rename(temp, path) == 0);
	record->end = tick(worker->board);
	free(path);
	free(temp);
}

/* ---------------------------------------------------------------- a round */

static void work_once(struct worker *worker, struct ledger_record *record)
{
	unsigned what = (unsigned)rand_r(&worker->seed) % 100;

	record->key = (uint16_t)((unsigned)rand_r(&worker->seed) %
				 worker->variant->keys);
	record->begin = tick(worker->board);
	if (what < 70)
		(worker->at ? do_read : do_get)(worker, record);
	else if (what < 90)
		(worker->at ? do_read : do_stat)(worker, record);
	else if (what < 96)
		(worker->at ? do_rename : do_add)(worker, record);
	else
		(worker->at ? do_unlink : do_delete)(worker, record);
}

static void *worker_run(void *cookie)
{
	struct worker *worker = cookie;
	struct board *board = worker->board;
	uint32_t i;

	worker->got = malloc(SIZE_MAX_BYTES);
	worker->want = malloc(SIZE_MAX_BYTES);
	MUST(worker->got && worker->want);
	while ((i = atomic_fetch_add(&board->taken, 1)) < board->count) {
		work_once(worker, &board->records[i]);
		if (worker->is_slowed)
			pause_ms(1);
	}
	free(worker->got);
	free(worker->want);
	return NULL;
}

static void process_run(const struct variant *variant, const char *path,
			struct board *board, const char *space, unsigned number)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	char *at = NULL;
	struct box box;

	MUST(variant->threads <= THREADS);
	box_open(&box, path, space);
	if (variant->mount && number == 0)
		at = text_new("%s/%s", variant->mount->at, space);
	for (unsigned i = 0; i < variant->threads; i++)
		workers[i] = (struct worker){
			.variant = variant,
			.box = &box,
			.board = board,
			.at = at,
			.is_slowed = variant->mount && !at,
			.number = number * THREADS + i,
			.seed = (unsigned)atomic_load(&board->clock) +
				number * THREADS + i,
		};
	for (unsigned i = 0; i < variant->threads; i++)
		MUST_DO(pthread_create(&threads[i], NULL, worker_run,
				       &workers[i]));
	for (unsigned i = 0; i < variant->threads; i++)
		MUST_DO(pthread_join(threads[i], NULL));
	free(at);
	box_close(&box);
}

static void round_run(const struct variant *variant, const char *path,
		      struct board *board, const char *space)
{
	pid_t pids[PROCESSES];

	MUST(variant->processes <= PROCESSES);
	for (unsigned i = 0; i < variant->processes; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			process_run(variant, path, board, space, i);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < variant->processes; i++)
		child_must_succeed(pids[i]);
}

/* The namespace of a round comes into being with what it begins with. */
static void space_make(const char *path, const char *space)
{
	struct box box;

	box_open(&box, path, space);
	box_add(&box, name_of(KEYS_MAX), "", 0);
	box_close(&box);
}

static void variant_run(const struct variant *variant, const char *path,
			struct board *board)
{
	struct ledger_tally tally = {0};
	int64_t start_ms = now_ms();
	unsigned done = 0;

	for (unsigned n = 0; storm_goes_on(done, variant->operations, start_ms);
	     n++) {
		char *space = text_new("%s-%u", variant->space, n);
		const char *wrong;

		memset(board, 0, sizeof(*board));
		board->count = variant->operations - done;
		if (board->count > ROUND)
			board->count = ROUND;
		space_make(path, space);
		round_run(variant, path, board, space);
		wrong = ledger_check(board->records, board->count,
				     variant->may_evict, &tally);
		if (wrong)
			must_fail(__FILE__, __LINE__, "%s: %s", space, wrong);
		done += board->count;
		free(space);
	}
	printf("# %s: %u of %u operations of %u x %u threads in %" PRId64
	       " ms: %" PRIu64 " adds, %" PRIu64 " hits, %" PRIu64
	       " misses, %" PRIu64 " deletes, %" PRIu64 " late hits; %" PRIu64
	       " while others changed the key\n",
	       variant->space, done, variant->operations, variant->processes,
	       variant->threads, now_ms() - start_ms, tally.adds, tally.hits,
	       tally.misses, tally.deletes, tally.late_hits, tally.races);
	MUST(tally.adds > 0 && tally.hits > 0 && tally.misses > 0 &&
	     tally.deletes > 0 && tally.races > 0);
	MUST(!variant->mount || tally.late_hits > 0);
}

static void evicting_run(struct variant variant, struct board *board)
{
	char *path = scratch_path("evicting");
	struct cubby_figures figures;
	struct box box;

	variant.space = "evicting";
	variant.keys = EVICTING_KEYS;
	variant.may_evict = true;
	box_open(&box, path, "");
	box_limit(&box, CUBBY_LIMIT_MIN);
	box_close(&box);
	variant_run(&variant, path, board);
	box_open(&box, path, "");
	MUST_DO(cubby_get_figures(box.store, &figures, NULL));
	MUST(figures.evictions > 0);
	printf("ok - nothing is wrong where entries are evicted\n# %" PRIu64
	       " evictions\n",
	       figures.evictions);
	box_close(&box);
	free(path);
}

static void mount_run(struct variant variant, struct board *board)
{
	static const char *const name =
		"nothing is wrong where one process uses a mount";
	const char *refusal = mounted_refusal();
	char *path = scratch_path("mounted");
	struct mounted mount;

	if (refusal) {
		printf("ok - %s # SKIP %s\n", name, refusal);
		free(path);
		return;
	}
	variant.space = "mounted";
	variant.mount = &mount;
	variant.processes = 2;
	mounted_start(&mount, path, NULL);
	variant_run(&variant, path, board);
	mounted_stop(&mount);
	printf("ok - %s\n", name);
	free(path);
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < 1 || n > UINT32_MAX)
		must_fail(__FILE__, __LINE__, "not a number: %s", text);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	const unsigned factor = often(1, DEEP_FACTOR);
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct variant variant = {
		.space = "plain",
		.operations = argc == 4 ? number(argv[1]) : OPERATIONS * factor,
		.processes = argc == 4 ? number(argv[2]) : PROCESSES,
		.threads = argc == 4 ? number(argv[3]) : THREADS,
		.keys = KEYS,
	};
	char *path = scratch_path("store");

	MUST(argc == 1 || argc == 4);
	MUST(board != MAP_FAILED);
	ledger_test();
	variant_run(&variant, path, board);
	printf("ok - every get gives what can be there at that time\n");
	if (argc == 1) {
		variant.operations = EVICTING_OPERATIONS * factor;
		evicting_run(variant, board);
		variant.operations = MOUNT_OPERATIONS * factor;
		mount_run(variant, board);
	}
	free(path);
	scratch_end();
	return 0;
}
