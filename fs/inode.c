/* SPDX-License-Identifier: MIT */
/*
 * The nodes that the kernel knows: a hash table by FUSE node id.
 *
 * An entry that nobody writes costs one struct and its name, so that a cache
 * of 100,000 entries can be known to the kernel; what a file in use needs is
 * in content.c.
 *
 * Invariants
 *   1. An inode is in the table exactly as long as nlookup is not zero; the
 *      root is always there.
 *   2. A lookup is counted before the kernel is told of it. So a forget never
 *      counts more than is there.
 *   3. The content of an inode does not go away while somebody uses the inode.
 *      When only the table has it, a content with nothing in it is freed.
 *   4. Where a pending draft is (parent and name) does not change while it is
 *      pending: pending.c finds it by that.
 *
 * mount.lock guards the table and the fields that inode.h says.
 */
#include "inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "content.h"
#include "reply.h"

#define BUCKETS_AT_FIRST 1024u

static struct inode **bucket_of(struct mount *m, uint64_t id)
{
	return &m->buckets[id & (m->bucket_count - 1)];
}

struct inode *inode_new(uint64_t id, enum cubby_kind kind, uint64_t parent,
			const char *name)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->magic = INODE_MAGIC;
	inode->refs = 1;
	inode->id = id;
	inode->store_id = id;
	inode->kind = (uint8_t)kind;
	inode->parent = parent;
	if (name && kind != CUBBY_DIRECTORY) {
		inode->name = strdup(name);
		if (!inode->name) {
			free(inode);
			return NULL;
		}
	}
	return inode;
}

static void inode_free(struct inode *inode)
{
	inode->magic = 0;
	content_free(atomic_load(&inode->content));
	free(inode->name);
	free(inode);
}

/* Twice the buckets; without memory the chains just get longer. */
static void table_grow(struct mount *m)
{
	size_t old_count = m->bucket_count;
	struct inode **old = m->buckets;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): of pointers, indeed */
	struct inode **new = calloc(old_count * 2, sizeof(*new));

	if (!new)
		return;
	m->buckets = new;
	m->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct inode *inode = old[i];
			struct inode **bucket = bucket_of(m, inode->id);

			old[i] = inode->next;
			inode->next = *bucket;
			*bucket = inode;
		}
	}
	free(old);
}

void inode_insert_locked(struct mount *m, struct inode *inode)
{
	struct inode **bucket;

	if (m->inode_count >= m->bucket_count)
		table_grow(m);
	bucket = bucket_of(m, inode->id);
	inode->next = *bucket;
	*bucket = inode;
	m->inode_count++;
	if (m->watch)
		cubby_watch_hold(m->watch, inode->id);
}

void inode_remove_locked(struct mount *m, struct inode *inode)
{
	struct inode **p = bucket_of(m, inode->id);

	while (*p != inode)
		p = &(*p)->next;
	*p = inode->next;
	inode->next = NULL;
	m->inode_count--;
	if (m->watch)
		cubby_watch_release(m->watch, inode->id);
}

struct inode *inode_find_locked(struct mount *m, uint64_t id)
{
	struct inode *inode = *bucket_of(m, id);

	while (inode && inode->id != id)
		inode = inode->next;
	return inode;
}

int inode_table_init(struct mount *m)
{
	struct inode *root;

	m->buckets = calloc(BUCKETS_AT_FIRST, sizeof(struct inode *));
	root = inode_new(CUBBY_ROOT_ID, CUBBY_DIRECTORY, CUBBY_ROOT_ID, NULL);
	if (!m->buckets || !root) {
		free(m->buckets);
		free(root);
		m->buckets = NULL;
		return -ENOMEM;
	}
	m->bucket_count = BUCKETS_AT_FIRST;
	root->nlookup = 1;
	inode_insert_locked(m, root);
	return 0;
}

void inode_table_done(struct mount *m)
{
	for (size_t i = 0; i < m->bucket_count; i++) {
		while (m->buckets[i]) {
			struct inode *inode = m->buckets[i];

			m->buckets[i] = inode->next;
			inode_free(inode);
		}
	}
	free(m->buckets);
	m->buckets = NULL;
	m->bucket_count = 0;
}

struct inode *inode_find(struct mount *m, uint64_t id)
{
	struct inode *inode;

	pthread_mutex_lock(&m->lock);
	inode = inode_find_locked(m, id);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&m->lock);
	return inode;
}

/*
 * Needs mount.lock. When only the table has the inode, nobody uses its
 * content: take it if there is nothing in it.
 */
static struct content *take_spare_locked(struct inode *inode)
{
	struct content *c = atomic_load(&inode->content);

	if (!c || inode->refs != 1 || inode->nlookup == 0 ||
	    !content_is_spare(c))
		return NULL;
	atomic_store(&inode->content, NULL);
	return c;
}

void inode_put(struct mount *m, struct inode *inode)
{
	struct content *spare;
	bool last;

	if (!inode)
		return;
	pthread_mutex_lock(&m->lock);
	last = --inode->refs == 0;
	spare = last ? NULL : take_spare_locked(inode);
	pthread_mutex_unlock(&m->lock);
	content_free(spare);
	if (last)
		inode_free(inode);
}

/* Needs mount.lock. */
static void set_place_locked(struct inode *inode, uint64_t parent,
			     const char *name)
{
	struct content *c = atomic_load(&inode->content);

	if (inode_kind(inode) == CUBBY_DIRECTORY)
		return;
	if (c && c->state != PENDING_NOT)
		return;
	if (inode->name && strcmp(inode->name, name) != 0) {
		free(inode->name);
		inode->name = NULL;
	}
	if (!inode->name)
		inode->name = strdup(name);
	inode->parent = parent;
}

int inode_remember(struct mount *m, const struct cubby_attr *attr,
		   uint64_t parent, const char *name, struct inode **ret_inode)
{
	struct inode *inode;
	int r = 0;

	pthread_mutex_lock(&m->lock);
	inode = inode_find_locked(m, attr->id);
	if (inode) {
		set_place_locked(inode, parent, name);
	} else {
		inode = inode_new(attr->id, attr->kind, parent, name);
		if (inode)
			inode_insert_locked(m, inode);
		r = inode ? 1 : -ENOMEM;
	}
	if (inode) {
		inode->nlookup++;
		inode->refs++;
		inode->unnamed_here = false;
		inode->is_cold = false;
		*ret_inode = inode;
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

void inode_set_place(struct mount *m, struct inode *inode, uint64_t parent,
		     const char *name)
{
	pthread_mutex_lock(&m->lock);
	set_place_locked(inode, parent, name);
	pthread_mutex_unlock(&m->lock);
}

int inode_get_place(struct mount *m, struct inode *inode, uint64_t *ret_parent,
		    char **ret_name)
{
	char *name = NULL;
	int r = 0;

	pthread_mutex_lock(&m->lock);
	if (!inode->name)
		r = -ENOENT;
	else if (!(name = strdup(inode->name)))
		r = -ENOMEM;
	if (r == 0) {
		*ret_parent = inode->parent;
		*ret_name = name;
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

void inode_mark_unnamed(struct mount *m, uint64_t id)
{
	struct inode *inode;

	pthread_mutex_lock(&m->lock);
	inode = inode_find_locked(m, id);
	if (inode)
		inode->unnamed_here = true;
	pthread_mutex_unlock(&m->lock);
}

/* What is known of a file that the store no longer knows. */
static int kept_attr(struct content *c, struct cubby_attr *ret_attr)
{
	struct stat st;
	int r = 0;

	pthread_rwlock_rdlock(&c->lock);
	if (c->fd >= 0 && fstat(c->fd, &st) == 0) {
		*ret_attr = c->attr;
		ret_attr->size = (uint64_t)st.st_size;
		ret_attr->stored_size = (uint64_t)st.st_blocks * 512;
		ret_attr->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
				     st.st_mtim.tv_nsec;
	} else if (c->pin) {
		*ret_attr = c->attr;
	} else {
		r = -ENOENT;
	}
	pthread_rwlock_unlock(&c->lock);
	return r;
}

/* Returns 1 when there is a draft and `*ret_st` is set. */
static int draft_stat(struct mount *m, struct inode *inode, struct content *c,
		      struct stat *ret_st, double *ret_timeout_s)
{
	int r = 0;

	pthread_rwlock_rdlock(&c->lock);
	if (c->draft) {
		r = fstat(c->fd, ret_st) == 0 ? 1 : -errno;
		*ret_timeout_s =
			c->temporary_s ? mount_attr_timeout(m, CUBBY_PLAIN) : 0;
		ret_st->st_ino = inode->id;
		ret_st->st_mode = S_IFREG | (c->attr.mode & 07777);
		ret_st->st_nlink = 1;
		ret_st->st_uid = c->attr.uid;
		ret_st->st_gid = c->attr.gid;
		ret_st->st_dev = 0;
	}
	pthread_rwlock_unlock(&c->lock);
	return r;
}

int inode_stat(struct mount *m, struct inode *inode, struct stat *ret_st,
	       double *ret_timeout_s)
{
	struct content *c = atomic_load(&inode->content);
	struct cubby_attr attr;
	int r;

	if (c) {
		r = draft_stat(m, inode, c, ret_st, ret_timeout_s);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = cubby_getattr(m->store, atomic_load(&inode->store_id), &attr);
	if (r == -ENOENT && c)
		r = kept_attr(c, &attr);
	if (r < 0)
		return r;

	if (attr.kind != inode_kind(inode))
		content_change_kind(m, inode, attr.kind);
	reply_fill_stat(&attr, ret_st);
	ret_st->st_ino = inode->id;
	*ret_timeout_s = mount_attr_timeout(m, attr.kind);
	return 0;
}
