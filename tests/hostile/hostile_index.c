/* SPDX-License-Identifier: MIT */
/*
 * The data file of LMDB, damaged at random. LMDB does not check its pages, so
 * that a damaged one may end the process or keep it busy for ever: how often is
 * measured and told, and fails nothing. What is read is right all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "must.h"
#include "mutate.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum {
	ENTRIES = 40,
	TRIALS = 300,
	DEEP_TRIALS = 60000,
	HANG_S = 5,
	BLOCK = 32,
};

static uint8_t *contents[ENTRIES];
static size_t sizes[ENTRIES];

/* Half of them small, and sizes that one flipped bit makes 0. */
static void model_new(const char *path)
{
	struct box box;

	box_open(&box, path, "ns");
	for (unsigned i = 0; i < ENTRIES; i++) {
		sizes[i] = (size_t)1 << (i % 17);
		contents[i] = sample_new(i % 3 ? SAMPLE_TEXT : SAMPLE_NOISE, i,
					 sizes[i]);
		box_add(&box, name_of(i), contents[i], sizes[i]);
	}
	box_close(&box);
}

static int list_one(void *cookie, const char *path,
		    const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	(void)path;
	(void)attr;
	return ++*count > 10000;
}

/* Exit status: 0 all right, 1 some right, 2 refused, 3 wrong bytes. */
static int use(const char *path, unsigned flags)
{
	struct box box;
	unsigned right = 0;
	unsigned count = 0;

	if (cubby_open(path, flags, &box.store) < 0)
		return 2;
	MUST_DO(cubby_ns_open(box.store, "ns", &box.ns));
	for (unsigned i = 0; i < ENTRIES; i++) {
		uint8_t *data;
		size_t size;

		if (box_get(&box, name_of(i), &data, &size) < 0)
			continue;
		if (size != sizes[i] || memcmp(data, contents[i], size) != 0)
			return 3;
		free(data);
		right++;
	}
	(void)!cubby_list(box.ns, list_one, &count);
	for (unsigned i = 0; i < ENTRIES && !(flags & CUBBY_READ_ONLY); i++)
		(void)!box_try_add(&box, name_of(ENTRIES + i), contents[i],
				   sizes[i]);
	if (!(flags & CUBBY_READ_ONLY))
		(void)!cubby_delete_name(box.ns, name_of(1));
	cubby_ns_close(box.ns);
	cubby_close(box.store);
	return right == ENTRIES ? 0 : 1;
}

/* Damage where there is something: the file is longer than its pages. */
static size_t damage(uint64_t *state, uint8_t *bytes, size_t size)
{
	for (size_t n = 1 + chance_below(state, 4); n > 0; n--) {
		size_t at = 0;

		for (unsigned i = 0; i < 1000; i++) {
			at = chance_below(state, size / BLOCK) * BLOCK;
			for (size_t k = 0; k < BLOCK; k++)
				if (bytes[at + k])
					i = 1000;
		}
		if (chance(state) & 1)
			bytes[at + chance_below(state, BLOCK)] ^=
				(uint8_t)(1 << chance_below(state, 8));
		else
			(void)mutate(state, bytes + at, BLOCK, BLOCK,
				     (struct donor){bytes, size});
	}
	if (chance_below(state, 16) == 0)
		size = chance_below(state, size);
	return size;
}

struct outcomes {
	unsigned all;
	unsigned some;
	unsigned refused;
	unsigned crashed;
	unsigned hung;
};

/* Use the store at `path` in a process of its own. */
static void try_it(const char *path, unsigned flags, unsigned trial,
		   struct outcomes *outcomes)
{
	pid_t pid = fork_child();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(null, 2); /* LMDB says what it asserts */
		(void)alarm(HANG_S);
		_exit(use(path, flags));
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		outcomes->hung++;
	else if (WIFSIGNALED(status))
		outcomes->crashed++;
	else if (WEXITSTATUS(status) == 0)
		outcomes->all++;
	else if (WEXITSTATUS(status) == 1)
		outcomes->some++;
	else if (WEXITSTATUS(status) == 2)
		outcomes->refused++;
	else
		must_fail(__FILE__, __LINE__, "WRONG BYTES: trial %u", trial);
}

static void tell(const char *what, const struct outcomes *outcomes)
{
	printf("# %s: %u served all, %u some, %u were refused, "
	       "%u ended the process, %u kept it busy\n",
	       what, outcomes->all, outcomes->some, outcomes->refused,
	       outcomes->crashed, outcomes->hung);
}

int main(int argc, char **argv)
{
	const char *deep = getenv("DEEP");
	const unsigned trials = argc > 1 ? (unsigned)atoi(argv[1])
				: deep	 ? DEEP_TRIALS
					 : TRIALS;
	struct outcomes reading = {0};
	struct outcomes writing = {0};
	char *path;
	char *good;
	char *file;
	uint8_t *bytes;
	size_t size;

	printf("1..1\n");
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
	good = scratch_path("good");
	path = scratch_path("store");
	file = text_new("%s/index/data.mdb", path);
	model_new(good);
	for (unsigned n = 0; n < trials; n++) {
		uint64_t state = (uint64_t)n << 20;

		shell_do("rm -rf '%s' && cp -a '%s' '%s'", path, good, path);
		bytes = file_read(file, &size);
		MUST(bytes != NULL);
		file_write(file, bytes, damage(&state, bytes, size));
		free(bytes);
		if (n % 2)
			try_it(path, 0, n, &writing);
		else
			try_it(path, CUBBY_READ_ONLY, n, &reading);
	}
	tell("reading damaged data files", &reading);
	tell("reading and writing them", &writing);
	MUST(reading.some > 0 && writing.some > 0);
	printf("ok - a damaged data file gives no wrong byte\n");
	for (unsigned i = 0; i < ENTRIES; i++)
		free(contents[i]);
	free(good);
	free(file);
	free(path);
	scratch_end();
	return 0;
}
