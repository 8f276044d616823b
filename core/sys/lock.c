/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/sys.h"

/* Do it to one byte. Returns the type that is then in the lock, which is that
 * of another one or F_UNLCK if it was asked for, or a negative errno. */
static int do_to_byte(int fd, int command, uint64_t byte, short type)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)byte,
		.l_len = 1,
	};
	int r;

	do
		r = fcntl(fd, command, &lock);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : lock.l_type;
}

/* -EACCES, which POSIX allows for a lock that somebody has, Linux only gives
 * when it is not allowed to lock. */
static int set(int fd, int command, uint64_t byte, short type)
{
	int r = do_to_byte(fd, command, byte, type);

	return r < 0 ? r : 0;
}

static int is_set(int fd, int command, uint64_t byte)
{
	int r = do_to_byte(fd, command, byte, F_WRLCK);

	return r < 0 ? r : r != F_UNLCK;
}

int sys_lock_byte(int fd, uint64_t byte)
{
	return set(fd, F_OFD_SETLK, byte, F_WRLCK);
}

int sys_lock_byte_wait(int fd, uint64_t byte)
{
	return set(fd, F_OFD_SETLKW, byte, F_WRLCK);
}

int sys_share_byte(int fd, uint64_t byte, bool wait)
{
	return set(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, byte, F_RDLCK);
}

int sys_byte_is_locked(int fd, uint64_t byte)
{
	return is_set(fd, F_OFD_GETLK, byte);
}

int sys_unlock_byte(int fd, uint64_t byte)
{
	return set(fd, F_OFD_SETLK, byte, F_UNLCK);
}

int sys_mark_byte(int fd, uint64_t byte)
{
	return set(fd, F_SETLK, byte, F_RDLCK);
}

int sys_unmark_byte(int fd, uint64_t byte)
{
	return set(fd, F_SETLK, byte, F_UNLCK);
}

int sys_byte_is_marked(int fd, uint64_t byte)
{
	return is_set(fd, F_GETLK, byte);
}
