/* SPDX-License-Identifier: MIT */
/*
 * One round of one file operation in one directory, whatever is mounted there.
 * It only makes system calls: what it measures is what a client would see.
 * bench.h says how it is called and what it prints.
 *
 * "fill" and "verify" are there to prepare and to check, not to be timed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

enum { PATH_SIZE = 4096, PAGE = 4096 };

/* The entry that the operation is about. */
static char path[PATH_SIZE];
static char temporary[PATH_SIZE + 32];
static uint8_t *buffer; /* of the task's size, and one byte */
static size_t got;	/* bytes that were read */
static uint8_t *map;
static size_t touched; /* the offset in the map */

__attribute__((noreturn)) static void fail(const char *what, const char *name)
{
	bench_give_up("cannot %s %s: %s", what, name, strerror(errno));
}

static void name_it(const struct task *task, uint64_t number)
{
	uint8_t key[BENCH_KEY_SIZE];
	char name[BENCH_NAME_SIZE];

	bench_key(number, key);
	bench_name(key, name);
	if (snprintf(path, sizeof(path), "%s/%s", task->dir, name) >= PATH_SIZE)
		bench_give_up("the path of %s is too long", task->dir);
	(void)snprintf(temporary, sizeof(temporary), "%s.%ju.tmp", path,
		       (uintmax_t)number);
}

/* open, fstat, read all, close. */
static void hit(const struct task *task, uint64_t number)
{
	struct stat st;
	ssize_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)number;
	if (fd < 0)
		fail("open", path);
	if (fstat(fd, &st) < 0)
		fail("stat", path);
	got = 0;
	do {
		size = read(fd, buffer + got, task->size + 1 - got);
		if (size < 0)
			fail("read", path);
		got += (size_t)size;
	} while (size > 0 && got < (size_t)st.st_size);
	(void)close(fd);
	if (st.st_size != (off_t)task->size)
		bench_give_up("%s has another size", path);
}

static void hit_check(const struct task *task, uint64_t number)
{
	(void)number;
	if (got != task->size)
		bench_give_up("%s was not read whole", path);
}

static void hit_verify(const struct task *task, uint64_t number)
{
	hit_check(task, number);
	if (memcmp(buffer, bench_slice(task, number, task->size), task->size) !=
	    0)
		bench_give_up("%s does not have the bytes that were written",
			      path);
}

static void miss(const struct task *task, uint64_t number)
{
	(void)task;
	(void)number;
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != ENOENT)
		bench_give_up("%s should not be there: %s", path,
			      strerror(errno));
}

static void add_before(const struct task *task, uint64_t number)
{
	name_it(task, number);
	memcpy(buffer, bench_slice(task, number, task->size), task->size);
}

/* Make a temporary file, write, close, rename: how clients add. */
static void add(const struct task *task, uint64_t number)
{
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	(void)number;
	if (fd < 0)
		fail("create", temporary);
	for (size_t done = 0; done < task->size;) {
		size_t left = task->size - done;
		size_t piece = left < task->piece ? left : task->piece;
		ssize_t size = write(fd, buffer + done, piece);

		if (size <= 0)
			fail("write", temporary);
		done += (size_t)size;
	}
	if (task->fsync && fsync(fd) < 0)
		fail("fsync", temporary);
	if (close(fd) < 0)
		fail("close", temporary);
	if (rename(temporary, path) < 0)
		fail("rename to", path);
}

static void add_whole(const struct task *task, uint64_t number)
{
	add_before(task, number);
	add(task, number);
}

static void remove_it(const struct task *task, uint64_t number)
{
	(void)task;
	(void)number;
	if (unlink(path) < 0)
		fail("unlink", path);
}

/* readdir and stat of everything in the directory. */
static void scan(const struct task *task, uint64_t number)
{
	DIR *dir = opendir(task->dir);
	const struct dirent *entry;
	struct stat st;

	(void)number;
	if (!dir)
		fail("open", task->dir);
	got = 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0)
			fail("stat", entry->d_name);
		got++;
	}
	(void)closedir(dir);
}

/* A scan is of `span` entries, and its figure is for one of them. */
static void scan_check(const struct task *task, uint64_t number)
{
	(void)number;
	if (got != task->span)
		bench_give_up("%s has %zu entries instead of %ju", task->dir,
			      got, (uintmax_t)task->span);
}

static void touch_before(const struct task *task, uint64_t number)
{
	int fd;

	name_it(task, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("open", path);
	map = mmap(NULL, task->size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("map", path);
	(void)close(fd);
	touched = (size_t)(number * 2654435761 % (task->size / PAGE)) * PAGE;
}

static void touch(const struct task *task, uint64_t number)
{
	(void)task;
	(void)number;
	got = *(volatile uint8_t *)(map + touched);
}

static void touch_check(const struct task *task, uint64_t number)
{
	if (got != bench_slice(task, number, task->size)[touched])
		bench_give_up("%s has another byte at %zu", path, touched);
	(void)munmap(map, task->size);
}

static const struct operation operations[] = {
	{"hit", name_it, hit, hit_check},
	{"hit-after-add", add_whole, hit, hit_check},
	{"verify", name_it, hit, hit_verify},
	{"miss", name_it, miss, NULL},
	{"add", add_before, add, NULL},
	{"fill", NULL, add_whole, NULL},
	{"unlink", name_it, remove_it, NULL},
	{"scan", NULL, scan, scan_check},
	{"touch", touch_before, touch, touch_check},
	{NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
	const struct operation *operation;
	struct task task;
	double took;

	bench_parse(argc, argv, &task);
	operation = bench_find(&task, operations);
	buffer = bench_alloc(task.size + 1);
	took = bench_run(&task, operation);
	if (operation->run == scan)
		took /= (double)task.span;
	printf("%.3f\n", took / 1000);
	return 0;
}
