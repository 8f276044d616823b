/* SPDX-License-Identifier: MIT */
/*
 * Adding: through a writer and from a callback. Whatever goes wrong, nothing
 * is visible and nothing is left.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "box.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(writer, .fini = scratch_end, .timeout = 120);

/* Is nothing left of an add that did not come to its end? */
static bool has_no_drafts(const struct box *box)
{
	char *drafts = text_new("%s/drafts", box->path);
	size_t count = files_below(drafts, NULL, 0);

	free(drafts);
	return count == 0;
}

static bool streams_back(const struct box *box, const char *name,
			 const struct sample_stream *of)
{
	struct sample_stream stream = {.seed = of->seed, .size = of->size};
	struct cubby_reader *reader;
	uint8_t *piece = malloc(1048576);
	bool same = true;
	ssize_t n;

	MUST(piece != NULL);
	MUST_DO(cubby_get_name(box->ns, name, &reader));
	while (same && (n = cubby_reader_read(reader, piece, 1048576)) != 0) {
		MUST(n > 0);
		same = sample_stream_check(&stream, piece, (size_t)n);
	}
	cubby_reader_close(reader);
	free(piece);
	return same && stream.at == stream.size;
}

Test(writer, a_callback_may_give_less_than_it_is_asked_for)
{
	static const size_t pieces[] = {1, 7, 4096, 131071, 131073, 0};
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 6; i++) {
		struct cubby_key key = key_of(i);
		struct sample_stream stream = {
			.seed = i,
			.size = i == 0 ? 5000 : 400000,
			.piece_max = pieces[i],
		};

		MUST_DO(cubby_add(box.ns, &key, sample_stream_read, &stream));
		MUST_BE(stream.at, stream.size);
		MUST(streams_back(&box, name_of(i), &stream));
	}
	box_close(&box);
}

Test(writer, highly_compressible_64_mib_go_in_and_out)
{
	struct cubby_key key = key_of(1);
	struct sample_stream stream = {.seed = 3, .size = 64 << 20};
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_add(box.ns, &key, sample_stream_read, &stream));
	attr = box_attr(&box, name_of(1));
	MUST_BE(attr.size, 64 << 20);
	MUST(attr.stored_size < (4 << 20));
	MUST(streams_back(&box, name_of(1), &stream));
	box_close(&box);
}

Test(writer, an_error_of_the_callback_is_the_result_and_nothing_is_visible)
{
	static const uint64_t points[] = {1, 100, FRAME, 200000, 3000000};
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 5; i++) {
		struct cubby_key key = key_of(i);
		struct sample_stream stream = {
			.seed = i,
			.size = 4000000,
			.fail_at = points[i],
			.fail_with = -EL2HLT,
			.piece_max = points[i],
		};

		MUST_BE(cubby_add(box.ns, &key, sample_stream_read, &stream),
			-EL2HLT);
		MUST(box_misses(&box, name_of(i)));
		MUST(has_no_drafts(&box));
	}
	MUST_BE(box_stats(&box).entries, 0);
	MUST_BE(box_stats(&box).stored_bytes, 0);
	box_close(&box);
}

Test(writer, an_error_of_the_callback_leaves_the_old_entry)
{
	struct cubby_key key = key_of(1);
	struct sample_stream stream = {
		.size = 4000000, .fail_at = 1000000, .fail_with = -EIO};
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "old", 3);
	MUST_BE(cubby_add(box.ns, &key, sample_stream_read, &stream), -EIO);
	MUST(box_has(&box, name_of(1), "old", 3));
	box_close(&box);
}

static ssize_t give_too_much(void *cookie, void *buffer, size_t size)
{
	(void)cookie;
	memset(buffer, 'x', size);
	return (ssize_t)size + 1;
}

Test(writer, a_callback_that_claims_more_than_it_was_asked_for_is_refused)
{
	struct cubby_key key = key_of(1);
	struct box box;

	box_new(&box, "ns");
	MUST_BE(cubby_add(box.ns, &key, give_too_much, NULL), -EINVAL);
	MUST(box_misses(&box, name_of(1)));
	box_close(&box);
}

Test(writer, nothing_is_visible_before_the_commit)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 1000000);
	struct cubby_key key = key_of(1);
	struct cubby_writer *writer;
	struct box box;

	box_new(&box, "new/ns");
	MUST_DO(cubby_writer_open(box.ns, &key, &writer));
	MUST(box_misses(&box, name_of(1)));
	for (size_t at = 0; at < 1000000; at += 50000) {
		MUST_DO(cubby_writer_write(writer, data + at, 50000));
		MUST(box_misses(&box, name_of(1)));
	}
	MUST_BE(box_stats(&box).entries, 0);
	MUST_DO(cubby_writer_commit(writer));
	MUST(box_has(&box, name_of(1), data, 1000000));
	MUST(has_no_drafts(&box));
	free(data);
	box_close(&box);
}

Test(writer, an_aborted_add_leaves_nothing)
{
	static const size_t sizes[] = {0, 10, 100000, 3000000};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 3000000);
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "old", 3);
	for (unsigned i = 0; i < 4; i++) {
		struct cubby_writer *writer;

		MUST_DO(cubby_writer_open_name(box.ns, name_of(1), &writer));
		MUST_DO(cubby_writer_write(writer, data, sizes[i]));
		cubby_writer_abort(writer);
		MUST(box_has(&box, name_of(1), "old", 3));
		MUST(has_no_drafts(&box));
	}
	MUST_BE(box_stats(&box).entries, 1);
	free(data);
	box_close(&box);
}

Test(writer, the_last_of_two_writers_of_one_key_wins_whole)
{
	uint8_t *a = sample_new(SAMPLE_TEXT, 1, 500000);
	uint8_t *b = sample_new(SAMPLE_TEXT, 2, 300000);
	struct cubby_writer *first;
	struct cubby_writer *second;
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_writer_open_name(box.ns, name_of(1), &first));
	MUST_DO(cubby_writer_open_name(box.ns, name_of(1), &second));
	MUST_DO(cubby_writer_write(first, a, 250000));
	MUST_DO(cubby_writer_write(second, b, 300000));
	MUST_DO(cubby_writer_write(first, a + 250000, 250000));
	MUST_DO(cubby_writer_commit(second));
	MUST(box_has(&box, name_of(1), b, 300000));
	MUST_DO(cubby_writer_commit(first));
	MUST(box_has(&box, name_of(1), a, 500000));
	MUST_BE(box_stats(&box).entries, 1);
	free(a);
	free(b);
	box_close(&box);
}

Test(writer, a_writer_that_was_fed_in_single_bytes_is_right)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, FRAME + 3);
	struct cubby_writer *writer;
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_writer_open_name(box.ns, name_of(1), &writer));
	for (size_t i = 0; i < FRAME + 3; i++)
		MUST_DO(cubby_writer_write(writer, data + i, 1));
	MUST_DO(cubby_writer_write(writer, NULL, 0));
	MUST_DO(cubby_writer_commit(writer));
	MUST(box_has(&box, name_of(1), data, FRAME + 3));
	free(data);
	box_close(&box);
}

Test(writer, content_that_begins_compressible_and_goes_on_random_is_right)
{
	enum { HALF = 1500000 };
	uint8_t *data = malloc(2 * HALF);
	struct box box;

	box_new(&box, "ns");
	MUST(data != NULL);
	sample_fill(SAMPLE_TEXT, 1, data, HALF);
	sample_fill(SAMPLE_NOISE, 1, data + HALF, HALF);
	box_add(&box, name_of(1), data, 2 * HALF);
	MUST(box_has(&box, name_of(1), data, 2 * HALF));
	sample_fill(SAMPLE_NOISE, 2, data, HALF);
	sample_fill(SAMPLE_TEXT, 2, data + HALF, HALF);
	box_add(&box, name_of(2), data, 2 * HALF);
	MUST(box_has(&box, name_of(2), data, 2 * HALF));
	free(data);
	box_close(&box);
}

/* Content that looks like the store's own format, or like another's, is
 * content. */
Test(writer, content_that_is_itself_a_blob_of_a_store_is_read_back)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	char *files[4];
	uint8_t *blob;
	size_t size;
	char *blobs;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, 400000);
	blobs = text_new("%s/blobs", box.path);
	MUST_BE(files_below(blobs, files, 4), 1);
	blob = file_read(files[0], &size);
	MUST(blob != NULL);
	box_add(&box, name_of(2), blob, size);
	MUST(box_has(&box, name_of(2), blob, size));
	box_reopen(&box);
	MUST(box_has(&box, name_of(2), blob, size));
	free(files[0]);
	free(blobs);
	free(blob);
	free(data);
	box_close(&box);
}
