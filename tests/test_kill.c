/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed in the middle while others go on: what they had
 * published is there, nothing else is, nothing is wrong in the store, and it
 * goes on working for everybody.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/upkeep.h"
#include "deep.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum {
	KILLS_QUICK = 10000,
	KILLS_DEEP = 120000,
	WRITERS = 4,
	KEYS = 6,
	RUN_MAX_US = 800,
	STEPS = 2,	   /* that each writer may do between two kills */
	VERIFY_EVERY = 10, /* kills, everything is read */
	ALL_EVERY = 100,   /* kills, all are killed, and the store is unused */
};

/* What each writer has done, shared with who kills it. A version is begun,
 * then added, then done; the content is made of it. */
struct board {
	volatile uint32_t begun[WRITERS][KEYS];
	volatile uint32_t done[WRITERS][KEYS];
	/* A writer takes a byte for each step, so that most of the time is for
	 * killing and looking. */
	int steps[WRITERS][2];
};

/* Some versions are that there is no such entry. */
static bool version_is_none(uint32_t version)
{
	return version % 8 == 0;
}

static size_t version_size(uint32_t version)
{
	static const size_t sizes[] = {10, 900, 5000, 900, 20000, 10, 140000};

	return sizes[version % 7] + version % 1000;
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

_Noreturn static void writer_run(const char *path, struct board *board,
				 unsigned writer, unsigned seed)
{
	struct box box;
	char step;

	box_open(&box, path, "kill");
	for (;;) {
		unsigned key = (unsigned)rand_r(&seed) % KEYS;
		unsigned other = (unsigned)rand_r(&seed) % (WRITERS * KEYS);
		uint32_t version = board->begun[writer][key] + 1;
		uint8_t *data = version_new(writer, key, version);

		MUST_BE(read(board->steps[writer][0], &step, 1), 1);
		board->begun[writer][key] = version;
		if (version_is_none(version))
			box_delete(&box, own_name(writer, key));
		else
			box_add(&box, own_name(writer, key), data,
				version_size(version));
		board->done[writer][key] = version;
		free(data);
		(void)box_misses(&box, name_of(other)); /* or a hit */
	}
}

static bool is_there(const struct box *box, unsigned writer, unsigned key,
		     uint32_t version)
{
	const char *name = own_name(writer, key);
	uint8_t *data;
	bool same;

	if (version_is_none(version)) /* also 0, which nobody has begun */
		return box_misses(box, name);
	data = version_new(writer, key, version);
	same = box_has(box, name, data, version_size(version));
	free(data);
	return same;
}

/* The last version that was done, or one that was begun after it. */
static void writer_check(const struct box *box, const struct board *board,
			 unsigned writer)
{
	for (unsigned key = 0; key < KEYS; key++) {
		uint32_t done = board->done[writer][key];
		uint32_t begun = board->begun[writer][key];
		uint32_t version = done;

		while (version <= begun && !is_there(box, writer, key, version))
			version++;
		if (version > begun)
			must_fail(__FILE__, __LINE__,
				  "writer %u, key %u: none of the versions "
				  "%" PRIu32 " to %" PRIu32,
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

static int tell_finding(void *cookie, const struct cubby_verify_step *step)
{
	(void)cookie;
	if (step->finding != CUBBY_FOUND_NOTHING)
		printf("# finding %d: %s: %" PRIu64 ", counted %" PRIu64 "\n",
		       step->finding, step->path, step->kept, step->counted);
	return 0;
}

/* ---------------------------------------------------------------- looking */

/* Nothing is wrong in the whole store, which others are writing to. */
static void verify(const struct box *box)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, 0, tell_finding, NULL, &summary));
	MUST_BE(summary.findings, 0);
}

/* One can go on. */
static void next_add(const struct box *box, unsigned number)
{
	const char *name = name_of(WRITERS * KEYS);

	box_add(box, name, &number, sizeof(number));
	MUST(box_has(box, name, &number, sizeof(number)));
}

enum question { LOOK_AT_ONE, LOOK_AT_ALL, CLOSE_THE_STORE };

struct order {
	enum question question;
	unsigned kill; /* its number */
	unsigned victim;
};

static void look(struct box *box, const struct board *board,
		 const struct order *order)
{
	if (order->question == CLOSE_THE_STORE) {
		box_close(box);
		return;
	}
	if (order->question == LOOK_AT_ONE)
		writer_check(box, board, order->victim);
	for (unsigned w = 0; order->question == LOOK_AT_ALL && w < WRITERS; w++)
		writer_check(box, board, w);
	if (order->question == LOOK_AT_ALL)
		totals_check(box);
	if (order->kill % VERIFY_EVERY == 0)
		verify(box);
	next_add(box, order->kill);
}

/* Who looks has the store open all the time: a process of its own, because who
 * starts the writers must not. */
_Noreturn static void looker_run(const char *path, const struct board *board,
				 int orders, int answers)
{
	struct box box = {.store = NULL};
	struct order order;

	for (;;) {
		MUST_BE(read(orders, &order, sizeof(order)), sizeof(order));
		if (!box.store && order.question != CLOSE_THE_STORE)
			box_open(&box, path, "kill");
		look(&box, board, &order);
		MUST_BE(write(answers, "", 1), 1);
	}
}

/* ---------------------------------------------------------------- killing */

struct storm {
	const char *path;
	struct board *board;
	pid_t pids[WRITERS];
	int orders[2];
	int answers[2];
	pid_t looker;
	unsigned seed;
};

static void order(const struct storm *storm, enum question question,
		  unsigned kill, unsigned victim)
{
	const struct order order = {question, kill, victim};
	char answer;

	MUST_BE(write(storm->orders[1], &order, sizeof(order)), sizeof(order));
	/* Nothing comes when the looker has found something and ended. */
	MUST_BE(read(storm->answers[0], &answer, 1), 1);
}

static void kill_one(struct storm *storm, unsigned victim)
{
	const pid_t pid = storm->pids[victim];
	int status;

	if (pid == 0)
		return;
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, &status, 0) == pid);
	/* It has not ended by itself, by an error. */
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	storm->pids[victim] = 0;
}

static void start_missing(struct storm *storm)
{
	for (unsigned w = 0; w < WRITERS; w++) {
		if (storm->pids[w] != 0)
			continue;
		storm->pids[w] = fork_child();
		if (storm->pids[w] == 0)
			writer_run(storm->path, storm->board, w,
				   (unsigned)rand_r(&storm->seed) + w);
	}
}

/* One is killed and replaced while the others go on. */
static void round_run(struct storm *storm, unsigned number)
{
	const unsigned victim = (unsigned)rand_r(&storm->seed) % WRITERS;
	static const char steps[STEPS];

	start_missing(storm);
	for (unsigned w = 0; w < WRITERS; w++) /* if it is full, it is enough */
		MUST(write(storm->board->steps[w][1], steps, STEPS) > 0 ||
		     errno == EAGAIN);
	(void)usleep((unsigned)rand_r(&storm->seed) % RUN_MAX_US);
	if (number % ALL_EVERY != 0) {
		kill_one(storm, victim);
		order(storm, LOOK_AT_ONE, number, victim);
		return;
	}
	order(storm, CLOSE_THE_STORE, number, 0);
	for (unsigned w = 0; w < WRITERS; w++)
		kill_one(storm, (victim + w) % WRITERS);
	order(storm, LOOK_AT_ALL, number, 0);
}

static void storm_begin(struct storm *storm)
{
	for (unsigned w = 0; w < WRITERS; w++)
		MUST(pipe2(storm->board->steps[w], O_NONBLOCK) == 0 &&
		     fcntl(storm->board->steps[w][0], F_SETFL, 0) == 0);
	MUST(pipe(storm->orders) == 0 && pipe(storm->answers) == 0);
	storm->looker = fork_child();
	if (storm->looker == 0) {
		(void)close(storm->answers[0]);
		looker_run(storm->path, storm->board, storm->orders[0],
			   storm->answers[1]);
	}
	(void)close(storm->answers[1]);
}

int main(void)
{
	struct storm storm = {.seed = 1};
	const unsigned wanted = often(KILLS_QUICK, KILLS_DEEP);
	const int64_t begin_ms = now_ms();
	unsigned kills = 0;
	uint32_t versions = 0;

	/* In memory, if there is such a place: this is not about the disk, and
	 * each new writer may have to take a checkpoint. */
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
	storm.path = scratch_path("store");
	storm.board = mmap(NULL, sizeof(*storm.board), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(storm.board != MAP_FAILED);
	storm_begin(&storm);
	while (storm_goes_on(kills, wanted, begin_ms))
		round_run(&storm, ++kills);
	for (unsigned w = 0; w < WRITERS; w++)
		kill_one(&storm, w);
	MUST(kill(storm.looker, SIGKILL) == 0);
	MUST(waitpid(storm.looker, NULL, 0) == storm.looker);
	for (unsigned i = 0; i < WRITERS * KEYS; i++)
		versions += storm.board->done[i / KEYS][i % KEYS];
	/* They have done something. */
	MUST(versions > kills / 2);
	printf("ok - writers that are killed lose nothing they published\n"
	       "# %u of %u kills, %" PRIu32 " adds and deletes\n",
	       kills, wanted, versions);
	scratch_end();
	return 0;
}
