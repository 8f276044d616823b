/* SPDX-License-Identifier: MIT */
/*
 * While entries are read, a thread exchanges their files in one instant with
 * symlinks, FIFOs, directories and other blobs. A get gives the right bytes or
 * damage, and the canary that the symlink leads to is never opened.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "must.h"
#include "mutate.h"
#include "plant.h"
#include "scratch.h"
#include "store/layout.h"
#include "victim.h"

enum { GETS = 2000, DEEP_FACTOR = 100, THREADS = 2, PLANTS = 5 };

static const enum shape shapes[] = {SHAPE_BLOB_RAW, SHAPE_FRAMES_ZSTD,
				    SHAPE_LARGE};
enum { ENTRIES = ARRAY_SIZE(shapes) };

struct race {
	struct box box;
	uint8_t *content[ENTRIES];
	size_t size[ENTRIES];
	char *blob[ENTRIES];
	char *aside[ENTRIES][PLANTS];
	unsigned gets; /* of each thread */
	_Atomic(bool) is_over;
	_Atomic(unsigned) right;
	_Atomic(unsigned) damaged;
	_Atomic(unsigned) exchanges;
	_Atomic(int) finding; /* an error that must not be, or 1: wrong bytes */
};

static void *exchanger(void *cookie)
{
	struct race *race = cookie;
	uint64_t state = 3;

	while (!atomic_load(&race->is_over)) {
		const size_t i = chance_below(&state, ENTRIES);
		const size_t n = chance_below(&state, PLANTS);

		/* There and back: in between, the blob is not there. */
		for (unsigned k = 0; k < 2; k++)
			if (renameat2(AT_FDCWD, race->blob[i], AT_FDCWD,
				      race->aside[i][n], RENAME_EXCHANGE) != 0)
				atomic_store(&race->finding, -errno);
		atomic_fetch_add(&race->exchanges, 2);
	}
	return NULL;
}

static int get(struct race *race, unsigned i)
{
	uint8_t *data;
	size_t size;
	int r = box_get(&race->box, name_of(i), &data, &size);

	if (r < 0)
		return r;
	r = size == race->size[i] && memcmp(data, race->content[i], size) == 0
		    ? 0
		    : 1;
	free(data);
	return r;
}

static void *getter(void *cookie)
{
	struct race *race = cookie;

	for (unsigned n = 0; n < race->gets; n++) {
		int r = get(race, n % ENTRIES);

		if (r == 0)
			atomic_fetch_add(&race->right, 1);
		else if (r == -EBADMSG)
			atomic_fetch_add(&race->damaged, 1);
		else
			atomic_store(&race->finding, r);
	}
	return NULL;
}

static void race_new(struct race *race, const struct canary *canary)
{
	static const enum plant plants[] = {PLANT_SYMLINK, PLANT_DANGLING,
					    PLANT_FIFO, PLANT_DIRECTORY};

	box_new(&race->box, "ns");
	for (unsigned i = 0; i < ENTRIES; i++) {
		char blob[LAYOUT_PATH_SIZE];

		race->content[i] = shape_content(shapes[i], i, &race->size[i]);
		box_add(&race->box, name_of(i), race->content[i],
			race->size[i]);
		layout_blob(box_attr(&race->box, name_of(i)).id,
			    shape_codec(shapes[i]), blob);
		race->blob[i] = text_new("%s/%s", race->box.path, blob);
		for (unsigned n = 0; n < PLANTS; n++) {
			race->aside[i][n] = scratch_path("aside%u.%u", i, n);
			if (n < ARRAY_SIZE(plants)) {
				plant_put(plants[n], race->aside[i][n], false,
					  canary->outside);
			} else {
				uint8_t *stored =
					file_read(race->blob[i], NULL);

				/* Of the right size, and all but right. */
				stored[40] ^= 1;
				file_write(race->aside[i][n], stored,
					   box_attr(&race->box, name_of(i))
						   .stored_size);
				free(stored);
			}
		}
	}
	/* For reading only: damage stays where it is. */
	cubby_ns_close(race->box.ns);
	cubby_close(race->box.store);
	MUST_DO(cubby_open(race->box.path, CUBBY_READ_ONLY, &race->box.store));
	MUST_DO(cubby_ns_open(race->box.store, "ns", &race->box.ns));
}

static void race_free(struct race *race)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		free(race->content[i]);
		free(race->blob[i]);
		for (unsigned n = 0; n < PLANTS; n++)
			free(race->aside[i][n]);
	}
	box_close(&race->box);
}

int main(void)
{
	static const char *const none[] = {NULL};
	const char *deep = getenv("DEEP");
	char *outside = scratch_path("outside");
	pthread_t threads[THREADS + 1];
	struct race race = {.gets = GETS / THREADS * (deep ? DEEP_FACTOR : 1)};
	struct canary canary;
	const char *seen;

	printf("1..1\n");
	(void)alarm(280 * (deep ? DEEP_FACTOR : 1));
	canary_new(&canary, outside, none);
	race_new(&race, &canary);
	canary_settle(&canary);
	MUST_BE(pthread_create(&threads[THREADS], NULL, exchanger, &race), 0);
	for (unsigned i = 0; i < THREADS; i++)
		MUST_BE(pthread_create(&threads[i], NULL, getter, &race), 0);
	for (unsigned i = 0; i < THREADS; i++)
		MUST_BE(pthread_join(threads[i], NULL), 0);
	atomic_store(&race.is_over, true);
	MUST_BE(pthread_join(threads[THREADS], NULL), 0);
	printf("# %u exchanges; of %u gets, %u right and %u damaged\n",
	       race.exchanges, race.gets * THREADS, race.right, race.damaged);
	MUST_BE(race.finding, 0);
	MUST_BE(race.right + race.damaged, race.gets * THREADS);
	MUST(race.right > 0 && race.damaged > 0);
	seen = canary_finding(&canary, false);
	if (seen)
		must_fail(__FILE__, __LINE__, "%s", seen);
	for (unsigned i = 0; i < ENTRIES; i++)
		MUST_BE(get(&race, i), 0);
	printf("ok - blobs exchanged while they are read give no wrong byte\n");
	race_free(&race);
	canary_free(&canary);
	free(outside);
	scratch_end();
	return 0;
}
