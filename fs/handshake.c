/* SPDX-License-Identifier: MIT */
/*
 * FUSE_HANDLE_KILLPRIV_V2.
 *
 * Before a write the kernel asks whether the file has a security.capability
 * that the write has to take away: a GETXATTR for each WRITE, unless it was
 * answered with ENOSYS once, and then there are no attributes at all. With
 * this flag in the reply to INIT it remembers for each file that there is none.
 * The first write to a file still asks; there is no way around that.
 *
 * The flag obliges to take set-id bits and capabilities away when a write, a
 * truncation or a chown says so. Here no file ever has any: modes are stored
 * without set-id bits, and security.capability cannot be set. So there is
 * nothing to do.
 *
 * libfuse 3.14 does not know the flag, and gives no access to the reply. But it
 * lets one read and write its messages: so the one reply is looked at on its
 * way. A libfuse that knows the flag is asked for it, see mount.c.
 */
#include "handshake.h"

#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2

int handshake_begin(struct mount *m)
{
	(void)m;
	return 0;
}

#else

#include <linux/fuse.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef FUSE_HANDLE_KILLPRIV_V2 /* Linux 5.11 */
#define FUSE_HANDLE_KILLPRIV_V2 (1 << 28)
#endif

#define END_OF(type, member) (offsetof(type, member) + sizeof(uint32_t))

/* Is this the request in which the kernel offers the flag? */
static bool offers(const void *message, size_t size)
{
	const struct fuse_in_header *header = message;
	const struct fuse_init_in *init = (const void *)(header + 1);

	return size >= sizeof(*header) + END_OF(struct fuse_init_in, flags) &&
	       header->opcode == FUSE_INIT &&
	       init->flags & FUSE_HANDLE_KILLPRIV_V2;
}

static ssize_t take_message(int fd, void *message, size_t size, void *cookie)
{
	struct mount *m = cookie;
	ssize_t n = read(fd, message, size);

	if (n > 0 && offers(message, (size_t)n)) {
		const struct fuse_in_header *header = message;

		atomic_store(&m->offer, header->unique);
	}
	return n;
}

static ssize_t send_message(int fd, struct iovec *parts, int count,
			    void *cookie)
{
	struct mount *m = cookie;
	uint64_t offer = atomic_load(&m->offer);
	const struct fuse_out_header *header = parts[0].iov_base;

	if (offer != 0 && header->unique == offer) {
		struct fuse_init_out *init = parts[count - 1].iov_base;

		/* Not an error, and not so old a kernel that it has none. */
		if (count == 2 &&
		    parts[1].iov_len >= END_OF(struct fuse_init_out, flags))
			init->flags |= FUSE_HANDLE_KILLPRIV_V2;
		atomic_store(&m->offer, 0);
	}
	return writev(fd, parts, count);
}

int handshake_begin(struct mount *m)
{
	static const struct fuse_custom_io io = {.read = take_message,
						 .writev = send_message};

	if (!m->has_xattr)
		return 0;
	return fuse_session_custom_io(m->session, &io,
				      fuse_session_fd(m->session));
}

#endif
