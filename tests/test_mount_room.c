/* SPDX-License-Identifier: MIT */
/* What files that are no entries take of the disk is known to the store. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_room, .fini = scratch_end, .timeout = 120);

enum { MIB = 1024 * 1024, SETTLE_MS = 5000 };

/* Bytes of the blocks below drafts/. */
static uint64_t on_disk(const struct site *site)
{
	char *text = shell_text("find '%s/drafts' -type f -printf '%%b\\n' | "
				"awk '{s += $1 * 512} END {print s + 0}'",
				site->box.path);
	uint64_t bytes = strtoull(text, NULL, 10);

	free(text);
	return bytes;
}

static bool agrees(const struct site *site)
{
	const struct cubby_stats stats = box_stats(&site->box);

	return stats.plain_bytes == on_disk(site);
}

static void write_file(const struct site *site, const char *name, size_t size)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, size);

	file_write(site_path(site, name), data, size);
	free(data);
}

/* Grown, cut, replaced, removed, renamed in and out: 3 MiB are left. */
static void stir(const struct site *site)
{
	write_file(site, "grown", MIB);
	shell_do("cat '%s' >> '%s'", site_path(site, "grown"),
		 site_path(site, "other"));
	write_file(site, "grown", 2 * MIB);
	write_file(site, "cut", 3 * MIB);
	MUST(truncate(site_path(site, "cut"), MIB) == 0);
	write_file(site, "removed", MIB);
	MUST(unlink(site_path(site, "removed")) == 0);
	write_file(site, "published", MIB);
	MUST(rename(site_path(site, "published"),
		    site_path(site, name_of(1))) == 0);
	write_file(site, "moved", MIB);
	MUST(rename(site_path(site, "moved"), site_path(site, "other")) == 0);
	write_file(site, name_of(2), MIB);
	pause_ms(LAG_MS);
	MUST(rename(site_path(site, name_of(2)), site_path(site, "out")) == 0);
	MUST(unlink(site_path(site, "out")) == 0);
}

Test(mount_room, the_blocks_of_plain_files_are_counted_when_they_are_idle)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	stir(&site);
	MUST(WITHIN_MS(SETTLE_MS, agrees(&site)));
	MUST(on_disk(&site) >= 4 * MIB);
	MUST(truncate(site_path(&site, "grown"), 0) == 0);
	MUST(truncate(site_path(&site, "other"), 0) == 0);
	MUST(WITHIN_MS(SETTLE_MS, agrees(&site)));
	MUST_BE(on_disk(&site), MIB);
	shell_do("rm '%s'/*", site.mount.at);
	MUST(WITHIN_MS(SETTLE_MS, box_stats(&site.box).plain_bytes == 0));
	MUST(WITHIN_MS(SETTLE_MS, on_disk(&site) == 0));
	site_end(&site);
}

Test(mount_room, at_the_end_of_a_mount_nothing_is_left_to_count)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	stir(&site);
	write_file(&site, "last", MIB);
	write_file(&site, "last.tmp", MIB);
	mounted_stop(&site.mount);
	MUST(agrees(&site));
	MUST(on_disk(&site) >= 6 * MIB);
	box_close(&site.box);
}

Test(mount_room, what_a_killed_daemon_has_not_counted_the_next_mount_does)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	write_file(&site, "grown", 2 * MIB);
	MUST(kill(site.mount.pid, SIGKILL) == 0);
	MUST_BE(mounted_wait(&site.mount), 128 + SIGKILL);
	MUST(!agrees(&site));
	mounted_restart(&site.mount);
	MUST(agrees(&site));
	MUST_BE(on_disk(&site), 2 * MIB);
	site_end(&site);
}

Test(mount_room, what_is_being_written_counts_against_the_limit_at_once)
{
	const struct cubby_limits limits = {.max_size = 40 * MIB};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, MIB);
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST_DO(cubby_set_limits(site.box.store, &limits));
	for (unsigned i = 0; i < 30; i++)
		box_add(&site.box, name_of(i), data, MIB);
	MUST_BE(box_stats(&site.box).entries, 30);
	fd = open(site_path(&site, name_of(100)), O_WRONLY | O_CREAT, 0644);
	MUST(fd >= 0);
	for (unsigned i = 0; i < 20; i++)
		MUST_BE(write(fd, data, MIB), MIB);
	box_add(&site.box, name_of(30), data, MIB);
	MUST(box_stats(&site.box).entries <= 18);
	MUST(box_stats(&site.box).entries >= 12);
	/* Published it counts once. */
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS, box_stats(&site.box).raw_bytes >= 30 * MIB));
	MUST(box_stats(&site.box).disk_bytes <= 40 * MIB);
	free(data);
	site_end(&site);
}
