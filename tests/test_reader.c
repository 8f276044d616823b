/* SPDX-License-Identifier: MIT */
/* Reading an entry: in pieces, at positions, by several threads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "box.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(reader, .fini = scratch_end, .timeout = 60);

enum { SIZE = 5 * (int)131072 + 777 };

/* A store with entry 0 in text and entry 1 in noise, of five frames and a
 * bit, and entry 2, which is small; and their content. */
struct library_of_three {
	struct box box;
	uint8_t *data[3];
	size_t size[3];
};

static void three_new(struct library_of_three *three)
{
	box_new(&three->box, "ns");
	for (unsigned i = 0; i < 3; i++) {
		three->size[i] = i == 2 ? 300 : SIZE;
		three->data[i] = sample_new(i == 1 ? SAMPLE_NOISE : SAMPLE_TEXT,
					    i, three->size[i]);
		box_add(&three->box, name_of(i), three->data[i],
			three->size[i]);
	}
}

static void three_free(struct library_of_three *three)
{
	for (unsigned i = 0; i < 3; i++)
		free(three->data[i]);
	box_close(&three->box);
}

Test(reader, reads_at_any_position_across_the_edges_of_frames)
{
	static const int64_t starts[] = {
		0,
		1,
		64,
		FRAME - 1,
		FRAME,
		FRAME + 1,
		2 * FRAME,
		3 * FRAME - 100,
		5 * FRAME - 1,
		5 * FRAME,
		5 * FRAME + 776,
		5 * FRAME + 777,
		5000000,
	};
	static const size_t spans[] = {0,     1,	 2,	    100,
				       FRAME, FRAME + 1, 2 * FRAME, SIZE + 1};
	struct library_of_three three;
	uint8_t *got = malloc(SIZE + 1);

	three_new(&three);
	MUST(got != NULL);
	for (unsigned i = 0; i < 3; i++) {
		struct cubby_reader *reader;

		MUST_DO(cubby_get_name(three.box.ns, name_of(i), &reader));
		for (size_t s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
			for (size_t n = 0; n < sizeof(spans) / sizeof(*spans);
			     n++) {
				size_t start = (size_t)starts[s];
				size_t left = start < three.size[i]
						      ? three.size[i] - start
						      : 0;
				size_t want = spans[n] < left ? spans[n] : left;

				MUST_BE(cubby_reader_pread(reader, got,
							   spans[n], start),
					want);
				MUST(want == 0 ||
				     !memcmp(got, three.data[i] + start, want));
			}
		}
		/* None of this has moved the position. */
		MUST(reader_is(reader, three.data[i], three.size[i]));
		cubby_reader_close(reader);
	}
	free(got);
	three_free(&three);
}

Test(reader, a_position_far_behind_the_end_reads_nothing)
{
	struct library_of_three three;
	struct cubby_reader *reader;
	uint8_t byte;

	three_new(&three);
	for (unsigned i = 0; i < 3; i++) {
		MUST_DO(cubby_get_name(three.box.ns, name_of(i), &reader));
		MUST_BE(cubby_reader_pread(reader, &byte, 1, three.size[i]), 0);
		MUST_BE(cubby_reader_pread(reader, &byte, 1, UINT64_MAX), 0);
		MUST_BE(cubby_reader_pread(reader, &byte, 1, INT64_MAX), 0);
		MUST_BE(cubby_reader_pread(reader, &byte, 1, UINT64_C(1) << 40),
			0);
		cubby_reader_close(reader);
	}
	three_free(&three);
}

Test(reader, pieces_of_any_size_give_the_whole)
{
	static const size_t pieces[] = {1021, 4096, 65536, FRAME, FRAME + 13};
	struct library_of_three three;
	uint8_t *got = malloc(SIZE);

	three_new(&three);
	MUST(got != NULL);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned p = 0; p < 5; p++) {
			struct cubby_reader *reader;
			size_t at = 0;

			MUST_DO(cubby_get_name(three.box.ns, name_of(i),
					       &reader));
			for (;;) {
				size_t left = three.size[i] - at;
				size_t want =
					left < pieces[p] ? left : pieces[p];
				ssize_t n = cubby_reader_read(reader, got,
							      pieces[p]);

				MUST_BE(n, want);
				if (n == 0)
					break;
				MUST(!memcmp(got, three.data[i] + at, want));
				at += want;
			}
			MUST_BE(at, three.size[i]);
			MUST_BE(cubby_reader_read(reader, got, 1), 0);
			cubby_reader_close(reader);
		}
	}
	free(got);
	three_free(&three);
}

Test(reader, eight_bytes_at_a_time_are_read_right)
{
	struct library_of_three three;
	struct cubby_reader *reader;
	uint8_t word[8];

	three_new(&three);
	MUST_DO(cubby_get_name(three.box.ns, name_of(0), &reader));
	for (size_t at = 0; at + 8 <= 2 * FRAME + 64; at += 8) {
		MUST_BE(cubby_reader_read(reader, word, 8), 8);
		MUST(!memcmp(word, three.data[0] + at, 8));
	}
	cubby_reader_close(reader);
	three_free(&three);
}

Test(reader, backwards_and_mixed_reads_are_right)
{
	struct library_of_three three;
	struct cubby_reader *reader;
	uint8_t bytes[1000];

	three_new(&three);
	MUST_DO(cubby_get_name(three.box.ns, name_of(0), &reader));
	for (size_t at = SIZE - 1000; at > 7001; at -= 7001) {
		MUST_BE(cubby_reader_pread(reader, bytes, 1000, at), 1000);
		MUST(!memcmp(bytes, three.data[0] + at, 1000));
	}
	MUST(reader_is(reader, three.data[0], SIZE));
	cubby_reader_close(reader);
	three_free(&three);
}

struct shared_read {
	const struct library_of_three *three;
	struct cubby_reader *reader;
	unsigned seed;
	bool right;
};

static void *shared_read_run(void *cookie)
{
	struct shared_read *job = cookie;
	uint8_t *got = malloc(FRAME);
	unsigned seed = job->seed;

	job->right = got != NULL;
	for (unsigned i = 0; i < 300 && job->right; i++) {
		size_t at = (size_t)rand_r(&seed) % (SIZE - FRAME);
		size_t size = (size_t)rand_r(&seed) % FRAME;

		job->right = cubby_reader_pread(job->reader, got, size, at) ==
				     (ssize_t)size &&
			     memcmp(got, job->three->data[0] + at, size) == 0;
	}
	free(got);
	return NULL;
}

Test(reader, threads_may_share_a_reader_for_positioned_reads)
{
	struct library_of_three three;
	struct shared_read jobs[4];
	pthread_t threads[4];
	struct cubby_reader *reader;

	three_new(&three);
	MUST_DO(cubby_get_name(three.box.ns, name_of(0), &reader));
	for (unsigned i = 0; i < 4; i++) {
		jobs[i] = (struct shared_read){&three, reader, i + 1, false};
		MUST_DO(pthread_create(&threads[i], NULL, shared_read_run,
				       &jobs[i]));
	}
	for (unsigned i = 0; i < 4; i++)
		MUST_DO(pthread_join(threads[i], NULL));
	for (unsigned i = 0; i < 4; i++)
		MUST(jobs[i].right);
	cubby_reader_close(reader);
	three_free(&three);
}

Test(reader, many_readers_may_be_open_at_once)
{
	enum { COUNT = 300 };
	struct library_of_three three;
	struct cubby_reader *readers[COUNT];

	three_new(&three);
	for (unsigned i = 0; i < COUNT; i++)
		MUST_DO(cubby_get_name(three.box.ns, name_of(i % 3),
				       &readers[i]));
	for (unsigned i = 0; i < 3; i++)
		box_delete(&three.box, name_of(i));
	for (unsigned i = 0; i < COUNT; i++) {
		MUST(reader_is(readers[i], three.data[i % 3],
			       three.size[i % 3]));
		cubby_reader_close(readers[i]);
	}
	three_free(&three);
}
