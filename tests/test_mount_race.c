/* SPDX-License-Identifier: MIT */
/*
 * Processes on a mount, on another mount of the same store, and with the
 * library add, replace, remove and read the same entries, by all the ways in
 * which tools write files. Whatever is read is one version, whole.
 *
 * Who writes under the final name is seen at work on his own mount, as on any
 * file system: so those entries are only read elsewhere.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "deep.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"
#include "version.h"

enum {
	READS_QUICK = 1000000,
	READS_DEEP = 30000000,
	WRITERS = 2,
	RENAMED = 4, /* the first keys: anybody's */
	DIRECT = 3,  /* the next ones: so many for each writer */
	KEYS = RENAMED + WRITERS * DIRECT,
};

/* What the processes share. */
struct board {
	_Atomic uint64_t reads; /* of all */
	_Atomic uint64_t reads_by_mount[2];
	_Atomic uint64_t adds[7]; /* one for each way */
	unsigned target;
	int64_t begin_ms;
};

static bool is_done(const struct board *board)
{
	return !storm_goes_on((unsigned)board->reads, board->target,
			      board->begin_ms);
}

/* ---------------------------------------------------------------- writing */

struct write {
	const struct mounted *mount;
	const char *path; /* of the entry */
	const uint8_t *data;
	size_t size;
	unsigned writer;
};

/* With time to look at half of it, once in a while. */
static void put_all(int fd, const struct write *write_)
{
	const size_t half = write_->size / 2;

	MUST_BE(write(fd, write_->data, half), half);
	pause_ms(write_->size % 3 == 0);
	MUST_BE(write(fd, write_->data + half, write_->size - half),
		write_->size - half);
}

static void by_rename(const struct write *write)
{
	char *temp = text_new("%s/%u.tmp", write->mount->at, write->writer);

	file_write(temp, write->data, write->size);
	MUST(rename(temp, write->path) == 0);
	free(temp);
}

static int open_final(const struct write *write)
{
	int fd =
		open(write->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	return fd;
}

static void by_close(const struct write *write)
{
	int fd = open_final(write);

	put_all(fd, write);
	MUST(close(fd) == 0);
}

static void by_dup(const struct write *write)
{
	int fd = open_final(write);
	int copy = dup(fd);

	MUST(copy >= 0 && close(fd) == 0);
	put_all(copy, write);
	MUST(close(copy) == 0);
}

/* The child closes it last, by its end. */
static void by_child(const struct write *write)
{
	int fd = open_final(write);
	pid_t pid = fork_child();

	if (pid == 0) {
		put_all(fd, write);
		_exit(0);
	}
	MUST(close(fd) == 0);
	child_must_succeed(pid);
}

static void by_shell(const struct write *write)
{
	char *source = scratch_path("source%u", write->writer);

	file_write(source, write->data, write->size);
	shell_do("cat '%s' >'%s'", source, write->path);
	free(source);
}

static void by_mapping(const struct write *write)
{
	int fd = open_final(write);
	uint8_t *bytes;

	MUST(ftruncate(fd, (off_t)write->size) == 0);
	bytes = mmap(NULL, write->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     0);
	MUST(bytes != MAP_FAILED && close(fd) == 0);
	memcpy(bytes, write->data, write->size / 2);
	pause_ms(write->size % 3 == 0);
	memcpy(bytes, write->data, write->size);
	MUST(munmap(bytes, write->size) == 0);
}

static void (*const ways[])(const struct write *) = {
	by_rename, by_close, by_dup, by_child, by_mapping, by_shell,
};
enum { WAYS = sizeof(ways) / sizeof(*ways), BY_LIBRARY = WAYS };

static void writer_run(const struct mounted *mount, unsigned writer,
		       struct board *board)
{
	uint64_t version = (uint64_t)(writer + 1) << 32;
	unsigned seed = writer + 1;

	for (unsigned i = 0; !is_done(board); i++) {
		const unsigned way = i % (2 * WAYS) < WAYS ? 0 : i % WAYS;
		const unsigned key =
			way == 0 ? (unsigned)rand_r(&seed) % RENAMED
				 : RENAMED + writer * DIRECT +
					   (unsigned)rand_r(&seed) % DIRECT;
		char *path = text_new("%s/%s", mount->at, name_of(key));
		size_t size;
		uint64_t *content = version_new(++version, &size);

		if (rand_r(&seed) % 8 == 0)
			MUST(unlink(path) == 0 || errno == ENOENT);
		ways[way](&(struct write){mount, path, (uint8_t *)content, size,
					  writer});
		board->adds[way]++;
		free(content);
		free(path);
		pause_ms(rand_r(&seed) % 4); /* most of the time is to read */
	}
}

/* ---------------------------------------------------------------- reading */

static void reader_run(const struct mounted *mount, unsigned keys,
		       _Atomic uint64_t *reads, struct board *board)
{
	unsigned seed = keys;

	while (!is_done(board)) {
		const unsigned key = (unsigned)rand_r(&seed) % keys;
		char *path = text_new("%s/%s", mount->at, name_of(key));
		size_t size;
		uint8_t *got = file_read(path, &size);

		if (!got && errno != ENOENT)
			must_fail(__FILE__, __LINE__, "read: %s",
				  strerror(errno));
		if (got)
			(void)version_check(got, size);
		board->reads += got != NULL;
		*reads += got != NULL;
		free(got);
		free(path);
	}
}

static void library_run(const char *store, struct board *board)
{
	uint64_t version = (uint64_t)(WRITERS + 1) << 32;
	unsigned seed = KEYS;
	struct box box;

	box_open(&box, store, "");
	for (unsigned i = 0; !is_done(board); i++) {
		const unsigned key = (unsigned)rand_r(&seed) % KEYS;
		uint64_t *content;
		uint8_t *got;
		size_t size;
		int r = box_get(&box, name_of(key), &got, &size);

		if (r == 0) {
			(void)version_check(got, size);
			free(got);
			board->reads++;
		} else {
			MUST_BE(r, -ENOENT);
		}
		if (i % 1000 != 0 || key >= RENAMED)
			continue;
		content = version_new(++version, &size);
		box_add(&box, name_of(key), content, size);
		board->adds[BY_LIBRARY]++;
		free(content);
	}
	box_close(&box);
}

/* ------------------------------------------------------------------- race */

/* Run as worker number `i`. */
static void work(unsigned i, const struct mounted mounts[2],
		 struct board *board)
{
	if (i < WRITERS)
		writer_run(&mounts[0], i, board);
	else if (i == WRITERS)
		reader_run(&mounts[0], RENAMED, &board->reads_by_mount[0],
			   board);
	else if (i == WRITERS + 1)
		reader_run(&mounts[1], KEYS, &board->reads_by_mount[1], board);
	else
		library_run(mounts[0].store, board);
}

static void race(const struct mounted mounts[2], struct board *board)
{
	pid_t pids[WRITERS + 3];
	struct box box;

	for (unsigned i = 0; i < WRITERS + 3; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			work(i, mounts, board);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < WRITERS + 3; i++)
		child_must_succeed(pids[i]);
	box_open(&box, mounts[0].store, "");
	MUST(WITHIN_MS(5000, box_stats(&box).displaced == 0));
	MUST(box_stats(&box).entries <= KEYS);
	MUST_BE(box_stats(&box).plain_files, 0);
	MUST_BE(box_stats(&box).quarantined, 0);
	box_close(&box);
	printf("ok - readers always get one whole version\n# %" PRIu64
	       " reads, %" PRIu64 " and %" PRIu64 " through mounts; adds:",
	       board->reads, board->reads_by_mount[0],
	       board->reads_by_mount[1]);
	for (unsigned i = 0; i < 2; i++)
		MUST(board->reads_by_mount[i] > board->reads / 50);
	for (unsigned i = 0; i <= WAYS; i++) {
		MUST(board->adds[i] > 0);
		printf(" %" PRIu64, board->adds[i]);
	}
	printf("\n");
}

int main(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *refusal = mounted_refusal();
	struct mounted mounts[2];
	char *store;

	if (refusal) {
		printf("ok - a race on the mount # SKIP %s\n", refusal);
		return 0;
	}
	MUST(board != MAP_FAILED);
	board->target = often(READS_QUICK, READS_DEEP);
	board->begin_ms = now_ms();
	store = scratch_path("store");
	mounted_start(&mounts[0], store, NULL);
	mounted_start(&mounts[1], store, NULL);
	race(mounts, board);
	mounted_stop(&mounts[1]);
	mounted_stop(&mounts[0]);
	printf("ok - the mounts still end cleanly\n");
	free(store);
	scratch_end();
	return 0;
}
