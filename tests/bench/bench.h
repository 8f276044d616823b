/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the benchmark share: their arguments, the names and the
 * content of entries, and the loop that times one operation again and again.
 *
 * A program is called for one round of one operation on one peer, as
 *
 *   PROGRAM OPERATION NAME=VALUE...
 *
 * and prints one figure, the median of its operations in microseconds. Who
 * calls it takes turns with the peers and makes the median of the rounds.
 *
 * Entries have numbers. A number decides the name and the content, so a later
 * call can ask for what an earlier one added, and check it.
 *
 * No threads. What goes wrong ends the program with one line.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_KEY_SIZE = 32, BENCH_NAME_SIZE = 2 * BENCH_KEY_SIZE + 1 };

/* The arguments, by their names on the command line. Sizes may end in K or M,
 * for 1024 and its square. */
struct task {
	const char *operation;
	const char *peer;    /* which library */
	const char *dir;     /* where its entries are */
	const char *content; /* a file, whose slices are the entries */
	uint64_t size;	     /* bytes of one entry */
	uint64_t count;	     /* operations of one pass (1) */
	uint64_t passes;     /* (1) */
	uint64_t warm;	     /* passes before that, which are not timed */
	uint64_t look;	/* get so many before all, of the entries 0 to span */
	uint64_t first; /* the number of the first entry */
	uint64_t span;	/* take them from so many (count) */
	uint64_t piece; /* bytes of one write (size) */
	uint64_t fsync; /* 1: fsync before close */
	uint64_t processes; /* that do the same at once (1) */
};

/*
 * An operation. `run` is timed, with the number of its entry; what is to be
 * there before, and what is checked after it, is not. Both may be NULL.
 */
struct operation {
	const char *name;
	void (*before)(const struct task *task, uint64_t number);
	void (*run)(const struct task *task, uint64_t number);
	void (*after)(const struct task *task, uint64_t number);
};

/* One line on standard error, and the end. */
__attribute__((noreturn, format(printf, 1, 2))) void
bench_give_up(const char *format, ...);

/* Fill in `ret_task`; its strings are those of `argv`. */
void bench_parse(int argc, char **argv, struct task *ret_task);

/* The operation that the task names, of a list whose last name is NULL. */
const struct operation *bench_find(const struct task *task,
				   const struct operation *list);

/* The key of an entry, and the hex digits of a key. */
void bench_key(uint64_t number, uint8_t ret_key[BENCH_KEY_SIZE]);
void bench_name(const uint8_t key[BENCH_KEY_SIZE],
		char ret_name[BENCH_NAME_SIZE]);

/* A slice of the content: another one for every number, valid until the end. */
const uint8_t *bench_slice(const struct task *task, uint64_t number,
			   size_t size);

/* Memory; gives up when there is none. */
void *bench_alloc(size_t size);

/* Nanoseconds of a clock that only goes forward. */
uint64_t bench_now(void);

/*
 * Do the operation as often as the task says, in an order that is not that of
 * the numbers, and give the time of one in nanoseconds: the median; of several
 * processes, the time that passed for all, divided by their operations.
 */
double bench_run(const struct task *task, const struct operation *operation);

#endif
