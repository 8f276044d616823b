/* SPDX-License-Identifier: MIT */
/*
 * What it costs not to lose anything to a power cut. Called by durable.sh.
 *
 *   bench_durable adds DIR SIZE COUNT      durable adds beside files that are
 *                                          made durable, taking turns
 *   bench_durable threads DIR SIZE COUNT N durable adds of N threads beside
 *                                          those of one
 *   bench_durable fill STORE COUNT [N]     small entries in the fast mode, by N
 *                                          processes at once
 *   bench_durable checkpoints STORE COUNT  how long one takes after 1,000
 *                                          changes, and how the index grows
 *   bench_durable load STORE SEED          change until killed
 *   bench_durable cut DISK                 end the file system, as a power cut
 *   bench_durable open STORE               how long that takes
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "cubby/tree.h"

#define FS_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_WITHOUT_LOG 2u

enum {
	SIZE_MAX_BYTES = 1 << 20,
	SMALL = 200, /* as Go's records of actions */
	CHANGES = 1000,
	THREADS_MAX = 64,
};

static uint8_t content[SIZE_MAX_BYTES];

static void must(int r, const char *what)
{
	if (r < 0)
		bench_give_up("%s: %s", what, cubby_strerror(r));
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *values, size_t count, double part)
{
	qsort(values, count, sizeof(*values), compare);
	return values[(size_t)((double)(count - 1) * part)];
}

static void open_store(const char *path, unsigned flags,
		       struct cubby **ret_store, struct cubby_ns **ret_ns)
{
	must(cubby_open(path, CUBBY_CREATE | flags, ret_store), "open");
	must(cubby_ns_open(*ret_store, "bench", ret_ns), "open namespace");
}

static void add(struct cubby_ns *ns, uint64_t number, size_t size)
{
	struct cubby_key key = {{0}};

	for (int i = 0; i < 4; i++) {
		uint64_t part = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) *
				(uint64_t)(2 * i + 1);

		memcpy(key.bytes + 8 * i, &part, sizeof(part));
	}
	must(cubby_add_bytes(ns, &key, content, size), "add");
}

/* A file as those have it who are careful. */
static void add_file(int dir, uint64_t number, size_t size)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "%" PRIu64, number);
	fd = openat(dir, "temporary", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0 || write(fd, content, size) != (ssize_t)size ||
	    fsync(fd) < 0 || close(fd) < 0 ||
	    renameat(dir, "temporary", dir, name) < 0 || fsync(dir) < 0)
		bench_give_up("file: %s", strerror(errno));
}

static void run_adds(const char *dir, size_t size, size_t count)
{
	double *ours = calloc(count, sizeof(*ours));
	double *files = calloc(count, sizeof(*files));
	char path[4096];
	struct cubby *store;
	struct cubby_ns *ns;
	double ratio;
	int fd;

	if (!ours || !files)
		bench_give_up("no memory");
	(void)snprintf(path, sizeof(path), "%s/store", dir);
	open_store(path, CUBBY_DURABLE, &store, &ns);
	(void)snprintf(path, sizeof(path), "%s/files", dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		bench_give_up("%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < count; i++) {
		double begin = now_us();

		content[0]++;
		add(ns, i, size);
		ours[i] = now_us() - begin;
		begin = now_us();
		add_file(fd, i, size);
		files[i] = now_us() - begin;
	}
	ratio = quantile(ours, count, 0.5) / quantile(files, count, 0.5);
	printf("%zu bytes: durable add %.0f us, file %.0f us, ratio %.2f\n",
	       size, quantile(ours, count, 0.5), quantile(files, count, 0.5),
	       ratio);
	cubby_ns_close(ns);
	cubby_close(store);
	close(fd);
	free(ours);
	free(files);
}

struct worker {
	struct cubby_ns *ns;
	uint64_t first;
	size_t size;
	size_t count;
};

static void *work(void *arg)
{
	const struct worker *worker = arg;

	for (size_t i = 0; i < worker->count; i++)
		add(worker->ns, worker->first + i, worker->size);
	return NULL;
}

/* Adds per second. */
static double run_threads_once(struct cubby_ns *ns, uint64_t first, size_t size,
			       size_t count, unsigned threads)
{
	struct worker workers[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	double begin = now_us();

	for (unsigned i = 0; i < threads; i++) {
		workers[i] = (struct worker){ns, first + i * count, size,
					     count / threads};
		if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
			bench_give_up("no thread");
	}
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(ids[i], NULL);
	return (double)(count / threads * threads) / (now_us() - begin) * 1e6;
}

static void run_threads(const char *dir, size_t size, size_t count,
			unsigned threads)
{
	enum { ROUNDS = 5 };
	double one[ROUNDS];
	double many[ROUNDS];
	struct cubby *store;
	struct cubby_ns *ns;

	if (threads == 0 || threads > THREADS_MAX)
		bench_give_up("1 to %d threads", THREADS_MAX);
	open_store(dir, CUBBY_DURABLE, &store, &ns);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		one[i] = run_threads_once(ns, (2 * i) << 32, size, count, 1);
		many[i] = run_threads_once(ns, (2 * i + 1) << 32, size, count,
					   threads);
	}
	printf("%zu bytes: 1 thread %.0f adds/s, %u threads %.0f adds/s\n",
	       size, quantile(one, ROUNDS, 0.5), threads,
	       quantile(many, ROUNDS, 0.5));
	cubby_ns_close(ns);
	cubby_close(store);
}

static uint64_t index_bytes(struct cubby *store)
{
	struct cubby_stats stats;

	must(cubby_get_stats(store, &stats), "stats");
	return stats.index_bytes;
}

/* The numbers from `first` to below `count`, each `step`-th. */
static void add_some(const char *path, uint64_t first, uint64_t count,
		     uint64_t step)
{
	struct cubby *store;
	struct cubby_ns *ns;

	open_store(path, 0, &store, &ns);
	for (uint64_t i = first; i < count; i += step)
		add(ns, i, SMALL);
	cubby_ns_close(ns);
	cubby_close(store);
}

static void run_fill(const char *path, uint64_t count, unsigned processes)
{
	struct cubby *store;
	struct cubby_ns *ns;
	double begin = now_us();
	int status = 0;

	for (unsigned i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			bench_give_up("fork: %s", strerror(errno));
		if (pid == 0) {
			add_some(path, i, count, processes);
			_exit(0);
		}
	}
	while (status == 0 && wait(&status) > 0) {
	}
	if (status != 0)
		bench_give_up("a process that adds failed");
	open_store(path, 0, &store, &ns);
	printf("%" PRIu64 " adds of %d bytes by %u processes: %.1f us each, "
	       "index %.1f MiB\n",
	       count, SMALL, processes, (now_us() - begin) / (double)count,
	       (double)index_bytes(store) / 1048576);
	cubby_ns_close(ns);
	cubby_close(store);
}

/* Replacements, which take as much of the index as they give back. */
static void run_checkpoints(const char *path, uint64_t entries)
{
	enum { ROUNDS = 41 };
	double times[ROUNDS];
	struct cubby *store;
	struct cubby_ns *ns;
	uint64_t before;
	uint64_t random = 1;

	open_store(path, 0, &store, &ns);
	before = index_bytes(store);
	for (size_t i = 0; i < ROUNDS; i++) {
		double begin;

		for (int n = 0; n < CHANGES; n++) {
			random = random * 6364136223846793005u +
				 1442695040888963407u;
			add(ns, (random >> 33) % entries, SMALL);
		}
		begin = now_us();
		must(cubby_sync_names(store), "checkpoint");
		times[i] = now_us() - begin;
	}
	printf("checkpoint after %d changes: median %.1f ms, 90 %% within %.1f "
	       "ms; index %.1f MiB, then %.1f MiB after %d changes\n",
	       CHANGES, quantile(times, ROUNDS, 0.5) / 1e3,
	       quantile(times, ROUNDS, 0.9) / 1e3, (double)before / 1048576,
	       (double)index_bytes(store) / 1048576, ROUNDS * CHANGES);
	cubby_ns_close(ns);
	cubby_close(store);
}

static void run_load(const char *path, uint64_t entries)
{
	struct cubby *store;
	struct cubby_ns *ns;
	uint64_t random = 7;

	open_store(path, 0, &store, &ns);
	for (;;) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		add(ns, (random >> 33) % entries, SMALL);
	}
}

static void run_cut(const char *disk)
{
	uint32_t flags = SHUTDOWN_WITHOUT_LOG;
	int fd = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, FS_IOC_SHUTDOWN, &flags) < 0)
		bench_give_up("%s: %s", disk, strerror(errno));
	close(fd);
}

static void run_open(const char *path)
{
	struct cubby_stats stats;
	struct cubby *store;
	double begin = now_us();

	must(cubby_open(path, 0, &store), "open");
	begin = now_us() - begin;
	must(cubby_get_stats(store, &stats), "stats");
	printf("open: %.1f ms, %" PRIu64 " entries\n", begin / 1e3,
	       stats.entries);
	cubby_close(store);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	uint64_t numbers[3] = {0};

	for (int i = 3; i < argc && i < 6; i++)
		numbers[i - 3] = strtoull(argv[i], NULL, 10);
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)((i * 2654435761u) >> 13);
	if (strcmp(what, "adds") == 0)
		run_adds(argv[2], numbers[0], numbers[1]);
	else if (strcmp(what, "threads") == 0)
		run_threads(argv[2], numbers[0], numbers[1],
			    (unsigned)numbers[2]);
	else if (strcmp(what, "fill") == 0)
		run_fill(argv[2], numbers[0],
			 numbers[1] > 0 ? (unsigned)numbers[1] : 1);
	else if (strcmp(what, "checkpoints") == 0)
		run_checkpoints(argv[2], numbers[0]);
	else if (strcmp(what, "load") == 0)
		run_load(argv[2], numbers[0]);
	else if (strcmp(what, "cut") == 0)
		run_cut(argv[2]);
	else if (strcmp(what, "open") == 0)
		run_open(argv[2]);
	else
		return 2;
	return 0;
}
