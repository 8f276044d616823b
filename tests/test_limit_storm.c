/* SPDX-License-Identifier: MIT */
/*
 * The limit under load: threads of several processes and a mount add, while
 * the blocks that the store takes are summed up as often as possible. The sum
 * is never above the limit by more than what is on its way, one entry for each
 * writer, and never below nine tenths once it has been reached.
 *
 * Walking the tree takes some milliseconds, in which a sum would count both
 * what goes and what comes in its stead: all who write are stopped during a
 * walk, at whatever point they are.
 */
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum {
	PROCESSES = 4,
	THREADS = 4,
	WRITERS = PROCESSES * THREADS + 2, /* the mount, and its compressor */
	ENTRY_MAX = 200000,
	/* Who adds through the mount is the first, its daemon the last. */
	STOPPED = PROCESSES + 2,
	RUN_S = 30,
};

static const uint64_t limit = UINT64_C(64) << 20;

/* What all processes share. */
struct board {
	_Atomic uint64_t adds;
	_Atomic bool is_over;
};

struct worker {
	const struct box *box;
	struct board *board;
	const uint8_t *noise;
	unsigned number;
	unsigned seed;
};

/* Half of the entries are small ones, which live in the index. */
static size_t next_size(unsigned *seed)
{
	unsigned n = (unsigned)rand_r(seed);

	return n % 2 ? n / 2 % 6000 : n / 2 % ENTRY_MAX;
}

static const char *next_name(unsigned worker, unsigned i, char name[65])
{
	(void)snprintf(name, 65, "%032x%032x", worker + 1, i);
	return name;
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	char name[65];

	for (unsigned i = 0; !worker->board->is_over; i++) {
		size_t size = next_size(&worker->seed);

		next_name(worker->number, i, name);
		MUST_DO(box_try_add(worker->box, name, worker->noise + i % 4096,
				    size));
		worker->board->adds++;
	}
	return NULL;
}

static void process_run(const char *path, struct board *board,
			const uint8_t *noise, unsigned number)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct box box;

	box_open(&box, path, "storm");
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.box = &box,
					     .board = board,
					     .noise = noise,
					     .number = number * THREADS + i,
					     .seed = number * THREADS + i};
		MUST(pthread_create(&threads[i], NULL, worker_run,
				    &workers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	box_close(&box);
}

/* Add through the mount as most tools do: write, then rename. */
static void mount_run(const char *at, struct board *board, const uint8_t *noise)
{
	unsigned seed = 99;
	char name[65];

	for (unsigned i = 0; !board->is_over; i++) {
		char *temporary = text_new("%s/add.tmp", at);
		char *target = text_new("%s/%s", at, next_name(98, i, name));

		size_t size = next_size(&seed);

		file_write(temporary, noise + i % 4096, size);
		MUST(rename(temporary, target) == 0);
		board->adds++;
		free(temporary);
		free(target);
	}
}

/* ---------------------------------------------------------------- sampling */

static uint64_t blocks; /* of the walk that is under way */

static int add_blocks(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)path;
	(void)type;
	(void)ftw;
	blocks += (uint64_t)st->st_blocks;
	return 0;
}

static uint64_t disk_use(const char *path)
{
	blocks = 0;
	(void)nftw(path, add_blocks, 16, FTW_PHYS);
	return blocks * 512;
}

struct range {
	uint64_t most;
	uint64_t least; /* once nine tenths were reached */
	unsigned samples;
};

/* In the order of their dependence: who adds through the mount stops only when
 * the daemon has answered, which may wait for another's transaction. */
static void stop_all(const pid_t *pids)
{
	for (unsigned i = 0; i < STOPPED; i++) {
		int status;

		MUST(kill(pids[i], SIGSTOP) == 0);
		MUST(waitpid(pids[i], &status, WUNTRACED) == pids[i]);
		MUST(WIFSTOPPED(status));
	}
}

static void go_on_all(const pid_t *pids)
{
	for (unsigned i = 0; i < STOPPED; i++)
		MUST(kill(pids[i], SIGCONT) == 0);
}

static struct range watch_use(const char *path, const pid_t *pids)
{
	const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
	struct range range = {.least = UINT64_MAX};
	time_t end = time(NULL) + RUN_S;

	while (time(NULL) < end) {
		uint64_t use;

		nanosleep(&pause, NULL);
		stop_all(pids);
		use = disk_use(path);
		go_on_all(pids);
		if (use > range.most)
			range.most = use;
		if (range.most >= limit * 95 / 100 && use < range.least)
			range.least = use;
		range.samples++;
	}
	return range;
}

int main(void)
{
	struct cubby_limits limits = {.max_size = limit, .protect_s = 300};
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t *noise = sample_new(SAMPLE_NOISE, 1, ENTRY_MAX + 4096);
	char *path = scratch_path("store");
	struct cubby_figures figures;
	pid_t pids[STOPPED];
	struct mounted mounted;
	struct range range;
	struct box box;

	MUST(board != MAP_FAILED);
	box_open(&box, path, "storm");
	MUST_DO(cubby_set_limits(box.store, &limits));
	mounted_start(&mounted, path, NULL);
	for (unsigned i = 0; i <= PROCESSES; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			if (i == 0)
				mount_run(mounted.at, board, noise);
			else
				process_run(path, board, noise, i);
			_exit(0);
		}
	}
	pids[STOPPED - 1] = mounted.pid;
	range = watch_use(path, pids);
	board->is_over = true;
	for (unsigned i = 0; i <= PROCESSES; i++)
		child_must_succeed(pids[i]);
	MUST_DO(cubby_get_figures(box.store, &figures, NULL));
	printf("# %.2f to %.2f MiB of %.2f in %u samples, %lu adds, "
	       "%lu evictions\n",
	       (double)range.least / 1048576, (double)range.most / 1048576,
	       (double)limit / 1048576, range.samples, board->adds,
	       figures.evictions);
	MUST(range.samples > 200);
	MUST_BE(figures.adds, board->adds);
	MUST(figures.evictions > 1000);
	MUST(range.most <= limit + (uint64_t)WRITERS * (ENTRY_MAX + 4096));
	printf("ok - the store is never above its limit by more than what is "
	       "on its way\n");
	MUST(range.least >= limit / 10 * 9);
	printf("ok - once full it stays above nine tenths\n");
	mounted_stop(&mounted);
	MUST(disk_use(path) <= limit);
	printf("ok - in the end it is within the limit\n");
	box_close(&box);
	free(noise);
	free(path);
	scratch_end();
	return 0;
}
