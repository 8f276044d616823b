/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing files.
 *
 * Opening is answered with ENOSYS. The kernel then never asks again, and
 * serves what it has in its pages without a request: the reason why a hit
 * costs about as much as on any file system. The price is that no close is
 * heard of either; pending.c says how a draft is published all the same. Where
 * not everyone may write, opening is answered (access.c), and goes its way.
 */
#include <errno.h>
#include <stdlib.h>

#include "content.h"
#include "notify.h"
#include "ops.h"
#include "reply.h"

#define BUFFER_SIZE_MIN ((size_t)128 * 1024)

/* A buffer per thread: requests are as large as the kernel's read-ahead. */
struct buffer {
	size_t size;
	uint8_t data[];
};

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;
static bool buffer_key_good;

static void buffer_key_make(void)
{
	buffer_key_good = pthread_key_create(&buffer_key, free) == 0;
}

static uint8_t *buffer_get(size_t size)
{
	struct buffer *b;

	pthread_once(&buffer_once, buffer_key_make);
	if (!buffer_key_good)
		return NULL;
	b = pthread_getspecific(buffer_key);
	if (b && b->size >= size)
		return b->data;
	if (size < BUFFER_SIZE_MIN)
		size = BUFFER_SIZE_MIN;
	pthread_setspecific(buffer_key, NULL);
	free(b);
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	if (pthread_setspecific(buffer_key, b) != 0) {
		free(b);
		return NULL;
	}
	return b->data;
}

void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	int r = -ENOSYS;

	(void)id;
	if (mount_of(req)->access.is_checked)
		r = access_open(req, fi);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	fi->keep_cache = 1;
	/* An open that nobody waits for any more holds nothing here. */
	(void)reply_opened(req, fi);
}

/* A damaged entry is in quarantine now; the next open shall be a miss. */
static void forget_damaged(struct mount *m, struct inode *inode)
{
	uint64_t parent;
	char *name;

	notify_pages(m, inode->id);
	if (inode_get_place(m, inode, &parent, &name) < 0)
		return;
	notify_name(m, parent, name);
	free(name);
}

void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct inode *inode = inode_find(m, id);
	uint8_t *buffer = buffer_get(size);
	ssize_t n = buffer ? -ESTALE : -ENOMEM;

	(void)fi;
	if (inode && buffer)
		n = content_read(m, inode, buffer, size, (uint64_t)offset);
	if (inode && n == -EBADMSG)
		forget_damaged(m, inode);
	inode_put(m, inode);
	if (n < 0)
		reply_result(req, (int)n);
	else
		reply_data(req, buffer, (size_t)n);
}

void op_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct inode *inode = inode_find(m, id);
	int r = access_check_open(req, fi);

	if (r == 0)
		r = inode ? content_write(m, inode, data, size,
					  (uint64_t)offset,
					  fuse_req_ctx(req)->pid)
			  : -ESTALE;
	inode_put(m, inode);
	if (r < 0)
		reply_result(req, r);
	else
		reply_written(req, size);
}

void op_fsync(fuse_req_t req, fuse_ino_t id, int datasync,
	      struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct inode *inode = inode_find(m, id);
	int r = inode ? content_sync(m, inode) : -ESTALE;

	(void)datasync;
	(void)fi;
	inode_put(m, inode);
	reply_result(req, r);
}

/* Without the option nothing waits for the disk, and the kernel need not ask
 * again. */
void op_fsyncdir(fuse_req_t req, fuse_ino_t id, int datasync,
		 struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);

	(void)id;
	(void)datasync;
	(void)fi;
	reply_result(req, m->durable ? cubby_sync_names(m->store) : -ENOSYS);
}

void op_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset,
		  off_t size, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct inode *inode = inode_find(m, id);
	int r = access_check_open(req, fi);

	if (r == 0)
		r = inode ? content_allocate(m, inode, mode, (uint64_t)offset,
					     (uint64_t)size)
			  : -ESTALE;
	inode_put(m, inode);
	reply_result(req, r);
}
