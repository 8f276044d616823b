/* SPDX-License-Identifier: MIT */
/* Temporary files: of the mount at first, and of the store after a second. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_temporary, .fini = scratch_end, .timeout = 120);

enum { OLD_MS = 5000, SIZE = 200000, SMALL = 3000 };

static bool is_stored(const struct site *site)
{
	return box_stats(&site->box).plain_files == 1;
}

static size_t draft_count(const struct site *site)
{
	char *drafts = text_new("%s/drafts", site->box.path);
	size_t count = files_below(drafts, NULL, 0);

	free(drafts);
	return count;
}

static int new_file(const struct site *site, const char *name)
{
	int fd = open(site_path(site, name), O_RDWR | O_CREAT | O_EXCL, 0640);

	MUST(fd >= 0);
	return fd;
}

Test(mount_temporary, it_is_a_file_like_others)
{
	struct site site;
	struct stat st;
	char *got;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = new_file(&site, "a.tmp");
	MUST_BE(write(fd, "abc", 3), 3);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	MUST_FAIL(open(site_path(&site, "a.tmp"), O_CREAT | O_EXCL, 0600),
		  EEXIST);
	MUST(file_is(site_path(&site, "a.tmp"), "abc", 3));
	MUST(stat(site_path(&site, "a.tmp"), &st) == 0);
	MUST_BE(st.st_size, 3);
	MUST_BE(st.st_mode, S_IFREG | 0640);
	got = shell_text("ls -A '%s'", site.mount.at);
	MUST(strcmp(got, "a.tmp\n") == 0);
	free(got);

	MUST(WITHIN_MS(OLD_MS, is_stored(&site)));
	MUST_BE(write(fd, "def", 3), 3);
	MUST(close(fd) == 0);
	MUST(file_is(site_path(&site, "a.tmp"), "abcdef", 6));
	MUST(stat(site_path(&site, "a.tmp"), &st) == 0);
	MUST_BE(st.st_mode, S_IFREG | 0640);
	MUST(unlink(site_path(&site, "a.tmp")) == 0);
	MUST(site_misses(&site, "a.tmp"));
	MUST_BE(box_stats(&site.box).plain_files, 0);
	site_end(&site);
}

Test(mount_temporary, a_rename_publishes_it_young_or_old)
{
	static const size_t sizes[] = {0, 1, SMALL, SIZE};
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 8; i++) {
		size_t size = sizes[i / 2];
		uint8_t *data = sample_new(SAMPLE_TEXT, i, size);
		int fd = new_file(&site, "a.tmp");

		MUST_BE(write(fd, data, size), size);
		if (i % 2)
			MUST(WITHIN_MS(OLD_MS, is_stored(&site)));
		MUST(fsync(fd) == 0);
		MUST(close(fd) == 0);
		MUST(rename(site_path(&site, "a.tmp"),
			    site_path(&site, name_of(i))) == 0);
		MUST(box_has(&site.box, name_of(i), data, size));
		MUST(file_is(site_path(&site, name_of(i)), data, size));
		MUST(site_misses(&site, "a.tmp"));
		free(data);
	}
	MUST_BE(box_stats(&site.box).entries, 8);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	MUST(WITHIN_MS(OLD_MS, draft_count(&site) == 0));
	site_end(&site);
}

Test(mount_temporary, renamed_to_another_name_it_is_a_plain_file)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = new_file(&site, "a.tmp");
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(fsync(fd) == 0);
	MUST(rename(site_path(&site, "a.tmp"), site_path(&site, "a")) == 0);
	MUST(is_stored(&site));
	MUST_BE(write(fd, "def", 3), 3);
	MUST(close(fd) == 0);
	MUST(file_is(site_path(&site, "a"), "abcdef", 6));
	/* And over another one. */
	close(new_file(&site, "b.tmp"));
	MUST(rename(site_path(&site, "a"), site_path(&site, "b.tmp")) == 0);
	MUST(file_is(site_path(&site, "b.tmp"), "abcdef", 6));
	MUST(ALL_THE_WHILE_MS(1500,
			      file_is(site_path(&site, "b.tmp"), "abcdef", 6)));
	MUST_BE(box_stats(&site.box).plain_files, 1);
	site_end(&site);
}

Test(mount_temporary, deleted_it_leaves_nothing)
{
	struct site site;
	char bytes[3];
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = new_file(&site, "a.tmp");
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(unlink(site_path(&site, "a.tmp")) == 0);
	MUST(site_misses(&site, "a.tmp"));
	MUST_BE(pread(fd, bytes, 3, 0), 3);
	MUST(memcmp(bytes, "abc", 3) == 0);
	MUST(close(fd) == 0);
	MUST(ALL_THE_WHILE_MS(1500, site_misses(&site, "a.tmp")));
	MUST_BE(box_stats(&site.box).plain_files, 0);
	MUST_BE(draft_count(&site), 0);
	site_end(&site);
}

Test(mount_temporary, the_end_of_the_mount_keeps_it)
{
	struct site site;
	struct box box;

	MOUNT_OR_SKIP();
	site_new(&site);
	file_write(site_path(&site, "a.tmp"), "abc", 3);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	box_open(&box, site.box.path, "");
	mounted_stop(&site.mount);
	MUST_BE(box_stats(&box).plain_files, 1);
	mounted_start(&site.mount, box.path, NULL);
	MUST(file_is(site_path(&site, "a.tmp"), "abc", 3));
	box_close(&box);
	site_end(&site);
}

Test(mount_temporary, what_may_be_a_lock_is_in_the_store_at_once)
{
	static const char *const names[] = {"lock", "tmp.lock", "a.tmp-lock",
					    "trim.txt"};
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 4; i++) {
		close(new_file(&site, names[i]));
		MUST_BE(box_stats(&site.box).plain_files, i + 1);
	}
	site_end(&site);
}

/* Renames at about the moment when the file goes into the store. */
Test(mount_temporary, going_into_the_store_does_not_hinder_a_rename)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 60; i++) {
		char *name = text_new("%u.tmp", i);

		file_write(site_path(&site, name), name, strlen(name));
		free(name);
	}
	usleep(950 * 1000);
	for (unsigned i = 0; i < 60; i++) {
		char *name = text_new("%u.tmp", i);

		usleep(20 * 1000);
		MUST(rename(site_path(&site, name),
			    site_path(&site, name_of(i))) == 0);
		MUST(box_has(&site.box, name_of(i), name, strlen(name)));
		free(name);
	}
	MUST_BE(box_stats(&site.box).plain_files, 0);
	site_end(&site);
}
