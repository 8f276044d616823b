/* SPDX-License-Identifier: MIT */
/* Content that is not what its name says, added through a mount: the layouts
 * of the tools that name files so. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_content, .fini = scratch_end, .timeout = 90);

enum { SIZE = 200000 };

/* What `seed` makes, and the name of it. */
struct piece {
	uint8_t data[SIZE];
	char name[CUBBY_KEY_TEXT_SIZE];
};

static struct piece *piece_new(unsigned seed)
{
	struct piece *piece = malloc(sizeof(*piece));
	struct cubby_key_builder *builder;
	struct cubby_key key;

	MUST(piece != NULL);
	sample_fill(SAMPLE_TEXT, seed, piece->data, SIZE);
	MUST_DO(cubby_key_builder_new(&builder));
	MUST_DO(cubby_key_builder_bytes(builder, piece->data, SIZE));
	MUST_DO(cubby_key_builder_finish(builder, &key));
	cubby_key_builder_free(builder);
	cubby_key_format(&key, piece->name);
	return piece;
}

static uint64_t refused(const struct site *site)
{
	struct cubby_checks checks;

	MUST_DO(cubby_get_checks(site->box.store, &checks));
	return checks.refused;
}

static void make_dirs(const struct site *site, const char *first, ...)
{
	va_list names;

	va_start(names, first);
	for (const char *name = first; name; name = va_arg(names, const char *))
		MUST(mkdir(site_path(site, name), 0755) == 0);
	va_end(names);
}

static void site_new_checked(struct site *site, const char *options,
			     const char *dir)
{
	box_new(&site->box, "");
	mounted_start(&site->mount, site->box.path, options);
	make_dirs(site, dir, NULL);
	MUST_DO(cubby_set_content(site->box.store, dir, CUBBY_CONTENT_SHA256));
}

/* A rename to this name is refused and changes nothing: neither what is there
 * nor its source, which can be renamed to where it belongs. */
static void rename_is_refused(const struct site *site, const char *temp,
			      const char *wrong, const struct piece *piece)
{
	uint64_t before = refused(site);

	MUST_FAIL(rename(site_path(site, temp), site_path(site, wrong)),
		  EBADMSG);
	MUST_BE(refused(site), before + 1);
	MUST(file_is(site_path(site, temp), piece->data, SIZE));
}

/* Bazel, and Git LFS with other names: a temporary file, and a rename. */
static void a_rename_is_refused(const char *options)
{
	/* On the mount only for a second; in the store at once. */
	static const char *const temps[] = {
		"tmp/0a1b2c3d-0001-0002-0003-0a1b2c3d4e5f", "tmp/123456"};
	struct piece *piece = piece_new(1);
	struct piece *other = piece_new(2);
	char *right = text_new("cas/aa/%s", piece->name);
	char *wrong = text_new("cas/aa/%s", other->name);
	char *action = text_new("ac/aa/%s", other->name);
	struct site site;

	site_new_checked(&site, options, "cas");
	make_dirs(&site, "tmp", "ac", "ac/aa", "cas/aa", NULL);
	for (unsigned i = 0; i < 2; i++) {
		file_write(site_path(&site, temps[i]), piece->data, SIZE);
		rename_is_refused(&site, temps[i], wrong, piece);
		MUST(site_misses(&site, wrong));
		MUST(rename(site_path(&site, temps[i]),
			    site_path(&site, right)) == 0);
		MUST(file_is(site_path(&site, right), piece->data, SIZE));
		/* What is there stays. */
		file_write(site_path(&site, temps[i]), other->data, SIZE);
		rename_is_refused(&site, temps[i], right, other);
		MUST(file_is(site_path(&site, right), piece->data, SIZE));
		/* Beside it anything goes. */
		MUST(rename(site_path(&site, temps[i]),
			    site_path(&site, action)) == 0);
		/* But from there an entry does not come in, */
		rename_is_refused(&site, action, right, other);
		/* and one that is in gets no other name. */
		rename_is_refused(&site, right, wrong, piece);
		MUST(unlink(site_path(&site, right)) == 0);
		MUST(unlink(site_path(&site, action)) == 0);
	}
	MUST_BE(refused(&site), 8);
	site_end(&site);
	free(right);
	free(wrong);
	free(action);
	free(other);
	free(piece);
}

Test(mount_content, a_rename_to_a_wrong_name_is_refused)
{
	MOUNT_OR_SKIP();
	a_rename_is_refused(NULL);
}

Test(mount_content, a_rename_to_a_wrong_name_is_refused_with_writeback)
{
	MOUNT_OR_SKIP();
	a_rename_is_refused("writeback");
}

/* The close is answered before anybody knows: so nothing is there then. */
Test(mount_content, what_is_written_under_a_wrong_name_is_not_published)
{
	struct piece *piece = piece_new(1);
	struct piece *other = piece_new(2);
	char *right = text_new("objects/%s", piece->name);
	char *wrong = text_new("objects/%s", other->name);
	struct site site;

	MOUNT_OR_SKIP();
	site_new_checked(&site, NULL, "objects");
	file_write(site_path(&site, "source"), piece->data, SIZE);
	MUST_BE(shell("cp '%s' '%s'", site_path(&site, "source"),
		      site_path(&site, wrong)),
		0);
	MUST(WITHIN_MS(LAG_MS, refused(&site) == 1));
	MUST(WITHIN_MS(LAG_MS, site_misses(&site, wrong)));
	MUST_BE(box_stats(&site.box).entries, 0);
	MUST_BE(shell("cp '%s' '%s'", site_path(&site, "source"),
		      site_path(&site, right)),
		0);
	MUST(WITHIN_MS(LAG_MS, box_stats(&site.box).entries == 1));
	MUST(file_is(site_path(&site, right), piece->data, SIZE));
	MUST_BE(refused(&site), 1);
	site_end(&site);
	free(right);
	free(wrong);
	free(other);
	free(piece);
}

Test(mount_content, an_entry_that_is_changed_in_place_stays_what_it_was)
{
	struct piece *piece = piece_new(1);
	char *name = text_new("objects/%s", piece->name);
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new_checked(&site, NULL, "objects");
	site_put(&site, name, piece->data, SIZE);
	fd = open(site_path(&site, name), O_WRONLY | O_APPEND | O_CLOEXEC);
	MUST(fd >= 0);
	MUST_BE(write(fd, "more", 4), 4);
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS, refused(&site) == 1));
	MUST(WITHIN_MS(LAG_MS,
		       file_is(site_path(&site, name), piece->data, SIZE)));
	site_end(&site);
	free(name);
	free(piece);
}

/* Go: both in one directory, written in place. */
Test(mount_content, outputs_of_go_are_checked_and_its_actions_are_not)
{
	struct piece *piece = piece_new(1);
	struct piece *other = piece_new(2);
	char *action = text_new("go/aa/%s-a", other->name);
	char *output = text_new("go/aa/%s-d", piece->name);
	char *wrong = text_new("go/aa/%s-d", other->name);
	struct site site;

	MOUNT_OR_SKIP();
	site_new_checked(&site, NULL, "go");
	make_dirs(&site, "go/aa", NULL);
	file_write(site_path(&site, output), piece->data, SIZE);
	file_write(site_path(&site, action), "v1 ...", 6);
	file_write(site_path(&site, wrong), piece->data, SIZE);
	MUST(WITHIN_MS(LAG_MS, box_stats(&site.box).entries == 2));
	MUST(WITHIN_MS(LAG_MS, refused(&site) == 1));
	MUST(WITHIN_MS(LAG_MS, site_misses(&site, wrong)));
	MUST(file_is(site_path(&site, output), piece->data, SIZE));
	MUST(file_is(site_path(&site, action), "v1 ...", 6));
	site_end(&site);
	free(action);
	free(output);
	free(wrong);
	free(other);
	free(piece);
}

Test(mount_content, a_directory_does_not_come_in_unchecked)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new_checked(&site, NULL, "cas");
	make_dirs(&site, "loose", "cas/aa", NULL);
	box_add(&site.box, name_of(1), "x", 1);
	MUST_FAIL(rename(site_path(&site, "loose"),
			 site_path(&site, "cas/loose")),
		  EXDEV);
	MUST(rename(site_path(&site, "cas/aa"), site_path(&site, "cas/bb")) ==
	     0);
	site_end(&site);
}
