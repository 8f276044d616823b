/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the core, with negative errno, EINTR retried, and short
 * reads and writes continued. All paths are relative to a directory
 * descriptor, what opens, makes or removes follows no symlink, and descriptors
 * are closed on exec.
 */
#ifndef CUBBY_SYS_H
#define CUBBY_SYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cubby/cubby.h"

/* Returns a descriptor or a negative errno. */
CUBBY_MUST_CHECK int sys_open(int dir_fd, const char *path, int flags);
/* The same for a file: -EBADMSG, without waiting, for anything else that is in
 * its place, be it a directory, a symlink, a FIFO or a device. */
CUBBY_MUST_CHECK int sys_open_file(int dir_fd, const char *path, int flags);
/* The same, and what fstat(2) says of it. */
CUBBY_MUST_CHECK int sys_open_stat(int dir_fd, const char *path, int flags,
				   struct stat *ret_stat);
/* The same, and the file is made when it is missing. */
CUBBY_MUST_CHECK int sys_create(int dir_fd, const char *path, int flags);
/* Make a new file. What has the name is unlinked before, never opened: it may
 * be somebody else's file. */
CUBBY_MUST_CHECK int sys_create_new(int dir_fd, const char *path, int flags);

/* A file that is only in memory, and ends with its last descriptor. */
CUBBY_MUST_CHECK int sys_create_in_memory(void);
/* Make the descriptor `fd` one of the open file `to`. */
CUBBY_MUST_CHECK int sys_redirect(int fd, int to);

/* Close and set to -1; a descriptor below 0 is left alone. */
void sys_close(int *fd);
#define SCOPED_FD __attribute__((cleanup(sys_close)))

/* Read up to `size` bytes, less only at the end of the file. */
CUBBY_MUST_CHECK ssize_t sys_pread(int fd, void *buffer, size_t size,
				   uint64_t offset);
/* Write all `size` bytes. Returns 0 or a negative errno. */
CUBBY_MUST_CHECK int sys_pwrite(int fd, const void *data, size_t size,
				uint64_t offset);

/* For a descriptor that a library has opened. */
CUBBY_MUST_CHECK int sys_close_on_exec(int fd);
CUBBY_MUST_CHECK int sys_truncate(int fd, uint64_t size);
/* Make a file at least `size` bytes long. Never makes it shorter, whatever
 * others do to it meanwhile. */
CUBBY_MUST_CHECK int sys_extend(int fd, uint64_t size);
/* Give the first `size` bytes of a file their blocks, and leave its size. */
CUBBY_MUST_CHECK int sys_reserve(int fd, uint64_t size);
CUBBY_MUST_CHECK int sys_fsync(int fd);
/* After sys_fsync() has failed the kernel takes what it could not write for
 * written, and the next call would succeed: write all of the file anew, as it
 * is in the page cache. Nobody else may be writing to it. */
CUBBY_MUST_CHECK int sys_write_again(int fd);
/* Map a part of a file shared, to read and write. The caller ends it with
 * sys_unmap(). The part must have blocks (sys_extend()): a full disk would end
 * the process. */
CUBBY_MUST_CHECK int sys_map(int fd, uint64_t offset, size_t size,
			     void **ret_map);
void sys_unmap(void *map, size_t size);
/* Bytes that this user may still write on the disk of an open file, and bytes
 * of the whole disk. */
CUBBY_MUST_CHECK int sys_disk_room(int fd, uint64_t *ret_free,
				   uint64_t *ret_size);
CUBBY_MUST_CHECK int sys_mkdir(int dir_fd, const char *path);
/* The same for a path that the user chose: symlinks on the way are his. */
CUBBY_MUST_CHECK int sys_mkdir_following(const char *path);
CUBBY_MUST_CHECK int sys_unlink(int dir_fd, const char *path);
CUBBY_MUST_CHECK int sys_link(int dir_fd, const char *from, const char *to);
CUBBY_MUST_CHECK int sys_rename(int dir_fd, const char *from, const char *to);
CUBBY_MUST_CHECK int sys_fstat(int fd, struct stat *ret_stat);
CUBBY_MUST_CHECK int sys_stat(int dir_fd, const char *path,
			      struct stat *ret_stat);
/* An absolute path without symlinks, to be freed. */
CUBBY_MUST_CHECK int sys_real_path(const char *path, char **ret_path);
/* Set the time of last change and leave that of last access. */
CUBBY_MUST_CHECK int sys_set_mtime(int dir_fd, const char *path,
				   int64_t mtime_ns);

/* One name of a directory. Return 0 to go on, anything else to end the scan
 * with it. */
typedef int sys_name_fn(void *cookie, const char *name);

/* Visit the names of a directory, without "." and "..". */
CUBBY_MUST_CHECK int sys_scan(int dir_fd, const char *path, sys_name_fn *fn,
			      void *cookie);

/* How many names a directory holds, up to `limit`; "lost+found", which a new
 * file system has, does not count. */
CUBBY_MUST_CHECK int sys_count_names(int dir_fd, const char *path, int limit);

/* Lock one byte of a file for this open file, without waiting. Returns 0 or
 * -EAGAIN. The lock ends with the last descriptor of the open file. */
CUBBY_MUST_CHECK int sys_lock_byte(int fd, uint64_t byte);
/* The same, waiting for who has it. */
CUBBY_MUST_CHECK int sys_lock_byte_wait(int fd, uint64_t byte);
/* Lock it shared, or turn our own lock into a shared one. Without `wait`,
 * -EAGAIN when somebody has it alone. */
CUBBY_MUST_CHECK int sys_share_byte(int fd, uint64_t byte, bool wait);
/* Does another open file hold that lock? Returns 1, 0, or a negative errno. */
CUBBY_MUST_CHECK int sys_byte_is_locked(int fd, uint64_t byte);
/* End the lock, also for the descriptors that fork(2) has made of it. */
CUBBY_MUST_CHECK int sys_unlock_byte(int fd, uint64_t byte);

/*
 * Mark a byte of a file for this process, beside others that do. Unlike a lock
 * a mark does not pass to a child; it ends when this process closes any
 * descriptor of the file, and with the process in the same instant as its other
 * POSIX locks on that file.
 */
CUBBY_MUST_CHECK int sys_mark_byte(int fd, uint64_t byte);
CUBBY_MUST_CHECK int sys_unmark_byte(int fd, uint64_t byte);
/* Has another process marked it? Returns 1, 0, or a negative errno. */
CUBBY_MUST_CHECK int sys_byte_is_marked(int fd, uint64_t byte);

/* A number for the mount that `path` is on: another after each unmount (since
 * Linux 6.8; before, a number that may come again). */
CUBBY_MUST_CHECK int sys_mount_id(const char *path, uint64_t *ret_id);

/* The user and the group that this process acts as. */
uint32_t sys_uid(void);
uint32_t sys_gid(void);

/* Nanoseconds since 1970. */
int64_t sys_now_ns(void);

#endif
