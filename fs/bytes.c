/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing the bytes of a file, whatever it is at the moment: an
 * entry, which is read through readers.c and becomes a draft when it is
 * written (revise.c), a draft, or a plain file.
 *
 * content.lock is held shared while bytes are moved, and exclusive to open
 * and to truncate.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "content.h"
#include "cubby/manage.h"
#include "growth.h"
#include "readers.h"
#include "temporary.h"

#define ROOM_TRIES 5
#define ROOM_WAIT_NS (100L * 1000 * 1000)

static ssize_t read_all(int fd, uint8_t *buffer, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buffer + done, size - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_all(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		data += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

bool content_try_again(struct mount *m, int r, uint64_t size, unsigned *tries)
{
	const struct timespec pause = {.tv_nsec = ROOM_WAIT_NS};

	if ((r != -ENOSPC && r != -EDQUOT) || *tries == ROOM_TRIES)
		return false;
	if (*tries == 0 && cubby_make_room(m->store, size) <= 0)
		return false;
	if ((*tries)++ > 0)
		nanosleep(&pause, NULL);
	return true;
}

/* Read from what is open here; -EAGAIN when nothing is. */
static ssize_t read_open(struct inode *inode, void *buffer, size_t size,
			 uint64_t offset)
{
	struct content *c = atomic_load(&inode->content);
	ssize_t n = -EAGAIN;

	if (!c)
		return n;
	pthread_rwlock_rdlock(&c->lock);
	if (c->fd >= 0)
		n = read_all(c->fd, buffer, size, offset);
	else if (c->pin)
		n = cubby_reader_pread(c->pin, buffer, size, offset);
	pthread_rwlock_unlock(&c->lock);
	return n;
}

/* A plain file is opened on its first use. */
static int open_plain(struct mount *m, struct inode *inode)
{
	struct content *c = content_obtain(m, inode);
	int r;

	if (!c)
		return -ENOMEM;
	pthread_rwlock_wrlock(&c->lock);
	r = content_open_plain_locked(m, inode, c);
	if (r == -EINVAL) { /* published by another process meanwhile */
		content_take_kind_locked(inode, c, CUBBY_ENTRY);
		r = 0;
	}
	pthread_rwlock_unlock(&c->lock);
	return r;
}

ssize_t content_read(struct mount *m, struct inode *inode, void *buffer,
		     size_t size, uint64_t offset)
{
	ssize_t n = read_open(inode, buffer, size, offset);

	if (n != -EAGAIN)
		return n;
	if (inode_kind(inode) == CUBBY_DIRECTORY)
		return -EISDIR;
	if (inode_kind(inode) == CUBBY_PLAIN) {
		int r = open_plain(m, inode);

		if (r < 0)
			return r;
		n = read_open(inode, buffer, size, offset);
		if (n != -EAGAIN)
			return n;
	}
	n = readers_read(m->readers, m->store, atomic_load(&inode->store_id),
			 buffer, size, offset);
	if (n == -ENOENT || n == -EINVAL) {
		/* It lost its name and was pinned, or got a descriptor,
		 * between the first look and this one. */
		ssize_t again = read_open(inode, buffer, size, offset);

		if (again != -EAGAIN)
			n = again;
	}
	return n;
}

/* Remember a failure, and a success after a cut: see invariant 3. */
static int mark(struct content *c, int r)
{
	int cut = -ENODATA;

	if (r < 0)
		atomic_store(&c->error, r);
	else
		atomic_compare_exchange_strong(&c->error, &cut, 0);
	return r;
}

/* Does the draft need a file for so many bytes? */
static bool must_grow(const struct content *c, uint64_t size)
{
	return c->draft && cubby_draft_must_grow(c->draft, size);
}

int content_write(struct mount *m, struct inode *inode, const void *data,
		  size_t size, uint64_t offset, pid_t by)
{
	struct content *c = content_obtain(m, inode);
	unsigned tries = 0;

	if (!c)
		return -ENOMEM;
	for (;;) {
		int r = -EAGAIN;

		pthread_rwlock_rdlock(&c->lock);
		if (c->draft && !c->temporary_s)
			author_note(&c->author, by);
		if (c->fd >= 0 && !must_grow(c, offset + size))
			r = write_all(c->fd, data, size, offset);
		if (r != -EAGAIN && content_try_again(m, r, size, &tries)) {
			pthread_rwlock_unlock(&c->lock);
			continue;
		}
		if (r != -EAGAIN)
			(void)mark(c, r); /* only the mark is wanted */
		if (r != -EAGAIN)
			growth_note(m, inode, c);
		pthread_rwlock_unlock(&c->lock);
		if (r != -EAGAIN)
			return r;

		pthread_rwlock_wrlock(&c->lock);
		r = revise_open_locked(m, inode, c, false);
		if (r >= 0 && must_grow(c, offset + size)) {
			int grown = cubby_draft_grow(c->draft, offset + size);

			r = mark(c, grown) < 0 ? grown : r;
		}
		growth_note(m, inode, c);
		pthread_rwlock_unlock(&c->lock);
		if (r < 0)
			return r;
		if (r == 1)
			revise_announce(m, inode);
	}
}

/* Is it an entry of just this size? Then there is nothing to do. */
static bool has_size(struct mount *m, struct inode *inode, struct content *c,
		     uint64_t size)
{
	struct cubby_attr attr;

	if (c->fd >= 0 || inode_kind(inode) != CUBBY_ENTRY)
		return false;
	return cubby_getattr(m->store, atomic_load(&inode->store_id), &attr) ==
		       0 &&
	       attr.size == size;
}

int content_truncate(struct mount *m, struct inode *inode, uint64_t size,
		     pid_t by)
{
	struct content *c = content_obtain(m, inode);
	int r, announce;

	if (!c)
		return -ENOMEM;
	if (size > INT64_MAX)
		return -EFBIG;
	pthread_rwlock_wrlock(&c->lock);
	if (has_size(m, inode, c, size)) {
		pthread_rwlock_unlock(&c->lock);
		return 0;
	}
	r = announce = revise_open_locked(m, inode, c, size == 0);
	if (c->draft && !c->temporary_s)
		author_note(&c->author, by);
	if (r >= 0 && must_grow(c, size))
		r = cubby_draft_grow(c->draft, size);
	if (r >= 0) {
		r = ftruncate(c->fd, (off_t)size) == 0 ? 0 : -errno;
		growth_note(m, inode, c);
		if (r < 0)
			(void)mark(c, r); /* only the mark is wanted */
		else if (size == 0 && atomic_load(&c->error))
			atomic_store(&c->error, -ENODATA);
	}
	pthread_rwlock_unlock(&c->lock);
	if (announce == 1)
		revise_announce(m, inode);
	return r;
}

int content_allocate(struct mount *m, struct inode *inode, int mode,
		     uint64_t offset, uint64_t size)
{
	struct content *c = content_obtain(m, inode);
	unsigned tries = 0;
	int r;

	if (!c)
		return -ENOMEM;
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	if (inode_kind(inode) == CUBBY_PLAIN) {
		r = open_plain(m, inode);
		if (r < 0)
			return r;
	}
	pthread_rwlock_wrlock(&c->lock);
	r = c->fd < 0 ? -EOPNOTSUPP : 0;
	if (r == 0 && must_grow(c, offset + size))
		r = cubby_draft_grow(c->draft, offset + size);
	while (r == 0) {
		r = fallocate(c->fd, mode, (off_t)offset, (off_t)size) < 0
			    ? -errno
			    : 0;
		if (!content_try_again(m, r, size, &tries))
			break;
		r = 0;
	}
	growth_note(m, inode, c);
	pthread_rwlock_unlock(&c->lock);
	return r;
}

static int sync_locked(struct content *c)
{
	if (!c->temporary_s)
		return c->fd >= 0 && fdatasync(c->fd) < 0 ? -errno : 0;
	c->is_sync_wanted = true;
	return 0;
}

int content_sync(struct mount *m, struct inode *inode)
{
	struct content *c = atomic_load(&inode->content);
	int r = 0;

	if (c) {
		pthread_rwlock_rdlock(&c->lock);
		r = sync_locked(c);
		pthread_rwlock_unlock(&c->lock);
	}
	if (r < 0 || !m->durable)
		return r;
	/* It is a file of the store from now on, and was synced before. */
	if (c && c->is_sync_wanted)
		r = temporary_store(m, inode);
	return r < 0 ? r : cubby_sync_names(m->store);
}
