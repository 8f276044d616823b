/* SPDX-License-Identifier: MIT */
/*
 * Renaming: it publishes, it makes plain, it replaces in one instant, and it
 * refuses what rename(2) refuses.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(rename, .fini = scratch_end, .timeout = 60);

enum { ROOT = (int)CUBBY_ROOT_ID };

static int move(const struct box *box, uint64_t parent, const char *name,
		uint64_t new_parent, const char *new_name,
		struct cubby_attr *ret_attr)
{
	return cubby_rename(box->store, parent, name, new_parent, new_name, 0,
			    ret_attr);
}

static bool plain_is(const struct box *box, uint64_t id, const void *data,
		     size_t size)
{
	uint8_t *got = malloc(size + 1);
	bool same;
	int fd;

	MUST(got != NULL);
	MUST_DO(cubby_open_plain(box->store, id, &fd));
	same = pread(fd, got, size + 1, 0) == (ssize_t)size &&
	       (size == 0 || memcmp(got, data, size) == 0);
	MUST(close(fd) == 0);
	free(got);
	return same;
}

static bool is_gone(const struct box *box, uint64_t parent, const char *name)
{
	struct cubby_attr attr;

	return cubby_lookup(box->store, parent, name, &attr) == -ENOENT;
}

static const size_t sizes[] = {0,      1,      300,    5000,
			       131071, 131072, 131073, 2000000};
enum { SIZE_COUNT = sizeof(sizes) / sizeof(*sizes) };

Test(rename, a_plain_file_that_gets_an_entry_name_is_published)
{
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 2 * SIZE_COUNT; i++) {
		size_t size = sizes[i / 2];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);
		struct cubby_attr file;
		struct cubby_attr entry;

		file = box_make_file(&box, ROOT, "x.tmp", data, size);
		MUST(box_misses(&box, name_of(i)));
		MUST_DO(move(&box, ROOT, "x.tmp", ROOT, name_of(i), &entry));
		MUST_BE(entry.id, file.id);
		MUST_BE(entry.kind, CUBBY_ENTRY);
		MUST_BE(entry.size, size);
		MUST(is_gone(&box, ROOT, "x.tmp"));
		MUST(box_has(&box, name_of(i), data, size));
		free(data);
	}
	MUST_BE(box_stats(&box).entries, 2 * SIZE_COUNT);
	MUST_BE(box_stats(&box).plain_files, 0);
	box_close(&box);
}

Test(rename, a_published_file_is_compressed)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 1000000);
	struct cubby_attr entry;
	struct box box;

	box_new(&box, "");
	(void)box_make_file(&box, ROOT, "x.tmp", data, 1000000);
	MUST_DO(move(&box, ROOT, "x.tmp", ROOT, name_of(1), &entry));
	MUST(entry.stored_size < 400000);
	MUST_BE(box_stats(&box).stored_bytes, entry.stored_size);
	free(data);
	box_close(&box);
}

Test(rename, an_entry_that_gets_another_name_becomes_a_plain_file)
{
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 2 * SIZE_COUNT; i++) {
		size_t size = sizes[i / 2];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);
		struct cubby_attr attr;
		uint64_t id;

		box_add(&box, name_of(i), data, size);
		id = box_attr(&box, name_of(i)).id;
		MUST_DO(move(&box, ROOT, name_of(i), ROOT, "plain", &attr));
		MUST_BE(attr.kind, CUBBY_PLAIN);
		MUST_BE(attr.id, id);
		MUST_BE(attr.size, size);
		MUST(box_misses(&box, name_of(i)));
		MUST(plain_is(&box, attr.id, data, size));
		MUST_DO(cubby_unlink(box.store, ROOT, "plain"));
		free(data);
	}
	MUST_BE(box_stats(&box).entries, 0);
	MUST_BE(box_stats(&box).stored_bytes, 0);
	box_close(&box);
}

Test(rename, an_entry_moves_to_another_entry_name_and_directory)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 300000);
	struct cubby_reader *reader;
	struct cubby_attr attr;
	uint64_t dir;
	uint64_t id;
	struct box box;

	box_new(&box, "sub");
	dir = box_make_dir(&box, ROOT, "sub").id;
	box_add(&box, name_of(1), data, 300000);
	id = box_attr(&box, name_of(1)).id;
	MUST_DO(move(&box, dir, name_of(1), ROOT, name_of(2), &attr));
	MUST_BE(attr.id, id);
	MUST_BE(attr.kind, CUBBY_ENTRY);
	MUST(box_misses(&box, name_of(1)));
	MUST_DO(cubby_open_entry(box.store, id, &reader));
	MUST(reader_is(reader, data, 300000));
	cubby_reader_close(reader);
	MUST_DO(move(&box, ROOT, name_of(2), dir, name_of(2), &attr));
	box_reopen(&box);
	MUST(box_has(&box, name_of(2), data, 300000));
	free(data);
	box_close(&box);
}

Test(rename, a_file_replaces_an_entry_whose_readers_keep_the_old_bytes)
{
	uint8_t *old = sample_new(SAMPLE_NOISE, 1, 400000);
	struct cubby_reader *reader;
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), old, 400000);
	MUST_DO(cubby_get_name(box.ns, name_of(1), &reader));
	(void)box_make_file(&box, ROOT, "x.tmp", "new", 3);
	MUST_DO(move(&box, ROOT, "x.tmp", ROOT, name_of(1), &attr));
	MUST(box_has(&box, name_of(1), "new", 3));
	MUST(reader_is(reader, old, 400000));
	cubby_reader_close(reader);
	MUST_BE(box_stats(&box).entries, 1);
	MUST_BE(box_stats(&box).raw_bytes, 3);
	MUST_BE(box_stats(&box).displaced, 0);
	free(old);
	box_close(&box);
}

Test(rename, an_entry_replaces_an_entry_and_a_plain_file_a_plain_file)
{
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), "one", 3);
	box_add(&box, name_of(2), "two", 3);
	MUST_DO(move(&box, ROOT, name_of(1), ROOT, name_of(2), &attr));
	MUST(box_misses(&box, name_of(1)));
	MUST(box_has(&box, name_of(2), "one", 3));
	MUST_BE(box_stats(&box).entries, 1);
	(void)box_make_file(&box, ROOT, "a", "aaa", 3);
	(void)box_make_file(&box, ROOT, "b", "bbbb", 4);
	MUST_DO(move(&box, ROOT, "a", ROOT, "b", &attr));
	MUST(plain_is(&box, attr.id, "aaa", 3));
	MUST(is_gone(&box, ROOT, "a"));
	MUST_BE(box_stats(&box).plain_files, 1);
	box_close(&box);
}

Test(rename, noreplace_refuses_when_the_new_name_exists)
{
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), "one", 3);
	(void)box_make_file(&box, ROOT, "a", "aaa", 3);
	MUST_BE(cubby_rename(box.store, ROOT, "a", ROOT, name_of(1),
			     CUBBY_RENAME_NOREPLACE, &attr),
		-EEXIST);
	MUST(box_has(&box, name_of(1), "one", 3));
	MUST_DO(cubby_lookup(box.store, ROOT, "a", &attr));
	MUST(plain_is(&box, attr.id, "aaa", 3));
	MUST_DO(cubby_rename(box.store, ROOT, "a", ROOT, name_of(2),
			     CUBBY_RENAME_NOREPLACE, &attr));
	MUST(box_has(&box, name_of(2), "aaa", 3));
	MUST_BE(cubby_rename(box.store, ROOT, name_of(1), ROOT, "b", 2, &attr),
		-EINVAL);
	MUST(box_has(&box, name_of(1), "one", 3));
	box_close(&box);
}

Test(rename, directories_move_with_what_is_in_them)
{
	struct cubby_attr attr;
	uint64_t a;
	uint64_t b;
	uint64_t parent;
	struct box box;

	box_new(&box, "b/a");
	a = box_make_dir(&box, ROOT, "a").id;
	b = box_make_dir(&box, ROOT, "b").id;
	(void)box_make_file(&box, a, "x.tmp", "abc", 3);
	MUST_DO(move(&box, a, "x.tmp", a, name_of(1), &attr));
	MUST(box_misses(&box, name_of(1)));
	MUST_DO(move(&box, ROOT, "a", b, "a", &attr));
	MUST_BE(attr.id, a);
	MUST(box_has(&box, name_of(1), "abc", 3));
	MUST_DO(cubby_parent(box.store, a, &parent));
	MUST_BE(parent, b);
	MUST_BE(box_stats(&box).directories, 2);
	box_close(&box);
}

Test(rename, a_directory_replaces_an_empty_one_only)
{
	struct cubby_attr attr;
	uint64_t full;
	struct box box;

	box_new(&box, "");
	full = box_make_dir(&box, ROOT, "full").id;
	(void)box_make_file(&box, full, "x", "x", 1);
	(void)box_make_dir(&box, ROOT, "empty");
	(void)box_make_dir(&box, ROOT, "other");
	MUST_BE(move(&box, ROOT, "other", ROOT, "full", &attr), -ENOTEMPTY);
	MUST_DO(move(&box, ROOT, "full", ROOT, "empty", &attr));
	MUST_BE(attr.id, full);
	MUST(is_gone(&box, ROOT, "full"));
	MUST_BE(box_stats(&box).directories, 2);
	box_close(&box);
}

Test(rename, a_directory_does_not_go_into_itself)
{
	struct cubby_attr attr;
	uint64_t a;
	uint64_t b;
	struct box box;

	box_new(&box, "");
	a = box_make_dir(&box, ROOT, "a").id;
	b = box_make_dir(&box, a, "b").id;
	MUST_BE(move(&box, ROOT, "a", a, "x", &attr), -EINVAL);
	MUST_BE(move(&box, ROOT, "a", b, "x", &attr), -EINVAL);
	MUST_DO(cubby_lookup(box.store, ROOT, "a", &attr));
	MUST_DO(cubby_lookup(box.store, a, "b", &attr));
	box_close(&box);
}

Test(rename, the_wrong_kinds_and_missing_names_are_refused)
{
	struct cubby_attr attr;
	uint64_t dir;
	struct box box;

	box_new(&box, "");
	dir = box_make_dir(&box, ROOT, "dir").id;
	(void)box_make_file(&box, ROOT, "file", "abc", 3);
	box_add(&box, name_of(1), "x", 1);
	MUST_BE(move(&box, ROOT, "file", ROOT, "dir", &attr), -EISDIR);
	MUST_BE(move(&box, ROOT, name_of(1), ROOT, "dir", &attr), -EISDIR);
	MUST_BE(move(&box, ROOT, "dir", ROOT, "file", &attr), -ENOTDIR);
	MUST_BE(move(&box, ROOT, "dir", ROOT, name_of(1), &attr), -ENOTDIR);
	MUST_BE(move(&box, ROOT, "no", ROOT, "x", &attr), -ENOENT);
	MUST_BE(move(&box, ROOT, "no", ROOT, "file", &attr), -ENOENT);
	MUST_BE(move(&box, ROOT, "file", 99999, "x", &attr), -ENOENT);
	MUST_BE(move(&box, ROOT, "file", ROOT, "..", &attr), -EINVAL);
	MUST_DO(cubby_lookup(box.store, ROOT, "file", &attr));
	MUST(plain_is(&box, attr.id, "abc", 3));
	MUST_BE(move(&box, ROOT, "file", attr.id, "x", &attr), -ENOTDIR);
	MUST(box_has(&box, name_of(1), "x", 1));
	(void)dir;
	box_close(&box);
}

Test(rename, onto_its_own_name_changes_nothing)
{
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	(void)box_make_file(&box, ROOT, "file", "abc", 3);
	MUST_DO(move(&box, ROOT, name_of(1), ROOT, name_of(1), &attr));
	MUST_DO(move(&box, ROOT, "file", ROOT, "file", &attr));
	MUST(box_has(&box, name_of(1), "abc", 3));
	MUST(plain_is(&box, attr.id, "abc", 3));
	MUST_BE(box_stats(&box).entries, 1);
	MUST_BE(box_stats(&box).plain_files, 1);
	MUST_BE(box_stats(&box).displaced, 0);
	box_close(&box);
}
