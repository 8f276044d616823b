/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cubby/tree.h"
#include "cubby/upkeep.h"
#include "leaks.h"

static char path[] = "/tmp/cubby-sweep-XXXXXX";
static struct cubby *store;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
}

static void teardown(void)
{
	char command[128];

	cubby_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

enum { LARGE = 1000000 }; /* a small draft has no file */

TestSuite(sweep, .init = setup, .fini = teardown);

static const char *file_of(uint64_t id)
{
	static char file[128];

	snprintf(file, sizeof(file), "%s/drafts/%016" PRIx64, path, id);
	return file;
}

static void make_old(uint64_t id)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	cr_assert_eq(utimensat(AT_FDCWD, file_of(id), times, 0), 0);
}

static bool exists(uint64_t id)
{
	return access(file_of(id), F_OK) == 0;
}

/* A process that makes a draft and dies. */
static uint64_t abandoned_draft(void)
{
	uint64_t id = 0;
	int pipe_fds[2];
	pid_t pid;

	cr_assert_eq(pipe(pipe_fds), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct cubby_draft *draft;
		struct cubby *own;

		if (cubby_open(path, 0, &own) == 0 &&
		    cubby_draft_new(own, 0, &draft) == 0 &&
		    cubby_draft_grow(draft, LARGE) == 0) {
			id = cubby_draft_id(draft);
			if (write(pipe_fds[1], &id, sizeof(id)) < 0)
				_exit(1);
		}
		_exit(0);
	}
	close(pipe_fds[1]);
	cr_assert_eq(read(pipe_fds[0], &id, sizeof(id)), sizeof(id));
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	close(pipe_fds[0]);
	cr_assert(exists(id));
	return id;
}

static void watch_once(void)
{
	struct cubby_watch *watch;

	cr_assert_eq(cubby_watch_new(store, &watch), 0);
	cubby_watch_close(watch);
}

Test(sweep, old_drafts_of_dead_processes_are_deleted)
{
	uint64_t id = abandoned_draft();

	make_old(id);
	watch_once();
	cr_expect_not(exists(id));
}

Test(sweep, young_drafts_are_left_alone)
{
	uint64_t id = abandoned_draft();

	watch_once();
	cr_expect(exists(id));
}

Test(sweep, drafts_of_live_processes_are_left_alone)
{
	struct cubby_draft *draft;
	uint64_t id;

	cr_assert_eq(cubby_draft_new(store, 0, &draft), 0);
	cr_assert_eq(cubby_draft_grow(draft, LARGE), 0);
	id = cubby_draft_id(draft);
	make_old(id);
	watch_once();
	cr_expect(exists(id));
	cubby_draft_drop(draft);
	cr_expect_not(exists(id));
}

Test(sweep, plain_files_are_left_alone)
{
	const struct cubby_owner owner = {.mode = 0644};
	struct cubby_attr attr;
	int fd;

	cr_assert_eq(cubby_create(store, CUBBY_ROOT_ID, "trim.txt", &owner,
				  &attr, &fd),
		     0);
	close(fd);
	make_old(attr.id);
	watch_once();
	cr_expect(exists(attr.id));
}

static void make_file(const char *name, bool is_old)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0, "%s", name);
	cr_assert(!is_old || futimens(fd, times) == 0);
	close(fd);
}

static void make_directory(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	cr_assert_eq(mkdir(file, 0700), 0, "%s", name);
}

static void make_link(const char *name, const char *to)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	cr_assert_eq(symlink(to, file), 0, "%s", name);
}

static bool is_there(const char *name)
{
	struct stat found;
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	return lstat(file, &found) == 0;
}

/* Names that look like some of ours, in places that look like ours. */
Test(sweep, what_is_not_ours_is_left_alone)
{
	static const char *const files[] = {
		"drafts/notes",
		"drafts/12",
		"drafts/000000000000001g",
		"blobs/12/0000000000000013",
		"blobs/12/notes",
		"blobs/13",
		"quarantine/notes",
	};
	static const char *const others[] = {
		"blobs/12/0000000000000012", /* a directory */
		"blobs/14",		     /* a link to a directory */
		"drafts/0000000000000014",   /* a link to a file */
		"quarantine/0000000000000015",
	};
	struct cubby_gc_summary summary;

	make_directory("blobs/12");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		make_file(files[i], true);
	make_directory(others[0]);
	make_link(others[1], "12");
	make_link(others[2], "notes");
	make_directory(others[3]);
	watch_once();
	cr_assert_eq(cubby_gc(store, 0, 1, &summary), 0);
	cr_expect_eq(summary.files, 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		cr_expect(is_there(files[i]), "%s", files[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		cr_expect(is_there(others[i]), "%s", others[i]);
	/* But this is. */
	make_file("blobs/12/0000000000000012.raw", true);
	cr_assert_eq(cubby_gc(store, 0, 1, &summary), 0);
	cr_expect_eq(summary.files, 1);
	cr_expect_not(is_there("blobs/12/0000000000000012.raw"));
}

Test(sweep, a_store_without_its_directories_has_nothing_to_sweep)
{
	struct cubby_gc_summary summary;
	char command[128];

	snprintf(command, sizeof(command), "rmdir %s/drafts %s/quarantine",
		 path, path);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(cubby_gc(store, 0, 1, &summary), 0);
	cr_expect_eq(summary.files, 0);
	cr_expect_eq(cubby_gc(store, 2 * CUBBY_DRY_RUN, 1, &summary), -EINVAL);
}
