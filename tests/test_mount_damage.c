/* SPDX-License-Identifier: MIT */
/* Damage on the disk, seen through the mount: an error or a miss, never a
 * wrong byte, and the rest goes on. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_damage, .fini = scratch_end, .timeout = 90);

static const struct {
	enum sample_kind kind;
	size_t size;
} cases[] = {
	{SAMPLE_NOISE, 50000}, {SAMPLE_TEXT, 131072},	{SAMPLE_NOISE, 400000},
	{SAMPLE_TEXT, 900000}, {SAMPLE_NOISE, 3000000}, {SAMPLE_TEXT, 9000000},
};
enum { COUNT = sizeof(cases) / sizeof(*cases) };

enum harm { HARM_FLIP, HARM_CUT, HARM_EMPTY, HARM_REMOVE, HARM_COUNT };

static void harm(const char *path, enum harm how)
{
	struct stat st;

	MUST(stat(path, &st) == 0);
	switch (how) {
	case HARM_FLIP:
		file_flip(path, st.st_size / 2);
		break;
	case HARM_CUT:
		MUST(truncate(path, st.st_size / 2) == 0);
		break;
	case HARM_EMPTY:
		MUST(truncate(path, 0) == 0);
		break;
	default:
		MUST(unlink(path) == 0);
	}
}

/* Read it on the mount: only its right bytes, EIO or ENOENT will do; whether
 * it was read. */
static bool reads_right(const struct site *site, unsigned i,
			const uint8_t *data)
{
	size_t size;
	uint8_t *got = file_read(site_path(site, name_of(i)), &size);

	if (!got)
		return false;
	MUST_BE(size, cases[i].size);
	MUST(memcmp(got, data, size) == 0);
	free(got);
	return true;
}

static void harmed_is_no_wrong_byte(enum harm how)
{
	uint8_t *data[COUNT];
	char *files[COUNT];
	struct site site;
	char *blobs;

	site_new(&site);
	blobs = text_new("%s/blobs", site.box.path);
	for (unsigned i = 0; i < COUNT; i++) {
		data[i] = sample_new(cases[i].kind, i, cases[i].size);
		box_add(&site.box, name_of(i), data[i], cases[i].size);
	}
	box_add(&site.box, name_of(100), "small", 5);
	MUST_BE(files_below(blobs, files, COUNT), COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		harm(files[i], how);
		free(files[i]);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		size_t size;
		uint8_t *got;

		int error;

		got = file_read(site_path(&site, name_of(i)), &size);
		error = errno;
		MUST(got == NULL);
		/* What is checked whole before it is shown is just a miss. */
		if (error != ENOENT &&
		    (error != EIO || cases[i].size < 1000000))
			must_fail(__FILE__, __LINE__, "entry %u gives %s", i,
				  strerror(error));
		MUST(WITHIN_MS(LAG_MS, site_misses(&site, name_of(i))));
		MUST(box_misses(&site.box, name_of(i)));
	}
	MUST(file_is(site_path(&site, name_of(100)), "small", 5));
	/* And it can be put there again. */
	for (unsigned i = 0; i < COUNT; i++) {
		site_put(&site, name_of(i), data[i], cases[i].size);
		MUST(reads_right(&site, i, data[i]));
		free(data[i]);
	}
	MUST_BE(box_stats(&site.box).entries, COUNT + 1);
	free(blobs);
	site_end(&site);
}

Test(mount_damage, a_flipped_byte_is_an_error_and_then_a_miss)
{
	MOUNT_OR_SKIP();
	harmed_is_no_wrong_byte(HARM_FLIP);
}

Test(mount_damage, a_blob_that_was_cut_off_is_an_error_and_then_a_miss)
{
	MOUNT_OR_SKIP();
	harmed_is_no_wrong_byte(HARM_CUT);
}

Test(mount_damage, an_empty_blob_is_an_error_and_then_a_miss)
{
	MOUNT_OR_SKIP();
	harmed_is_no_wrong_byte(HARM_EMPTY);
}

Test(mount_damage, a_blob_that_is_gone_is_an_error_and_then_a_miss)
{
	MOUNT_OR_SKIP();
	harmed_is_no_wrong_byte(HARM_REMOVE);
}

Test(mount_damage, real_programs_see_the_error)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 400000);
	struct site site;
	char *files[2];
	char *blobs;

	MOUNT_OR_SKIP();
	site_new(&site);
	box_add(&site.box, name_of(1), data, 400000);
	blobs = text_new("%s/blobs", site.box.path);
	MUST_BE(files_below(blobs, files, 2), 1);
	harm(files[0], HARM_FLIP);
	MUST(shell("cat '%s' >'%s/copy'", site_path(&site, name_of(1)),
		   scratch()) != 0);
	MUST(WITHIN_MS(LAG_MS, shell("test -e '%s'",
				     site_path(&site, name_of(1))) != 0));
	MUST_BE(box_stats(&site.box).quarantined, 1);
	free(files[0]);
	free(blobs);
	free(data);
	site_end(&site);
}
