/* SPDX-License-Identifier: MIT */
/*
 * A mount with -o durable: what has been answered is on the disk. Whether it
 * survives there is what power_cut.c looks at; here it is whether the index has
 * been put on the disk at all, as the file `steady` tells.
 */
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

TestSuite(mount_durable, .fini = scratch_end, .timeout = 120);

enum {
	SOON_MS = 2000, /* others have a checkpoint every 5 s */
	SMALL = 3000,
	SIZE = 200000,
	/* See core/index/snapshot.c. */
	AT_PAGE = 72,
	META_TXNID = 144,
	PAGE = 4096,
};

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static uint64_t number_at(const struct site *site, const char *name, off_t at)
{
	char *path = text_new("%s/index/%s", site->box.path, name);
	int fd = open(path, O_RDONLY);
	uint64_t number = 0;

	MUST(fd >= 0);
	MUST_BE(pread(fd, &number, sizeof(number), at), sizeof(number));
	close(fd);
	free(path);
	return number;
}

/* Is the last commit what a power cut would leave? One of a thread beside the
 * requests may be on its way. */
static bool is_on_disk(const struct site *site)
{
	uint64_t steady = number_at(site, "steady", AT_PAGE + META_TXNID);
	uint64_t even = number_at(site, "data.mdb", META_TXNID);
	uint64_t odd = number_at(site, "data.mdb", PAGE + META_TXNID);

	return steady == (even > odd ? even : odd);
}

static void put_two(const struct site *site)
{
	uint8_t *small = sample_new(SAMPLE_TEXT, 1, SMALL);
	uint8_t *large = sample_new(SAMPLE_NOISE, 2, SIZE);

	site_put(site, KEY_A, small, SMALL);
	site_put(site, KEY_B, large, SIZE);
	free(small);
	free(large);
}

Test(mount_durable, changes_are_on_the_disk_when_they_are_answered)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new_with(&site, "durable");
	put_two(&site);
	MUST(WITHIN_MS(SOON_MS, is_on_disk(&site)));
	MUST(mkdir(site_path(&site, "dir"), 0700) == 0);
	MUST(WITHIN_MS(SOON_MS, is_on_disk(&site)));
	MUST(unlink(site_path(&site, KEY_A)) == 0);
	MUST(WITHIN_MS(SOON_MS, is_on_disk(&site)));
	MUST(rename(site_path(&site, KEY_B), site_path(&site, KEY_A)) == 0);
	MUST(WITHIN_MS(SOON_MS, is_on_disk(&site)));
	site_end(&site);
}

/* That the test above can fail. */
Test(mount_durable, without_the_option_nothing_waits)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	put_two(&site);
	MUST(!is_on_disk(&site));
	site_end(&site);
}

Test(mount_durable, fsync_puts_a_temporary_file_into_the_store)
{
	struct site site;
	uint8_t *data = sample_new(SAMPLE_TEXT, 3, SIZE);
	int dir;
	int fd;

	MOUNT_OR_SKIP();
	site_new_with(&site, "durable");
	fd = open(site_path(&site, "a.tmp"), O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0);
	MUST_BE(write(fd, data, SIZE), SIZE);
	MUST(fsync(fd) == 0);
	MUST_BE(box_stats(&site.box).plain_files, 1);
	MUST(WITHIN_MS(SOON_MS, is_on_disk(&site)));
	MUST(fdatasync(fd) == 0);
	MUST(close(fd) == 0);
	MUST(rename(site_path(&site, "a.tmp"), site_path(&site, KEY_A)) == 0);
	MUST(box_has(&site.box, KEY_A, data, SIZE));
	dir = open(site.mount.at, O_RDONLY | O_DIRECTORY);
	MUST(dir >= 0 && fsync(dir) == 0);
	close(dir);
	free(data);
	site_end(&site);
}
