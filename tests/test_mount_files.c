/* SPDX-License-Identifier: MIT */
/* The mount is a file system: what tools do beside adding and reading. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_files, .fini = scratch_end, .timeout = 120);

Test(mount_files, a_listing_shows_what_was_put_there_and_nothing_else)
{
	struct site site;
	char *want;
	char *got;

	MOUNT_OR_SKIP();
	site_new(&site);
	got = shell_text("ls -A '%s'", site.mount.at);
	MUST(strcmp(got, "") == 0);
	free(got);
	shell_do("mkdir -p '%s/a/1'", site.mount.at);
	box_add(&site.box, name_of(1), "x", 1);
	site_put(&site, name_of(2), "x", 1);
	file_write(site_path(&site, name_of(3)), "x", 1);
	file_write(site_path(&site, "a/CACHEDIR.TAG"), "x", 1);
	site_put(&site, name_of(4), "x", 1);
	MUST(unlink(site_path(&site, name_of(4))) == 0);
	want = shell_text("printf '%%s\\n' a a/1 a/CACHEDIR.TAG %s %s %s | "
			  "LC_ALL=C sort",
			  name_of(1), name_of(2), name_of(3));
	got = shell_text("cd '%s' && find . -mindepth 1 -printf '%%P\\n' | "
			 "LC_ALL=C sort",
			 site.mount.at);
	if (strcmp(got, want) != 0)
		must_fail(__FILE__, __LINE__, "listed:\n%s", got);
	free(want);
	free(got);
	site_end(&site);
}

Test(mount_files, a_direct_write_is_listed_while_it_lasts)
{
	struct site site;
	char *got;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open(site_path(&site, name_of(1)), O_WRONLY | O_CREAT, 0644);
	MUST(fd >= 0);
	MUST_BE(write(fd, "abc", 3), 3);
	got = shell_text("ls -A '%s'", site.mount.at);
	MUST(strncmp(got, name_of(1), 64) == 0);
	MUST_BE(strlen(got), 65);
	free(got);
	MUST(close(fd) == 0);
	got = shell_text("ls -A '%s'", site.mount.at);
	MUST_BE(strlen(got), 65);
	free(got);
	site_end(&site);
}

Test(mount_files, thousands_of_files_are_listed_once_each_and_removed_by_rm)
{
	enum { COUNT = 2000 };
	static bool seen[COUNT];
	struct site site;
	struct dirent *item;
	unsigned count = 0;
	DIR *dir;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(mkdir(site_path(&site, "many"), 0755) == 0);
	for (unsigned i = 0; i < COUNT; i++) {
		char *name = i % 4 == 0 ? text_new("many/file%u.tmp", i)
					: text_new("many/%s", name_of(i));

		if (i % 4 == 1)
			site_put(&site, name, &i, sizeof(i));
		else
			file_write(site_path(&site, name), &i, sizeof(i));
		free(name);
	}
	dir = opendir(site_path(&site, "many"));
	MUST(dir != NULL);
	while ((item = readdir(dir)) != NULL) {
		unsigned i;

		if (item->d_name[0] == '.')
			continue;
		if (sscanf(item->d_name, "file%u.tmp", &i) != 1)
			i = (unsigned)strtoul(item->d_name + 56, NULL, 16);
		MUST(i < COUNT);
		MUST(!seen[i]);
		seen[i] = true;
		MUST_BE(item->d_type, DT_REG);
		count++;
	}
	MUST(closedir(dir) == 0);
	MUST_BE(count, COUNT);
	shell_do("rm -r '%s'", site_path(&site, "many"));
	MUST(site_misses(&site, "many"));
	MUST_BE(box_stats(&site.box).entries, 0);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	MUST_BE(box_stats(&site.box).directories, 0);
	MUST(WITHIN_MS(5000, box_stats(&site.box).displaced == 0));
	site_end(&site);
}

Test(mount_files, readdir_goes_on_while_files_are_removed)
{
	enum { COUNT = 1000 };
	struct site site;
	struct dirent *item;
	unsigned removed = 0;
	DIR *dir;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < COUNT; i++)
		box_add(&site.box, name_of(i), "x", 1);
	/* As a garbage collector does: remove what is listed. */
	dir = opendir(site.mount.at);
	MUST(dir != NULL);
	while ((item = readdir(dir)) != NULL) {
		if (item->d_name[0] == '.')
			continue;
		MUST(unlinkat(dirfd(dir), item->d_name, 0) == 0);
		removed++;
	}
	MUST(closedir(dir) == 0);
	MUST_BE(removed, COUNT);
	MUST_BE(box_stats(&site.box).entries, 0);
	site_end(&site);
}

Test(mount_files, a_rename_across_directories_publishes_and_moves)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 300000);
	struct site site;
	char *name;

	MOUNT_OR_SKIP();
	site_new(&site);
	shell_do("cd '%s' && mkdir -p tmp cas/1f ac/1f", site.mount.at);
	file_write(site_path(&site, "tmp/7f3a-uuid"), data, 300000);
	name = text_new("cas/1f/%s", name_of(1));
	MUST(rename(site_path(&site, "tmp/7f3a-uuid"),
		    site_path(&site, name)) == 0);
	MUST(site_misses(&site, "tmp/7f3a-uuid"));
	MUST(file_is(site_path(&site, name), data, 300000));
	MUST_BE(box_stats(&site.box).entries, 1);
	shell_do("cd '%s' && mv cas/1f/%s ac/1f/ && mv ac/1f/%s plain",
		 site.mount.at, name_of(1), name_of(1));
	MUST(file_is(site_path(&site, "plain"), data, 300000));
	MUST_BE(box_stats(&site.box).entries, 0);
	shell_do("cd '%s' && mv plain ac/%s && mv ac moved", site.mount.at,
		 name_of(2));
	free(name);
	name = text_new("moved/%s", name_of(2));
	MUST(file_is(site_path(&site, name), data, 300000));
	free(name);
	free(data);
	site_end(&site);
}

Test(mount_files, a_rename_refuses_what_rename_refuses)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	shell_do("cd '%s' && mkdir -p a/b c && echo x >c/x && echo f >f",
		 site.mount.at);
	MUST_FAIL(rename(site_path(&site, "a"), site_path(&site, "a/b/a")),
		  EINVAL);
	MUST_FAIL(rename(site_path(&site, "a"), site_path(&site, "c")),
		  ENOTEMPTY);
	MUST_FAIL(rename(site_path(&site, "f"), site_path(&site, "a")), EISDIR);
	MUST_FAIL(rename(site_path(&site, "a"), site_path(&site, "f")),
		  ENOTDIR);
	MUST_FAIL(renameat2(AT_FDCWD, site_path(&site, "f"), AT_FDCWD,
			    site_path(&site, "c/x"), RENAME_NOREPLACE),
		  EEXIST);
	MUST(file_is(site_path(&site, "f"), "f\n", 2));
	MUST(file_is(site_path(&site, "c/x"), "x\n", 2));
	MUST_BE(renameat2(AT_FDCWD, site_path(&site, "f"), AT_FDCWD,
			  site_path(&site, name_of(1)), RENAME_NOREPLACE),
		0);
	MUST(box_has(&site.box, name_of(1), "f\n", 2));
	site_end(&site);
}

Test(mount_files, plain_files_are_appended_to_rewritten_and_cut)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	shell_do("cd '%s' && echo one >log && echo two >>log && echo three "
		 ">>log",
		 site.mount.at);
	MUST(file_is(site_path(&site, "log"), "one\ntwo\nthree\n", 14));
	shell_do("cd '%s' && echo four >log", site.mount.at);
	MUST(file_is(site_path(&site, "log"), "four\n", 5));
	shell_do("cd '%s' && truncate -s 2 log", site.mount.at);
	MUST(file_is(site_path(&site, "log"), "fo", 2));
	shell_do("cd '%s' && truncate -s 4 log", site.mount.at);
	MUST(file_is(site_path(&site, "log"), "fo\0\0", 4));
	shell_do("cd '%s' && sed -i s/f/g/ log && grep -q g log",
		 site.mount.at);
	site_end(&site);
}

Test(mount_files, modes_and_times_that_tools_set_are_accepted)
{
	struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1234}};
	struct site site;
	struct stat st;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), "abc", 3);
	file_write(site_path(&site, "plain"), "abc", 3);
	for (unsigned i = 0; i < 2; i++) {
		const char *path = site_path(&site, i ? "plain" : name_of(1));

		MUST(chmod(path, 0444) == 0);
		MUST(chmod(path, 0600) == 0);
		MUST(chown(path, getuid(), getgid()) == 0);
		MUST(utimensat(AT_FDCWD, path, NULL, 0) == 0);
		MUST(utimensat(AT_FDCWD, path, times, 0) == 0);
		MUST(stat(path, &st) == 0);
		MUST_BE(st.st_mtim.tv_sec, 1234);
		MUST_BE(st.st_size, 3);
		shell_do("touch '%s' && touch -d '2001-01-01' '%s'", path,
			 path);
		MUST(file_is(path, "abc", 3));
	}
	MUST(box_has(&site.box, name_of(1), "abc", 3));
	MUST(mkdir(site_path(&site, "dir"), 0700) == 0);
	MUST(chmod(site_path(&site, "dir"), 0755) == 0);
	MUST(stat(site_path(&site, "dir"), &st) == 0);
	MUST_BE(st.st_mode & 07777, 0755);
	shell_do("cp -p '%s' '%s'", site_path(&site, "plain"),
		 site_path(&site, name_of(2)));
	MUST(WITHIN_MS(LAG_MS, box_has(&site.box, name_of(2), "abc", 3)));
	site_end(&site);
}

Test(mount_files, a_symbolic_link_is_refused_with_eperm)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST_FAIL(symlink("target", site_path(&site, "link")), EPERM);
	MUST(site_misses(&site, "link"));
	site_end(&site);
}

Test(mount_files, locks_work_between_processes)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct site site;
	pid_t pid;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	fd = open(site_path(&site, "trim.txt"), O_RDWR | O_CREAT | O_CLOEXEC,
		  0644);
	MUST(fd >= 0);
	MUST(flock(fd, LOCK_EX | LOCK_NB) == 0);
	MUST(fcntl(fd, F_SETLK, &lock) == 0);
	pid = fork_child();
	if (pid == 0) {
		int mine = open(site_path(&site, "trim.txt"), O_RDWR);

		MUST(mine >= 0);
		MUST_FAIL(flock(mine, LOCK_EX | LOCK_NB), EWOULDBLOCK);
		MUST_BE(fcntl(mine, F_SETLK, &lock), -1);
		_exit(0);
	}
	child_must_succeed(pid);
	MUST(flock(fd, LOCK_UN) == 0);
	MUST(close(fd) == 0);
	site_end(&site);
}

Test(mount_files, o_excl_lets_one_of_two_win)
{
	struct site site;
	int fd;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 2; i++) {
		const char *path = site_path(&site, i ? "lock" : name_of(1));

		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		MUST(fd >= 0);
		MUST_FAIL(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644),
			  EEXIST);
		MUST(close(fd) == 0);
		MUST_FAIL(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644),
			  EEXIST);
	}
	site_end(&site);
}

Test(mount_files, the_room_on_the_disk_is_reported)
{
	struct statvfs vfs;
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(statvfs(site.mount.at, &vfs) == 0);
	MUST(vfs.f_blocks > 0);
	MUST(vfs.f_bavail > 0);
	MUST_BE(vfs.f_namemax, 255);
	site_end(&site);
}

Test(mount_files, the_room_within_the_limit_is_reported)
{
	const struct cubby_limits limits = {.max_size = 64 << 20};
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 20000000);
	struct statvfs vfs;
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST_DO(cubby_set_limits(site.box.store, &limits));
	site_put(&site, name_of(1), data, 20000000);
	MUST(statvfs(site.mount.at, &vfs) == 0);
	MUST_BE(vfs.f_blocks * vfs.f_frsize, limits.max_size);
	MUST_BE((limits.max_size - box_stats(&site.box).disk_bytes) /
			vfs.f_frsize,
		vfs.f_bavail);
	MUST(vfs.f_bavail * vfs.f_frsize < 44 << 20);
	free(data);
	site_end(&site);
}

Test(mount_files, a_tree_is_copied_in_and_compares_equal)
{
	struct site site;
	char *source;

	MOUNT_OR_SKIP();
	site_new(&site);
	source = scratch_dir("source");
	for (unsigned i = 0; i < 40; i++) {
		uint8_t *data = sample_new(SAMPLE_TEXT, i, i * 9001);
		char *path = text_new("%s/%02x", source, i % 5);

		shell_do("mkdir -p '%s'", path);
		free(path);
		path = text_new("%s/%02x/%s", source, i % 5,
				i % 3 ? name_of(i) : name_of(i) + 40);
		file_write(path, data, i * 9001);
		free(path);
		free(data);
	}
	shell_do("cp -r '%s' '%s/' && diff -r '%s' '%s/source'", source,
		 site.mount.at, source, site.mount.at);
	shell_do("tar -C '%s' -cf '%s/tree.tar' . && "
		 "mkdir '%s/two' && tar -C '%s/two' -xf '%s/tree.tar' && "
		 "diff -r '%s' '%s/two'",
		 source, scratch(), site.mount.at, site.mount.at, scratch(),
		 source, site.mount.at);
	/* And as it is in the store. */
	mounted_stop(&site.mount);
	mounted_start(&site.mount, site.box.path, NULL);
	shell_do("diff -r '%s' '%s/source' && diff -r '%s' '%s/two'", source,
		 site.mount.at, source, site.mount.at);
	free(source);
	site_end(&site);
}

Test(mount_files, set_id_bits_are_never_there)
{
	const char *const names[] = {"tool", name_of(1)};
	struct site site;
	struct stat st;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (size_t i = 0; i < 2; i++) {
		const char *path = site_path(&site, names[i]);
		int fd = open(path, O_WRONLY | O_CREAT, 06755);

		MUST(fd >= 0);
		MUST(close(fd) == 0);
		MUST(stat(path, &st) == 0);
		MUST_BE(st.st_mode & 07777, 0755);
		MUST(chmod(path, 06711) == 0);
		MUST(stat(path, &st) == 0);
		MUST_BE(st.st_mode & 07777, 0711);
	}
	MUST(mkdir(site_path(&site, "dir"), 03777) == 0);
	MUST(stat(site_path(&site, "dir"), &st) == 0);
	MUST_BE(st.st_mode & 06000, 0);
	site_end(&site);
}
