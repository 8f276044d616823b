/* SPDX-License-Identifier: MIT */
/* The mount program: how it starts, refuses, takes over and ends. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "guardian.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(daemon, .fini = scratch_end, .timeout = 90);

/* The program must end by itself, with an error and one line, and mount
 * nothing. */
static void is_refused(const char *store, const char *at)
{
	const char *argv[] = {"timeout", "20", program("CUBBYFS"), store, at,
			      "-f",	 NULL};
	struct outcome outcome;

	guardian_mount(at);
	outcome = run(argv, NULL, 0);
	if (outcome.status == 0 || outcome.status >= 124)
		must_fail(__FILE__, __LINE__, "exit status %d: %s",
			  outcome.status, outcome.err);
	MUST_BE(outcome_error_lines(&outcome), 1);
	MUST(!mounted_is(at));
	outcome_free(&outcome);
}

Test(daemon, sigterm_and_sigint_unmount_and_end_it)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	MOUNT_OR_SKIP();
	for (unsigned i = 0; i < 3; i++) {
		struct site site;

		site_new(&site);
		site_put(&site, name_of(1), "abc", 3);
		file_write(site_path(&site, name_of(2)), "def", 3);
		MUST(kill(site.mount.pid, signals[i]) == 0);
		MUST_BE(mounted_wait(&site.mount), 0);
		MUST(!mounted_is(site.mount.at));
		MUST(box_has(&site.box, name_of(1), "abc", 3));
		MUST(box_has(&site.box, name_of(2), "def", 3));
		mounted_forget(&site.mount);
		box_close(&site.box);
	}
}

Test(daemon, sigterm_ends_it_also_while_files_are_open)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), "abc", 3);
	fd = open(site_path(&site, name_of(1)), O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(kill(site.mount.pid, SIGTERM) == 0);
	/* The name goes at once; the daemon when nobody needs it, or now. */
	MUST(WITHIN_MS(5000, !mounted_is(site.mount.at)));
	MUST(close(fd) == 0);
	MUST_BE(mounted_wait(&site.mount), 0);
	mounted_forget(&site.mount);
	box_close(&site.box);
}

Test(daemon, an_unmount_ends_it)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_end(&site); /* asserts the exit status */
}

Test(daemon, a_mount_makes_the_store_and_remounting_shows_the_same)
{
	struct mounted mounted;
	struct box box;
	char *store;
	char *path;

	MOUNT_OR_SKIP();
	store = scratch_path("fresh");
	mounted_start(&mounted, store, NULL);
	path = text_new("%s/%s", mounted.at, name_of(1));
	file_write(path, "abc", 3);
	free(path);
	mounted_stop(&mounted);
	mounted_start(&mounted, store, NULL);
	path = text_new("%s/%s", mounted.at, name_of(1));
	MUST(file_is(path, "abc", 3));
	free(path);
	mounted_stop(&mounted);
	box_open(&box, store, "");
	MUST(box_has(&box, name_of(1), "abc", 3));
	box_close(&box);
	free(store);
}

Test(daemon, a_new_mount_takes_over_the_stale_one_of_a_killed_daemon)
{
	struct statvfs vfs;
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), "abc", 3);
	for (unsigned i = 0; i < 3; i++) {
		MUST(kill(site.mount.pid, SIGKILL) == 0);
		MUST_BE(mounted_wait(&site.mount), 128 + SIGKILL);
		MUST(mounted_is(site.mount.at));
		MUST_FAIL(statvfs(site.mount.at, &vfs), ENOTCONN);
		mounted_restart(&site.mount);
		MUST(file_is(site_path(&site, name_of(1)), "abc", 3));
	}
	site_end(&site);
}

Test(daemon, a_killed_daemon_does_not_hold_back_the_purge)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	box_add(&site.box, name_of(1), "abc", 3);
	MUST(file_is(site_path(&site, name_of(1)), "abc", 3));
	MUST(kill(site.mount.pid, SIGSTOP) == 0);
	box_delete(&site.box, name_of(1));
	MUST_BE(box_stats(&site.box).displaced, 1);
	MUST(kill(site.mount.pid, SIGKILL) == 0);
	MUST_BE(mounted_wait(&site.mount), 128 + SIGKILL);
	MUST(WITHIN_MS(5000, (box_add(&site.box, name_of(2), "x", 1),
			      box_delete(&site.box, name_of(2)),
			      box_stats(&site.box).displaced == 0)));
	mounted_restart(&site.mount);
	site_end(&site);
}

Test(daemon, a_store_inside_its_own_mountpoint_is_refused)
{
	char *at;
	char *store;
	char *link;

	MOUNT_OR_SKIP();
	at = scratch_dir("at");
	store = text_new("%s/store", at);
	is_refused(store, at);
	is_refused(at, at);
	free(store);
	store = text_new("%s/a/../b", at);
	is_refused(store, at);
	link = scratch_path("link");
	MUST(symlink(at, link) == 0);
	free(store);
	store = text_new("%s/store", link);
	is_refused(store, at);
	free(link);
	free(store);
	free(at);
}

Test(daemon, a_mountpoint_that_is_none_is_refused)
{
	char *store;
	char *at;

	MOUNT_OR_SKIP();
	store = scratch_path("store");
	at = scratch_path("missing");
	is_refused(store, at);
	free(at);
	at = scratch_path("file");
	file_write(at, "x", 1);
	is_refused(store, at);
	MUST(file_is(at, "x", 1));
	free(at);
	free(store);
}

Test(daemon, a_store_that_cannot_be_opened_is_refused)
{
	char *store;
	char *at;

	MOUNT_OR_SKIP();
	at = scratch_dir("at");
	store = scratch_path("file");
	file_write(store, "x", 1);
	is_refused(store, at);
	MUST(file_is(store, "x", 1));
	free(store);
	store = scratch_dir("home");
	char *file = text_new("%s/thesis.tex", store);
	file_write(file, "x", 1);
	is_refused(store, at);
	MUST_BE(files_below(store, NULL, 0), 1);
	free(file);
	free(store);
	free(at);
}

Test(daemon, wrong_arguments_are_refused)
{
	const char *const tries[][5] = {
		{program("CUBBYFS"), NULL},
		{program("CUBBYFS"), "only-one", NULL},
		{program("CUBBYFS"), "--no-such-option", NULL},
	};

	for (unsigned i = 0; i < 3; i++) {
		struct outcome outcome = run(tries[i], NULL, 0);

		MUST(outcome.status != 0 && outcome.status < 128);
		MUST(outcome_error_lines(&outcome) >= 1);
		outcome_free(&outcome);
	}
}

/* Has any process `at` on its command line? */
static bool runs_for(const char *at)
{
	DIR *dir = opendir("/proc");
	struct dirent *item;
	bool found = false;

	MUST(dir != NULL);
	while (!found && (item = readdir(dir)) != NULL) {
		char *path = text_new("/proc/%s/cmdline", item->d_name);
		size_t size = 0;
		uint8_t *line = file_read(path, &size);

		if (line && memmem(line, size, at, strlen(at)))
			found = true;
		free(line);
		free(path);
	}
	MUST(closedir(dir) == 0);
	return found;
}

Test(daemon, without_f_the_command_returns_when_the_mount_is_there)
{
	const char *argv[] = {program("CUBBYFS"), NULL, NULL, NULL};
	struct outcome outcome;
	struct box box;
	char *path;
	char *at;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	at = scratch_dir("at");
	guardian_mount(at);
	argv[1] = box.path;
	argv[2] = at;
	outcome = run(argv, NULL, 0);
	MUST_BE(outcome.status, 0);
	MUST_BE(outcome_error_lines(&outcome), 0);
	outcome_free(&outcome);
	MUST(mounted_is(at));
	MUST(runs_for(at));
	path = text_new("%s/%s", at, name_of(1));
	file_write(path, "abc", 3);
	MUST(WITHIN_MS(LAG_MS, box_has(&box, name_of(1), "abc", 3)));
	if (umount2(at, 0) != 0)
		shell_do("fusermount3 -u '%s'", at);
	/* The daemon is no child of the test. */
	MUST(WITHIN_MS(5000, !runs_for(at)));
	free(path);
	free(at);
	box_close(&box);
}

Test(daemon, a_read_only_mount_shows_all_and_changes_nothing)
{
	struct mounted mounted;
	struct box box;
	char *entry;
	char *other;
	int fd;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	mounted_start(&mounted, box.path, "ro");
	entry = text_new("%s/%s", mounted.at, name_of(1));
	other = text_new("%s/%s", mounted.at, name_of(2));
	MUST(file_is(entry, "abc", 3));
	MUST_FAIL(unlink(entry), EROFS);
	MUST_FAIL(open(entry, O_WRONLY), EROFS);
	MUST_FAIL(open(other, O_WRONLY | O_CREAT, 0644), EROFS);
	MUST_FAIL(mkdir(other, 0755), EROFS);
	MUST_FAIL(rename(entry, other), EROFS);
	/* Others may go on. */
	box_add(&box, name_of(3), "def", 3);
	free(other);
	other = text_new("%s/%s", mounted.at, name_of(3));
	MUST(file_is(other, "def", 3));
	fd = open(entry, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(close(fd) == 0);
	free(entry);
	free(other);
	mounted_stop(&mounted);
	MUST(box_has(&box, name_of(1), "abc", 3));
	box_close(&box);
}

/* System calls that read and write, of another process. */
static long io_calls(pid_t pid)
{
	char *path = text_new("/proc/%d/io", (int)pid);
	char *text = (char *)file_read(path, NULL);
	const char *reads;
	const char *writes;
	long count = -1;

	free(path);
	if (!text)
		return -1;
	reads = strstr(text, "syscr: ");
	writes = strstr(text, "syscw: ");
	if (reads && writes)
		count = atol(reads + 7) + atol(writes + 7);
	free(text);
	return count;
}

static void hit(const char *path, const uint8_t *data, size_t size)
{
	uint8_t got[40000];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(fstat(fd, &st) == 0);
	MUST_BE(st.st_size, size);
	MUST_BE(read(fd, got, sizeof(got)), size);
	MUST(memcmp(got, data, size) == 0);
	MUST(close(fd) == 0);
}

Test(daemon, a_hot_hit_makes_no_request)
{
	enum { HITS = 100, SIZE = 32768 };
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct site site;
	long before;
	long after;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), data, SIZE);
	box_add(&site.box, name_of(2), data, SIZE);
	hit(site_path(&site, name_of(1)), data, SIZE);
	hit(site_path(&site, name_of(2)), data, SIZE);
	before = io_calls(site.mount.pid);
	if (before < 0)
		cr_skip_test("/proc/PID/io of the daemon cannot be read");
	/* Misses of different names do make requests: the measure works. */
	for (unsigned i = 0; i < HITS; i++)
		(void)access(site_path(&site, name_of(1000 + i)), F_OK);
	after = io_calls(site.mount.pid);
	MUST(after - before >= HITS);
	before = after;
	for (unsigned i = 0; i < HITS; i++) {
		hit(site_path(&site, name_of(1)), data, SIZE);
		hit(site_path(&site, name_of(2)), data, SIZE);
	}
	after = io_calls(site.mount.pid);
	if (after - before > HITS / 5)
		must_fail(__FILE__, __LINE__,
			  "%d hot hits made %ld reads and writes", 2 * HITS,
			  after - before);
	free(data);
	site_end(&site);
}

/* How often the kernel has asked for a name. */
static unsigned lookups_of(const struct mounted *mounted)
{
	char *count = shell_text("grep -c 'opcode: LOOKUP' '%s' || true",
				 mounted->log);
	unsigned n = (unsigned)strtoul(count, NULL, 10);

	free(count);
	return n;
}

Test(daemon, a_name_is_kept_on_a_read_only_mount_as_well)
{
	struct mounted mounted;
	struct stat st;
	struct box box;
	char *path;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	mounted_start(&mounted, box.path, "ro,debug");
	path = text_new("%s/%s", mounted.at, name_of(1));
	for (unsigned i = 0; i < 20; i++)
		MUST(stat(path, &st) == 0);
	/* It is kept for a second there. */
	MUST(lookups_of(&mounted) >= 1);
	MUST(lookups_of(&mounted) <= 10);
	mounted_stop(&mounted);
	free(path);
	box_close(&box);
}
