/* SPDX-License-Identifier: MIT */
/*
 * A daemon that has been asked for ever more names is as small as before, and
 * one name that is replaced all the time never shows an old page again.
 *
 * The memory that counts is its own (RssAnon): the pages of the index that it
 * has mapped are the kernel's to take back.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "deep.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"
#include "version.h"

enum {
	LOOKUPS_QUICK = 1000000,
	LOOKUPS_DEEP = 50000000,
	ASKERS = 3,
	ROUND = 50000, /* lookups of all askers, */
	HITS = 1000,   /* of which so many find something */
	WARM_ROUNDS = 6,
	GROWTH_KB = 1024,
	REPLACED_QUICK = 10000,
	REPLACED_DEEP = 200000,
	READERS = 2,
	MAPPERS = 2,
	LAG_MS = 1500,
};

static char *path_of(const struct mounted *mounted, unsigned key)
{
	return text_new("%s/%s", mounted->at, name_of(key));
}

/* ----------------------------------------------------------------- growth */

struct size {
	long own_kb;
	unsigned fds;
};

static struct size size_of(pid_t pid)
{
	struct size size = {.own_kb = -1};
	char *status = text_new("/proc/%d/status", pid);
	char *fds = text_new("/proc/%d/fd", pid);
	char *text = (char *)file_read(status, NULL);
	DIR *dir = opendir(fds);

	MUST(text && dir);
	MUST(sscanf(strstr(text, "RssAnon:"), "RssAnon: %ld", &size.own_kb) ==
	     1);
	while (readdir(dir))
		size.fds++;
	(void)closedir(dir);
	free(text);
	free(fds);
	free(status);
	return size;
}

/* One asker's part of a round; the names are asked for once and never again. */
_Noreturn static void ask(const struct mounted *mounted, unsigned first,
			  unsigned asker)
{
	for (unsigned i = asker; i < ROUND; i += ASKERS) {
		char *path = path_of(mounted, first + i);

		if (i < HITS)
			MUST(access(path, F_OK) == 0);
		else
			MUST_FAIL(access(path, F_OK), ENOENT);
		free(path);
	}
	_exit(0);
}

static void ask_round(const struct mounted *mounted, const char *store,
		      unsigned round)
{
	const unsigned first = round * ROUND;
	pid_t pids[ASKERS];
	struct box box;

	box_open(&box, store, "");
	for (unsigned i = 0; i < HITS; i++)
		box_add(&box, name_of(first + i), &i, sizeof(i));
	box_close(&box);
	for (unsigned i = 0; i < ASKERS; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0)
			ask(mounted, first, i);
	}
	for (unsigned i = 0; i < ASKERS; i++)
		child_must_succeed(pids[i]);
	/* What the kernel knows it forgets when it is gone. */
	box_open(&box, store, "");
	for (unsigned i = 0; i < HITS; i++)
		box_delete(&box, name_of(first + i));
	MUST(WITHIN_MS(20000, box_stats(&box).displaced == 0));
	box_close(&box);
}

static bool is_back(pid_t pid, const struct size *before, struct size *ret_now)
{
	*ret_now = size_of(pid);
	return ret_now->own_kb <= before->own_kb + GROWTH_KB &&
	       ret_now->fds <= before->fds;
}

static void look_up_many(const char *store)
{
	const unsigned wanted = often(LOOKUPS_QUICK, LOOKUPS_DEEP) / ROUND;
	int64_t begin_ms;
	unsigned rounds = 0;
	struct mounted mounted;
	struct size before;
	struct size after;
	bool back;

	mounted_start(&mounted, store, NULL);
	/* Until it has as many threads as it will have, and each its heap. */
	for (unsigned round = 0; round < WARM_ROUNDS; round++)
		ask_round(&mounted, store, round);
	before = size_of(mounted.pid);
	begin_ms = now_ms();
	for (; storm_goes_on(rounds, wanted, begin_ms); rounds++)
		ask_round(&mounted, store, WARM_ROUNDS + rounds);
	back = WITHIN_MS(10000, is_back(mounted.pid, &before, &after));
	printf("%s - the daemon is as small as before after many lookups\n"
	       "# %u of %u lookups, %u hits: %ld KiB and %u descriptors, then "
	       "%ld KiB and %u\n",
	       back ? "ok" : "not ok", rounds * ROUND, wanted * ROUND,
	       rounds * HITS, before.own_kb, before.fds, after.own_kb,
	       after.fds);
	mounted_stop(&mounted);
}

/* ---------------------------------------------------------------- replace */

/* What the processes share. */
struct board {
	_Atomic uint64_t version; /* the last whose rename has come back */
	_Atomic uint64_t reads;
	_Atomic uint64_t maps;
	_Atomic bool is_over;
};

static void replace(const struct mounted *mounted, uint64_t version)
{
	char *temp = text_new("%s/next.tmp", mounted->at);
	char *path = path_of(mounted, 0);
	size_t size;
	uint64_t *content = version_new(version, &size);

	file_write(temp, content, size);
	MUST(rename(temp, path) == 0);
	free(content);
	free(path);
	free(temp);
}

_Noreturn static void read_on(const struct mounted *mounted,
			      struct board *board)
{
	char *path = path_of(mounted, 0);

	while (!board->is_over) {
		const uint64_t oldest = board->version;
		size_t size;
		uint8_t *got = file_read(path, &size);

		MUST(got != NULL);
		MUST(version_check(got, size) >= oldest);
		free(got);
		board->reads++;
	}
	_exit(0);
}

struct map {
	void *bytes;
	size_t size;
	uint64_t version;
};

static struct map map_new(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	struct map map;

	MUST(fd >= 0 && fstat(fd, &st) == 0);
	map.size = (size_t)st.st_size;
	map.bytes = mmap(NULL, map.size, PROT_READ, MAP_SHARED, fd, 0);
	MUST(map.bytes != MAP_FAILED && close(fd) == 0);
	return map;
}

/* Keeps some mappings; what was mapped stays as it was. */
_Noreturn static void map_on(const struct mounted *mounted, struct board *board)
{
	enum { KEPT = 8 };
	char *path = path_of(mounted, 0);
	struct map maps[KEPT] = {{0}};
	unsigned next = 0;

	while (!board->is_over) {
		struct map *map = &maps[next++ % KEPT];
		const uint64_t oldest = board->version;

		if (map->bytes) {
			MUST_BE(version_check(map->bytes, map->size),
				map->version);
			MUST(munmap(map->bytes, map->size) == 0);
		}
		*map = map_new(path);
		/* Half of them are looked at for the first time when they have
		 * long been replaced. */
		if (next % 2 == 0)
			pause_ms(5);
		map->version = version_check(map->bytes, map->size);
		MUST(map->version >= oldest);
		board->maps++;
	}
	_exit(0);
}

static void replace_often(const char *store)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const unsigned wanted = often(REPLACED_QUICK, REPLACED_DEEP);
	const int64_t begin_ms = now_ms();
	unsigned times = 0;
	pid_t pids[READERS + MAPPERS];
	struct mounted mounted;
	struct box box;
	uint64_t *content;
	size_t size;
	char *path;

	MUST(board != MAP_FAILED);
	mounted_start(&mounted, store, NULL);
	replace(&mounted, 1);
	for (unsigned i = 0; i < READERS + MAPPERS; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0 && i < READERS)
			read_on(&mounted, board);
		if (pids[i] == 0)
			map_on(&mounted, board);
	}
	for (; storm_goes_on(times, wanted, begin_ms); times++) {
		replace(&mounted, times + 2);
		board->version = times + 2;
	}
	board->is_over = true;
	for (unsigned i = 0; i < READERS + MAPPERS; i++)
		child_must_succeed(pids[i]);
	/* And what another process puts there is seen soon. */
	box_open(&box, store, "");
	path = path_of(&mounted, 0);
	for (uint64_t version = 1; version <= 20; version++) {
		content = version_new(version, &size);
		box_add(&box, name_of(0), content, size);
		MUST(WITHIN_MS(LAG_MS, file_is(path, content, size)));
		free(content);
	}
	box_close(&box);
	MUST(board->reads > times / 10 && board->maps > times / 100);
	printf("ok - an entry that is replaced all the time is never old or "
	       "mixed\n# %u of %u times, %" PRIu64 " reads, %" PRIu64
	       " mappings\n",
	       times, wanted, board->reads, board->maps);
	mounted_stop(&mounted);
	free(path);
}

int main(void)
{
	const char *refusal = mounted_refusal();
	char *store = scratch_path("store");

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (refusal) {
		printf("ok - no growth of a mount # SKIP %s\n", refusal);
		return 0;
	}
	printf("1..2\n");
	look_up_many(store);
	replace_often(store);
	free(store);
	scratch_end();
	return 0;
}
