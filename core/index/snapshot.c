/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "format/check.h"
#include "index/snapshot.h"
#include "sys/sys.h"

enum {
	AT_BOOT_ID = 8,
	AT_MOUNT = 44,
	AT_PAGE_SIZE = 52,
	AT_CHECK = 56,
	AT_PAGE = 72,
	/* Of a meta page of LMDB 0.9 on a 64-bit machine. */
	META_TXNID = 144,
};
static const char magic[8] = {'c', 'u', 'b', 'b', 'y', 's', 't', 'd'};

int instance_get(const char *path, struct instance *ret_instance)
{
	SCOPED_FD int fd =
		sys_open(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY);
	ssize_t n;

	/* Without /proc the mount alone must do. Any other error is no reason
	 * to take this for another instance: the store would go back. */
	if (fd < 0 && fd != -ENOENT)
		return fd;
	memset(ret_instance, 0, sizeof(*ret_instance));
	if (fd >= 0) {
		n = sys_pread(fd, ret_instance->boot_id, SNAPSHOT_BOOT_ID_SIZE,
			      0);
		if (n < 0)
			return (int)n;
	}
	return sys_mount_id(path, &ret_instance->mount);
}

bool instance_equal(const struct instance *a, const struct instance *b)
{
	return a->mount == b->mount &&
	       memcmp(a->boot_id, b->boot_id, SNAPSHOT_BOOT_ID_SIZE) == 0;
}

uint64_t snapshot_txnid(const uint8_t *page)
{
	uint64_t txnid;

	memcpy(&txnid, page + META_TXNID, sizeof(txnid));
	return txnid;
}

static size_t encode(const struct snapshot *snapshot, uint8_t *ret_bytes)
{
	uint8_t *to = ret_bytes;
	struct check check;

	memset(to, 0, AT_PAGE);
	memcpy(to, magic, sizeof(magic));
	memcpy(to + AT_BOOT_ID, snapshot->instance.boot_id,
	       SNAPSHOT_BOOT_ID_SIZE);
	put_le(to + AT_MOUNT, snapshot->instance.mount, 8);
	put_le(to + AT_PAGE_SIZE, snapshot->page_size, 4);
	memcpy(to + AT_PAGE, snapshot->page, snapshot->page_size);
	check = check_footer(0, to, AT_PAGE + snapshot->page_size);
	memcpy(to + AT_CHECK, check.bytes, CHECK_SIZE);
	return AT_PAGE + snapshot->page_size;
}

static int decode(uint8_t *bytes, size_t size, struct snapshot *ret_snapshot)
{
	struct check stored;
	struct check check;
	size_t page_size;

	if (size < AT_PAGE || memcmp(bytes, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	page_size = get_le(bytes + AT_PAGE_SIZE, 4);
	if (page_size > SNAPSHOT_PAGE_MAX || page_size < META_TXNID + 8 ||
	    size != AT_PAGE + page_size)
		return -EBADMSG;
	memcpy(stored.bytes, bytes + AT_CHECK, CHECK_SIZE);
	memset(bytes + AT_CHECK, 0, CHECK_SIZE);
	check = check_footer(0, bytes, size);
	if (!check_equal(&check, &stored))
		return -EBADMSG;
	memcpy(ret_snapshot->instance.boot_id, bytes + AT_BOOT_ID,
	       SNAPSHOT_BOOT_ID_SIZE);
	ret_snapshot->instance.mount = get_le(bytes + AT_MOUNT, 8);
	ret_snapshot->page_size = page_size;
	memcpy(ret_snapshot->page, bytes + AT_PAGE, page_size);
	return 0;
}

int snapshot_read(const char *path, struct snapshot *ret_snapshot)
{
	const size_t room = AT_PAGE + SNAPSHOT_PAGE_MAX + 1;
	SCOPED_FREE uint8_t *bytes = malloc(room);
	SCOPED_FD int dir_fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	SCOPED_FD int fd = -1;
	ssize_t n;

	if (!bytes)
		return -ENOMEM;
	if (dir_fd < 0)
		return dir_fd;
	fd = sys_open_file(dir_fd, "steady", O_RDONLY);
	if (fd < 0)
		return fd;
	n = sys_pread(fd, bytes, room, 0);
	return n < 0 ? (int)n : decode(bytes, (size_t)n, ret_snapshot);
}

/*
 * A file whose blocks are there when the disk has none left: without a snapshot
 * nothing can be changed, so nothing could be deleted either. It takes the
 * place of steady.new then, and is made anew of the blocks that steady had.
 */
static void keep_spare(int dir_fd, size_t size)
{
	SCOPED_FD int fd = -1;
	struct stat found;

	if (sys_stat(dir_fd, "steady.spare", &found) == 0 &&
	    found.st_blocks * INT64_C(512) >= (int64_t)size)
		return;
	fd = sys_create_new(dir_fd, "steady.spare", O_WRONLY);
	/* Without room it is tried again after the next one. */
	if (fd >= 0)
		IGNORE(sys_reserve(fd, size));
}

static int take_spare(int dir_fd)
{
	int r = sys_rename(dir_fd, "steady.spare", "steady.new");

	return r < 0 ? r : sys_open_file(dir_fd, "steady.new", O_WRONLY);
}

static int write_new(int fd, const uint8_t *bytes, size_t size)
{
	int r = fd < 0 ? fd : sys_pwrite(fd, bytes, size, 0);

	return r < 0 ? r : sys_fsync(fd);
}

int snapshot_write(const char *path, const struct snapshot *snapshot)
{
	SCOPED_FREE uint8_t *bytes = malloc(AT_PAGE + SNAPSHOT_PAGE_MAX);
	SCOPED_FD int dir_fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	SCOPED_FD int fd = -1;
	size_t size;
	int r;

	if (!bytes)
		return -ENOMEM;
	if (dir_fd < 0)
		return dir_fd;
	size = encode(snapshot, bytes);
	fd = sys_create_new(dir_fd, "steady.new", O_WRONLY);
	r = write_new(fd, bytes, size);
	if (r == -ENOSPC || r == -EDQUOT) {
		sys_close(&fd);
		fd = take_spare(dir_fd);
		r = fd == -ENOENT ? r : write_new(fd, bytes, size);
	}
	if (r == 0)
		r = sys_rename(dir_fd, "steady.new", "steady");
	if (r == 0)
		r = sys_fsync(dir_fd);
	if (r == 0)
		keep_spare(dir_fd, size);
	return r;
}
