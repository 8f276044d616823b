/* SPDX-License-Identifier: MIT */
/*
 * One round of one operation of one library, in a process of its own, so that
 * what a library does in the background ends with its round. bench.h says how
 * it is called and what it prints.
 *
 *   bench_library peers    prints the names of the peers that were built in
 *
 * "fill" and "verify" are there to prepare and to check. A mix has sizes as a
 * compile cache has: half are below `size`, a few much larger.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "peer.h"

enum { MIX_MAX = 4 * 1024 * 1024, MIX_MIN = 64 };

static const double pi = 3.14159265358979323846;

static const struct peer *const peers[] = {
	&peer_cubby,   &peer_lmdb,
#ifdef HAVE_ROCKSDB
	&peer_rocksdb,
#endif
#ifdef HAVE_SQLITE
	&peer_sqlite,
#endif
	&peer_files,   NULL,
};

static const struct peer *peer;
static void *store;
static uint8_t key[BENCH_KEY_SIZE];
static uint8_t *buffer; /* of the task's size, or of the largest of a mix */
static ssize_t got;

static void key_it(const struct task *task, uint64_t number)
{
	(void)task;
	bench_key(number, key);
}

static void get(const struct task *task, uint64_t number)
{
	(void)number;
	got = peer->get(store, key, buffer, task->size);
}

static void get_check(const struct task *task, uint64_t number)
{
	if (got != (ssize_t)task->size)
		bench_give_up("%s: entry %ju is missing or not whole",
			      peer->name, (uintmax_t)number);
}

static void get_verify(const struct task *task, uint64_t number)
{
	get_check(task, number);
	if (memcmp(buffer, bench_slice(task, number, task->size), task->size) !=
	    0)
		bench_give_up("%s: entry %ju has other bytes", peer->name,
			      (uintmax_t)number);
}

static void miss_check(const struct task *task, uint64_t number)
{
	(void)task;
	if (got != -1)
		bench_give_up("%s: entry %ju should not be there", peer->name,
			      (uintmax_t)number);
}

static void add_before(const struct task *task, uint64_t number)
{
	bench_key(number, key);
	memcpy(buffer, bench_slice(task, number, task->size), task->size);
}

static void add(const struct task *task, uint64_t number)
{
	(void)number;
	peer->add(store, key, buffer, task->size);
}

static void remove_it(const struct task *task, uint64_t number)
{
	(void)task;
	(void)number;
	peer->remove(store, key);
}

/* A size of the mix: its logarithm is normal with a deviation of 1.6. */
static size_t mix_size(const struct task *task, uint64_t number)
{
	uint8_t bytes[BENCH_KEY_SIZE];
	uint64_t words[BENCH_KEY_SIZE / 8];
	double size;

	bench_key(number, bytes);
	memcpy(words, bytes, sizeof(words));
	size = (double)task->size *
	       exp(1.6 *
		   sqrt(-2 *
			log(((double)words[0] + 1) / 18446744073709551616.0)) *
		   cos(2 * pi * ((double)words[1] / 18446744073709551616.0)));
	if (size < MIX_MIN)
		return MIX_MIN;
	return size > MIX_MAX ? MIX_MAX : (size_t)size;
}

static void mix_before(const struct task *task, uint64_t number)
{
	size_t size = mix_size(task, number);

	bench_key(number, key);
	memcpy(buffer, bench_slice(task, number, size), size);
}

static void mix(const struct task *task, uint64_t number)
{
	peer->add(store, key, buffer, mix_size(task, number));
}

static void mix_verify(const struct task *task, uint64_t number)
{
	size_t size = mix_size(task, number);

	bench_key(number, key);
	got = peer->get(store, key, buffer, MIX_MAX);
	if (got != (ssize_t)size ||
	    memcmp(buffer, bench_slice(task, number, size), size) != 0)
		bench_give_up("%s: entry %ju has other bytes", peer->name,
			      (uintmax_t)number);
}

static void open_it(const struct task *task, uint64_t number)
{
	(void)number;
	store = peer->open(task->dir);
}

static void close_it(const struct task *task, uint64_t number)
{
	(void)task;
	(void)number;
	peer->close(store);
	store = NULL;
}

static const struct operation operations[] = {
	{"get", key_it, get, get_check},
	{"verify", key_it, get, get_verify},
	{"miss", key_it, get, miss_check},
	{"add", add_before, add, NULL},
	{"fill", add_before, add, NULL},
	{"delete", key_it, remove_it, NULL},
	{"mix", mix_before, mix, NULL},
	{"mix-verify", NULL, mix_verify, NULL},
	{"open", NULL, open_it, close_it},
	{NULL, NULL, NULL, NULL},
};

/* What a process has done that is no new one: it has been at many places. */
static void look_around(const struct task *task)
{
	for (uint64_t i = 0; i < task->look; i++) {
		uint64_t number = i * task->span / task->look;

		key_it(task, number);
		get(task, number);
		get_check(task, number);
	}
}

static void peer_find(const char *name)
{
	for (int i = 0; peers[i] && !peer; i++) {
		if (name && strcmp(name, peers[i]->name) == 0)
			peer = peers[i];
	}
	if (!peer)
		bench_give_up("unknown peer: %s", name ? name : "none given");
}

int main(int argc, char **argv)
{
	const struct operation *operation;
	struct task task;
	double took;

	if (argc == 2 && strcmp(argv[1], "peers") == 0) {
		for (int i = 0; peers[i]; i++)
			printf("%s\n", peers[i]->name);
		return 0;
	}
	bench_parse(argc, argv, &task);
	peer_find(task.peer);
	operation = bench_find(&task, operations);
	buffer = bench_alloc(task.size < MIX_MAX ? MIX_MAX : task.size);
	if (operation->run != open_it)
		open_it(&task, 0);
	look_around(&task);
	took = bench_run(&task, operation);
	if (store)
		close_it(&task, 0);
	printf("%.3f\n", took / 1000);
	return 0;
}
