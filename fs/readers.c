/* SPDX-License-Identifier: MIT */
/*
 * A few open entries.
 *
 * The kernel reads a large entry in parts, several at once, and to open an
 * entry costs more than to read a part of it. What one read covers whole is
 * not kept: most entries are that small.
 *
 * A reader may hold about a mebibyte, so there are few slots, and what nobody
 * has used for some seconds is closed. When all slots are in use, the entry is
 * opened for one read.
 *
 * The lock guards the slots; it is not held while reading or opening. A slot
 * with users is not changed.
 */
#include "readers.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS 16
#define IDLE_S 3

struct slot {
	uint64_t id; /* 0: empty */
	struct cubby_reader *reader;
	unsigned users;
	bool unwanted; /* to be closed by its last user */
	time_t used;   /* on the monotonic clock */
};

struct readers {
	pthread_mutex_t lock;
	struct slot slots[SLOTS];
};

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

int readers_new(struct readers **ret_readers)
{
	struct readers *readers = calloc(1, sizeof(*readers));

	if (!readers)
		return -ENOMEM;
	if (pthread_mutex_init(&readers->lock, NULL) != 0) {
		free(readers);
		return -ENOMEM;
	}
	*ret_readers = readers;
	return 0;
}

void readers_free(struct readers *readers)
{
	if (!readers)
		return;
	for (int i = 0; i < SLOTS; i++)
		cubby_reader_close(readers->slots[i].reader);
	pthread_mutex_destroy(&readers->lock);
	free(readers);
}

/* Take what the slot has, for the caller to close. */
static struct cubby_reader *slot_empty(struct slot *slot)
{
	struct cubby_reader *reader = slot->reader;

	*slot = (struct slot){0};
	return reader;
}

static struct slot *slot_use(struct readers *readers, uint64_t id)
{
	struct slot *found = NULL;

	pthread_mutex_lock(&readers->lock);
	for (int i = 0; i < SLOTS && !found; i++) {
		struct slot *slot = &readers->slots[i];

		if (slot->id == id && !slot->unwanted)
			found = slot;
	}
	if (found)
		found->users++;
	pthread_mutex_unlock(&readers->lock);
	return found;
}

static void slot_release(struct readers *readers, struct slot *slot)
{
	struct cubby_reader *closed = NULL;

	pthread_mutex_lock(&readers->lock);
	slot->used = now_s();
	if (--slot->users == 0 && slot->unwanted)
		closed = slot_empty(slot);
	pthread_mutex_unlock(&readers->lock);
	cubby_reader_close(closed);
}

/* Keep a reader in place of the one that was not used for longest. */
static void keep(struct readers *readers, uint64_t id,
		 struct cubby_reader *reader)
{
	struct cubby_reader *closed = reader;
	struct slot *oldest = NULL;
	bool known = false;

	pthread_mutex_lock(&readers->lock);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &readers->slots[i];

		known = known || (slot->id == id && !slot->unwanted);
		if (slot->users == 0 && (!oldest || slot->used < oldest->used))
			oldest = slot;
	}
	if (oldest && !known) {
		closed = slot_empty(oldest);
		oldest->id = id;
		oldest->reader = reader;
		oldest->used = now_s();
	}
	pthread_mutex_unlock(&readers->lock);
	cubby_reader_close(closed);
}

ssize_t readers_read(struct readers *readers, struct cubby *store, uint64_t id,
		     void *buffer, size_t size, uint64_t offset)
{
	struct slot *slot = slot_use(readers, id);
	struct cubby_reader *reader;
	ssize_t n;

	if (slot) {
		n = cubby_reader_pread(slot->reader, buffer, size, offset);
		slot_release(readers, slot);
		return n;
	}
	n = cubby_open_entry(store, id, &reader);
	if (n < 0)
		return n;
	n = cubby_reader_pread(reader, buffer, size, offset);
	if (n < 0 || (offset == 0 && cubby_reader_size(reader) <= size))
		cubby_reader_close(reader);
	else
		keep(readers, id, reader);
	return n;
}

int readers_verify(struct readers *readers, struct cubby *store, uint64_t id)
{
	struct slot *slot = slot_use(readers, id);
	struct cubby_reader *reader;
	int r;

	if (slot) {
		slot_release(readers, slot);
		return 0;
	}
	r = cubby_open_entry(store, id, &reader);
	if (r == 0)
		keep(readers, id, reader);
	return r;
}

void readers_drop_idle(struct readers *readers)
{
	struct cubby_reader *closed[SLOTS] = {NULL};
	time_t now = now_s();

	pthread_mutex_lock(&readers->lock);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &readers->slots[i];

		if (slot->reader && slot->users == 0 &&
		    now - slot->used >= IDLE_S)
			closed[i] = slot_empty(slot);
	}
	pthread_mutex_unlock(&readers->lock);
	for (int i = 0; i < SLOTS; i++)
		cubby_reader_close(closed[i]);
}

void readers_drop(struct readers *readers, uint64_t id)
{
	struct cubby_reader *closed = NULL;

	pthread_mutex_lock(&readers->lock);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &readers->slots[i];

		if (slot->id != id || slot->unwanted)
			continue;
		if (slot->users == 0)
			closed = slot_empty(slot);
		else
			slot->unwanted = true;
	}
	pthread_mutex_unlock(&readers->lock);
	cubby_reader_close(closed);
}
