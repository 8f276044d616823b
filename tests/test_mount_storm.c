/* SPDX-License-Identifier: MIT */
/*
 * The daemon is killed, again and again: without anything to do, under load,
 * and stopped. What a rename had published is there afterwards, nothing is
 * wrong in the store, nobody hangs, and a new mount works at once.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/upkeep.h"
#include "deep.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"
#include "version.h"

enum {
	STALE_QUICK = 500,
	STALE_DEEP = 20000,
	MOUNT_MS = 200, /* a new mount takes at most, on an idle machine */
	LOADED_QUICK = 1000,
	LOADED_DEEP = 30000,
	WORKERS = 4,
	KEYS = 20, /* of each worker */
	LOAD_MAX_MS = 20,
	/* A daemon that is killed while the kernel waits for it is freed half a
	 * second later: only so many rounds, and some others, do what leads to
	 * it. */
	DIRECT_EVERY = 10,
	HANG_MS = 20000,
	/* What killed mounts had open does not pile up. */
	DISPLACED_MAX = 1000,
};

/* Of the keys that only one worker writes: the last version whose rename has
 * come back, and the last one that was begun. */
struct board {
	volatile uint32_t done[WORKERS][KEYS];
	volatile uint32_t begun[WORKERS][KEYS];
};

static void kill_daemon(struct mounted *mounted)
{
	MUST(kill(mounted->pid, SIGKILL) == 0);
	MUST_BE(mounted_wait(mounted), 128 + SIGKILL);
}

static char *path_of(const struct mounted *mounted, unsigned key)
{
	return text_new("%s/%s", mounted->at, name_of(key));
}

/* Write under a name of one's own and rename. Returns 0 or -1. */
static int put(const struct mounted *mounted, unsigned key, uint64_t version)
{
	char *temp = text_new("%s/%u.tmp", mounted->at, key);
	char *path = path_of(mounted, key);
	size_t size;
	uint64_t *content = version_new(version, &size);
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

static bool has(const struct mounted *mounted, unsigned key, uint64_t version)
{
	char *path = path_of(mounted, key);
	size_t size;
	uint8_t *got = file_read(path, &size);
	bool same = got && version_check(got, size) == version;

	free(got);
	free(path);
	return same;
}

/* ------------------------------------------------------------------ stale */

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a;
	const int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* What it takes now to run the program for nothing. */
static int64_t program_ms(void)
{
	const char *argv[] = {program("CUBBYFS"), "--version", NULL};
	int64_t begin = now_ms();
	struct outcome outcome = run(argv, NULL, 0);

	MUST_BE(outcome.status, 0);
	outcome_free(&outcome);
	return now_ms() - begin;
}

static void mount_again(struct mounted *mounted)
{
	const unsigned wanted = often(STALE_QUICK, STALE_DEEP);
	const int64_t begin_ms = now_ms();
	int64_t *took = calloc(wanted, sizeof(*took));
	int64_t *program = calloc(wanted, sizeof(*program));
	unsigned rounds = 0;
	int64_t allowed;

	MUST(took && program);
	for (; storm_goes_on(rounds, wanted, begin_ms); rounds++) {
		const unsigned i = rounds;
		int64_t begin;

		MUST(put(mounted, 0, i) == 0);
		kill_daemon(mounted);
		program[i] = program_ms();
		begin = now_ms();
		mounted_restart(mounted);
		MUST(has(mounted, 0, i));
		took[i] = now_ms() - begin;
	}
	qsort(took, rounds, sizeof(*took), compare);
	qsort(program, rounds, sizeof(*program), compare);
	/* A machine with other work takes longer for everything. */
	allowed = MOUNT_MS + 10 * program[rounds / 2];
	printf("%s - a new mount works at once after each kill\n"
	       "# %u of %u kills: %" PRId64 " ms in the median, %" PRId64
	       " at most (the program alone: %" PRId64 ")\n",
	       took[rounds / 2] <= allowed ? "ok" : "not ok", rounds, wanted,
	       took[rounds / 2], took[rounds - 1], program[rounds / 2]);
	free(program);
	free(took);
}

/* ------------------------------------------------------------- under load */

/* Add until the mount dies. */
_Noreturn static void worker_run(const struct mounted *mounted, unsigned worker,
				 bool is_direct, struct board *board)
{
	unsigned seed = (unsigned)getpid();

	for (;;) {
		unsigned key = (unsigned)rand_r(&seed) % KEYS;
		uint32_t version = board->begun[worker][key] + 1;
		char *direct = path_of(mounted, 9000 + worker);
		FILE *file;

		board->begun[worker][key] = version;
		if (put(mounted, 1000 + worker * KEYS + key, version) != 0)
			_exit(0);
		board->done[worker][key] = version;
		file = is_direct ? fopen(direct, "we") : NULL;
		if (is_direct && !file)
			_exit(0);
		if (file) {
			(void)fputs("direct", file);
			(void)fclose(file);
		}
		free(direct);
	}
}

static int tell_finding(void *cookie, const struct cubby_verify_step *step)
{
	(void)cookie;
	if (step->finding != CUBBY_FOUND_NOTHING)
		printf("# finding %d: %s: %" PRIu64 ", counted %" PRIu64 "\n",
		       step->finding, step->path, step->kept, step->counted);
	return 0;
}

/* Nothing is wrong, and what was published is there. */
static void look(const char *store, const struct board *board)
{
	struct cubby_verify_summary summary;
	struct box box;

	box_open(&box, store, "");
	MUST_DO(cubby_verify(box.store, 0, tell_finding, NULL, &summary));
	MUST_BE(summary.findings, 0);
	for (unsigned i = 0; i < WORKERS * KEYS; i++) {
		uint32_t done = board->done[i / KEYS][i % KEYS];
		uint64_t version;
		uint8_t *got;
		size_t size;
		int r = box_get(&box, name_of(1000 + i), &got, &size);

		if (r == -ENOENT && done == 0)
			continue;
		MUST_DO(r);
		version = version_check(got, size);
		MUST(version >= done &&
		     version <= board->begun[i / KEYS][i % KEYS]);
		free(got);
	}
	MUST_BE(box_stats(&box).quarantined, 0);
	MUST(box_stats(&box).displaced < DISPLACED_MAX);
	box_close(&box);
}

static void workers_must_end(const pid_t pids[WORKERS])
{
	for (unsigned i = 0; i < WORKERS; i++) {
		int status;
		pid_t ended = 0;

		if (!WITHIN_MS(HANG_MS, (ended = waitpid(pids[i], &status,
							 WNOHANG)) != 0))
			must_fail(__FILE__, __LINE__,
				  "a process hangs on the dead mount");
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

static void kill_under_load(struct mounted *mounted)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const unsigned wanted = often(LOADED_QUICK, LOADED_DEEP);
	const int64_t begin_ms = now_ms();
	uint64_t versions = 0;
	unsigned round = 0;
	unsigned seed = 1;

	MUST(board != MAP_FAILED);
	for (; storm_goes_on(round, wanted, begin_ms); round++) {
		pid_t pids[WORKERS];

		for (unsigned i = 0; i < WORKERS; i++) {
			pids[i] = fork_child();
			if (pids[i] == 0)
				worker_run(mounted, i,
					   round % DIRECT_EVERY == 0, board);
		}
		pause_ms(rand_r(&seed) % LOAD_MAX_MS);
		kill_daemon(mounted);
		workers_must_end(pids);
		look(mounted->store, board);
		mounted_restart(mounted);
		MUST(put(mounted, 1, round) == 0 && has(mounted, 1, round));
	}
	for (unsigned i = 0; i < WORKERS * KEYS; i++)
		versions += board->done[i / KEYS][i % KEYS];
	MUST(versions > round);
	printf("ok - a daemon that is killed under load loses nothing that a "
	       "rename published\n# %u of %u kills, %" PRIu64 " adds\n",
	       round, wanted, versions);
	MUST(munmap(board, sizeof(*board)) == 0);
}

/* ---------------------------------------------------------------- stopped */

/* Ask the mount for `key` until it answers. */
static pid_t ask(const struct mounted *mounted, unsigned key, uint64_t version)
{
	pid_t pid = fork_child();

	if (pid == 0)
		_exit(has(mounted, key, version) ? 0 : 3);
	return pid;
}

static void stop_daemon(struct mounted *mounted)
{
	int status;

	MUST(kill(mounted->pid, SIGSTOP) == 0);
	MUST(waitpid(mounted->pid, &status, WUNTRACED) == mounted->pid);
	MUST(WIFSTOPPED(status));
}

/* A daemon that does not answer holds back who asks it, and nobody else. */
static void stop_and_go(struct mounted *mounted)
{
	struct mounted other;
	struct box box;
	size_t size;
	uint64_t *content = version_new(77, &size);
	int status;
	pid_t asker;

	box_open(&box, mounted->store, "");
	stop_daemon(mounted);
	box_add(&box, name_of(2), content, size);
	box_add(&box, name_of(0), content, size); /* it holds the old one */
	box_delete(&box, name_of(1));
	MUST(box_has(&box, name_of(2), content, size));
	mounted_start(&other, mounted->store, NULL);
	MUST(has(&other, 2, 77) && has(&other, 0, 77));
	MUST(put(&other, 3, 78) == 0);
	mounted_stop(&other);
	asker = ask(mounted, 3, 78);
	pause_ms(100);
	MUST(waitpid(asker, &status, WNOHANG) == 0);
	MUST(kill(mounted->pid, SIGCONT) == 0);
	child_must_succeed(asker);
	MUST(WITHIN_MS(5000, has(mounted, 0, 77)));
	/* Whoever waits for one that does not go on can be killed, */
	stop_daemon(mounted);
	asker = ask(mounted, 4, 0);
	pause_ms(100);
	MUST(kill(asker, SIGKILL) == 0);
	MUST(waitpid(asker, &status, 0) == asker && WIFSIGNALED(status));
	/* or is told when that is. */
	asker = ask(mounted, 5, 0);
	pause_ms(100);
	kill_daemon(mounted);
	MUST(waitpid(asker, &status, 0) == asker && WIFEXITED(status));
	MUST_BE(WEXITSTATUS(status), 3);
	mounted_restart(mounted);
	MUST(has(mounted, 2, 77));
	/* What only the dead one held goes with somebody's next change. */
	MUST(WITHIN_MS(5000, (box_add(&box, name_of(5), "x", 1),
			      box_stats(&box).displaced == 0)));
	box_close(&box);
	free(content);
	printf("ok - a daemon that is stopped holds back only who asks it\n");
}

int main(void)
{
	const char *refusal = mounted_refusal();
	struct mounted mounted;
	char *store;

	if (refusal) {
		printf("ok - a storm of killed daemons # SKIP %s\n", refusal);
		return 0;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..4\n");
	store = scratch_path("store");
	mounted_start(&mounted, store, NULL);
	mount_again(&mounted);
	kill_under_load(&mounted);
	stop_and_go(&mounted);
	mounted_stop(&mounted);
	printf("ok - the mount still ends cleanly\n");
	free(store);
	scratch_end();
	return 0;
}
