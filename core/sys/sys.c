/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/sys.h"

enum { FILE_MODE = 0600, DIRECTORY_MODE = 0700 };

/* Again as long as a signal interrupts it. */
#define RETRY(call)                                                            \
	__extension__({                                                        \
		__typeof__(call) r_;                                           \
		do                                                             \
			r_ = (call);                                           \
		while (r_ < 0 && errno == EINTR);                              \
		r_;                                                            \
	})

static int result(int r)
{
	return r < 0 ? -errno : r;
}

static int open_strictly(int dir_fd, const char *path, int flags, mode_t mode)
{
	const struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = mode,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)RETRY(
		syscall(SYS_openat2, dir_fd, path, &how, sizeof(how)));

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return result(fd);
	/* Before Linux 5.6, or where a sandbox does not know the call: only
	 * the last part is looked at. */
	return result(RETRY(
		openat(dir_fd, path, flags | O_CLOEXEC | O_NOFOLLOW, mode)));
}

int sys_open(int dir_fd, const char *path, int flags)
{
	return open_strictly(dir_fd, path, flags, 0);
}

/* `*ret_file` is not filled in of a new one. */
static int open_file(int dir_fd, const char *path, int flags, mode_t mode,
		     struct stat *ret_file)
{
	int fd = open_strictly(dir_fd, path, flags | O_NONBLOCK, mode);
	int r;

	if (fd == -ELOOP || fd == -EISDIR || fd == -ENOTDIR || fd == -ENXIO)
		return -EBADMSG;
	if (fd < 0 || flags & O_EXCL) /* it is new: a file */
		return fd;
	r = sys_fstat(fd, ret_file);
	if (r == 0 && !S_ISREG(ret_file->st_mode))
		r = -EBADMSG;
	if (r < 0) {
		sys_close(&fd);
		return r;
	}
	return fd;
}

int sys_open_file(int dir_fd, const char *path, int flags)
{
	struct stat file;

	return sys_open_stat(dir_fd, path, flags, &file);
}

int sys_open_stat(int dir_fd, const char *path, int flags,
		  struct stat *ret_stat)
{
	return open_file(dir_fd, path, flags, 0, ret_stat);
}

int sys_create(int dir_fd, const char *path, int flags)
{
	struct stat file;

	return open_file(dir_fd, path, flags | O_CREAT, FILE_MODE, &file);
}

int sys_create_new(int dir_fd, const char *path, int flags)
{
	int fd = sys_create(dir_fd, path, flags | O_EXCL);
	int r;

	if (fd != -EEXIST)
		return fd;
	r = sys_unlink(dir_fd, path);
	return r < 0 ? r : sys_create(dir_fd, path, flags | O_EXCL);
}

/* The directory of a name, and the last part of its path, for the calls that
 * follow symlinks on the way. */
struct parent {
	int fd;
	const char *name;
};

static int parent_open(int dir_fd, const char *path, struct parent *ret_parent)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	int fd;

	CHECK(!slash || (size_t)(slash - path) < sizeof(directory));
	memcpy(directory, slash ? path : ".",
	       slash ? (size_t)(slash - path) : 1);
	directory[slash ? slash - path : 1] = '\0';
	fd = open_strictly(dir_fd, directory, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	*ret_parent = (struct parent){fd, slash ? slash + 1 : path};
	return 0;
}

int sys_create_in_memory(void)
{
	return result(RETRY(memfd_create("cubby", MFD_CLOEXEC)));
}

int sys_redirect(int fd, int to)
{
	const int r = result(RETRY(dup3(to, fd, O_CLOEXEC)));

	return r < 0 ? r : 0;
}

void sys_close(int *fd)
{
	/* Linux releases the descriptor whatever close answers; what could
	 * not be written is found by fsync or by the checks of a reader. */
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

ssize_t sys_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = RETRY(pread(fd, (char *)buffer + done, size - done,
					(off_t)(offset + done)));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int sys_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = RETRY(pwrite(fd, (const char *)data + done,
					 size - done, (off_t)(offset + done)));

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

int sys_close_on_exec(int fd)
{
	return result(RETRY(fcntl(fd, F_SETFD, FD_CLOEXEC)));
}

int sys_truncate(int fd, uint64_t size)
{
	return result(RETRY(ftruncate(fd, (off_t)size)));
}

int sys_extend(int fd, uint64_t size)
{
	return result(RETRY(fallocate(fd, 0, 0, (off_t)size)));
}

int sys_reserve(int fd, uint64_t size)
{
	return result(
		RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size)));
}

int sys_fsync(int fd)
{
	return result(RETRY(fsync(fd)));
}

int sys_map(int fd, uint64_t offset, size_t size, void **ret_map)
{
	void *map;

	do
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   (off_t)offset);
	while (map == MAP_FAILED && errno == EINTR);
	if (map == MAP_FAILED)
		return -errno;
	*ret_map = map;
	return 0;
}

void sys_unmap(void *map, size_t size)
{
	CHECK(munmap(map, size) == 0);
}

int sys_disk_room(int fd, uint64_t *ret_free, uint64_t *ret_size)
{
	struct statvfs disk;
	const int r = result(RETRY(fstatvfs(fd, &disk)));

	if (r < 0)
		return r;
	*ret_free = (uint64_t)disk.f_bavail * disk.f_frsize;
	*ret_size = (uint64_t)disk.f_blocks * disk.f_frsize;
	return 0;
}

int sys_mkdir(int dir_fd, const char *path)
{
	struct parent parent;
	int r = parent_open(dir_fd, path, &parent);

	if (r < 0)
		return r;
	r = result(RETRY(mkdirat(parent.fd, parent.name, DIRECTORY_MODE)));
	sys_close(&parent.fd);
	return r;
}

int sys_mkdir_following(const char *path)
{
	return result(RETRY(mkdirat(AT_FDCWD, path, DIRECTORY_MODE)));
}

int sys_unlink(int dir_fd, const char *path)
{
	struct parent parent;
	int r = parent_open(dir_fd, path, &parent);

	if (r < 0)
		return r;
	r = result(RETRY(unlinkat(parent.fd, parent.name, 0)));
	sys_close(&parent.fd);
	return r;
}

static int open_parents(int dir_fd, const char *from, const char *to,
			struct parent parents[2])
{
	int r = parent_open(dir_fd, from, &parents[0]);

	if (r < 0)
		return r;
	r = parent_open(dir_fd, to, &parents[1]);
	if (r < 0)
		sys_close(&parents[0].fd);
	return r;
}

int sys_link(int dir_fd, const char *from, const char *to)
{
	struct parent parents[2];
	int r = open_parents(dir_fd, from, to, parents);

	if (r < 0)
		return r;
	r = result(RETRY(linkat(parents[0].fd, parents[0].name, parents[1].fd,
				parents[1].name, 0)));
	sys_close(&parents[0].fd);
	sys_close(&parents[1].fd);
	return r;
}

int sys_rename(int dir_fd, const char *from, const char *to)
{
	struct parent parents[2];
	int r = open_parents(dir_fd, from, to, parents);

	if (r < 0)
		return r;
	r = result(RETRY(renameat(parents[0].fd, parents[0].name, parents[1].fd,
				  parents[1].name)));
	sys_close(&parents[0].fd);
	sys_close(&parents[1].fd);
	return r;
}

int sys_fstat(int fd, struct stat *ret_stat)
{
	return result(RETRY(fstat(fd, ret_stat)));
}

int sys_stat(int dir_fd, const char *path, struct stat *ret_stat)
{
	return result(
		RETRY(fstatat(dir_fd, path, ret_stat, AT_SYMLINK_NOFOLLOW)));
}

int sys_real_path(const char *path, char **ret_path)
{
	char *found;

	do
		found = realpath(path, NULL);
	while (!found && errno == EINTR);
	if (!found)
		return -errno;
	*ret_path = found;
	return 0;
}

int sys_set_mtime(int dir_fd, const char *path, int64_t mtime_ns)
{
	int64_t seconds = mtime_ns / 1000000000;
	int64_t rest = mtime_ns % 1000000000;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	times[1].tv_sec = (time_t)(rest < 0 ? seconds - 1 : seconds);
	times[1].tv_nsec = (long)(rest < 0 ? rest + 1000000000 : rest);
	return result(
		RETRY(utimensat(dir_fd, path, times, AT_SYMLINK_NOFOLLOW)));
}

/* NULL with errno, which is 0 at the end. */
static struct dirent *next_entry(DIR *dir)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (!entry && errno == EINTR);
	return entry;
}

int sys_scan(int dir_fd, const char *path, sys_name_fn *fn, void *cookie)
{
	SCOPED_FD int fd = sys_open(dir_fd, path, O_RDONLY | O_DIRECTORY);
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (fd < 0)
		return fd;
	do
		dir = fdopendir(fd);
	while (!dir && errno == EINTR);
	if (!dir)
		return -errno;
	fd = -1; /* closedir() closes it */
	while (r == 0) {
		entry = next_entry(dir);
		if (!entry) {
			r = -errno; /* 0 at the end */
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			r = fn(cookie, entry->d_name);
	}
	(void)closedir(dir); /* only read from */
	return r;
}

struct count {
	int count;
	int limit;
};

static int count_name(void *cookie, const char *name)
{
	struct count *count = cookie;

	count->count += strcmp(name, "lost+found") != 0;
	return count->count >= count->limit;
}

int sys_count_names(int dir_fd, const char *path, int limit)
{
	struct count count = {.limit = limit};
	int r = sys_scan(dir_fd, path, count_name, &count);

	return r < 0 ? r : count.count;
}

#ifndef STATX_MNT_ID_UNIQUE /* not yet in the C library */
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

int sys_mount_id(const char *path, uint64_t *ret_id)
{
	struct statx sx;
	/* An older kernel ignores what it does not know of the mask. */
	int r = result(RETRY(statx(AT_FDCWD, path, 0,
				   STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &sx)));

	if (r == 0)
		*ret_id = sx.stx_mnt_id;
	return r;
}

int64_t sys_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint32_t sys_uid(void)
{
	return geteuid();
}

uint32_t sys_gid(void)
{
	return getegid();
}
