/* SPDX-License-Identifier: MIT */
/*
 * Directories whose entries are named by a digest of their content: what does
 * not hash to its name does not get it, by whichever way it comes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(content, .fini = scratch_end, .timeout = 120);

enum { ROOT = (int)CUBBY_ROOT_ID };

static const struct cubby_owner owner = {0644, 0, 0};

/* In the index; in a file, of one frame and of several, raw and compressed;
 * larger than what is read whole. */
static const struct {
	enum sample_kind kind;
	size_t size;
} cases[] = {
	{SAMPLE_TEXT, 0},	{SAMPLE_TEXT, 100},    {SAMPLE_NOISE, 50000},
	{SAMPLE_TEXT, 131072},	{SAMPLE_TEXT, 131073}, {SAMPLE_NOISE, 400000},
	{SAMPLE_TEXT, 5000000},
};
enum { COUNT = sizeof(cases) / sizeof(*cases) };

/* ---------------------------------------------------------------- support */

/* The name of these bytes; to be freed. */
static char *digest_of(const void *data, size_t size)
{
	struct cubby_key_builder *builder;
	struct cubby_key key;
	char text[CUBBY_KEY_TEXT_SIZE];

	MUST_DO(cubby_key_builder_new(&builder));
	MUST_DO(cubby_key_builder_bytes(builder, data, size));
	MUST_DO(cubby_key_builder_finish(builder, &key));
	cubby_key_builder_free(builder);
	cubby_key_format(&key, text);
	return text_new("%s", text);
}

static uint64_t refused(const struct box *box)
{
	struct cubby_checks checks;

	MUST_DO(cubby_get_checks(box->store, &checks));
	return checks.refused;
}

static enum cubby_content content_of(const struct box *box, const char *path)
{
	enum cubby_content content = 99;

	MUST_DO(cubby_get_content(box->store, path, &content));
	return content;
}

static void set_content(const struct box *box, const char *path,
			enum cubby_content content)
{
	MUST_DO(cubby_set_content(box->store, path, content));
	MUST_BE(content_of(box, path), content);
}

/* A new store with a directory that asks for SHA-256, and its id. */
static uint64_t checked_new(struct box *box, const char *dir)
{
	uint64_t id;

	box_new(box, dir);
	id = box_make_dir(box, ROOT, dir).id;
	set_content(box, dir, CUBBY_CONTENT_SHA256);
	return id;
}

static int try_add(const struct box *box, const char *path, const char *name,
		   const void *data, size_t size)
{
	struct box other;
	int r;

	box_open(&other, box->path, path);
	r = box_try_add(&other, name, data, size);
	box_close(&other);
	return r;
}

/* ------------------------------------------------------------ ways to add */

enum way { WAY_WRITER, WAY_DRAFT, WAY_PLAIN, WAY_ENTRY, WAYS };

static void fill_fd(int fd, const void *data, size_t size)
{
	MUST_BE(pwrite(fd, data, size, 0), size);
}

static int add_draft(const struct box *box, uint64_t dir, const char *name,
		     const void *data, size_t size)
{
	struct cubby_draft *draft;
	struct cubby_attr attr;
	int r;

	MUST_DO(cubby_draft_new(box->store, 0, &draft));
	MUST_DO(cubby_draft_grow(draft, size));
	fill_fd(cubby_draft_fd(draft), data, size);
	r = cubby_draft_publish(draft, dir, name, &owner, &attr);
	if (r < 0)
		cubby_draft_drop(draft);
	return r;
}

/* The source stays, whole, when it is refused. */
static int add_plain(const struct box *box, uint64_t dir, const char *name,
		     const void *data, size_t size)
{
	struct cubby_attr attr;
	int fd;
	int r;

	MUST_DO(cubby_create(box->store, ROOT, "tmp", &owner, &attr, &fd));
	fill_fd(fd, data, size);
	r = cubby_rename(box->store, ROOT, "tmp", dir, name, 0, &attr);
	if (r < 0) {
		uint8_t *got = malloc(size + 1);

		MUST_DO(cubby_lookup(box->store, ROOT, "tmp", &attr));
		MUST_BE(attr.kind, CUBBY_PLAIN);
		MUST_BE(attr.size, size);
		MUST_BE(pread(fd, got, size + 1, 0), size);
		MUST(memcmp(got, data, size) == 0);
		free(got);
		MUST_DO(cubby_unlink(box->store, ROOT, "tmp"));
	}
	MUST(close(fd) == 0);
	return r;
}

static int add_entry(const struct box *box, uint64_t dir, const char *name,
		     const void *data, size_t size)
{
	struct cubby_attr attr;
	int r;

	MUST_DO(try_add(box, "", name_of(800), data, size));
	r = cubby_rename(box->store, ROOT, name_of(800), dir, name, 0, &attr);
	if (r < 0) {
		MUST_DO(cubby_lookup(box->store, ROOT, name_of(800), &attr));
		MUST_BE(attr.size, size);
		MUST_DO(cubby_unlink(box->store, ROOT, name_of(800)));
	}
	return r;
}

static int add_by(enum way way, const struct box *box, uint64_t dir,
		  const char *name, const void *data, size_t size)
{
	switch (way) {
	case WAY_WRITER:
		return box_try_add(box, name, data, size);
	case WAY_DRAFT:
		return add_draft(box, dir, name, data, size);
	case WAY_PLAIN:
		return add_plain(box, dir, name, data, size);
	default:
		return add_entry(box, dir, name, data, size);
	}
}

static size_t files_in(const struct box *box, const char *directory)
{
	char *path = text_new("%s/%s", box->path, directory);
	size_t count = files_below(path, NULL, 0);

	free(path);
	return count;
}

static void holds_for(enum way way, bool later)
{
	struct box box;
	uint64_t dir = checked_new(&box, "cas");

	if (later)
		MUST_DO(cubby_later_begin(box.store, 64 << 20));
	for (unsigned i = 0; i < COUNT; i++) {
		const size_t size = cases[i].size;
		uint8_t *data = sample_new(cases[i].kind, i, size);
		char *name = digest_of(data, size);

		MUST_BE(add_by(way, &box, dir, name_of(i), data, size),
			-EBADMSG);
		MUST_BE(refused(&box), 2 * i + 1);
		MUST_BE(box_stats(&box).entries, 0);
		MUST_BE(box_stats(&box).plain_files, 0);
		MUST_BE(files_in(&box, "blobs"), 0);
		MUST_BE(files_in(&box, "drafts"), 0);
		MUST_DO(add_by(way, &box, dir, name, data, size));
		MUST(box_has(&box, name, data, size));
		/* What is there is not replaced by what is wrong. */
		MUST_BE(add_by(way, &box, dir, name, "other", 5), -EBADMSG);
		MUST(box_has(&box, name, data, size));
		MUST_BE(refused(&box), 2 * i + 2);
		box_delete(&box, name);
		free(name);
		free(data);
	}
	MUST_BE(box_stats(&box).quarantined, 0);
	box_close(&box);
}

/* ---------------------------------------------------------------- library */

Test(content, a_writer_adds_only_what_hashes_to_its_name)
{
	holds_for(WAY_WRITER, false);
	holds_for(WAY_WRITER, true);
}

Test(content, a_draft_is_published_only_as_what_it_hashes_to)
{
	holds_for(WAY_DRAFT, false);
	holds_for(WAY_DRAFT, true);
}

Test(content, a_file_is_renamed_only_to_what_it_hashes_to)
{
	holds_for(WAY_PLAIN, false);
	holds_for(WAY_PLAIN, true);
}

Test(content, an_entry_is_renamed_only_to_what_it_hashes_to)
{
	holds_for(WAY_ENTRY, false);
}

Test(content, it_does_not_matter_in_which_pieces_it_comes)
{
	const size_t size = 700000;
	uint8_t *data = sample_new(SAMPLE_TEXT, 5, size);
	char *name = digest_of(data, size);
	static const size_t pieces[] = {4097, 131072, 131073, 262144, 700000};
	struct box box;

	(void)checked_new(&box, "cas");
	for (unsigned i = 0; i < 5; i++) {
		struct cubby_writer *writer;

		MUST_DO(cubby_writer_open_name(box.ns, name, &writer));
		for (size_t at = 0; at < size; at += pieces[i]) {
			size_t left = size - at;

			MUST_DO(cubby_writer_write(
				writer, data + at,
				left < pieces[i] ? left : pieces[i]));
		}
		MUST_DO(cubby_writer_commit(writer));
		MUST(box_has(&box, name, data, size));
		box_delete(&box, name);
	}
	MUST_BE(refused(&box), 0);
	free(name);
	free(data);
	box_close(&box);
}

Test(content, names_that_are_no_digest_are_not_checked)
{
	char *digest = digest_of("output", 6);
	/* So many of the digits, and what follows them. */
	static const struct {
		int digits;
		const char *rest;
	} forms[] = {{64, "-a"}, {64, "0"},  {64, "-dd"}, {64, "-x"},  {63, ""},
		     {40, ""},	 {40, "-d"}, {63, "-d"},  {64, "00-d"}};
	struct box box;
	char *name;

	(void)checked_new(&box, "go");
	for (unsigned i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		name = text_new("%.*s%s", forms[i].digits, digest,
				forms[i].rest);
		box_add(&box, name, "anything", 8);
		free(name);
	}
	name = text_new("%s-d", digest);
	MUST_BE(box_try_add(&box, name, "anything", 8), -EBADMSG);
	box_add(&box, name, "output", 6);
	MUST_BE(box_try_add(&box, digest, "anything", 8), -EBADMSG);
	box_add(&box, digest, "output", 6);
	MUST_BE(box_stats(&box).entries, sizeof(forms) / sizeof(*forms) + 2);
	free(name);
	free(digest);
	box_close(&box);
}

Test(content, the_nearest_setting_holds)
{
	char *digest = digest_of("right", 5);
	struct box box;
	uint64_t cas, deep;

	box_new(&box, "bazel/cas/aa");
	cas = box_make_dir(&box, box_make_dir(&box, ROOT, "bazel").id, "cas")
		      .id;
	set_content(&box, "bazel/cas", CUBBY_CONTENT_SHA256);
	/* Below it, also where the directory does not exist yet. */
	MUST_BE(box_try_add(&box, name_of(1), "wrong", 5), -EBADMSG);
	MUST_BE(box_stats(&box).directories, 2);
	box_add(&box, digest, "right", 5);
	MUST_BE(content_of(&box, "bazel/cas/aa"), CUBBY_CONTENT_SHA256);
	/* Beside it not. */
	MUST_DO(try_add(&box, "bazel/ac/aa", name_of(1), "wrong", 5));
	MUST_DO(try_add(&box, "", name_of(1), "wrong", 5));
	/* None below it, and again below that. */
	deep = box_make_dir(&box, box_make_dir(&box, cas, "loose").id, "strict")
		       .id;
	set_content(&box, "bazel/cas/loose", CUBBY_CONTENT_NONE);
	MUST_DO(try_add(&box, "bazel/cas/loose", name_of(1), "wrong", 5));
	MUST_DO(try_add(&box, "bazel/cas/loose/x", name_of(1), "wrong", 5));
	set_content(&box, "bazel/cas/loose/strict", CUBBY_CONTENT_SHA256);
	MUST_BE(add_draft(&box, deep, name_of(1), "wrong", 5), -EBADMSG);
	/* Without it below all of it is as above. */
	set_content(&box, "bazel/cas", CUBBY_CONTENT_NONE);
	box_add(&box, name_of(1), "wrong", 5);
	/* And at the top it is for all. */
	set_content(&box, "", CUBBY_CONTENT_SHA256);
	MUST_BE(try_add(&box, "", name_of(2), "wrong", 5), -EBADMSG);
	MUST_BE(try_add(&box, "new/one", name_of(2), "wrong", 5), -EBADMSG);
	MUST_DO(try_add(&box, "bazel/cas/loose", name_of(2), "wrong", 5));
	free(digest);
	box_close(&box);
}

Test(content, the_setting_stays_with_its_directory)
{
	struct cubby_attr attr;
	struct box box;
	uint64_t dir = checked_new(&box, "cas");
	uint64_t inner = box_make_dir(&box, dir, "aa").id;

	MUST_DO(cubby_rename(box.store, ROOT, "cas", ROOT, "moved", 0, &attr));
	MUST_BE(content_of(&box, "moved/aa"), CUBBY_CONTENT_SHA256);
	box_reopen(&box);
	MUST_BE(content_of(&box, "moved/aa"), CUBBY_CONTENT_SHA256);
	/* A place below gets it from above: it may leave, and come back only
	 * with the setting, since its entries were not checked outside. */
	MUST_DO(cubby_rename(box.store, dir, "aa", ROOT, "aa", 0, &attr));
	MUST_BE(content_of(&box, "aa"), CUBBY_CONTENT_NONE);
	MUST_BE(cubby_rename(box.store, ROOT, "aa", dir, "aa", 0, &attr),
		-EXDEV);
	set_content(&box, "aa", CUBBY_CONTENT_SHA256);
	MUST_DO(cubby_rename(box.store, ROOT, "aa", dir, "aa", 0, &attr));
	MUST_BE(attr.id, inner);
	MUST_DO(cubby_rmdir(box.store, dir, "aa"));
	MUST_DO(cubby_rmdir(box.store, ROOT, "moved"));
	/* Another directory of the same name is another one. */
	(void)box_make_dir(&box, ROOT, "moved");
	MUST_BE(content_of(&box, "moved"), CUBBY_CONTENT_NONE);
	box_close(&box);
}

static int count_contents(void *cookie, const char *path,
			  enum cubby_content content)
{
	unsigned *count = cookie;

	(void)path;
	MUST_BE(content, CUBBY_CONTENT_SHA256);
	++*count;
	return 0;
}

Test(content, what_cannot_be_set_is_one_error)
{
	char *file = text_new("a/%s", name_of(1));
	enum cubby_content content;
	unsigned count = 0;
	char name[16];
	struct box box;

	box_new(&box, "a");
	box_add(&box, name_of(1), "x", 1);
	MUST_BE(cubby_set_content(box.store, "b", CUBBY_CONTENT_SHA256),
		-ENOENT);
	MUST_BE(cubby_get_content(box.store, "b", &content), -ENOENT);
	MUST_BE(cubby_set_content(box.store, "/a", CUBBY_CONTENT_SHA256),
		-EINVAL);
	MUST_BE(cubby_set_content(box.store, "a", 2), -EINVAL);
	MUST_BE(cubby_set_content(box.store, file, CUBBY_CONTENT_SHA256),
		-ENOTDIR);
	free(file);
	for (int i = 0; i <= CUBBY_CONTENTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d%d", i);
		(void)box_make_dir(&box, ROOT, name);
		MUST_BE(cubby_set_content(box.store, name,
					  CUBBY_CONTENT_SHA256),
			i < CUBBY_CONTENTS_MAX ? 0 : -ENOSPC);
	}
	/* Twice is once; none takes it away; so does the end of it. */
	MUST_DO(cubby_set_content(box.store, "d0", CUBBY_CONTENT_SHA256));
	MUST_DO(cubby_set_content(box.store, "d0", CUBBY_CONTENT_NONE));
	MUST_DO(cubby_set_content(box.store, name, CUBBY_CONTENT_SHA256));
	MUST_DO(cubby_rmdir(box.store, ROOT, name));
	MUST_DO(cubby_set_content(box.store, "d0", CUBBY_CONTENT_SHA256));
	MUST_DO(cubby_list_contents(box.store, count_contents, &count));
	MUST_BE(count, CUBBY_CONTENTS_MAX);
	box_close(&box);
}

/* ----------------------------------------------------------------- verify */

static struct cubby_verify_summary verify(const struct box *box, unsigned flags)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, flags, NULL, NULL, &summary));
	return summary;
}

Test(content, verify_finds_what_was_there_before)
{
	char *digest = digest_of("right", 5);
	struct cubby_verify_summary found;
	struct box box;

	box_new(&box, "cas");
	box_add(&box, digest, "right", 5);
	for (unsigned i = 0; i < COUNT; i++) {
		uint8_t *data = sample_new(cases[i].kind, i, cases[i].size);

		box_add(&box, name_of(i), data, cases[i].size);
		free(data);
	}
	MUST_DO(try_add(&box, "ac", name_of(1), "x", 1));
	MUST_BE(verify(&box, 0).findings, 0);
	set_content(&box, "cas", CUBBY_CONTENT_SHA256);
	found = verify(&box, 0);
	MUST_BE(found.findings, COUNT);
	MUST_BE(found.found[CUBBY_FOUND_CONTENT], COUNT);
	MUST_BE(found.repaired, 0);
	MUST_BE(box_stats(&box).entries, COUNT + 2);
	found = verify(&box, CUBBY_VERIFY_REPAIR);
	MUST_BE(found.repaired, COUNT);
	MUST_BE(box_stats(&box).quarantined, COUNT);
	MUST_BE(box_stats(&box).entries, 2);
	MUST(box_has(&box, digest, "right", 5));
	MUST_BE(verify(&box, 0).findings, 0);
	MUST_BE(refused(&box), 0);
	free(digest);
	box_close(&box);
}
