/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the core and of LMDB, in front of those of the C library.
 * Where a file is 64 bits long a call has two names; both are the same here.
 */
/* The prototypes below are to keep the names that they have. */
#undef _FILE_OFFSET_BITS
#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

static_assert(sizeof(off_t) == sizeof(off64_t), "one size of files");

/* Of older C libraries, and no longer in its headers. */
int __fxstat(int version, int fd, struct stat *ret_stat);

static bool moved_mount;

void fault_move_mount(bool moved)
{
	moved_mount = moved;
}

/* The next definition of a function, after the one of this program. */
static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

/* Does this call fail? Sets errno. */
static bool fails(const char *name, const void *caller)
{
	int error;

	if (!fault_hits(FAULT_CALLS, name, caller, false, &error))
		return false;
	errno = error;
	return true;
}

/* The same for reads. Returns how many bytes to ask for, or -1. LMDB reads the
 * header of its file with one call, and takes a part of it for a file that was
 * cut off; no file system of a disk gives a part. */
static ssize_t readable(const char *name, const void *caller, size_t size)
{
	int error;

	if (!fault_hits(FAULT_CALLS, name, caller, fault_is_core(caller),
			&error))
		return (ssize_t)size;
	errno = error;
	return error == FAULT_SHORT ? (ssize_t)((size + 1) / 2) : -1;
}

/* The same for writes. LMDB writes its meta page, and nothing else, within a
 * sector. */
static ssize_t writable(const char *name, const void *caller, size_t size,
			off_t offset)
{
	int error;

	if (!fault_hits(FAULT_CALLS, name, caller, true, &error))
		return (ssize_t)size;
	if (!fault_is_core(caller)) {
		fault_note()->lmdb_was_short |= error == FAULT_SHORT;
		fault_note()->lmdb_lost_meta |= offset % 512 != 0;
	}
	errno = error;
	return error == FAULT_SHORT ? (ssize_t)((size + 1) / 2) : -1;
}

/* WRAP(result, failure, name, (parameters), (arguments)) */
#define WRAP(type, failure, name, parameters, arguments)                       \
	EXPORT type name parameters                                            \
	{                                                                      \
		static type(*real) parameters;                                 \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		return fails(#name, CALLER) ? failure : real arguments;        \
	}

/* clang-format off */
WRAP(int, -1, mkdirat, (int dir, const char *path, mode_t mode),
     (dir, path, mode))
WRAP(int, -1, linkat,
     (int dir, const char *from, int to_dir, const char *to, int flags),
     (dir, from, to_dir, to, flags))
WRAP(int, -1, renameat,
     (int dir, const char *from, int to_dir, const char *to),
     (dir, from, to_dir, to))
WRAP(int, -1, utimensat,
     (int dir, const char *path, const struct timespec times[2], int flags),
     (dir, path, times, flags))
WRAP(int, -1, fstat, (int fd, struct stat *stat), (fd, stat))
WRAP(int, -1, fstat64, (int fd, struct stat64 *stat), (fd, stat))
WRAP(int, -1, __fxstat, (int version, int fd, struct stat *stat),
     (version, fd, stat))
WRAP(int, -1, fstatat,
     (int dir, const char *path, struct stat *stat, int flags),
     (dir, path, stat, flags))
WRAP(int, -1, fstatat64,
     (int dir, const char *path, struct stat64 *stat, int flags),
     (dir, path, stat, flags))
WRAP(int, -1, fstatfs, (int fd, struct statfs *stat), (fd, stat))
WRAP(int, -1, fallocate, (int fd, int mode, off_t from, off_t size),
     (fd, mode, from, size))
WRAP(int, -1, fallocate64, (int fd, int mode, off_t from, off_t size),
     (fd, mode, from, size))
WRAP(off_t, -1, lseek, (int fd, off_t to, int whence), (fd, to, whence))
WRAP(int, -1, msync, (void *from, size_t size, int flags),
     (from, size, flags))
WRAP(void *, MAP_FAILED, mmap,
     (void *at, size_t size, int rights, int flags, int fd, off_t from),
     (at, size, rights, flags, fd, from))
WRAP(void *, MAP_FAILED, mmap64,
     (void *at, size_t size, int rights, int flags, int fd, off_t from),
     (at, size, rights, flags, fd, from))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, dup3, (int fd, int to, int flags), (fd, to, flags))
WRAP(int, -1, setpriority, (__priority_which_t which, id_t who, int value),
     (which, who, value))
WRAP(int, -1, fstatvfs, (int fd, struct statvfs *disk), (fd, disk))
WRAP(int, -1, fstatvfs64, (int fd, struct statvfs64 *disk), (fd, disk))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(struct dirent *, NULL, readdir, (DIR *dir), (dir))
WRAP(struct dirent64 *, NULL, readdir64, (DIR *dir), (dir))
WRAP(char *, NULL, realpath, (const char *path, char *to), (path, to))
/* clang-format on */

/* No thread is made: the keeper of the index would make calls at any time, and
 * the numbers of calls would not be the same twice. Its work is then done by
 * who commits, and by the operation "tend". */
EXPORT int pthread_create(pthread_t *restrict thread,
			  const pthread_attr_t *restrict attr,
			  void *(*run)(void *), void *restrict arg)
{
	(void)thread;
	(void)attr;
	(void)run;
	(void)arg;
	return EAGAIN;
}

/* There is one processor: work that is shared among several is done in another
 * order each time. (Jobs use all that there are.) */
EXPORT int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *ret_cpus)
{
	(void)pid;
	if (fails("sched_getaffinity", CALLER))
		return -1;
	CPU_ZERO_S(size, ret_cpus);
	CPU_SET_S(0, size, ret_cpus);
	return 0;
}

/* Of what the C library has no function for, the core calls openat2. What is
 * opened with O_PATH is mostly to delete in it. */
EXPORT long syscall(long number, ...)
{
	static long (*real)(long, ...);
	const struct open_how *how;
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	how = (const struct open_how *)args[2];
	if (number == SYS_openat2 && fails("openat2", CALLER)) {
		if (how->flags & O_PATH)
			fault_note()->lost_unlinks += errno != EINTR;
		return -1;
	}
	if (!real)
		*(void **)&real = next("syscall");
	return real(number, args[0], args[1], args[2], args[3], args[4],
		    args[5]);
}

/* What a power cut leaves is not tested here: nothing waits for a disk. */
EXPORT int fsync(int fd)
{
	(void)fd;
	return fails("fsync", CALLER) ? -1 : 0;
}

EXPORT int fdatasync(int fd)
{
	(void)fd;
	return fails("fdatasync", CALLER) ? -1 : 0;
}

EXPORT int close(int fd)
{
	static int (*real)(int);

	if (!real)
		*(void **)&real = next("close");
	/* On Linux the descriptor is closed whatever close answers. */
	if (!fails("close", CALLER))
		return real(fd);
	int error = errno;
	(void)real(fd);
	errno = error;
	return -1;
}

EXPORT int unlinkat(int dir, const char *path, int flags)
{
	static int (*real)(int, const char *, int);

	if (!real)
		*(void **)&real = next("unlinkat");
	if (!fails("unlinkat", CALLER))
		return real(dir, path, flags);
	fault_note()->lost_unlinks += errno != EINTR; /* or it is repeated */
	return -1;
}

EXPORT int statx(int dir, const char *restrict path, int flags, unsigned mask,
		 struct statx *restrict ret_stat)
{
	static int (*real)(int, const char *, int, unsigned, struct statx *);
	int r;

	if (!real)
		*(void **)&real = next("statx");
	if (fails("statx", CALLER))
		return -1;
	r = real(dir, path, flags, mask, ret_stat);
	if (moved_mount)
		ret_stat->stx_mnt_id++;
	return r;
}

/* The optional argument of open and fcntl, which is there or not looked at. */
#define OPTION(last, type)                                                     \
	__extension__({                                                        \
		va_list list_;                                                 \
		type option_;                                                  \
		va_start(list_, last);                                         \
		option_ = va_arg(list_, type);                                 \
		va_end(list_);                                                 \
		option_;                                                       \
	})

/* clang-format off */
#define WRAP_OPEN(name)                                                        \
	EXPORT int name(const char *path, int flags, ...)                      \
	{                                                                      \
		static int (*real)(const char *, int, ...);                    \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		if (fails(#name, CALLER))                                      \
			return -1;                                             \
		return real(path, flags, OPTION(flags, mode_t));               \
	}
WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_OPENAT(name)                                                      \
	EXPORT int name(int dir, const char *path, int flags, ...)             \
	{                                                                      \
		static int (*real)(int, const char *, int, ...);               \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		if (fails(#name, CALLER))                                      \
			return -1;                                             \
		return real(dir, path, flags, OPTION(flags, mode_t));          \
	}
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

#define WRAP_FCNTL(name)                                                       \
	EXPORT int name(int fd, int command, ...)                              \
	{                                                                      \
		static int (*real)(int, int, ...);                             \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		if (fails(#name, CALLER)) {                                    \
			fault_note()->lmdb_lost_lock |= !fault_is_core(CALLER);\
			return -1;                                             \
		}                                                              \
		return real(fd, command, OPTION(command, void *));             \
	}
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

#define WRAP_FTRUNCATE(name)                                                   \
	EXPORT int name(int fd, off_t size)                                    \
	{                                                                      \
		static int (*real)(int, off_t);                                \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		if (!fails(#name, CALLER))                                     \
			return real(fd, size);                                 \
		fault_note()->lost_truncates += errno != EINTR;                \
		return -1;                                                     \
	}
WRAP_FTRUNCATE(ftruncate)
WRAP_FTRUNCATE(ftruncate64)

#define WRAP_PREAD(name)                                                       \
	EXPORT ssize_t name(int fd, void *buffer, size_t size, off_t offset)   \
	{                                                                      \
		static ssize_t (*real)(int, void *, size_t, off_t);            \
		ssize_t part = readable(#name, CALLER, size);                  \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		return part < 0 ? -1 : real(fd, buffer, (size_t)part, offset); \
	}
WRAP_PREAD(pread)
WRAP_PREAD(pread64)

#define WRAP_PWRITE(name)                                                      \
	EXPORT ssize_t name(int fd, const void *data, size_t size, off_t at)   \
	{                                                                      \
		static ssize_t (*real)(int, const void *, size_t, off_t);      \
		ssize_t part = writable(#name, CALLER, size, at);              \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		return part < 0 ? -1 : real(fd, data, (size_t)part, at);       \
	}
WRAP_PWRITE(pwrite)
WRAP_PWRITE(pwrite64)
/* clang-format on */

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	static ssize_t (*real)(int, const struct iovec *, int);
	struct iovec half;
	ssize_t part = writable("writev", CALLER, parts[0].iov_len, 0);

	if (!real)
		*(void **)&real = next("writev");
	if (part < 0)
		return -1;
	if ((size_t)part == parts[0].iov_len)
		return real(fd, parts, count);
	half = (struct iovec){parts[0].iov_base, (size_t)part};
	return real(fd, &half, 1);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	static ssize_t (*real)(int, const struct iovec *, int, off_t);
	struct iovec half;
	ssize_t part = writable("pwritev", CALLER, parts[0].iov_len, 0);

	if (!real)
		*(void **)&real = next("pwritev");
	if (part < 0)
		return -1;
	if ((size_t)part == parts[0].iov_len)
		return real(fd, parts, count, at);
	half = (struct iovec){parts[0].iov_base, (size_t)part};
	return real(fd, &half, 1, at);
}
