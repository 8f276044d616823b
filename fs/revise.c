/* SPDX-License-Identifier: MIT */
/*
 * Writing to what is published: the entry becomes a draft again.
 *
 * The inode that the kernel has stays, and gets a draft whose id is another;
 * when the last user closes it, the draft is published under the entry's name
 * as a new entry. Until then the store has the old one, whole, and this mount
 * answers the name with the draft.
 *
 * When the entry has lost its name meanwhile, so has the draft: it is written
 * and read by who has it open, and dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "content.h"
#include "notify.h"
#include "pending.h"

#define COPY_SIZE ((size_t)128 * 1024)

/* Fill the empty file `fd` from an entry that the store has let go. */
static int copy_pin(struct cubby_reader *pin, int fd)
{
	uint8_t *buffer = malloc(COPY_SIZE);
	uint64_t offset = 0;
	ssize_t n = buffer ? 1 : -ENOMEM;

	while (n > 0) {
		n = cubby_reader_pread(pin, buffer, COPY_SIZE, offset);
		if (n > 0 && pwrite(fd, buffer, (size_t)n, (off_t)offset) != n)
			n = -EIO;
		if (n > 0)
			offset += (uint64_t)n;
	}
	free(buffer);
	return (int)n;
}

static int draft_begin(struct mount *m, struct inode *inode, struct content *c,
		       bool empty, struct cubby_draft **ret_draft)
{
	uint64_t base = empty || c->pin ? 0 : atomic_load(&inode->store_id);
	struct cubby_draft *draft;
	int r = cubby_draft_new(m->store, base, &draft);

	if (r < 0)
		return r;
	if (c->pin && !empty) {
		r = cubby_draft_grow(draft, UINT64_MAX);
		if (r == 0)
			r = copy_pin(c->pin, cubby_draft_fd(draft));
		if (r < 0) {
			cubby_draft_drop(draft);
			return r;
		}
	}
	*ret_draft = draft;
	return 0;
}

/* Does the entry still have the name that is known here? */
static bool has_its_name(struct mount *m, struct inode *inode)
{
	struct cubby_attr attr;
	uint64_t parent;
	char *name;
	int r = inode_get_place(m, inode, &parent, &name);

	if (r < 0)
		return false;
	r = cubby_lookup(m->store, parent, name, &attr);
	free(name);
	return r == 0 && attr.id == atomic_load(&inode->store_id);
}

int revise_open_locked(struct mount *m, struct inode *inode, struct content *c,
		       bool empty)
{
	struct cubby_draft *draft;
	struct cubby_attr attr;
	int r;

	if (c->fd >= 0)
		return 0;
	if (inode_kind(inode) == CUBBY_DIRECTORY)
		return -EISDIR;
	if (inode_kind(inode) == CUBBY_PLAIN) {
		r = content_open_plain_locked(m, inode, c);
		if (r != -EINVAL)
			return r;
		content_take_kind_locked(inode, c, CUBBY_ENTRY);
	}

	if (!c->pin) {
		r = cubby_getattr(m->store, atomic_load(&inode->store_id),
				  &attr);
		if (r < 0)
			return r;
		c->attr = attr;
	}
	r = draft_begin(m, inode, c, empty, &draft);
	if (r < 0)
		return r;
	c->draft = draft;
	c->fd = cubby_draft_fd(draft);
	atomic_store(&c->error, 0);
	return has_its_name(m, inode) && pending_add(m, inode) == 0 ? 1 : 0;
}

void revise_announce(struct mount *m, struct inode *inode)
{
	uint64_t parent;
	char *name;

	if (inode_get_place(m, inode, &parent, &name) < 0)
		return;
	notify_name(m, parent, name);
	free(name);
}
