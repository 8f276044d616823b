/* SPDX-License-Identifier: MIT */
/*
 * The place where a store is mounted.
 *
 * Our own mount is never asked a thing: a request to one that hangs would hang
 * here, and a request to ourselves would have to be answered by the thread that
 * asks. statx(2) tells which mount it is without one.
 *
 * Root unmounts by itself; others have fusermount3, which is run as a program
 * because it is set-uid.
 */
#include "mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef STATX_MNT_ID_UNIQUE /* Linux 6.8; not yet in the C library */
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

#define FS_TYPE "fuse.cubby"
/* How many dead mounts may lie on each other. */
#define STALE_MAX 32

extern char **environ;

/* One line of mountinfo. */
struct mounted {
	char *path;
	const char *type;
};

/* Undo the octal escapes of mountinfo in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		unsigned c;

		/* NOLINTNEXTLINE(cert-err34-c): three digits always fit */
		if (s[0] == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static bool mounted_parse(char *line, struct mounted *ret_mounted)
{
	int path_at = 0, path_end = 0;
	char *type, *end;

	(void)sscanf(line, "%*d %*d %*d:%*d %*s %n%*s%n", &path_at, &path_end);
	if (path_end == 0)
		return false;
	type = strstr(line + path_end, " - ");
	if (!type)
		return false;
	type += 3;
	end = strchr(type, ' ');
	if (!end)
		return false;
	*end = '\0';
	line[path_end] = '\0';
	ret_mounted->path = line + path_at;
	ret_mounted->type = type;
	unescape(ret_mounted->path);
	return true;
}

/*
 * Is a store mounted at `path`, and is it the uppermost mount there? Returns 1,
 * 0, or a negative errno.
 */
static int store_is_mounted(const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mounted at;
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) >= 0) {
		if (!mounted_parse(line, &at))
			continue;
		if (strcmp(at.path, path) == 0)
			r = strcmp(at.type, FS_TYPE) == 0;
	}
	free(line);
	fclose(f);
	return r;
}

int mountpoint_identify(const char *path, struct mountpoint_id *ret_id)
{
	struct statx sx;

	/* An older kernel ignores what it does not know of the mask. */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &sx) < 0)
		return -errno;
	ret_id->device = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	ret_id->mount = sx.stx_mnt_id;
	return 0;
}

bool mountpoint_is_mounted(const char *path, const struct mountpoint_id *id)
{
	struct mountpoint_id found = {0};

	return mountpoint_identify(path, &found) == 0 &&
	       found.device == id->device && found.mount == id->mount;
}

static int fusermount(const char *path, bool lazy)
{
	char *copy = strdup(path);
	char *argv[] = {(char[]){"fusermount3"},
			(char[]){"-u"},
			(char[]){"-q"},
			(char[]){"-z"},
			(char[]){"--"},
			copy,
			NULL};
	posix_spawn_file_actions_t actions;
	int status, r;
	pid_t pid;

	if (!copy)
		return -ENOMEM;
	if (!lazy) {
		argv[3] = argv[4];
		argv[4] = copy;
		argv[5] = NULL;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	r = -posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(copy);
	if (r < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int unmount(const char *path, bool lazy)
{
	int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);

	if (geteuid() != 0)
		return fusermount(path, lazy);
	return umount2(path, flags) == 0 ? 0 : -errno;
}

int mountpoint_unmount(const char *path, const struct mountpoint_id *id)
{
	return mountpoint_is_mounted(path, id) ? unmount(path, false) : -EINVAL;
}

void mountpoint_abort(const char *path, const struct mountpoint_id *id)
{
	char file[64];
	int fd;

	if (!mountpoint_is_mounted(path, id))
		return;
	snprintf(file, sizeof(file), "/sys/fs/fuse/connections/%u/abort",
		 minor(id->device));
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* When it fails, so will the other way. */
		(void)!write(fd, "1", 1);
		close(fd);
	} else if (geteuid() == 0) {
		/* A forced unmount aborts first, whether it unmounts then
		 * or not. */
		(void)umount2(path, MNT_FORCE | UMOUNT_NOFOLLOW);
	}
}

void mountpoint_detach(const char *path, const struct mountpoint_id *id)
{
	/* The caller can do nothing about a failure. */
	if (mountpoint_is_mounted(path, id))
		(void)!unmount(path, true);
}

/* An absolute path, so that it can be compared with mountinfo. Without
 * touching the last part: a dead mount cannot be asked. */
static int absolute(const char *path, char **ret_path)
{
	char *copy = strdup(path);
	char *slash, *dir, *last;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while ((slash = strrchr(copy, '/')) && slash > copy && !slash[1])
		*slash = '\0';
	last = slash ? slash + 1 : copy;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
		*ret_path = realpath(copy, NULL);
		r = *ret_path ? 0 : -errno;
		free(copy);
		return r;
	}
	if (slash)
		*slash = '\0';
	dir = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!dir)
		r = -errno;
	else if (asprintf(ret_path, "%s/%s", dir[1] ? dir : "", last) < 0)
		r = -ENOMEM;
	free(dir);
	free(copy);
	return r;
}

int mountpoint_store_path(const char *path, char **ret_real)
{
	char *real = realpath(path, NULL);

	if (!real)
		return errno == ENOENT ? absolute(path, ret_real) : -errno;
	*ret_real = real;
	return 0;
}

/* Remove dead mounts. Returns 1 when a live store is mounted there. */
static int clear_stale(const char *path)
{
	for (int i = 0; i < STALE_MAX; i++) {
		struct statvfs fs;
		int r;

		/* Not stat(2): the kernel would answer that for a dead daemon
		 * as long as it may keep the attributes. */
		if (statvfs(path, &fs) == 0)
			return store_is_mounted(path) == 1;
		if (errno != ENOTCONN && errno != ECONNABORTED)
			return -errno;
		r = unmount(path, true);
		if (r < 0)
			return r;
	}
	return -EBUSY;
}

int mountpoint_prepare(const char *path, char **ret_real)
{
	struct stat st;
	char *real = NULL, *plain = NULL;
	int r = absolute(path, &plain);

	if (!plain)
		return r;
	r = clear_stale(plain);
	if (r == 0) {
		real = realpath(plain, NULL);
		/* The last part may have been a link to a dead mount. */
		r = real ? clear_stale(real) : -errno;
	}
	if (r == 0 && (!real || stat(real, &st) < 0))
		r = -errno;
	else if (r == 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	free(plain);
	if (r == 0)
		*ret_real = real;
	else
		free(real);
	return r == 1 ? -EBUSY : r;
}

static bool contains(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(dir, path, n) == 0 && (!path[n] || path[n] == '/');
}

bool mountpoint_overlaps(const char *a, const char *b)
{
	return contains(a, b) || contains(b, a);
}
