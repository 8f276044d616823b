/* SPDX-License-Identifier: MIT */
/*
 * bench_files: what file operations cost on a mount, against a plain directory.
 *
 *   bench_files [--quick] CONTENT MOUNT PLAIN
 *
 * Both directories get the same files, whose content are slices of the file
 * CONTENT: real object code, because what compresses decides what a store
 * costs. Every operation is timed by itself. The two sides take turns, and
 * which one begins alternates, so that what else the machine does meets both.
 * A round gives one figure per side, the median of its operations; the table
 * has the median of the rounds, and the smallest and the largest of them.
 *
 * Hot means that everything was read once before. What is read is compared
 * with what was written, before and after the rounds.
 *
 * It only uses system calls: what it measures is what a client would see.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SIDES = 2,
	ROUNDS_MAX = 32,
	FILES_MAX = 1024,
	SIZE_MAX_BYTES = 1024 * 1024,
	PATH_SIZE = 4096,
	SETTLE_US = 20 * 1000,
};

static const char *const side_names[SIDES] = {"mount", "plain"};

struct bench {
	const char *directory[SIDES];
	const uint8_t *content;
	size_t content_size;
	int rounds;
	uint8_t *buffer; /* of SIZE_MAX_BYTES + 1 */
	uint64_t serial; /* for names that were never used before */
};

/* One operation of a round: do it with file `i`, and give its time in ns. */
typedef uint64_t bench_fn(struct bench *bench, int side, int i, size_t size,
			  uint64_t first);

__attribute__((noreturn, format(printf, 1, 2))) static void
give_up(const char *format, ...)
{
	va_list args;

	(void)fputs("bench_files: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare_u64);
	return values[count / 2];
}

/* The path of the entry `number`: 64 hex digits, spread as a hash would be. */
static void entry_path(const struct bench *bench, int side, uint64_t number,
		       char ret_path[PATH_SIZE])
{
	uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);

	if (snprintf(ret_path, PATH_SIZE, "%s/%016jx%048jx",
		     bench->directory[side], (uintmax_t)mixed,
		     (uintmax_t)number) >= PATH_SIZE)
		give_up("the path of %s is too long", bench->directory[side]);
}

/* Another slice for every number; not aligned to anything. */
static const uint8_t *entry_content(const struct bench *bench, uint64_t number,
				    size_t size)
{
	return bench->content + (number * 40009) % (bench->content_size - size);
}

/* Make a temporary file, write, close, rename: how clients add. */
static void entry_add(const struct bench *bench, int side, uint64_t number,
		      size_t size)
{
	const uint8_t *data = entry_content(bench, number, size);
	char path[PATH_SIZE];
	char temporary[PATH_SIZE + 8];
	int fd;

	entry_path(bench, side, number, path);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		give_up("cannot create %s: %s", temporary, strerror(errno));
	if (write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		give_up("cannot write %s: %s", temporary, strerror(errno));
	if (rename(temporary, path) < 0)
		give_up("cannot rename to %s: %s", path, strerror(errno));
}

static uint64_t time_add(struct bench *bench, int side, int i, size_t size,
			 uint64_t first)
{
	uint64_t begun = now_ns();

	entry_add(bench, side, first + (uint64_t)i, size);
	return now_ns() - begun;
}

static uint64_t time_unlink(struct bench *bench, int side, int i, size_t size,
			    uint64_t first)
{
	char path[PATH_SIZE];
	uint64_t begun;

	(void)size;
	entry_path(bench, side, first + (uint64_t)i, path);
	begun = now_ns();
	if (unlink(path) < 0)
		give_up("cannot unlink %s: %s", path, strerror(errno));
	return now_ns() - begun;
}

/* Read a whole file into the buffer: what a hit costs is this. */
static void entry_read(const struct bench *bench, const char *path, size_t size)
{
	struct stat st;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		give_up("cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		give_up("cannot stat %s: %s", path, strerror(errno));
	got = read(fd, bench->buffer, SIZE_MAX_BYTES + 1);
	(void)close(fd);
	if (got != (ssize_t)size || st.st_size != (off_t)size)
		give_up("%s does not have the size that was written", path);
}

static uint64_t time_read(struct bench *bench, int side, int i, size_t size,
			  uint64_t first)
{
	char path[PATH_SIZE];
	uint64_t begun;

	entry_path(bench, side, first + (uint64_t)i, path);
	begun = now_ns();
	entry_read(bench, path, size);
	return now_ns() - begun;
}

/* Compare what is read with what was written: outside of the rounds, because
 * it pushes the data out of the processor's caches. */
static void entries_verify(const struct bench *bench, int side, int count,
			   size_t size, uint64_t first)
{
	for (int i = 0; i < count; i++) {
		uint64_t number = first + (uint64_t)i;
		char path[PATH_SIZE];

		entry_path(bench, side, number, path);
		entry_read(bench, path, size);
		if (memcmp(bench->buffer, entry_content(bench, number, size),
			   size) != 0)
			give_up("%s does not have the bytes that were written",
				path);
	}
}

static uint64_t time_miss(struct bench *bench, int side, int i, size_t size,
			  uint64_t first)
{
	char path[PATH_SIZE];
	uint64_t begun;
	uint64_t ended;

	(void)size;
	entry_path(bench, side, first + (uint64_t)i, path);
	begun = now_ns();
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != ENOENT)
		give_up("%s should not be there: %s", path, strerror(errno));
	ended = now_ns();
	return ended - begun;
}

/* The median of `count` operations. */
static uint64_t round_run(struct bench *bench, bench_fn *fn, int side,
			  int count, size_t size, uint64_t first)
{
	static uint64_t times[FILES_MAX];

	for (int i = 0; i < count; i++)
		times[i] = fn(bench, side, i, size, first);
	return median(times, count);
}

static void size_print(size_t size)
{
	if (size == 0)
		printf("%-8s", "");
	else if (size < SIZE_MAX_BYTES)
		printf("%4zu KiB", size / 1024);
	else
		printf("%4zu MiB", size / SIZE_MAX_BYTES);
}

/* One row of the table. `results` is sorted by this. */
static void row_print(const char *what, size_t size,
		      uint64_t results[SIDES][ROUNDS_MAX], int rounds)
{
	double middle[SIDES];
	char range[64];

	printf("%-22s ", what);
	size_print(size);
	for (int side = 0; side < SIDES; side++) {
		middle[side] = (double)median(results[side], rounds) / 1000;
		(void)snprintf(range, sizeof(range), "(%.1f to %.1f)",
			       (double)results[side][0] / 1000,
			       (double)results[side][rounds - 1] / 1000);
		printf("  %8.1f %-20s", middle[side], range);
	}
	printf(" %5.2f\n", middle[0] / middle[1]);
	(void)fflush(stdout);
}

/*
 * Rounds of `fn` on both sides in turn, and a row for them. Every round has
 * names of its own if `fresh`; otherwise all have those from `first` on.
 */
static void bench_rounds(struct bench *bench, const char *what, bench_fn *fn,
			 int count, size_t size, uint64_t first, bool fresh)
{
	uint64_t results[SIDES][ROUNDS_MAX];

	for (int round = 0; round < bench->rounds; round++) {
		uint64_t names =
			first + (fresh ? (uint64_t)round * FILES_MAX : 0);

		for (int turn = 0; turn < SIDES; turn++) {
			int side = (round + turn) % SIDES;

			(void)usleep(SETTLE_US);
			results[side][round] =
				round_run(bench, fn, side, count, size, names);
		}
	}
	row_print(what, size, results, bench->rounds);
}

/* Names for all rounds of one row. */
static uint64_t bench_names(struct bench *bench)
{
	uint64_t first = bench->serial;

	bench->serial += (uint64_t)ROUNDS_MAX * FILES_MAX;
	return first;
}

static void bench_hot(struct bench *bench, size_t size, int count)
{
	uint64_t first = bench_names(bench);

	for (int side = 0; side < SIDES; side++) {
		for (int i = 0; i < count; i++)
			entry_add(bench, side, first + (uint64_t)i, size);
		entries_verify(bench, side, count, size, first);
	}
	bench_rounds(bench, "open fstat read close", time_read, count, size,
		     first, false);
	for (int side = 0; side < SIDES; side++) {
		entries_verify(bench, side, count, size, first);
		for (int i = 0; i < count; i++)
			(void)time_unlink(bench, side, i, size, first);
	}
}

static void bench_change(struct bench *bench, size_t size, int count)
{
	uint64_t first = bench_names(bench);

	bench_rounds(bench, "add (temp, rename)", time_add, count, size, first,
		     true);
	bench_rounds(bench, "unlink", time_unlink, count, size, first, true);
}

static void content_load(struct bench *bench, const char *path)
{
	struct stat st;
	uint8_t *content;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		give_up("cannot open %s: %s", path, strerror(errno));
	if (st.st_size < 2 * SIZE_MAX_BYTES)
		give_up("%s is too small: 2 MiB at least", path);
	content = malloc((size_t)st.st_size);
	bench->buffer = malloc(SIZE_MAX_BYTES + 1);
	if (!content || !bench->buffer)
		give_up("no memory");
	bench->content = content;
	while (bench->content_size < (size_t)st.st_size) {
		ssize_t got = read(fd, content + bench->content_size,
				   (size_t)st.st_size - bench->content_size);

		if (got <= 0)
			give_up("cannot read %s", path);
		bench->content_size += (size_t)got;
	}
	(void)close(fd);
}

int main(int argc, char **argv)
{
	struct bench bench = {.rounds = 15, .serial = 1};
	int scale = 1;

	if (argc > 1 && strcmp(argv[1], "--quick") == 0) {
		bench.rounds = 5;
		scale = 4;
		argc--;
		argv++;
	}
	if (argc != 4)
		give_up("usage: bench_files [--quick] CONTENT MOUNT PLAIN");
	content_load(&bench, argv[1]);
	bench.directory[0] = argv[2];
	bench.directory[1] = argv[3];

	printf("Microseconds per operation: median of %d rounds (and their "
	       "range), %s against %s.\n",
	       bench.rounds, side_names[0], side_names[1]);
	printf("%-31s %9s %19s  %8s %26s\n", "", side_names[0], "",
	       side_names[1], "ratio");
	bench_hot(&bench, 4 * 1024, 256 / scale);
	bench_hot(&bench, 32 * 1024, 64 / scale);
	bench_hot(&bench, SIZE_MAX_BYTES, 8 / scale);
	bench_rounds(&bench, "miss, new name", time_miss, 1024 / scale, 0,
		     bench_names(&bench), true);
	bench_rounds(&bench, "miss, same name again", time_miss, 256 / scale, 0,
		     bench_names(&bench), false);
	bench_change(&bench, 4 * 1024, 256 / scale);
	bench_change(&bench, 64 * 1024, 128 / scale);
	bench_change(&bench, SIZE_MAX_BYTES, 16 / scale);
	return 0;
}
