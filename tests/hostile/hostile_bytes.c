/* SPDX-License-Identifier: MIT */
/*
 * Stored bytes are damaged a million times, and every get goes through the
 * public interface: it gives exactly the bytes that were added, or an error
 * that cubby.h names. With DEEP=1 in the environment, forty million times.
 *
 * One argument, a number, is the seed of the whole run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "format/footer.h"
#include "must.h"
#include "mutate.h"
#include "runner.h"
#include "scratch.h"
#include "victim.h"

enum { DEEP_FACTOR = 40, WORKERS = 2, HANG_S = 60, MORE = 70000 };

static const unsigned quick_counts[SHAPE_COUNT] = {
	[SHAPE_SMALL_RAW] = 150000,   [SHAPE_SMALL_ZSTD] = 150000,
	[SHAPE_BLOB_RAW] = 250000,    [SHAPE_BLOB_ZSTD] = 170000,
	[SHAPE_FRAMES_ZSTD] = 150000, [SHAPE_FRAMES_RAW] = 8000,
	[SHAPE_LARGE] = 2000,	      [SHAPE_RECORD_SMALL] = 60000,
	[SHAPE_RECORD_BLOB] = 60000,
};

struct tally {
	unsigned long mutations;
	unsigned long same;  /* nothing had changed */
	unsigned long right; /* it had, but not what makes the bytes */
	unsigned long damaged;
	unsigned long newer;
	unsigned long missing;
};

/* What may come of a get, and nothing else. */
static void take(struct tally *tally, const struct victim *victim, int r,
		 bool is_same, uint64_t seed)
{
	tally->mutations++;
	if (is_same && r == 1)
		tally->same++;
	else if (!is_same && r == 1)
		tally->right++;
	else if (!is_same && r == -EBADMSG)
		tally->damaged++;
	else if (!is_same && r == -EPROTONOSUPPORT)
		tally->newer++;
	else if (!is_same && r == -ENOENT)
		tally->missing++;
	else
		must_fail(__FILE__, __LINE__, "%s, seed %" PRIu64 ": %s",
			  shape_name(victim->shape), seed, must_show(r));
	/* No byte of stored content is without a check; of a record, times
	 * and owners are. */
	if (!is_same && r == 1 && victim->shape < SHAPE_RECORD_SMALL)
		must_fail(__FILE__, __LINE__,
			  "%s, seed %" PRIu64 ": damage was not noticed",
			  shape_name(victim->shape), seed);
}

static void tally_print(const struct tally *tally, const char *what)
{
	static int64_t before;
	const int64_t now = now_ms();

	printf("# %-26s %9lu in %5" PRId64
	       " ms: %lu damaged, %lu newer, %lu missed, %lu right, "
	       "%lu unchanged\n",
	       what, tally->mutations, before ? now - before : 0,
	       tally->damaged, tally->newer, tally->missing, tally->right,
	       tally->same);
	(void)fflush(stdout);
	before = now;
}

/* The frames of a blob change places, with or without their rows. */
static void swap_frames(uint64_t *state, const struct victim *victim,
			uint8_t *bytes)
{
	struct footer footer;
	struct check check;
	size_t footer_size;
	size_t starts[16];
	size_t at = 0;
	size_t a;
	size_t b;
	size_t size;

	MUST_DO(footer_find(victim->stored + victim->stored_size -
				    FOOTER_TAIL_SIZE,
			    victim->stored_size, &footer_size));
	MUST_DO(footer_decode(
		victim->stored + victim->stored_size - footer_size, footer_size,
		victim->stored_size, victim->id, &footer, &check));
	MUST(footer.frame_count <= 16);
	for (unsigned i = 0; i < footer.frame_count; i++) {
		starts[i] = at;
		at += footer.frames[i].stored_size;
	}
	a = chance_below(state, footer.frame_count);
	b = chance_below(state, footer.frame_count);
	size = min_size(footer.frames[a].stored_size,
			footer.frames[b].stored_size);
	memcpy(bytes + starts[a], victim->stored + starts[b], size);
	memcpy(bytes + starts[b], victim->stored + starts[a], size);
	if (chance(state) & 1) {
		const size_t table = footer.payload_size + 60;

		memcpy(bytes + table + a * 20, victim->stored + table + b * 20,
		       20);
		memcpy(bytes + table + b * 20, victim->stored + table + a * 20,
		       20);
	}
	free(footer.frames);
}

static bool has_frames(enum shape shape)
{
	return shape == SHAPE_FRAMES_ZSTD || shape == SHAPE_FRAMES_RAW ||
	       shape == SHAPE_LARGE;
}

static void mutate_shape(struct crime_scene *scene, enum shape shape,
			 unsigned long count, uint64_t seed)
{
	const struct victim *victim = &scene->victims[shape];
	const struct victim *other =
		&scene->victims[shape < SHAPE_RECORD_SMALL
					? (shape + 1) % SHAPE_RECORD_SMALL
					: SHAPE_RECORD_SMALL + (shape + 1) % 2];
	/* A value of a table has a limit, a record is never near it. */
	const size_t room =
		victim->stored_size + (victim->fd < 0 ? 9000 : (size_t)MORE);
	const struct donor donor = {other->stored, other->stored_size};
	uint8_t *bytes = malloc(room);
	struct tally tally = {0};

	MUST(bytes != NULL);
	for (unsigned long i = 0; i < count; i++) {
		uint64_t state = seed << 48 ^ (uint64_t)shape << 40 ^ i;
		const uint64_t this_seed = state;
		size_t size = victim->stored_size;
		bool is_same;

		if (i % 4096 == 0)
			(void)alarm(HANG_S);
		memcpy(bytes, victim->stored, size);
		if (has_frames(shape) && i % 16 == 0)
			swap_frames(&state, victim, bytes);
		else
			size = mutate(&state, bytes, size, room, donor);
		victim_put(scene, victim, bytes, size);
		is_same = size == victim->stored_size &&
			  memcmp(bytes, victim->stored, size) == 0;
		take(&tally, victim, victim_get(scene, victim, this_seed),
		     is_same, this_seed);
	}
	victim_put(scene, victim, victim->stored, victim->stored_size);
	MUST_BE(victim_get(scene, victim, 0), 1);
	tally_print(&tally, shape_name(shape));
	MUST_BE(tally.mutations, count);
	MUST(tally.damaged > count / 2);
	free(bytes);
}

/* Every bit, every shorter length, and some longer ones. */
static void mutate_everywhere(struct crime_scene *scene,
			      const struct victim *victim)
{
	const size_t size = victim->stored_size;
	uint8_t *bytes = malloc(size + 64);
	struct tally tally = {0};

	MUST(bytes != NULL);
	(void)alarm(5 * HANG_S);
	memcpy(bytes, victim->stored, size);
	memset(bytes + size, 0, 64);
	for (size_t bit = 0; bit < size * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		victim_put(scene, victim, bytes, size);
		take(&tally, victim, victim_get(scene, victim, bit), false,
		     bit);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t to = 0; to <= size + 64; to++) {
		victim_put(scene, victim, bytes, to);
		take(&tally, victim, victim_get(scene, victim, to), to == size,
		     to);
	}
	victim_put(scene, victim, victim->stored, size);
	MUST_BE(victim_get(scene, victim, 0), 1);
	tally_print(&tally, shape_name(victim->shape));
	MUST_BE(tally.mutations, size * 9 + 65);
	free(bytes);
}

/* One of the processes that share the work, with a store of its own. */
static void work(unsigned worker, unsigned factor, uint64_t seed)
{
	struct crime_scene scene;

	crime_scene_new(&scene);
	for (unsigned i = 0; i < SHAPE_COUNT; i++)
		mutate_shape(&scene, (enum shape)i,
			     (unsigned long)quick_counts[i] * factor / WORKERS,
			     seed * WORKERS + worker);
	for (unsigned i = worker; i < SHAPE_COUNT; i += WORKERS)
		if (scene.victims[i].stored_size < 10000)
			mutate_everywhere(&scene, &scene.victims[i]);
	crime_scene_free(&scene);
}

int main(int argc, char **argv)
{
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const char *deep = getenv("DEEP");
	const unsigned factor = deep && *deep ? DEEP_FACTOR : 1;
	const int64_t start = now_ms();
	unsigned long sum = 0;
	pid_t pids[WORKERS];

	printf("1..1\n");
	/* A disk in memory: a checkpoint of the index does not wait there. */
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
	(void)scratch();
	for (unsigned i = 0; i < WORKERS; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			work(i, factor, seed);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < WORKERS; i++)
		child_must_succeed(pids[i]);
	for (unsigned i = 0; i < SHAPE_COUNT; i++)
		sum += (unsigned long)quick_counts[i] * factor;
	printf("# %lu mutations at random, in %" PRId64 " ms with the others\n",
	       sum, now_ms() - start);
	printf("ok - damaged bytes give the right bytes or a miss\n");
	scratch_end();
	return 0;
}
