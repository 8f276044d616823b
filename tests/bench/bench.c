/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64, STEP = 1000003 };

void bench_give_up(const char *format, ...)
{
	va_list args;

	(void)fputs("bench: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(2);
}

void *bench_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		bench_give_up("no memory");
	return memory;
}

uint64_t bench_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------- arguments */

static uint64_t number_parse(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end == 'K' || *end == 'M')
		value <<= *end++ == 'K' ? 10 : 20;
	if (errno != 0 || end == text || *end != '\0')
		bench_give_up("not a number: %s", text);
	return value;
}

void bench_parse(int argc, char **argv, struct task *ret_task)
{
	struct task task = {.count = 1, .passes = 1, .processes = 1};
	const struct {
		const char *name;
		const char **text;
		uint64_t *number;
	} arguments[] = {
		{"peer", &task.peer, NULL},
		{"dir", &task.dir, NULL},
		{"content", &task.content, NULL},
		{"size", NULL, &task.size},
		{"count", NULL, &task.count},
		{"passes", NULL, &task.passes},
		{"warm", NULL, &task.warm},
		{"look", NULL, &task.look},
		{"first", NULL, &task.first},
		{"span", NULL, &task.span},
		{"piece", NULL, &task.piece},
		{"fsync", NULL, &task.fsync},
		{"processes", NULL, &task.processes},
		{NULL, NULL, NULL},
	};

	if (argc < 2)
		bench_give_up("usage: %s OPERATION NAME=VALUE...", argv[0]);
	task.operation = argv[1];
	for (int i = 2; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		size_t length = value ? (size_t)(value - argv[i]) : 0;
		int known = 0;

		while (arguments[known].name &&
		       (strlen(arguments[known].name) != length ||
			memcmp(arguments[known].name, argv[i], length) != 0))
			known++;
		if (!value || !arguments[known].name)
			bench_give_up("unknown argument: %s", argv[i]);
		if (arguments[known].text)
			*arguments[known].text = value + 1;
		else
			*arguments[known].number = number_parse(value + 1);
	}
	if (!task.dir || !task.content || task.count == 0 || task.passes == 0 ||
	    task.processes == 0 || task.processes > PROCESSES_MAX)
		bench_give_up("dir= or content= is missing, or a count is "
			      "out of range");
	if (task.span == 0)
		task.span = task.count;
	if (task.span % STEP == 0)
		bench_give_up("span= must not be a multiple of %d", STEP);
	if (task.piece == 0)
		task.piece = task.size;
	*ret_task = task;
}

const struct operation *bench_find(const struct task *task,
				   const struct operation *list)
{
	while (list->name && strcmp(list->name, task->operation) != 0)
		list++;
	if (!list->name)
		bench_give_up("unknown operation: %s", task->operation);
	return list;
}

/* --------------------------------------------------------------- entries */

/* Spread as a hash would be (splitmix64), never the same for two numbers. */
static uint64_t mix(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
	return number ^ (number >> 31);
}

void bench_key(uint64_t number, uint8_t ret_key[BENCH_KEY_SIZE])
{
	for (int i = 0; i < BENCH_KEY_SIZE; i++) {
		if (i % 8 == 0)
			number = mix(number);
		ret_key[i] = (uint8_t)(number >> (8 * (i % 8)));
	}
}

void bench_name(const uint8_t key[BENCH_KEY_SIZE],
		char ret_name[BENCH_NAME_SIZE])
{
	for (int i = 0; i < BENCH_KEY_SIZE; i++) {
		ret_name[2 * i] = "0123456789abcdef"[key[i] >> 4];
		ret_name[2 * i + 1] = "0123456789abcdef"[key[i] & 15];
	}
	ret_name[BENCH_NAME_SIZE - 1] = '\0';
}

const uint8_t *bench_slice(const struct task *task, uint64_t number,
			   size_t size)
{
	static const uint8_t *content;
	static size_t content_size;

	if (!content) {
		struct stat st;
		void *map;
		int fd = open(task->content, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
			bench_give_up("cannot open %s", task->content);
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
			   0);
		if (map == MAP_FAILED)
			bench_give_up("cannot map %s", task->content);
		(void)close(fd);
		content = map;
		content_size = (size_t)st.st_size;
	}
	if (size >= content_size)
		bench_give_up("%s is too small", task->content);
	return content + mix(number) % (content_size - size);
}

/* ---------------------------------------------------------------- timing */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One operation, and its time in nanoseconds. */
static uint64_t run_one(const struct task *task,
			const struct operation *operation, uint64_t i)
{
	uint64_t number = task->first + (i * STEP) % task->span;
	uint64_t took;

	if (operation->before)
		operation->before(task, number);
	took = bench_now();
	operation->run(task, number);
	took = bench_now() - took;
	if (operation->after)
		operation->after(task, number);
	return took;
}

static double run_alone(const struct task *task,
			const struct operation *operation)
{
	uint64_t total = task->count * task->passes;
	uint64_t *times = bench_alloc(total * sizeof(*times));
	double middle;

	for (uint64_t i = 0; i < task->count * task->warm; i++)
		(void)run_one(task, operation, i % task->count);
	for (uint64_t i = 0; i < total; i++)
		times[i] = run_one(task, operation, i % task->count);
	qsort(times, total, sizeof(*times), compare_u64);
	middle = (double)(times[(total - 1) / 2] + times[total / 2]) / 2;
	free(times);
	return middle;
}

/* The part of one of several processes: it is ready, waits until all are, and
 * leaves when it began and ended. */
__attribute__((noreturn)) static void
run_child(const struct task *task, const struct operation *operation, int ready,
	  int start, uint64_t ret_span[2])
{
	char byte = 0;

	for (uint64_t i = 0; i < task->count * task->warm; i++)
		(void)run_one(task, operation, i % task->count);
	(void)close(ready);
	if (read(start, &byte, 1) != 0)
		_exit(2);
	ret_span[0] = bench_now();
	for (uint64_t i = 0; i < task->count * task->passes; i++)
		(void)run_one(task, operation, i % task->count);
	ret_span[1] = bench_now();
	_exit(0);
}

static double run_together(const struct task *task,
			   const struct operation *operation)
{
	uint64_t(*spans)[2] =
		mmap(NULL, sizeof(*spans) * PROCESSES_MAX,
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t begun = UINT64_MAX;
	uint64_t ended = 0;
	int ready[2];
	int start[2];
	char byte;

	if (spans == MAP_FAILED || pipe(ready) < 0 || pipe(start) < 0)
		bench_give_up("no memory or no pipe: %s", strerror(errno));
	for (uint64_t i = 0; i < task->processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			bench_give_up("cannot fork: %s", strerror(errno));
		if (pid == 0) {
			(void)close(ready[0]);
			(void)close(start[1]);
			run_child(task, operation, ready[1], start[0],
				  spans[i]);
		}
	}
	(void)close(ready[1]);
	(void)!read(ready[0], &byte, 1); /* the end: all have closed it */
	(void)close(start[1]);
	for (uint64_t i = 0; i < task->processes; i++) {
		int status = 0;

		if (wait(&status) < 0 || status != 0)
			bench_give_up("a process has failed");
	}
	for (uint64_t i = 0; i < task->processes; i++) {
		begun = spans[i][0] < begun ? spans[i][0] : begun;
		ended = spans[i][1] > ended ? spans[i][1] : ended;
	}
	return (double)(ended - begun) /
	       (double)(task->processes * task->count * task->passes);
}

double bench_run(const struct task *task, const struct operation *operation)
{
	return task->processes > 1 ? run_together(task, operation)
				   : run_alone(task, operation);
}
