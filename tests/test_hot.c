/* SPDX-License-Identifier: MIT */
/* Getting again what was got before, when others change it meanwhile. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(hot, .fini = scratch_end, .timeout = 120);

/* After so many gets it comes from memory. */
enum { GETS = 4, SMALL = 1000 };

/* All gets give this content. */
static void must_have(const struct box *box, const char *name, unsigned seed,
		      size_t size)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, seed, size);

	for (int i = 0; i < GETS; i++)
		MUST(box_has(box, name, data, size));
	free(data);
}

static void add(const struct box *box, const char *name, unsigned seed,
		size_t size)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, seed, size);

	box_add(box, name, data, size);
	free(data);
}

/* A process of its own does it. */
static void elsewhere(const struct box *box,
		      void (*deed)(const struct box *box, unsigned seed),
		      unsigned seed)
{
	pid_t child = fork();
	int status;

	MUST(child >= 0);
	if (child == 0) {
		struct box other;

		box_open(&other, box->path, box->space);
		deed(&other, seed);
		box_close(&other);
		_exit(0);
	}
	MUST_BE(waitpid(child, &status, 0), child);
	MUST_BE(status, 0);
}

static void replace_it(const struct box *box, unsigned seed)
{
	add(box, name_of(1), seed, SMALL);
}

static void delete_it(const struct box *box, unsigned seed)
{
	(void)seed;
	box_delete(box, name_of(1));
}

Test(hot, sees_at_once_what_others_add_replace_and_delete)
{
	struct box box;

	box_new(&box, "ns");
	for (unsigned seed = 0; seed < 5; seed++) {
		elsewhere(&box, replace_it, seed);
		must_have(&box, name_of(1), seed, SMALL);
		replace_it(&box, seed + 100);
		must_have(&box, name_of(1), seed + 100, SMALL);
		elsewhere(&box, delete_it, 0);
		for (int i = 0; i < GETS; i++)
			MUST(box_misses(&box, name_of(1)));
	}
	box_close(&box);
}

Test(hot, is_right_for_each_size)
{
	static const size_t sizes[] = {0,    1,	   2,	 7,    8,
				       4095, 4096, 4097, 8176, 100000};
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		add(&box, name_of(i), i, sizes[i]);
		must_have(&box, name_of(i), i, sizes[i]);
	}
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		must_have(&box, name_of(i), i, sizes[i]);
	box_close(&box);
}

/* Of 4 to 5 KiB each, so that twice as much is asked for as there is room. */
Test(hot, is_right_for_more_than_there_is_room_for)
{
	enum { COUNT = 4000 };
	struct box box;
	unsigned next = 1;

	box_new(&box, "ns");
	for (unsigned i = 0; i < COUNT; i++)
		add(&box, name_of(i), i, 3000 + i % 1097);
	for (unsigned n = 0; n < 5 * COUNT; n++) {
		/* Some are asked for more often than others. */
		unsigned i = (next >> 16) % (n % 2 ? COUNT : 100);
		uint8_t *data = sample_new(SAMPLE_TEXT, i, 3000 + i % 1097);

		MUST(box_has(&box, name_of(i), data, 3000 + i % 1097));
		free(data);
		next = next * 1103515245 + 12345;
	}
	box_close(&box);
}

static void move_namespace(const struct box *box, unsigned seed)
{
	struct cubby_attr attr;

	(void)seed;
	MUST_DO(cubby_rename(box->store, CUBBY_ROOT_ID, "ns", CUBBY_ROOT_ID,
			     "moved", 0, &attr));
}

Test(hot, finds_the_namespace_anew_when_it_has_moved)
{
	struct box box;
	struct box moved;

	box_new(&box, "ns");
	add(&box, name_of(1), 1, SMALL);
	must_have(&box, name_of(1), 1, SMALL);
	elsewhere(&box, move_namespace, 0);
	for (int i = 0; i < GETS; i++)
		MUST(box_misses(&box, name_of(1)));

	box_open(&moved, box.path, "moved");
	must_have(&moved, name_of(1), 1, SMALL);
	add(&box, name_of(1), 2, SMALL);
	must_have(&box, name_of(1), 2, SMALL);
	must_have(&moved, name_of(1), 1, SMALL);
	box_close(&moved);
	box_close(&box);
}

Test(hot, each_get_counts)
{
	struct box box;
	struct cubby_figures figures;

	box_new(&box, "ns");
	add(&box, name_of(1), 1, SMALL);
	must_have(&box, name_of(1), 1, SMALL);
	must_have(&box, name_of(1), 1, SMALL);
	MUST_DO(cubby_get_figures(box.store, &figures, NULL));
	MUST_BE(figures.hits, 2 * GETS);
	MUST_BE(figures.bytes_out, 2 * GETS * SMALL);
	box_close(&box);
}

Test(hot, a_use_of_it_keeps_it_from_eviction)
{
	enum { COUNT = 3000 };
	struct box box;

	box_new(&box, "ns");
	box_limit(&box, UINT64_C(16) * 1024 * 1024);
	add(&box, name_of(0), 0, SMALL);
	for (unsigned i = 1; i <= COUNT; i++) {
		uint8_t *noise = sample_new(SAMPLE_NOISE, i, 30000);

		box_add(&box, name_of(i), noise, 30000);
		free(noise);
		box_use(&box, 0);
	}
	MUST(box_knows(&box, 0));
	MUST(!box_knows(&box, 1));
	box_close(&box);
}
