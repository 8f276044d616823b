/* SPDX-License-Identifier: MIT */
/*
 * Processes write entries under their final names and are killed in the middle:
 * whatever is there afterwards is whole. While they write and die, others look
 * and see nothing else either.
 */
#include <fcntl.h>
#include <signal.h>
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
	WRITERS_QUICK = 500,
	WRITERS_DEEP = 20000,
	AT_ONCE = 4,
	NAMES = 200, /* that all of them write */
	RUN_MAX_MS = 30,
	PIECE = 4096,
	LAG_MS = 1500,
};

/* What the processes share. */
struct board {
	_Atomic uint64_t version; /* the last that was begun */
	_Atomic uint64_t closed;
	_Atomic uint64_t looks;
	_Atomic bool is_over;
};

/* Write entries until killed; each name is written by one at a time, because
 * two who write a file at once mix their bytes on any file system. */
_Noreturn static void write_on(const char *at, unsigned lane,
			       struct board *board)
{
	unsigned seed = (unsigned)getpid();

	for (;;) {
		const unsigned key =
			(unsigned)rand_r(&seed) % (NAMES / AT_ONCE);
		char *path =
			text_new("%s/%s", at, name_of(key * AT_ONCE + lane));
		size_t size;
		uint64_t *content = version_new(++board->version, &size);
		const uint8_t *bytes = (const uint8_t *)content;
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

		MUST(fd >= 0);
		for (size_t i = 0; i < size; i += PIECE) {
			const size_t part = size - i < PIECE ? size - i : PIECE;

			MUST_BE(write(fd, bytes + i, part), part);
		}
		MUST(close(fd) == 0);
		board->closed++;
		free(content);
		free(path);
	}
}

/* Returns how many there are; each must be whole. */
static unsigned look(const struct box *box)
{
	unsigned count = 0;

	for (unsigned i = 0; i < NAMES; i++) {
		uint8_t *got;
		size_t size;
		int r = box_get(box, name_of(i), &got, &size);

		if (r == -ENOENT)
			continue;
		MUST_DO(r);
		(void)version_check(got, size);
		free(got);
		count++;
	}
	return count;
}

_Noreturn static void look_on(const char *store, struct board *board)
{
	struct box box;

	box_open(&box, store, "");
	while (!board->is_over) {
		(void)look(&box);
		board->looks++;
	}
	_exit(0);
}

static void storm(const struct mounted *mounted, struct board *board)
{
	const unsigned wanted = often(WRITERS_QUICK, WRITERS_DEEP);
	const int64_t begin_ms = now_ms();
	unsigned writers = 0;
	pid_t looker = fork_child();
	unsigned seed = 7;
	unsigned count;
	struct box box;

	if (looker == 0)
		look_on(mounted->store, board);
	for (; storm_goes_on(writers, wanted, begin_ms); writers += AT_ONCE) {
		pid_t pids[AT_ONCE];

		for (unsigned i = 0; i < AT_ONCE; i++) {
			pids[i] = fork_child();
			if (pids[i] == 0)
				write_on(mounted->at, i, board);
		}
		pause_ms(rand_r(&seed) % RUN_MAX_MS);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			int status;

			MUST(kill(pids[i], SIGKILL) == 0);
			MUST(waitpid(pids[i], &status, 0) == pids[i]);
			MUST(WIFSIGNALED(status));
		}
	}
	pause_ms(LAG_MS);
	board->is_over = true;
	child_must_succeed(looker);
	box_open(&box, mounted->store, "");
	count = look(&box);
	MUST_BE(box_stats(&box).entries, count);
	MUST_BE(box_stats(&box).plain_files, 0);
	MUST_BE(box_stats(&box).quarantined, 0);
	/* Nothing is left of what they had begun. */
	for (unsigned i = 0; i < NAMES; i++) {
		char *path = text_new("%s/%s", mounted->at, name_of(i));
		size_t size;
		uint8_t *got = file_read(path, &size);

		if (!got && errno != ENOENT)
			must_fail(__FILE__, __LINE__, "read: %s",
				  strerror(errno));
		if (got)
			(void)version_check(got, size);
		MUST((got == NULL) == box_misses(&box, name_of(i)));
		free(got);
		free(path);
	}
	box_close(&box);
	MUST(board->closed > writers / 10 && board->looks > 0);
	printf("ok - of writers that are killed nothing is ever seen in part\n"
	       "# %u of %u killed, %lu files closed before, looked at %lu "
	       "times, %u "
	       "entries\n",
	       writers, wanted, board->closed, board->looks, count);
}

int main(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *refusal = mounted_refusal();
	char *store = scratch_path("store");
	struct mounted mounted;

	MUST(board != MAP_FAILED);
	if (!refusal)
		refusal = end_refusal();
	if (refusal) {
		printf("ok - writers that are killed # SKIP %s\n", refusal);
		return 0;
	}
	mounted_start(&mounted, store, NULL);
	storm(&mounted, board);
	mounted_stop(&mounted);
	printf("ok - the mount still ends cleanly\n");
	free(store);
	scratch_end();
	return 0;
}
