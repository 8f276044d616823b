/* SPDX-License-Identifier: MIT */
/* Several users on one mount: everyone reads, and who may change things. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_users, .fini = scratch_end, .timeout = 120);

enum { WRITERS = 54321 };

struct user {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t also; /* a supplementary group, or 0 */
	bool writes;
};

static const struct user users[] = {
	{"mounter", 0, 0, 0, true},
	{"member", 12345, 12345, WRITERS, true},
	{"primary", 12346, WRITERS, 0, true},
	{"other", 65534, 65534, 12345, false},
	{"groupless", 12347, 12347, 0, false},
};
enum { USERS = sizeof(users) / sizeof(*users) };

static const char entry[] =
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const char added[] =
	"11112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#define ROOT_OR_SKIP()                                                         \
	do {                                                                   \
		MOUNT_OR_SKIP();                                               \
		if (getuid() != 0)                                             \
			cr_skip_test("only root can become other users");      \
	} while (0)

/* Become a user, for good, in the directory `at`, which only root may be able
 * to reach. */
static void become(const struct user *user, const char *at)
{
	MUST(chdir(at) == 0);
	MUST(setgroups(user->also ? 1 : 0, &user->also) == 0);
	MUST(setresgid(user->gid, user->gid, user->gid) == 0);
	MUST(setresuid(user->uid, user->uid, user->uid) == 0);
}

/* 0, or the errno of what failed. */
static int result(int r)
{
	return r < 0 ? errno : 0;
}

static int file_add(const char *name, int flags)
{
	int fd = open(name, O_WRONLY | flags, 0644);
	int r = 0;

	if (fd < 0)
		return errno;
	if (write(fd, "new", 3) != 3)
		r = errno;
	if (close(fd) != 0 && r == 0)
		r = errno;
	return r;
}

static int file_check(const char *name, const char *want)
{
	size_t size;
	uint8_t *got = file_read(name, &size);
	int r = errno;

	if (got)
		r = size == strlen(want) && !memcmp(got, want, size) ? 0 : EIO;
	free(got);
	return r;
}

static int do_read(void)
{
	int r = file_check(entry, "entry");

	return r ? r : file_check("plain", "plain");
}

static int do_add(void)
{
	int r = file_add("added.tmp", O_CREAT | O_EXCL);

	return r ? r : result(rename("added.tmp", added));
}

static int do_add_directly(void)
{
	int r = file_add(added, O_CREAT);

	return r ? r : result(unlink(added));
}

static int do_rewrite(void)
{
	return file_add(entry, O_TRUNC);
}

static int do_replace(void)
{
	return result(rename("spare", entry));
}

static int do_move(void)
{
	return result(rename(entry, "moved"));
}

static int do_delete(void)
{
	return result(unlink(entry));
}

static int do_mkdir(void)
{
	return result(mkdir("made", 0755));
}

static int do_rmdir(void)
{
	return result(rmdir("dir"));
}

static int do_mknod(void)
{
	return result(mknod("node", S_IFREG | 0644, 0));
}

static int do_chmod(void)
{
	return result(chmod(entry, 0600));
}

/* It is done, but the bits must not be there. */
static int do_set_id(void)
{
	int r = result(chmod(entry, 06755));
	struct stat st;

	if (r)
		return r;
	MUST(stat(entry, &st) == 0);
	return st.st_mode & 06000 ? EILSEQ : 0;
}

/* To oneself, as cp -p and tar do. */
static int do_chown(void)
{
	return result(chown(entry, getuid(), getgid()));
}

static int do_utimens(void)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};

	return result(utimensat(AT_FDCWD, entry, times, 0));
}

static int do_touch(void)
{
	return result(utimensat(AT_FDCWD, "plain", NULL, 0));
}

static int do_truncate(void)
{
	return result(truncate("plain", 1));
}

static int do_append(void)
{
	return file_add("plain", O_APPEND);
}

static int do_quota(void)
{
	return result(setxattr("dir", "user.cubby.quota", "1G", 2, 0));
}

static int do_attribute(void)
{
	return result(removexattr(entry, "user.cubby.hits"));
}

static int do_access(void)
{
	return result(access("plain", W_OK));
}

/* Store into the kernel's pages of an entry, which all users read. */
static int do_map(void)
{
	int fd = open(entry, O_RDWR);
	char *bytes;
	int r;

	if (fd < 0)
		return errno;
	bytes = mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return errno;
	bytes[0] = 'E';
	r = result(msync(bytes, 5, MS_SYNC));
	MUST(munmap(bytes, 5) == 0);
	MUST(close(fd) == 0);
	return r;
}

static const struct {
	const char *name;
	int (*act)(void);
	bool modifies;
} deeds[] = {
	{"read", do_read, false},
	{"quota", do_quota, true},
	{"attribute", do_attribute, true},
	{"add", do_add, true},
	{"add directly", do_add_directly, true},
	{"rewrite", do_rewrite, true},
	{"replace", do_replace, true},
	{"move", do_move, true},
	{"delete", do_delete, true},
	{"mkdir", do_mkdir, true},
	{"rmdir", do_rmdir, true},
	{"mknod", do_mknod, true},
	{"chmod", do_chmod, true},
	{"set-id", do_set_id, true},
	{"chown", do_chown, true},
	{"utimens", do_utimens, true},
	{"touch", do_touch, true},
	{"truncate", do_truncate, true},
	{"append", do_append, true},
	{"access", do_access, true},
	{"map", do_map, true},
};
enum { DEEDS = sizeof(deeds) / sizeof(*deeds) };

/* A directory with one of each, made by root below `at`: its name. */
static char *stage_new(const char *at)
{
	static unsigned count;
	char *name = text_new("stage%u", count++);

	shell_do("mkdir -p '%s/%s/dir' && cd '%s/%s' && printf plain >plain && "
		 "printf spare >spare && printf entry >e.tmp && mv e.tmp %s",
		 at, name, at, name, entry);
	return name;
}

/* All that can be seen of it; to be freed. */
static char *stage_text(const char *at)
{
	return shell_text("cd '%s' && ls -l --time-style=full-iso . && "
			  "cat %s plain spare",
			  at, entry);
}

static int deed_as(const struct user *user, const char *at, int (*act)(void))
{
	int status;
	pid_t pid = fork_child();

	if (pid == 0) {
		become(user, at);
		_exit(act());
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Who may do what on a mount with these options, the first being who mounts
 * it; nobody else but root counts as such. */
static const struct rights {
	const char *options;
	bool others_read;
	bool group_writes;
	bool is_read_only;
} rights[] = {
	{.options = "xattr"},
	{.options = "allow_other,xattr", .others_read = true},
	{.options = "allow_other,writers=54321,xattr",
	 .others_read = true,
	 .group_writes = true},
	{.options = "ro,allow_other",
	 .others_read = true,
	 .is_read_only = true},
};
enum { RIGHTS = sizeof(rights) / sizeof(*rights) };

/* What it must come to: 0 or an errno. */
static int expected(const struct rights *right, const struct user *user,
		    bool modifies)
{
	if (user->uid != 0 && !right->others_read)
		return EACCES;
	if (!modifies)
		return 0;
	if (right->is_read_only)
		return EROFS;
	return user->uid == 0 || (right->group_writes && user->writes) ? 0
								       : EACCES;
}

static void check_case(const struct rights *right, const char *at, int u, int d)
{
	const int want = expected(right, &users[u], deeds[d].modifies);
	char *before = stage_text(at);
	int r = deed_as(&users[u], at, deeds[d].act);

	if (r != want)
		must_fail(__FILE__, __LINE__, "%s: %s: %s: %s", right->options,
			  users[u].name, deeds[d].name, strerror(r));
	if (want != 0 || !deeds[d].modifies) {
		char *after = stage_text(at);

		if (strcmp(before, after) != 0)
			must_fail(__FILE__, __LINE__,
				  "%s: %s: %s changed\n%s\nto\n%s",
				  right->options, users[u].name, deeds[d].name,
				  before, after);
		free(after);
	}
	free(before);
}

/* Each deed by each user on each kind of mount; what they do it to is made
 * through another one. */
Test(mount_users, each_may_do_what_the_options_say)
{
	struct site site;

	ROOT_OR_SKIP();
	site_new(&site);
	for (int i = 0; i < RIGHTS; i++) {
		struct mounted mount;

		mounted_start(&mount, site.box.path, rights[i].options);
		for (int u = 0; u < USERS; u++) {
			for (int d = 0; d < DEEDS; d++) {
				char *name = stage_new(site.mount.at);
				char *at = text_new("%s/%s", mount.at, name);

				check_case(&rights[i], at, u, d);
				free(name);
				free(at);
			}
		}
		mounted_stop(&mount);
	}
	site_end(&site);
}

Test(mount_users, what_a_member_writes_directly_is_never_seen_in_part)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 200000);
	struct site site;
	int step[2];
	int done[2];
	char byte;
	pid_t pid;

	ROOT_OR_SKIP();
	site_new_with(&site, "allow_other,writers=54321");
	MUST(pipe(step) == 0 && pipe(done) == 0);
	pid = fork_child();
	if (pid == 0) {
		int fd;

		become(&users[1], site.mount.at);
		fd = open(entry, O_WRONLY | O_CREAT | O_EXCL, 0644);
		MUST(fd >= 0);
		MUST_BE(write(fd, data, 100000), 100000);
		MUST_BE(write(done[1], "", 1), 1);
		MUST_BE(read(step[0], &byte, 1), 1);
		MUST_BE(write(fd, data + 100000, 100000), 100000);
		MUST(close(fd) == 0);
		_exit(0);
	}
	MUST_BE(read(done[0], &byte, 1), 1);
	MUST(ALL_THE_WHILE_MS(300, box_misses(&site.box, entry)));
	MUST_BE(write(step[1], "", 1), 1);
	child_must_succeed(pid);
	MUST(WITHIN_MS(LAG_MS, !box_misses(&site.box, entry)));
	MUST(box_has(&site.box, entry, data, 200000));
	MUST_BE(box_attr(&site.box, entry).uid, users[1].uid);
	free(data);
	site_end(&site);
}

/* As with any file: the descriptor is the permission. */
Test(mount_users, who_gets_a_descriptor_may_write_to_it)
{
	struct site site;
	pid_t pid;
	int fd;

	ROOT_OR_SKIP();
	site_new_with(&site, "allow_other");
	fd = open(site_path(&site, "log"), O_WRONLY | O_CREAT, 0644);
	MUST(fd >= 0);
	MUST(close(fd) == 0);
	fd = open(site_path(&site, "log"), O_WRONLY | O_APPEND);
	MUST(fd >= 0);
	pid = fork_child();
	if (pid == 0) {
		become(&users[3], site.mount.at);
		MUST_BE(write(fd, "line", 4), 4);
		MUST(ftruncate(fd, 2) == 0);
		MUST_FAIL(fchmod(fd, 0600), EACCES);
		MUST_FAIL(open("log", O_WRONLY), EACCES);
		_exit(0);
	}
	child_must_succeed(pid);
	MUST(close(fd) == 0);
	MUST(file_is(site_path(&site, "log"), "li", 2));
	site_end(&site);
}

Test(mount_users, owner_group_and_permissions_are_shown_as_asked_for)
{
	struct site site;
	struct stat st;
	char *text;

	ROOT_OR_SKIP();
	site_new_with(&site, "allow_other,uid=4711,gid=54321,umask=027");
	MUST(mkdir(site_path(&site, "dir"), 0777) == 0);
	file_write(site_path(&site, "plain"), "x", 1);
	site_put(&site, entry, "x", 1);
	MUST(chmod(site_path(&site, "plain"), 0777) == 0);
	text = shell_text("cd '%s' && LC_ALL=C ls -lnA . | "
			  "awk 'NR > 1 { print $1, $3, $4 }'",
			  site.mount.at);
	if (strcmp(text, "-rw-r----- 4711 54321\n"
			 "drwxr-x--- 4711 54321\n"
			 "-rwxr-x--- 4711 54321\n") != 0)
		must_fail(__FILE__, __LINE__, "shown:\n%s", text);
	free(text);
	MUST(stat(site.mount.at, &st) == 0);
	MUST_BE(st.st_uid, 4711);
	MUST_BE(box_attr(&site.box, entry).uid, 0);
	site_end(&site);
}

Test(mount_users, a_read_only_mount_beside_a_writable_one_shows_the_same)
{
	struct mounted reader;
	struct site site;
	char *path;

	ROOT_OR_SKIP();
	site_new_with(&site, "allow_other,writers=54321");
	mounted_start(&reader, site.box.path,
		      "ro,allow_other,negative_timeout=0");
	path = text_new("%s/%s", reader.at, entry);
	for (unsigned i = 0; i < 3; i++) {
		site_put(&site, entry, &i, sizeof(i));
		MUST(WITHIN_MS(LAG_MS, file_is(path, &i, sizeof(i))));
		MUST_FAIL(open(path, O_WRONLY), EROFS);
		MUST_FAIL(unlink(path), EROFS);
		MUST_BE(deed_as(&users[1], reader.at, do_mkdir), EROFS);
		MUST_BE(deed_as(&users[1], site.mount.at, do_rewrite), 0);
		MUST(WITHIN_MS(LAG_MS, file_is(path, "new", 3)));
	}
	MUST(unlink(site_path(&site, entry)) == 0);
	MUST(WITHIN_MS(LAG_MS, access(path, F_OK) != 0));
	free(path);
	mounted_stop(&reader);
	site_end(&site);
}
