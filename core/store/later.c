/* SPDX-License-Identifier: MIT */
/*
 * Compress what has been published as it is, by a mount or a writer.
 *
 *  1. What is queued is an ordinary raw entry. Whatever happens to the queue,
 *     nothing but room on the disk depends on it.
 *  2. The compressed bytes are written into a file of their own, below drafts/
 *     under a new id. In the update they get their name, and the record changes
 *     only if it is still the one that was read: nobody else has a compressed
 *     file under this id then. The raw file goes after the commit.
 *  3. The node keeps its id and its content, so what the kernel or a reader has
 *     of it stays right. A reader that finds the raw file gone reads the record
 *     again (reader.c).
 *  4. A little is waited, so that a burst of adds has the processors for
 *     itself, and what is replaced soon is never compressed; but not when half
 *     of the room is taken. When all of it is, who adds compresses himself.
 *  5. The thread is the caller's, or one of our own. That one is nice to all
 *     others, as who adds is often a compiler that wants the processors for
 *     itself; but not idle: in its short transactions it holds the lock of all
 *     writers, and must not be kept from leaving it. Without it nothing is
 *     queued.
 *
 * The lock of the queue guards all of it. No other is taken under it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "index/nodes.h"
#include "store/draft.h"
#include "store/durable.h"
#include "store/encoder.h"
#include "store/later.h"
#include "store/node.h"
#include "store/reader.h"
#include "store/update.h"
#include "store/walk.h"
#include "sys/sys.h"
#include "sys/thread.h"

enum { WAIT_MS = 100 };

/* Of a queue with its own thread: about a quarter of a second of work, which a
 * close may have to wait for. */
enum { OWN_MAX_BYTES = 64 * 1024 * 1024 };

struct item {
	struct item *next;
	uint64_t id;
	uint64_t size;
	struct timespec due; /* on the monotonic clock */
};

struct later {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct item *first;
	struct item **last;
	uint64_t bytes; /* reserved, queued, and being compressed */
	uint64_t max_bytes;
	bool ending;
	bool owns_thread;
	bool is_running; /* our own thread */
	pthread_t thread;
};

/* ------------------------------------------------------------------- queue */

int cubby_later_begin(struct cubby *store, uint64_t max_bytes)
{
	struct later *later;
	pthread_condattr_t attr;
	int r = store_verify_writable(store);

	if (r < 0)
		return r;
	if (store->later)
		return -EBUSY;
	later = calloc(1, sizeof(*later));
	if (!later)
		return -ENOMEM;
	later->last = &later->first;
	later->max_bytes = max_bytes;
	pthread_mutex_init(&later->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&later->wake, &attr);
	pthread_condattr_destroy(&attr);
	store->later = later;
	return 0;
}

void cubby_later_end(struct cubby *store)
{
	struct later *later = store->later;

	if (!later)
		return;
	pthread_mutex_lock(&later->lock);
	later->ending = true;
	pthread_cond_broadcast(&later->wake);
	pthread_mutex_unlock(&later->lock);
}

int later_begin(struct cubby *store)
{
	int r = cubby_later_begin(store, OWN_MAX_BYTES);

	if (r == 0)
		store->later->owns_thread = true;
	return r;
}

void later_close(struct cubby *store)
{
	struct later *later = store->later;

	if (!later)
		return;
	if (later->is_running) {
		cubby_later_end(store);
		/* Who waits for it may as well help. */
		while (cubby_later_run(store) > 0)
			continue;
		(void)pthread_join(later->thread, NULL);
	}
	while (later->first) {
		struct item *item = later->first;

		later->first = item->next;
		free(item);
	}
	pthread_mutex_destroy(&later->lock);
	pthread_cond_destroy(&later->wake);
	free(later);
}

static void *run(void *arg)
{
	struct cubby *store = arg;

	thread_be_nice();
	while (cubby_later_run(store) > 0)
		continue;
	return NULL;
}

/* Does somebody compress what is queued? The lock is held. */
static bool has_thread(struct cubby *store)
{
	struct later *later = store->later;

	if (later->owns_thread && !later->is_running)
		later->is_running =
			thread_start(&later->thread, run, store) == 0;
	return !later->owns_thread || later->is_running;
}

bool later_reserve(struct cubby *store, uint64_t size)
{
	struct later *later = store->later;
	bool has_room;

	if (!later)
		return false;
	pthread_mutex_lock(&later->lock);
	has_room = !later->ending && size <= later->max_bytes &&
		   later->bytes <= later->max_bytes - size && has_thread(store);
	if (has_room)
		later->bytes += size;
	pthread_mutex_unlock(&later->lock);
	return has_room;
}

void later_drop(struct cubby *store, uint64_t size)
{
	struct later *later = store->later;

	pthread_mutex_lock(&later->lock);
	later->bytes -= size;
	pthread_mutex_unlock(&later->lock);
}

void later_put(struct cubby *store, uint64_t id, uint64_t size)
{
	struct later *later = store->later;
	struct item *item = malloc(sizeof(*item));

	if (!item) {
		later_drop(store, size);
		return;
	}
	*item = (struct item){.id = id, .size = size};
	clock_gettime(CLOCK_MONOTONIC, &item->due);
	item->due.tv_nsec += WAIT_MS * 1000000L;
	if (item->due.tv_nsec >= 1000000000L) {
		item->due.tv_nsec -= 1000000000L;
		item->due.tv_sec++;
	}
	pthread_mutex_lock(&later->lock);
	/* Who waits for the first to be due need not know of the others. */
	if (!later->first || later->bytes > later->max_bytes / 2)
		pthread_cond_signal(&later->wake);
	*later->last = item;
	later->last = &item->next;
	pthread_mutex_unlock(&later->lock);
}

/* The next one, when it is time for it; NULL at the end. */
static struct item *take(struct later *later)
{
	struct item *item;
	int r = 0;

	pthread_mutex_lock(&later->lock);
	for (;;) {
		item = later->first;
		if (later->ending ||
		    (item &&
		     (r == ETIMEDOUT || later->bytes > later->max_bytes / 2)))
			break;
		if (item)
			r = pthread_cond_timedwait(&later->wake, &later->lock,
						   &item->due);
		else
			r = pthread_cond_wait(&later->wake, &later->lock);
	}
	if (item) {
		later->first = item->next;
		if (!later->first)
			later->last = &later->first;
	}
	pthread_mutex_unlock(&later->lock);
	return item;
}

/* ---------------------------------------------------------------- compress */

/* An entry on its way: its compressed bytes in a file that nobody knows. */
struct packing {
	struct cubby *store;
	uint64_t id;
	struct node node; /* as it was */
	struct encoder encoder;
	struct record record;
	bool has_name;
};

static void packing_done(struct packing *packing)
{
	const bool has_file = packing->encoder.fd >= 0;

	encoder_done(&packing->encoder);
	if (has_file && !packing->has_name)
		draft_delete_file(packing->store, packing->encoder.draft_id);
}
#define SCOPED_PACKING __attribute__((cleanup(packing_done)))

/* Is it still a raw entry in a file? Returns 0 or -ENOENT. */
static int find(struct packing *packing, char path[CUBBY_PATH_MAX + 1])
{
	SCOPED_TXN struct index_txn *txn = NULL;
	int r = index_read(packing->store->index, &txn);

	if (r == 0)
		r = node_get(txn, packing->id, &packing->node);
	if (r == 0 && (packing->node.record.kind != CUBBY_ENTRY ||
		       packing->node.record.place != PLACE_BLOB ||
		       packing->node.record.codec != CODEC_RAW))
		r = -ENOENT;
	return r < 0 ? r : walk_path(txn, packing->node.record.parent, path);
}

/* Returns 1, or 0 when it does not compress. */
static int encode(struct packing *packing, struct cubby_reader *reader)
{
	SCOPED_FREE uint8_t *raw = malloc(FRAME_SIZE);
	uint64_t offset = 0;
	ssize_t size = raw ? 1 : -ENOMEM;

	while (size > 0) {
		int r;

		size = cubby_reader_pread(reader, raw, FRAME_SIZE, offset);
		if (size <= 0)
			break;
		r = encoder_write(&packing->encoder, raw, (size_t)size);
		if (r < 0)
			return r;
		if (packing->encoder.codec_chosen &&
		    packing->encoder.codec == CODEC_RAW)
			return 0;
		offset += (uint64_t)size;
	}
	return size < 0 ? (int)size : 1;
}

/* Make the compressed bytes. Returns 1, or 0 when it does not compress. */
static int pack(struct packing *packing)
{
	struct cubby_reader *reader = NULL;
	char path[CUBBY_PATH_MAX + 1];
	int r = find(packing, path);

	if (r == 0)
		r = store_new_id(packing->store, &packing->encoder.draft_id);
	if (r < 0)
		return r;
	/* Its file is not where an encoder would look for it. */
	packing->encoder.is_published = true;
	r = reader_open(packing->store, packing->id, &reader);
	if (r < 0)
		return r;
	r = encode(packing, reader);
	cubby_reader_close(reader);
	if (r <= 0)
		return r;
	r = encoder_finish(
		&packing->encoder,
		&(struct origin){.path = path, .name = packing->node.name},
		&packing->record);
	return r < 0 ? r : packing->encoder.codec != CODEC_RAW;
}

/* Give the file its name. The record is still that of the raw bytes, so nothing
 * that counts has this name. */
static int name_blob(struct packing *packing)
{
	char from[LAYOUT_PATH_SIZE];
	char to[LAYOUT_PATH_SIZE];
	int r;

	layout_draft(packing->encoder.draft_id, from);
	layout_blob(packing->id, packing->record.codec, to);
	r = sys_rename(packing->store->dir_fd, from, to);
	if (r < 0)
		return r;
	packing->has_name = true;
	/* Its bytes are there (encoder_finish()), now its name. The raw file
	 * goes after the commit has been put on the disk as well. */
	return durable_blob(packing->store, packing->id, packing->encoder.fd);
}

static int put(struct packing *packing)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	const struct record *was = &packing->node.record;
	struct node node;
	uint64_t named;
	int r = update_begin(packing->store, &update);

	if (r == 0)
		r = node_get(update.txn, packing->id, &node);
	if (r == 0)
		r = names_get(update.txn, node.record.parent, node.name,
			      node.record.name_size, &named);
	if (r < 0)
		return r;
	/* Displaced, or published anew, or compressed by another process. */
	if (named != packing->id || node.record.kind != CUBBY_ENTRY ||
	    node.record.place != PLACE_BLOB || node.record.codec != CODEC_RAW ||
	    !check_equal(&node.record.check, &was->check))
		return -ENOENT;
	r = update_replace_bytes(&update, &node, &packing->record);
	if (r == 0 && packing->record.place == PLACE_BLOB)
		r = name_blob(packing);
	else if (r == 0)
		r = small_put(update.txn, packing->id, packing->encoder.stored,
			      packing->encoder.stored_size);
	return r < 0 ? r : update_commit(&update);
}

/* The update has failed: delete the file, unless another process has compressed
 * the entry since, whose file it then is. */
static void unname_blob(struct packing *packing)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	char path[LAYOUT_PATH_SIZE];
	struct record record;
	int r = update_begin(packing->store, &update);

	if (r < 0)
		return; /* only space */
	r = nodes_get(update.txn, packing->id, &record);
	if (r < 0 ? r != -ENOENT : record.codec != CODEC_RAW)
		return;
	layout_blob(packing->id, packing->record.codec, path);
	IGNORE(sys_unlink(packing->store->dir_fd, path));
}

static void compress(struct cubby *store, uint64_t id)
{
	SCOPED_PACKING struct packing packing = {.store = store, .id = id};

	encoder_init(&packing.encoder, store, id);
	/* If it fails, the entry stays as it is. */
	if (pack(&packing) > 0 && put(&packing) < 0 && packing.has_name)
		unname_blob(&packing);
}

int cubby_later_run(struct cubby *store)
{
	struct item *item;
	int r = store_verify_writable(store);

	if (r < 0)
		return r;
	if (!store->later)
		return 0;
	item = take(store->later);
	if (!item)
		return 0;
	compress(store, item->id);
	later_drop(store, item->size);
	free(item);
	return 1;
}
