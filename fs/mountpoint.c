/* SPDX-License-Identifier: MIT */
/*
 * The place where a store is mounted.
 *
 * What is mounted is read from /proc/self/mountinfo and never asked of the
 * mount itself: a request to one that hangs would hang here, and one to our
 * own would have to be answered by the thread that asks.
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

#define FS_TYPE "fuse.cubby"
/* How many dead mounts may lie on each other. */
#define STALE_MAX 32

extern char **environ;

/* One line of mountinfo. */
struct mounted {
	dev_t device;
	char *path;
	const char *type;
};

/* Undo the octal escapes of mountinfo in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		unsigned c;

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
	unsigned major_number, minor_number;
	int path_at = 0, path_end = 0;
	char *type, *end;

	if (sscanf(line, "%*d %*d %u:%u %*s %n%*s%n", &major_number,
		   &minor_number, &path_at, &path_end) != 2 ||
	    path_end == 0)
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
	ret_mounted->device = makedev(major_number, minor_number);
	ret_mounted->path = line + path_at;
	ret_mounted->type = type;
	unescape(ret_mounted->path);
	return true;
}

/*
 * Look through what is mounted for `path`, or when that is NULL for `device`.
 * Returns 1 with the uppermost, 0 when there is none, or a negative errno.
 */
static int mounted_find(const char *path, dev_t device, dev_t *ret_device,
			bool *ret_ours)
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
		if (path ? strcmp(at.path, path) != 0 : at.device != device)
			continue;
		*ret_device = at.device;
		*ret_ours = strcmp(at.type, FS_TYPE) == 0;
		r = 1;
	}
	free(line);
	fclose(f);
	return r;
}

bool mountpoint_is_mounted(dev_t device)
{
	bool ours;

	return mounted_find(NULL, device, &device, &ours) != 0;
}

int mountpoint_device(const char *path, dev_t *ret_device)
{
	struct statx sx;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0,
		  &sx) < 0)
		return -errno;
	*ret_device = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	return 0;
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

/* Is our device the uppermost at the path? */
static bool is_at(const char *path, dev_t device)
{
	dev_t found;
	bool ours;

	return mounted_find(path, 0, &found, &ours) == 1 && found == device;
}

int mountpoint_unmount(const char *path, dev_t device)
{
	return is_at(path, device) ? unmount(path, false) : -EINVAL;
}

void mountpoint_abort(const char *path, dev_t device)
{
	char file[64];
	int fd;

	snprintf(file, sizeof(file), "/sys/fs/fuse/connections/%u/abort",
		 minor(device));
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* When it fails, so will the other way. */
		(void)!write(fd, "1", 1);
		close(fd);
	} else if (geteuid() == 0 && is_at(path, device)) {
		/* A forced unmount aborts first, and then finds it busy. */
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return;
		(void)umount2(path, MNT_FORCE | UMOUNT_NOFOLLOW);
		close(fd);
	}
}

void mountpoint_detach(const char *path, dev_t device)
{
	/* The caller can do nothing about a failure. */
	if (is_at(path, device))
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
		dev_t device;
		bool ours = false;
		struct statvfs fs;
		int r;

		/* Not stat(2): the kernel would answer that for a dead daemon
		 * as long as it may keep the attributes. */
		if (statvfs(path, &fs) == 0) {
			r = mounted_find(path, 0, &device, &ours);
			return r == 1 && ours ? 1 : 0;
		}
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

	if (r < 0)
		return r;
	r = clear_stale(plain);
	if (r == 0) {
		real = realpath(plain, NULL);
		/* The last part may have been a link to a dead mount. */
		r = real ? clear_stale(real) : -errno;
	}
	if (r == 0 && stat(real, &st) < 0)
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
