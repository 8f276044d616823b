/* SPDX-License-Identifier: MIT */
/*
 * Temporary files: what tools write before they rename it to an entry name.
 *
 * To put their names into the index and take them out again took half of the
 * time of adding a small entry. So a file whose name says that it is temporary
 * is a draft at first, with a name on this mount only. The rename publishes
 * the draft. What is still there after a second is put into the store as the
 * plain file that it is, also at the end of the mount, and when the kernel
 * forgets it. Until then no other process sees it, and it ends with the
 * daemon when that is killed.
 *
 * Not so for any other name: a lock file that is created with O_EXCL must be
 * seen by all mounts of the store at once.
 *
 * But for a durable mount, where it becomes a plain file of the store at once,
 * fsync(2) of a temporary file waits for nothing: what a power cut can take of
 * it then, it can take of entries as well. When the file gets a name that is
 * not an entry's, what was asked for is done before (store_locked(), rename.c).
 */
#include "temporary.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "content.h"
#include "growth.h"
#include "pending.h"

#define AGE_S 1
#define BATCH 64

/* As in 01234567-89ab-cdef-0123-456789abcdef, for which Bazel does not say
 * "tmp". */
static bool is_uuid(const char *name)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(name) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == '-' ? name[i] != '-'
				   : !isxdigit((unsigned char)name[i]))
			return false;
	}
	return true;
}

bool temporary_has_name(const char *name)
{
	if (cubby_name_is_entry(name) || strstr(name, "lock"))
		return false;
	return strstr(name, "tmp") || is_uuid(name);
}

int64_t temporary_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec + 1;
}

/* Needs content.lock exclusive, and that the inode is claimed: so its place
 * stays as it is. */
static int store_locked(struct mount *m, struct inode *inode, struct content *c)
{
	struct cubby_owner owner = {c->attr.mode, c->attr.uid, c->attr.gid};
	struct cubby_attr attr;
	int r;

	if (!c->draft)
		return 0;
	if (content_sync_late_locked(c) < 0)
		return -EIO;
	growth_hand_over(c);
	r = cubby_draft_publish(c->draft, inode->parent, inode->name, &owner,
				&attr);
	if (r < 0) {
		growth_note(m, inode, c);
		return r;
	}
	content_published_locked(inode, c, &attr);
	return 0;
}

int temporary_store(struct mount *m, struct inode *inode)
{
	struct content *c = inode ? atomic_load(&inode->content) : NULL;
	int r = 0;

	if (!c)
		return 0;
	pthread_rwlock_wrlock(&c->lock);
	if (pending_claim(m, inode)) {
		r = store_locked(m, inode, c);
		pending_settle(m, inode, r == 0);
	}
	pthread_rwlock_unlock(&c->lock);
	return r;
}

void temporary_store_old(struct mount *m)
{
	struct inode *inodes[BATCH];
	size_t n = pending_find_old(m, temporary_now_s() - AGE_S - 1, inodes,
				    BATCH);

	for (size_t i = 0; i < n; i++) {
		(void)!temporary_store(m, inodes[i]); /* tried again */
		inode_put(m, inodes[i]);
	}
}
