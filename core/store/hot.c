/* SPDX-License-Identifier: MIT */
/*
 * Rows are written one after the other into a ring, over the oldest ones. A
 * position counts all bytes since the beginning, so a row is whole as long as
 * it lies no more than HOT_BYTES before the end.
 *
 * A slot whose row is not whole any more, or never was, says that there was a
 * get of this name.
 */
#include "store/hot.h"

#include <string.h>

#include "base/base.h"

enum {
	BUCKETS = 4096,
	WAYS = 4,
	ALIGNMENT = 8,
	RETURNS = 8, /* one in so many rows that had to go comes back */
};

/* Positions of rows begin here; what is below is no row. */
static const uint64_t first_row = UINT64_C(1) << 48;

struct row {
	uint64_t id;
	uint64_t directory;
	uint64_t version; /* in which the name led to it */
	int64_t used_ns;
	struct check check;
	uint32_t size;
	uint32_t name_size;
	uint8_t bytes[]; /* the name, the content */
};

struct slot {
	uint64_t hash;
	uint64_t at; /* position of the row */
};

struct hot_table {
	uint64_t end;
	uint64_t seen; /* counts slots without a row */
	unsigned gone; /* counts gets of rows that had to go */
	struct slot slots[BUCKETS][WAYS];
	_Alignas(ALIGNMENT) uint8_t ring[HOT_BYTES];
};

void hot_init(struct hot *hot)
{
	pthread_mutex_init(&hot->lock, NULL);
	hot->table = NULL;
}

void hot_done(struct hot *hot)
{
	free(hot->table);
	pthread_mutex_destroy(&hot->lock);
}

uint64_t hot_find_place(struct hot *hot, const struct hot_place *place,
			uint64_t version)
{
	uint64_t directory;

	pthread_mutex_lock(&hot->lock);
	directory = place->version == version ? place->directory : 0;
	pthread_mutex_unlock(&hot->lock);
	return directory;
}

void hot_put_place(struct hot *hot, struct hot_place *place, uint64_t directory,
		   uint64_t version)
{
	pthread_mutex_lock(&hot->lock);
	place->directory = directory;
	place->version = version;
	pthread_mutex_unlock(&hot->lock);
}

static uint64_t hash_of(uint64_t directory, const char *name)
{
	const struct check check =
		check_frame(directory, 0, name, strlen(name));

	return get_le(check.bytes, sizeof(uint64_t));
}

static bool is_whole(const struct hot_table *table, uint64_t at)
{
	return table->end - at <= HOT_BYTES;
}

static struct row *row_at(struct hot_table *table, uint64_t at)
{
	return (struct row *)(void *)(table->ring + at % HOT_BYTES);
}

static struct row *find(struct hot_table *table, uint64_t directory,
			const char *name)
{
	const uint64_t hash = hash_of(directory, name);
	const struct slot *slots = table->slots[hash % BUCKETS];
	const size_t name_size = strlen(name);

	for (size_t i = 0; i < WAYS; i++) {
		struct row *row = row_at(table, slots[i].at);

		if (slots[i].hash == hash && is_whole(table, slots[i].at) &&
		    row->directory == directory &&
		    row->name_size == name_size &&
		    memcmp(row->bytes, name, name_size) == 0)
			return row;
	}
	return NULL;
}

static bool copy_row(const struct row *row, struct hot_entry *ret_entry)
{
	/* The byte more is for malloc(): nothing is not NULL. */
	uint8_t *content = malloc((size_t)row->size + 1);

	if (!content)
		return false;
	memcpy(content, row->bytes + row->name_size, row->size);
	*ret_entry = (struct hot_entry){
		.id = row->id,
		.directory = row->directory,
		.used_ns = row->used_ns,
		.size = row->size,
		.check = row->check,
		.content = content,
	};
	return true;
}

bool hot_get(struct hot *hot, const struct hot_place *place, uint64_t version,
	     const char *name, struct hot_entry *ret_entry)
{
	const struct row *row = NULL;
	bool is_found;

	pthread_mutex_lock(&hot->lock);
	if (hot->table && place->version == version)
		row = find(hot->table, place->directory, name);
	is_found = row && row->version == version && copy_row(row, ret_entry);
	pthread_mutex_unlock(&hot->lock);
	return is_found;
}

bool hot_get_node(struct hot *hot, uint64_t version, const char *name,
		  struct hot_entry *entry)
{
	struct row *row = NULL;
	bool is_found;

	pthread_mutex_lock(&hot->lock);
	if (hot->table)
		row = find(hot->table, entry->directory, name);
	is_found = row && row->id == entry->id;
	if (is_found) {
		row->version = version;
		row->used_ns = entry->used_ns;
		is_found = copy_row(row, entry);
	}
	pthread_mutex_unlock(&hot->lock);
	return is_found;
}

/* The slot of this hash, or the one that has to go for it: without a row, or of
 * the oldest one. */
static struct slot *choose(struct hot_table *table, uint64_t hash)
{
	struct slot *slots = table->slots[hash % BUCKETS];
	struct slot *chosen = slots;

	for (size_t i = 0; i < WAYS; i++) {
		if (slots[i].hash == hash)
			return &slots[i];
		if (slots[i].at < chosen->at)
			chosen = &slots[i];
	}
	return chosen;
}

bool hot_is_wanted(struct hot *hot, uint64_t directory, const char *name)
{
	const uint64_t hash = hash_of(directory, name);
	struct slot *slot;
	bool is_wanted = false;

	pthread_mutex_lock(&hot->lock);
	if (!hot->table)
		/* Large, and so from the kernel: what is not touched takes no
		 * memory. */
		hot->table = calloc(1, sizeof(*hot->table));
	if (hot->table && hot->table->end == 0)
		hot->table->end = first_row;
	if (hot->table) {
		slot = choose(hot->table, hash);
		if (slot->hash != hash)
			*slot = (struct slot){.hash = hash,
					      .at = ++hot->table->seen};
		else
			is_wanted = slot->at < first_row ||
				    ++hot->table->gone % RETURNS == 0;
	}
	pthread_mutex_unlock(&hot->lock);
	return is_wanted;
}

/* A place in the ring for so many bytes, which lie in one piece. */
static uint64_t take_room(struct hot_table *table, size_t size)
{
	const size_t left = HOT_BYTES - table->end % HOT_BYTES;
	uint64_t at;

	if (size > left)
		table->end += left;
	at = table->end;
	table->end += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return at;
}

static void put(struct hot_table *table, uint64_t version, const char *name,
		const struct hot_entry *entry, const uint8_t *content)
{
	const size_t name_size = strlen(name);
	const uint64_t hash = hash_of(entry->directory, name);
	const uint64_t at =
		take_room(table, sizeof(struct row) + name_size + entry->size);
	struct row *row = row_at(table, at);

	*choose(table, hash) = (struct slot){.hash = hash, .at = at};
	*row = (struct row){
		.id = entry->id,
		.directory = entry->directory,
		.version = version,
		.used_ns = entry->used_ns,
		.check = entry->check,
		.size = (uint32_t)entry->size,
		.name_size = (uint32_t)name_size,
	};
	memcpy(row->bytes, name, name_size);
	memcpy(row->bytes + name_size, content, entry->size);
}

void hot_put(struct hot *hot, uint64_t version, const char *name,
	     const struct hot_entry *entry, const uint8_t *content)
{
	CHECK(entry->size <= HOT_SIZE_MAX);
	pthread_mutex_lock(&hot->lock);
	if (hot->table)
		put(hot->table, version, name, entry, content);
	pthread_mutex_unlock(&hot->lock);
}
