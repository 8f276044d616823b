/* SPDX-License-Identifier: MIT */
/*
 * The cache through the public interface: get, add, delete, and what a reader
 * gives. Every content that has an edge is tried with every way to read it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(library, .fini = scratch_end, .timeout = 60);

/* Sizes at which something begins or ends: nothing, one byte, around the edge
 * of what is kept in the index, a page, and around one and several frames. */
static const size_t edge_sizes[] = {
	0,
	1,
	2,
	100,
	511,
	512,
	1023,
	1024,
	2048,
	4095,
	4096,
	4097,
	8192,
	16384,
	65535,
	65536,
	65537,
	FRAME - 1,
	FRAME,
	FRAME + 1,
	2 * FRAME,
	3 * FRAME - 1,
	3 * FRAME + 1,
	1048576,
	1048577,
	5 * FRAME + 777,
	3000000,
};
enum { EDGE_COUNT = sizeof(edge_sizes) / sizeof(*edge_sizes) };

Test(library, a_store_may_be_anywhere)
{
	char *real = scratch_dir("real");
	char *link = scratch_path("link");
	char *paths[] = {text_new("%s/a", link), text_new("%s/b/", link),
			 text_new("%s/c//", real)};
	struct box box;

	MUST(symlink(real, link) == 0);
	for (unsigned i = 0; i < 3; i++) {
		for (int again = 0; again < 2; again++) {
			box_open(&box, paths[i], "a");
			box_add(&box, name_of(1), "abc", 3);
			MUST(box_has(&box, name_of(1), "abc", 3));
			box_close(&box);
		}
		free(paths[i]);
	}
	free(real);
	free(link);
}

Test(library, a_key_that_was_never_added_is_a_miss)
{
	struct cubby_key key = key_of(1);
	struct cubby_reader *reader = NULL;
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "ns");
	MUST_BE(cubby_get(box.ns, &key, &reader), -ENOENT);
	MUST(reader == NULL);
	MUST_BE(cubby_stat(box.ns, &key, &attr), -ENOENT);
	box_close(&box);
}

Test(library, what_is_added_is_read_back_for_every_size_and_kind)
{
	struct box box;

	box_new(&box, "wazero-1/amd64");
	for (unsigned i = 0; i < 2 * EDGE_COUNT; i++) {
		struct cubby_key key = key_of(i);
		size_t size = edge_sizes[i / 2];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);
		struct cubby_reader *reader;

		MUST_DO(cubby_add_bytes(box.ns, &key, data, size));
		MUST_DO(cubby_get(box.ns, &key, &reader));
		MUST_BE(cubby_reader_size(reader), size);
		if (!reader_is(reader, data, size))
			must_fail(__FILE__, __LINE__, "size %zu differs", size);
		cubby_reader_close(reader);
		free(data);
	}
	box_reopen(&box);
	for (unsigned i = 0; i < 2 * EDGE_COUNT; i++) {
		size_t size = edge_sizes[i / 2];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);

		if (!box_has(&box, name_of(i), data, size))
			must_fail(__FILE__, __LINE__,
				  "size %zu differs after reopening", size);
		free(data);
	}
	box_close(&box);
}

Test(library, no_bytes_may_be_given_as_a_null_pointer)
{
	struct cubby_key key = key_of(1);
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_add_bytes(box.ns, &key, NULL, 0));
	MUST(box_has(&box, name_of(1), "", 0));
	box_close(&box);
}

Test(library, a_deleted_entry_is_a_miss_and_may_be_deleted_again)
{
	struct cubby_key key = key_of(1);
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_delete(box.ns, &key));
	MUST_DO(cubby_add_bytes(box.ns, &key, "abc", 3));
	MUST_DO(cubby_delete(box.ns, &key));
	MUST(box_misses(&box, name_of(1)));
	MUST_DO(cubby_delete(box.ns, &key));
	MUST_DO(cubby_add_bytes(box.ns, &key, "new", 3));
	MUST(box_has(&box, name_of(1), "new", 3));
	box_close(&box);
}

Test(library, deleting_one_entry_leaves_the_others)
{
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 20; i++)
		box_add(&box, name_of(i), name_of(i), 64);
	for (unsigned i = 0; i < 20; i += 2)
		box_delete(&box, name_of(i));
	for (unsigned i = 0; i < 20; i++) {
		if (i % 2)
			MUST(box_has(&box, name_of(i), name_of(i), 64));
		else
			MUST(box_misses(&box, name_of(i)));
	}
	box_close(&box);
}

/* Sizes of the old and the new content: in the index, a blob, several frames,
 * more than what is checked as a whole. */
static const size_t life_sizes[] = {40, 30000, 3 * FRAME + 5, 4000000};

Test(library, a_replaced_entry_keeps_its_bytes_for_who_has_it_open)
{
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 16; i++) {
		size_t size = life_sizes[i / 4];
		size_t new_size = life_sizes[i % 4];
		uint8_t *old = sample_new(SAMPLE_NOISE, i, size);
		uint8_t *data = sample_new(SAMPLE_NOISE, i + 100, new_size);
		struct cubby_reader *reader;

		box_add(&box, name_of(i), old, size);
		MUST_DO(cubby_get_name(box.ns, name_of(i), &reader));
		box_add(&box, name_of(i), data, new_size);
		MUST(box_has(&box, name_of(i), data, new_size));
		MUST(reader_is(reader, old, size));
		cubby_reader_close(reader);
		MUST(box_has(&box, name_of(i), data, new_size));
		free(old);
		free(data);
	}
	box_close(&box);
}

Test(library, a_deleted_entry_keeps_its_bytes_for_who_has_it_open)
{
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 4; i++) {
		size_t size = life_sizes[i];
		uint8_t *old = sample_new(SAMPLE_TEXT, i, size);
		struct cubby_reader *reader;
		uint8_t first[10];

		box_add(&box, name_of(i), old, size);
		MUST_DO(cubby_get_name(box.ns, name_of(i), &reader));
		MUST_BE(cubby_reader_read(reader, first, 10), 10);
		box_delete(&box, name_of(i));
		MUST(box_misses(&box, name_of(i)));
		MUST(reader_is(reader, old + 10, size - 10));
		cubby_reader_close(reader);
		free(old);
	}
	box_close(&box);
}

Test(library, every_version_of_an_entry_has_its_own_id)
{
	struct cubby_attr first;
	struct cubby_attr second;
	struct cubby_attr third;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	first = box_attr(&box, name_of(1));
	box_add(&box, name_of(1), "abc", 3);
	second = box_attr(&box, name_of(1));
	MUST(second.id > first.id);
	box_delete(&box, name_of(1));
	box_reopen(&box);
	box_add(&box, name_of(1), "abc", 3);
	third = box_attr(&box, name_of(1));
	MUST(third.id > second.id);
	box_close(&box);
}

Test(library, the_same_name_in_two_namespaces_is_two_entries)
{
	struct cubby_ns *cas;
	struct cubby_reader *reader;
	struct box box;

	box_new(&box, "ac/1f");
	MUST_DO(cubby_ns_open(box.store, "cas/1f", &cas));
	box_add(&box, name_of(1), "action", 6);
	MUST_BE(cubby_get_name(cas, name_of(1), &reader), -ENOENT);
	struct cubby_key key = key_of(1);
	MUST_DO(cubby_add_bytes(cas, &key, "content", 7));
	MUST(box_has(&box, name_of(1), "action", 6));
	box_delete(&box, name_of(1));
	MUST_DO(cubby_get(cas, &key, &reader));
	MUST(reader_is(reader, "content", 7));
	cubby_reader_close(reader);
	cubby_ns_close(cas);
	box_close(&box);
}

Test(library, content_that_does_not_compress_is_stored_as_it_is)
{
	static const size_t sizes[] = {100, 5000, FRAME, 700000, 5000000};
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < 5; i++) {
		uint8_t *data = sample_new(SAMPLE_NOISE, i, sizes[i]);
		struct cubby_attr attr;

		box_add(&box, name_of(i), data, sizes[i]);
		attr = box_attr(&box, name_of(i));
		MUST_BE(attr.size, sizes[i]);
		if (attr.stored_size < sizes[i] ||
		    attr.stored_size > sizes[i] + sizes[i] / 100 + 1024)
			must_fail(__FILE__, __LINE__,
				  "%zu bytes are stored in %llu", sizes[i],
				  (unsigned long long)attr.stored_size);
		free(data);
	}
	box_close(&box);
}

Test(library, content_that_compresses_takes_less_room)
{
	struct cubby_attr attr;
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 1000000);
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, 1000000);
	attr = box_attr(&box, name_of(1));
	MUST(attr.stored_size > 1000);
	MUST(attr.stored_size < 400000);
	free(data);
	box_close(&box);
}

Test(library, the_disk_takes_no_more_than_the_stored_size_says)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 8000000);
	uint64_t sum = 0;
	struct cubby_attr attr;
	char *files[64];
	char *blobs;
	size_t count;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, 8000000);
	attr = box_attr(&box, name_of(1));
	blobs = text_new("%s/blobs", box.path);
	count = files_below(blobs, files, 64);
	MUST_BE(count, 1);
	for (size_t i = 0; i < count; i++) {
		size_t size = 0;

		free(file_read(files[i], &size));
		free(files[i]);
		sum += size;
	}
	MUST(sum >= attr.stored_size);
	MUST(sum <= attr.stored_size + 4096);
	free(blobs);
	free(data);
	box_close(&box);
}

Test(library, an_error_is_always_a_sentence)
{
	for (int r = -200; r <= 10; r++) {
		const char *text = cubby_strerror(r);

		MUST(text != NULL);
		MUST(text[0] != '\0');
		MUST(strchr(text, '\n') == NULL);
	}
	MUST(strcmp(cubby_strerror(-ENOENT), cubby_strerror(-EBADMSG)) != 0);
}

Test(library, what_is_null_may_be_closed)
{
	cubby_close(NULL);
	cubby_ns_close(NULL);
	cubby_reader_close(NULL);
	cubby_writer_abort(NULL);
	cubby_key_builder_free(NULL);
	cubby_draft_drop(NULL);
	cubby_watch_close(NULL);
}
