/* SPDX-License-Identifier: MIT */
/*
 * The store of power_cut.c: who writes to it, and what must be left of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cubby/tree.h"
#include "cubby/upkeep.h"
#include "power_cut.h"

enum {
	SMALL = 3000,
	LARGE = 60000,	  /* stored in a file */
	SYNC_EVERY = 20,  /* operations of the fast mode */
	DELETE_EVERY = 5, /* as key_state says */
	PROBE = 1 << 20,  /* the number of a thread that there is not */
};

static const char namespace[] = "power";

static struct cubby_key key_of(unsigned thread, unsigned number)
{
	struct cubby_key key = {{0}};

	memcpy(key.bytes, &thread, sizeof(thread));
	memcpy(key.bytes + 8, &number, sizeof(number));
	return key;
}

static bool is_large(unsigned key)
{
	return key % 4 == 3;
}

static bool deletes(uint32_t op)
{
	return op % DELETE_EVERY == 0;
}

/* What an operation adds; half of the large ones compress. */
static size_t fill(uint8_t *bytes, unsigned thread, unsigned key, uint32_t op)
{
	const uint32_t head[] = {thread, key, op};
	const uint8_t mask = key % 8 == 7 ? 0x0f : 0xff;
	uint64_t state = ((uint64_t)thread << 40) ^ ((uint64_t)key << 32) ^ op;
	size_t size = 40 + (is_large(key) ? LARGE : SMALL) * (op % 9 + 1) / 10;

	memcpy(bytes, head, sizeof(head));
	for (size_t i = sizeof(head); i < size; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(state >> 40) & mask;
	}
	return size;
}

/* ---------------------------------------------------------------- writers */

struct worker {
	const struct job *job;
	struct cubby *store;
	struct cubby_ns *ns;
	unsigned thread;
};

static int add_by_library(const struct worker *worker, unsigned number,
			  const uint8_t *bytes, size_t size)
{
	struct cubby_key key = key_of(worker->thread, number);

	return cubby_add_bytes(worker->ns, &key, bytes, size);
}

static int add_by_mount(const struct worker *worker, unsigned number,
			const uint8_t *bytes, size_t size)
{
	struct cubby_key key = key_of(worker->thread, number);
	char name[CUBBY_KEY_TEXT_SIZE];
	char from[4096];
	char to[4096];
	int r = 0;
	int fd;

	cubby_key_format(&key, name);
	(void)snprintf(from, sizeof(from), "%s/%s/%s.tmp", worker->job->path,
		       namespace, name);
	(void)snprintf(to, sizeof(to), "%s/%s/%s", worker->job->path, namespace,
		       name);
	fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, bytes, size) != (ssize_t)size)
		r = errno ? -errno : -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r == 0 && rename(from, to) < 0 ? -errno : r;
}

static int take_out(const struct worker *worker, unsigned number)
{
	struct cubby_key key = key_of(worker->thread, number);
	char name[CUBBY_KEY_TEXT_SIZE];
	char path[4096];

	if (!worker->job->is_mounted)
		return cubby_delete(worker->ns, &key);
	cubby_key_format(&key, name);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", worker->job->path,
		       namespace, name);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* What the disk says after the cut is no failure, nor that it is full. */
static bool may_fail(const struct job *job, int r)
{
	return atomic_load(&shared->is_cut) || (job->is_full && r == -ENOSPC);
}

/* One operation on one key. Returns 0, or an error that may be. */
static int operate(const struct worker *worker, unsigned number)
{
	const struct job *job = worker->job;
	struct key_state *key =
		&shared->keys[job->is_durable][worker->thread][number];
	uint32_t op = atomic_fetch_add(&key->begun, 1) + 1;
	uint8_t bytes[LARGE + 64];
	int r;

	if (deletes(op))
		r = take_out(worker, number);
	else if (job->is_mounted)
		r = add_by_mount(worker, number, bytes,
				 fill(bytes, worker->thread, number, op));
	else
		r = add_by_library(worker, number, bytes,
				   fill(bytes, worker->thread, number, op));
	if (r < 0 && !may_fail(job, r))
		fail("operation %u: %s", op, cubby_strerror(r));
	if (r == 0 && atomic_load(&shared->is_cut))
		r = -EIO; /* see key_state */
	if (r < 0)
		return r;
	if (job->is_durable)
		atomic_store(&key->safe, op);
	atomic_store(&key->done, op);
	atomic_fetch_add(&shared->changes, 1);
	return 0;
}

/* All that this thread has done is on the disk, but for blobs. */
static int note_checkpoint(const struct worker *worker)
{
	struct key_state *keys = shared->keys[0][worker->thread];
	int r = cubby_sync_names(worker->store);

	if (r < 0 && !may_fail(worker->job, r))
		fail("checkpoint: %s", cubby_strerror(r));
	if (r == 0 && atomic_load(&shared->is_cut))
		r = -EIO;
	for (unsigned i = 0; r == 0 && i < KEYS; i++)
		if (!is_large(i))
			atomic_store(&keys[i].safe, atomic_load(&keys[i].done));
	return r;
}

static void *work(void *arg)
{
	const struct worker *worker = arg;
	uint64_t random = shared->round * 77 + worker->thread;
	int r = 0;

	for (unsigned n = 1; r == 0 || r == -ENOSPC; n++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		r = operate(worker, (unsigned)(random >> 33) % KEYS);
		atomic_fetch_add(&shared->threads[worker->thread].count, 1);
		if (r == 0 && !worker->job->is_durable && n % SYNC_EVERY == 0)
			r = note_checkpoint(worker);
	}
	return NULL;
}

static void open_store(const struct job *job, struct cubby **ret_store,
		       struct cubby_ns **ret_ns)
{
	unsigned flags = CUBBY_CREATE | (job->is_durable ? CUBBY_DURABLE : 0);
	int r = cubby_open(job->path, flags, ret_store);

	if (r == 0)
		r = cubby_ns_open(*ret_store, namespace, ret_ns);
	if (r < 0 && !may_fail(job, r))
		fail("open %s: %s", job->threads > 0 ? "to write" : "after it",
		     cubby_strerror(r));
	if (r < 0)
		_exit(0);
}

void writer_run(const struct job *job)
{
	struct worker workers[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	struct cubby *store = NULL;
	struct cubby_ns *ns = NULL;
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", job->path, namespace);
	if (!job->is_mounted)
		open_store(job, &store, &ns);
	else if (mkdir(path, 0700) < 0 && errno != EEXIST)
		fail("mkdir: %s", strerror(errno));
	for (unsigned i = 0; i < job->threads; i++) {
		workers[i] = (struct worker){job, store, ns, job->first + i};
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			fail("no thread");
	}
	for (unsigned i = 0; i < job->threads; i++)
		(void)pthread_join(threads[i], NULL);
	_exit(0); /* what it would write now goes nowhere */
}

/* ----------------------------------------------------------------- verify */

/* The number of the operation whose content the entry has, 0 for a miss. Ends
 * the program for wrong bytes. */
static uint32_t look(struct cubby_ns *ns, unsigned thread, unsigned number)
{
	static uint8_t bytes[LARGE + 64];
	static uint8_t expected[LARGE + 64];
	struct cubby_key key = key_of(thread, number);
	struct cubby_reader *reader;
	uint32_t head[3];
	ssize_t size;
	int r = cubby_get(ns, &key, &reader);

	if (r == -ENOENT || r == -EBADMSG)
		return 0;
	if (r < 0)
		fail("get: %s", cubby_strerror(r));
	size = cubby_reader_read(reader, bytes, sizeof(bytes));
	cubby_reader_close(reader);
	if (size == -EBADMSG)
		return 0;
	if (size < (ssize_t)sizeof(head))
		fail("read gives %zd", size);
	memcpy(head, bytes, sizeof(head));
	if (head[0] != thread || head[1] != number ||
	    fill(expected, thread, number, head[2]) != (size_t)size ||
	    memcmp(bytes, expected, (size_t)size) != 0)
		fail("wrong bytes");
	return head[2];
}

/* May the content of operation `found`, or nothing, be there? */
static bool is_allowed(const struct key_state *key, uint32_t found)
{
	if (key->safe <= key->seen_at && found == key->seen)
		return true;
	if (found > 0)
		return found > key->seen_at && found >= key->safe &&
		       found <= key->begun && !deletes(found);
	for (uint32_t op = key->seen_at + 1; op <= key->begun; op++)
		if (op >= key->safe && deletes(op))
			return true;
	return false;
}

static void verify_key(const struct job *job, struct cubby_ns *ns,
		       unsigned thread, unsigned number)
{
	struct key_state *key = &shared->keys[job->is_durable][thread][number];
	bool may_miss = job->is_full || (!job->is_durable && is_large(number));
	uint32_t found = look(ns, thread, number);

	if (found == 0 && may_miss)
		shared->lost += !is_allowed(key, found);
	else if (!is_allowed(key, found))
		fail("key %u of thread %u: found %u, but safe %u, done %u, "
		     "begun %u, and before %u at %u",
		     number, thread, found, key->safe, key->done, key->begun,
		     key->seen, key->seen_at);
	else if (!job->is_durable && found < key->done && !deletes(key->done))
		shared->lost++;
	key->seen = found;
	key->seen_at = key->begun;
	atomic_store(&key->safe, key->seen_at);
	atomic_store(&key->done, key->seen_at);
}

/* The index must be right; bytes may be missing where nothing waits. */
static void verify_index(const struct job *job, struct cubby *store)
{
	struct cubby_verify_summary summary;
	int r = cubby_verify(store, 0, NULL, NULL, &summary);
	uint64_t allowed = 0;

	if (r < 0)
		fail("verify: %s", cubby_strerror(r));
	if (!job->is_durable)
		allowed = summary.found[CUBBY_FOUND_ENTRY];
	allowed += summary.found[CUBBY_FOUND_PLAIN]; /* temporary files */
	if (summary.findings > allowed)
		fail("verify finds %u", (unsigned)(summary.findings - allowed));
}

void open_run(const struct job *job)
{
	const struct job plain = {.path = job->path,
				  .is_durable = job->is_durable};
	struct cubby *store;
	struct cubby_ns *ns;

	atomic_store(&shared->is_cut, false);
	open_store(&plain, &store, &ns);
	_exit(0);
}

void verify_run(const struct job *job)
{
	const struct job plain = {.path = job->path,
				  .is_durable = job->is_durable};
	const uint8_t bytes[] = "usable";
	struct worker worker = {.job = &plain, .thread = PROBE};
	struct cubby_reader *reader;
	struct cubby_key key = key_of(PROBE, shared->round);
	int r;

	atomic_store(&shared->is_cut, false);
	open_store(&plain, &worker.store, &worker.ns);
	verify_index(job, worker.store);
	for (unsigned i = 0; i < THREADS_MAX; i++)
		for (unsigned j = 0; j < KEYS; j++)
			verify_key(job, worker.ns, i, j);
	r = add_by_library(&worker, shared->round, bytes, sizeof(bytes));
	if (r == 0)
		r = cubby_get(worker.ns, &key, &reader);
	if (r < 0)
		fail("add and get after it: %s", cubby_strerror(r));
	cubby_reader_close(reader);
	r = cubby_delete(worker.ns, &key);
	if (r < 0)
		fail("delete after it: %s", cubby_strerror(r));
	cubby_ns_close(worker.ns);
	cubby_close(worker.store);
}
