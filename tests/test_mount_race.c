/* SPDX-License-Identifier: MIT */
/*
 * Many processes on one mount, and the library beside it, add, replace, read
 * and remove the same entries. Whatever is read is one version, whole. Then
 * the daemon is killed under such a load, again and again: what a rename had
 * published is there afterwards, and nobody hangs.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"

enum {
	WORKERS = 5, /* the last one uses the library */
	KEYS = 5,
	OWN_KEYS = 20,
	RUN_MS = 4000,
	KILLS = 12,
	KILL_AFTER_MS = 250,
	SIZE_MAX_BYTES = 300000,
};

/* What the processes share. */
struct board {
	_Atomic uint64_t reads;
	_Atomic uint64_t adds;
	/* Of the keys that only one worker writes: the last version whose
	 * rename has come back, and the last one that was begun. */
	_Atomic uint32_t done[WORKERS][OWN_KEYS];
	_Atomic uint32_t begun[WORKERS][OWN_KEYS];
};

/* A version is a number; its content is that number again and again, in as
 * many words as the number says. */
static size_t version_size(uint64_t version)
{
	return (size_t)(1 + version * 7919 % (SIZE_MAX_BYTES / 8)) * 8;
}

static uint64_t *version_new(uint64_t version)
{
	size_t words = version_size(version) / 8;
	uint64_t *content = malloc(words * 8);

	MUST(content != NULL);
	for (size_t i = 0; i < words; i++)
		content[i] = version;
	return content;
}

static void version_check(const uint8_t *got, size_t size)
{
	uint64_t first;
	uint64_t word;

	MUST(size >= 8);
	memcpy(&first, got, 8);
	MUST_BE(size, version_size(first));
	for (size_t at = 0; at < size; at += 8) {
		memcpy(&word, got + at, 8);
		if (word != first)
			must_fail(__FILE__, __LINE__,
				  "version %" PRIu64 " at 0, %" PRIu64
				  " at %zu of %zu",
				  first, word, at, size);
	}
}

static char *path_of(const struct mounted *mounted, const char *name)
{
	return text_new("%s/%s", mounted->at, name);
}

/* Write under a name of one's own and rename. Returns 0 or -1 with errno. */
static int put(const struct mounted *mounted, unsigned worker, const char *name,
	       uint64_t version)
{
	char *temp = text_new("%s/worker%u.tmp", mounted->at, worker);
	char *path = path_of(mounted, name);
	uint64_t *content = version_new(version);
	size_t size = version_size(version);
	FILE *file = fopen(temp, "we");
	int r = -1;

	if (file) {
		r = fwrite(content, 1, size, file) == size ? 0 : -1;
		if (fclose(file) != 0)
			r = -1;
	}
	if (r == 0)
		r = rename(temp, path);
	free(content);
	free(path);
	free(temp);
	return r;
}

static void read_one(const struct mounted *mounted, const char *name,
		     struct board *board)
{
	char *path = path_of(mounted, name);
	size_t size;
	uint8_t *got = file_read(path, &size);

	if (!got && errno != ENOENT)
		must_fail(__FILE__, __LINE__, "read: %s", strerror(errno));
	if (got) {
		version_check(got, size);
		atomic_fetch_add(&board->reads, 1);
	}
	free(got);
	free(path);
}

static void mount_worker(const struct mounted *mounted, unsigned worker,
			 struct board *board)
{
	int64_t end = now_ms() + RUN_MS;
	unsigned seed = worker + 1;
	uint64_t version = (uint64_t)worker << 32;

	while (now_ms() < end) {
		const char *name = name_of((unsigned)rand_r(&seed) % KEYS);
		unsigned what = (unsigned)rand_r(&seed) % 10;
		char *path = path_of(mounted, name);

		if (what < 3) {
			MUST(put(mounted, worker, name, ++version) == 0);
			atomic_fetch_add(&board->adds, 1);
		} else if (what == 3) {
			MUST(unlink(path) == 0 || errno == ENOENT);
		} else {
			read_one(mounted, name, board);
		}
		free(path);
	}
}

static void library_worker(const char *store, struct board *board)
{
	int64_t end = now_ms() + RUN_MS;
	uint64_t version = (uint64_t)WORKERS << 32;
	unsigned seed = WORKERS;
	struct box box;

	box_open(&box, store, "");
	while (now_ms() < end) {
		const char *name = name_of((unsigned)rand_r(&seed) % KEYS);
		unsigned what = (unsigned)rand_r(&seed) % 10;
		uint8_t *got;
		size_t size;
		int r;

		if (what < 3) {
			uint64_t *content = version_new(++version);

			box_add(&box, name, content, version_size(version));
			atomic_fetch_add(&board->adds, 1);
			free(content);
		} else if (what == 3) {
			box_delete(&box, name);
		} else {
			r = box_get(&box, name, &got, &size);
			if (r == 0) {
				version_check(got, size);
				free(got);
			} else {
				MUST_BE(r, -ENOENT);
			}
		}
		pause_ms(1);
	}
	box_close(&box);
}

static void race(const struct mounted *mounted, struct board *board)
{
	pid_t pids[WORKERS];
	struct box box;

	for (unsigned i = 0; i < WORKERS; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			if (i == WORKERS - 1)
				library_worker(mounted->store, board);
			else
				mount_worker(mounted, i, board);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < WORKERS; i++)
		child_must_succeed(pids[i]);
	MUST(board->reads > 50 && board->adds > 50);
	box_open(&box, mounted->store, "");
	MUST(box_stats(&box).entries <= KEYS);
	MUST_BE(box_stats(&box).plain_files, 0);
	MUST_BE(box_stats(&box).quarantined, 0);
	MUST(WITHIN_MS(5000, box_stats(&box).displaced == 0));
	box_close(&box);
	printf("ok - readers on the mount always get one whole version\n"
	       "# %" PRIu64 " reads, %" PRIu64 " adds\n",
	       board->reads, board->adds);
}

/* Add until the mount dies. */
static void doomed_worker(const struct mounted *mounted, unsigned worker,
			  struct board *board)
{
	unsigned seed = (unsigned)getpid();

	for (;;) {
		unsigned key = (unsigned)rand_r(&seed) % OWN_KEYS;
		uint32_t version = board->begun[worker][key] + 1;
		char *direct =
			text_new("%s/%s", mounted->at, name_of(9000 + worker));

		atomic_store(&board->begun[worker][key], version);
		if (put(mounted, worker, name_of(1000 + worker * 100 + key),
			version) != 0)
			_exit(0);
		atomic_store(&board->done[worker][key], version);
		/* Creating by the final name is what may wait for a daemon
		 * that is gone. */
		FILE *file = fopen(direct, "we");
		if (!file)
			_exit(0);
		(void)fputs("direct", file);
		(void)fclose(file);
		free(direct);
	}
}

static void survivors_check(const struct mounted *mounted, struct board *board)
{
	struct box box;

	box_open(&box, mounted->store, "");
	for (unsigned i = 0; i < (WORKERS - 1) * OWN_KEYS; i++) {
		unsigned worker = i / OWN_KEYS;
		unsigned key = i % OWN_KEYS;
		uint32_t done = board->done[worker][key];
		uint8_t *got;
		uint64_t version;
		size_t size;
		int r = box_get(&box, name_of(1000 + worker * 100 + key), &got,
				&size);

		if (r == -ENOENT && done == 0)
			continue;
		MUST_DO(r);
		version_check(got, size);
		memcpy(&version, got, 8);
		MUST(version == done || version == board->begun[worker][key]);
		free(got);
	}
	MUST_BE(box_stats(&box).quarantined, 0);
	box_close(&box);
}

static void kill_under_load(struct mounted *mounted, struct board *board)
{
	pid_t pids[WORKERS - 1];

	for (unsigned i = 0; i < WORKERS - 1; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0)
			doomed_worker(mounted, i, board);
	}
	pause_ms(KILL_AFTER_MS);
	MUST(kill(mounted->pid, SIGKILL) == 0);
	MUST_BE(mounted_wait(mounted), 128 + SIGKILL);
	for (unsigned i = 0; i < WORKERS - 1; i++) {
		int status;
		pid_t ended = 0;

		if (!WITHIN_MS(10000, (ended = waitpid(pids[i], &status,
						       WNOHANG)) != 0))
			must_fail(__FILE__, __LINE__,
				  "a process hangs on the dead mount");
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	mounted_restart(mounted);
	survivors_check(mounted, board);
}

int main(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *refusal = mounted_refusal();
	struct mounted mounted;
	char *store;

	if (refusal) {
		printf("ok - a race on the mount # SKIP %s\n", refusal);
		return 0;
	}
	MUST(board != MAP_FAILED);
	store = scratch_path("store");
	mounted_start(&mounted, store, NULL);
	race(&mounted, board);
	for (unsigned i = 0; i < KILLS; i++)
		kill_under_load(&mounted, board);
	printf("ok - a daemon that is killed under load loses nothing that a "
	       "rename published\n");
	mounted_stop(&mounted);
	printf("ok - the mount still ends cleanly\n");
	free(store);
	scratch_end();
	return 0;
}
