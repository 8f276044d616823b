/* SPDX-License-Identifier: MIT */
#include "store/figures.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "format/check.h"
#include "index/nodes.h"
#include "store/layout.h"
#include "store/node.h"
#include "store/walk.h"
#include "sys/sys.h"

enum {
	ROW_COUNT = 1024,
	ROW_PROBES = 16,
	GHOST_COUNT = 16 * 1024,
	SAMPLE_COUNT = 1008, /* a week */
	SAMPLE_S = 600,
	HEAD_SIZE = 4096,
};

static const uint64_t magic = UINT64_C(0x3130676966626363); /* "ccbfig01" */

/* One for each directory that has entries; the first is for all others. */
struct row {
	_Atomic(uint64_t) dir;
	_Atomic(uint64_t) hits;
	_Atomic(uint64_t) misses;
	_Atomic(uint64_t) adds;
	_Atomic(uint64_t) deletes;
	_Atomic(uint64_t) evictions;
	_Atomic(uint64_t) bytes_in;
	_Atomic(uint64_t) bytes_out;
};

struct ghost {
	_Atomic(uint64_t) tag; /* of the key */
	_Atomic(uint64_t) evicted_bytes;
};

struct sample {
	_Atomic(uint64_t) time_s;
	_Atomic(uint64_t) disk_bytes;
	_Atomic(uint64_t) entries;
	_Atomic(uint64_t) hits;
	_Atomic(uint64_t) misses;
	_Atomic(uint64_t) adds;
	_Atomic(uint64_t) evictions;
	_Atomic(uint64_t) bytes_in;
};

struct file {
	union {
		struct {
			_Atomic(uint64_t) magic;
			_Atomic(uint64_t) max_size;
			_Atomic(uint64_t) evicted_bytes;
			_Atomic(uint64_t) ghost_rate; /* one key in so many */
			_Atomic(uint64_t) sample_time_s;
			_Atomic(uint64_t) sample_next;
			_Atomic(uint64_t) ghost_hits[CUBBY_GHOST_STEPS];
			_Atomic(uint64_t) eviction_ages[CUBBY_AGE_STEPS];
			_Atomic(uint64_t) refused;
			struct scrub_figures scrub;
		};
		uint8_t head[HEAD_SIZE];
	};
	struct row rows[ROW_COUNT];
	struct ghost ghosts[GHOST_COUNT];
	struct sample samples[SAMPLE_COUNT];
	/* Of each row; here, because a file without it just becomes longer. */
	_Atomic(uint64_t) corrupt[ROW_COUNT];
};

/* ------------------------------------------------------------------- file */

struct figures *figures_open(const struct cubby *store)
{
	SCOPED_FD int fd = -1;
	uint64_t none = 0;
	struct file *file;
	struct stat found;
	void *map = NULL;

	if (store->read_only)
		return NULL;
	fd = sys_create(store->dir_fd, LAYOUT_FIGURES, O_RDWR);
	if (fd < 0 || sys_fstat(fd, &found) < 0 || !S_ISREG(found.st_mode) ||
	    found.st_nlink > 1 || /* somebody else's file */
	    sys_extend(fd, sizeof(*file)) < 0 ||
	    sys_map(fd, 0, sizeof(*file), &map) < 0)
		return NULL;
	file = map;
	if (!atomic_compare_exchange_strong(&file->magic, &none, magic) &&
	    none != magic) {
		/* Another version's, or damaged: count anew. */
		memset(file, 0, sizeof(*file));
		atomic_store(&file->magic, magic);
	}
	return (struct figures *)file;
}

void figures_close(struct figures *figures)
{
	if (figures)
		sys_unmap(figures, sizeof(struct file));
}

static struct file *file_of(struct figures *figures)
{
	return (struct file *)figures;
}

static void add(_Atomic(uint64_t) *number, uint64_t count)
{
	atomic_fetch_add_explicit(number, count, memory_order_relaxed);
}

static struct row *row_of(struct figures *figures, uint64_t dir)
{
	struct row *rows = file_of(figures)->rows;
	const uint64_t at = dir * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	/* A miss in a directory that does not exist has none. */
	for (int i = 0; dir != 0 && i < ROW_PROBES; i++) {
		struct row *row =
			&rows[1 + (at + (uint64_t)i) % (ROW_COUNT - 1)];
		uint64_t owner = atomic_load(&row->dir);

		if (owner == 0 &&
		    atomic_compare_exchange_strong(&row->dir, &owner, dir))
			return row;
		if (owner == dir)
			return row;
	}
	return &rows[0];
}

/* --------------------------------------------------------------- counting */

void figures_hit(struct figures *figures, uint64_t dir, uint64_t size)
{
	struct row *row;

	if (!figures)
		return;
	row = row_of(figures, dir);
	add(&row->hits, 1);
	add(&row->bytes_out, size);
}

void figures_add(struct figures *figures, uint64_t dir, uint64_t size)
{
	struct row *row;

	if (!figures)
		return;
	row = row_of(figures, dir);
	add(&row->adds, 1);
	add(&row->bytes_in, size);
}

void figures_delete(struct figures *figures, uint64_t dir)
{
	if (figures)
		add(&row_of(figures, dir)->deletes, 1);
}

void figures_corrupt(struct figures *figures, uint64_t dir)
{
	struct file *file = file_of(figures);

	if (figures)
		add(&file->corrupt[row_of(figures, dir) - file->rows], 1);
}

void figures_refuse(struct figures *figures)
{
	if (figures)
		add(&file_of(figures)->refused, 1);
}

struct scrub_figures *figures_scrub(struct figures *figures)
{
	return figures ? &file_of(figures)->scrub : NULL;
}

/* The place of a key, or NULL when it is not in the sample. */
static struct ghost *ghost_of(struct file *file, uint64_t dir, const char *name,
			      uint64_t *ret_tag)
{
	uint64_t rate = atomic_load(&file->ghost_rate);
	struct check check = check_frame(dir, 0, name, strlen(name));
	uint64_t tag = get_le(check.bytes, 8);
	uint64_t at = get_le(check.bytes + 8, 8);

	if (rate > 1 && (at >> 32) % rate != 0)
		return NULL;
	*ret_tag = tag | 1;
	return &file->ghosts[at % GHOST_COUNT];
}

void figures_miss(struct figures *figures, uint64_t dir, const char *name)
{
	struct file *file = file_of(figures);
	struct ghost *ghost;
	uint64_t tag;
	uint64_t step;
	uint64_t rate;

	if (!figures)
		return;
	add(&row_of(figures, dir)->misses, 1);
	ghost = ghost_of(file, dir, name, &tag);
	/* A second miss of the same is no news: it has not been added since. */
	if (!ghost || file->max_size < CUBBY_GHOST_STEPS ||
	    !atomic_compare_exchange_strong(&ghost->tag, &tag, 0))
		return;
	step = (file->evicted_bytes - ghost->evicted_bytes) /
	       (file->max_size / 4);
	rate = file->ghost_rate > 1 ? file->ghost_rate : 1;
	if (step < CUBBY_GHOST_STEPS)
		add(&file->ghost_hits[step], rate);
}

void figures_evict(struct figures *figures, const struct eviction *eviction)
{
	struct file *file = file_of(figures);
	struct ghost *ghost;
	uint64_t age_s = eviction->age_ns > 0
				 ? (uint64_t)eviction->age_ns / 1000000000
				 : 0;
	unsigned step = 0;
	uint64_t tag;

	if (!figures)
		return;
	while (age_s > 1 && step < CUBBY_AGE_STEPS - 1) {
		age_s /= 2;
		step++;
	}
	add(&file->eviction_ages[step], 1);
	add(&row_of(figures, eviction->dir)->evictions, 1);
	atomic_store(&file->evicted_bytes, eviction->evicted_bytes);
	ghost = ghost_of(file, eviction->dir, eviction->name, &tag);
	if (ghost) {
		atomic_store(&ghost->evicted_bytes, eviction->evicted_bytes);
		atomic_store(&ghost->tag, tag);
	}
}

void figures_set_scale(struct figures *figures, uint64_t max_size,
		       const struct totals *totals)
{
	struct file *file = file_of(figures);
	uint64_t rate = 1;

	if (!figures)
		return;
	atomic_store(&file->max_size, max_size);
	atomic_store(&file->evicted_bytes, totals->evicted_bytes);
	/* Four times what is here is to find a place among the ghosts. The
	 * rate only grows: what it has left out cannot be brought back. */
	while (totals->entries * 4 / rate > GHOST_COUNT / 2)
		rate *= 2;
	if (rate > atomic_load(&file->ghost_rate))
		atomic_store(&file->ghost_rate, rate);
}

/* --------------------------------------------------------------- reporting */

static struct cubby_figures read_row(const struct file *file, int i)
{
	const struct row *row = &file->rows[i];

	return (struct cubby_figures){
		.hits = row->hits,
		.misses = row->misses,
		.adds = row->adds,
		.deletes = row->deletes,
		.evictions = row->evictions,
		.corrupt = file->corrupt[i],
		.bytes_in = row->bytes_in,
		.bytes_out = row->bytes_out,
	};
}

static void sum(struct figures *figures, struct cubby_figures *ret_sum)
{
	*ret_sum = (struct cubby_figures){.hits = 0};
	for (int i = 0; i < ROW_COUNT; i++) {
		struct cubby_figures row = read_row(file_of(figures), i);

		ret_sum->hits += row.hits;
		ret_sum->misses += row.misses;
		ret_sum->adds += row.adds;
		ret_sum->deletes += row.deletes;
		ret_sum->evictions += row.evictions;
		ret_sum->corrupt += row.corrupt;
		ret_sum->bytes_in += row.bytes_in;
		ret_sum->bytes_out += row.bytes_out;
	}
}

bool figures_sample_is_due(struct figures *figures)
{
	return figures &&
	       sys_now_ns() / 1000000000 >=
		       (int64_t)file_of(figures)->sample_time_s + SAMPLE_S;
}

void figures_sample(struct figures *figures, const struct totals *totals,
		    uint64_t disk_bytes)
{
	struct file *file = file_of(figures);
	uint64_t now = (uint64_t)(sys_now_ns() / 1000000000);
	struct cubby_figures figure;
	struct sample *sample;
	uint64_t last;

	if (!figures)
		return;
	last = atomic_load(&file->sample_time_s);
	if (now < last + SAMPLE_S ||
	    !atomic_compare_exchange_strong(&file->sample_time_s, &last, now))
		return;
	sum(figures, &figure);
	sample = &file->samples[atomic_fetch_add(&file->sample_next, 1) %
				SAMPLE_COUNT];
	sample->disk_bytes = disk_bytes;
	sample->entries = totals->entries;
	sample->hits = figure.hits;
	sample->misses = figure.misses;
	sample->adds = figure.adds;
	sample->evictions = figure.evictions;
	sample->bytes_in = figure.bytes_in;
	sample->time_s = now;
}

int cubby_get_figures(struct cubby *store, struct cubby_figures *ret_figures,
		      struct cubby_what_if *ret_what_if)
{
	struct file *file = file_of(store->figures);
	int r = store_verify_writable(store);

	if (r < 0)
		return r;
	*ret_figures = (struct cubby_figures){.hits = 0};
	if (ret_what_if)
		*ret_what_if = (struct cubby_what_if){.ghost_hits = {0}};
	if (!file)
		return 0;
	sum(store->figures, ret_figures);
	for (int i = 0; ret_what_if && i < CUBBY_GHOST_STEPS; i++)
		ret_what_if->ghost_hits[i] =
			file->ghost_hits[i] +
			(i > 0 ? ret_what_if->ghost_hits[i - 1] : 0);
	for (int i = 0; ret_what_if && i < CUBBY_AGE_STEPS; i++)
		ret_what_if->eviction_ages[i] = file->eviction_ages[i];
	return 0;
}

int cubby_get_checks(struct cubby *store, struct cubby_checks *ret_checks)
{
	struct file *file = file_of(store->figures);
	int r = store_verify_writable(store);

	if (r < 0)
		return r;
	*ret_checks = (struct cubby_checks){.refused = 0};
	if (file)
		*ret_checks = (struct cubby_checks){
			.refused = file->refused,
			.scrub_rounds = file->scrub.rounds,
			.scrub_begun_s = (int64_t)file->scrub.begun_s,
			.scrub_ended_s = (int64_t)file->scrub.ended_s,
			.scrub_round_checked = file->scrub.round_checked,
			.scrub_checked = file->scrub.checked,
			.scrub_damaged = file->scrub.damaged,
			.scrub_misnamed = file->scrub.misnamed,
			.scrub_unreadable = file->scrub.unreadable,
		};
	return 0;
}

/* Give one row with the path of its directory; one that is gone has none. */
static int list_row(struct cubby *store, int i, cubby_figures_fn *fn,
		    void *cookie)
{
	const struct file *file = file_of(store->figures);
	const struct cubby_figures figures = read_row(file, i);
	char path[CUBBY_PATH_MAX + 1];
	const char *found = NULL;
	uint64_t dir = file->rows[i].dir;
	int r = 0;

	if (dir != 0) {
		SCOPED_TXN struct index_txn *txn = NULL;

		r = index_read(store->index, &txn);
		if (r == 0)
			r = walk_path(txn, dir, path);
		if (r == 0)
			found = path;
		else if (node_is_lost(r))
			r = 0;
	}
	return r < 0 ? r : fn(cookie, found, &figures);
}

int cubby_list_figures(struct cubby *store, cubby_figures_fn *fn, void *cookie)
{
	struct file *file = file_of(store->figures);
	int r = store_verify_writable(store);

	for (int i = 0; r == 0 && file && i < ROW_COUNT; i++) {
		const struct row *row = &file->rows[i];

		if (row->dir != 0 ||
		    (i == 0 && (row->hits || row->misses || row->adds)))
			r = list_row(store, i, fn, cookie);
	}
	return r;
}

int cubby_list_samples(struct cubby *store, cubby_sample_fn *fn, void *cookie)
{
	struct file *file = file_of(store->figures);
	int r = store_verify_writable(store);
	uint64_t next = file ? atomic_load(&file->sample_next) : 0;
	uint64_t i = next > SAMPLE_COUNT ? next - SAMPLE_COUNT : 0;

	for (; r == 0 && i < next; i++) {
		const struct sample *from = &file->samples[i % SAMPLE_COUNT];
		const struct cubby_sample sample = {
			.time_s = (int64_t)from->time_s,
			.disk_bytes = from->disk_bytes,
			.entries = from->entries,
			.figures = {.hits = from->hits,
				    .misses = from->misses,
				    .adds = from->adds,
				    .evictions = from->evictions,
				    .bytes_in = from->bytes_in},
		};

		r = fn(cookie, &sample);
	}
	return r;
}
