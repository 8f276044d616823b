/* SPDX-License-Identifier: MIT */
/*
 * Listing directories.
 *
 * The store lists from a name on, so a listing goes on after the last name
 * that was given, whatever was added or removed meanwhile: nothing is skipped
 * or given twice. The kernel names a place in a listing by a number. Here it
 * is how many names were given before, and the handle remembers the names of
 * the last reply, of which the kernel may have used a part only. A place that
 * is not remembered (who seeks back) is found by counting from the start.
 *
 * Names that are pending on this mount are merged in, and go before what the
 * store has under the same name. They are given without a node: the kernel
 * would otherwise keep the name, and with it the inode (see pending.c).
 *
 * Listings are not cached by the kernel: others add to the store.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inode.h"
#include "ops.h"
#include "pending.h"
#include "reply.h"

#define LISTING_MAGIC 0x63626c73u
#define DOTS 2 /* "." and ".." come first */

/* One name of the last reply. */
struct given {
	uint64_t id;	/* a lookup was counted; or 0 */
	size_t name_at; /* in listing.names */
};

struct listing {
	uint32_t magic;
	uint64_t dir;
	pthread_mutex_t lock; /* guards all below */
	uint64_t base;	      /* the place before the first name in `given` */
	char *after;	      /* the name at that place; NULL: not known */
	struct given *given;
	size_t count, capacity;
	char *names; /* those of `given`, joined */
	size_t names_size, names_capacity;
};

/* One reply that is being made. */
struct page {
	fuse_req_t req;
	struct mount *m;
	struct listing *l;
	bool plus;
	char *buffer;
	size_t size, used;
	uint64_t place; /* of the last name that is in */
	uint64_t skip;	/* names to leave out, after seeking back */
	char *sought;	/* the last of them */
	struct pending_name *pending;
	size_t pending_count, pending_at;
};

enum { PAGE_FULL = 1 };

static struct listing *listing_of(struct fuse_file_info *fi)
{
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;

	return l && l->magic == LISTING_MAGIC ? l : NULL;
}

/* Remember one more name. */
static int listing_note(struct listing *l, const char *name, uint64_t id)
{
	size_t size = strlen(name) + 1;

	if (l->count == l->capacity) {
		size_t n = l->capacity ? l->capacity * 2 : 64;
		struct given *given = realloc(l->given, n * sizeof(*given));

		if (!given)
			return -ENOMEM;
		l->given = given;
		l->capacity = n;
	}
	if (l->names_size + size > l->names_capacity) {
		size_t n = l->names_capacity * 2 + size + 4096;
		char *names = realloc(l->names, n);

		if (!names)
			return -ENOMEM;
		l->names = names;
		l->names_capacity = n;
	}
	memcpy(l->names + l->names_size, name, size);
	l->given[l->count++] = (struct given){id, l->names_size};
	l->names_size += size;
	return 0;
}

/* Put one name into the reply, with its attributes when it is wanted so. */
static size_t page_put(struct page *p, const char *name,
		       const struct fuse_entry_param *e)
{
	char *at = p->buffer + p->used;
	size_t room = p->size - p->used;
	off_t place = (off_t)(p->place + 1);
	struct fuse_entry_param shown = *e;
	size_t size;

	access_show(p->m, &shown.attr);
	size = p->plus ? fuse_add_direntry_plus(p->req, at, room, name, &shown,
						place)
		       : fuse_add_direntry(p->req, at, room, name, &e->attr,
					   place);
	return size <= room ? size : 0;
}

/* Count a name that was given before the place which was sought. */
static int page_leave_out(struct page *p, const char *name)
{
	p->skip--;
	p->place++;
	p->l->base++;
	if (p->skip > 0)
		return 0;
	p->sought = strdup(name);
	return p->sought ? 0 : -ENOMEM;
}

/* Add a name. PAGE_FULL when it does not fit. */
static int page_add(struct page *p, const char *name,
		    const struct fuse_entry_param *e)
{
	size_t size;
	int r;

	if (p->skip > 0) {
		return page_leave_out(p, name);
	}
	size = page_put(p, name, e);
	if (size == 0)
		return PAGE_FULL;
	r = listing_note(p->l, name, e->ino);
	if (r < 0)
		return r;
	p->used += size;
	p->place++;
	return 0;
}

/* A name of the store: with its node, which is counted before. */
static int page_add_stored(struct page *p, const char *name,
			   const struct cubby_attr *attr)
{
	struct fuse_entry_param e = {0};
	struct inode *inode;
	int r;

	reply_fill_stat(attr, &e.attr);
	if (p->plus && p->skip == 0) {
		/* All nodes are held while the page is made. */
		r = inode_remember(p->m, attr, p->l->dir, name, &inode);
		if (r < 0)
			return r;
		inode_put(p->m, inode);
		e.ino = attr->id;
		e.attr_timeout = mount_attr_timeout(p->m, attr->kind);
		e.entry_timeout = mount_entry_timeout(p->m, attr->kind);
	}
	r = page_add(p, name, &e);
	if (r != 0 && e.ino)
		pending_forget(p->m, e.ino, 1);
	return r;
}

/* The pending names less than `before` (NULL: all that are left). */
static int page_add_pending(struct page *p, const char *before)
{
	while (p->pending_at < p->pending_count) {
		struct pending_name *n = &p->pending[p->pending_at];
		struct fuse_entry_param e = {.attr = n->st};
		int r;

		if (before && strcmp(n->name, before) >= 0)
			return 0;
		r = page_add(p, n->name, &e);
		if (r != 0)
			return r;
		p->pending_at++;
	}
	return 0;
}

static int page_take(void *cookie, const char *name,
		     const struct cubby_attr *attr)
{
	struct page *p = cookie;
	int r = page_add_pending(p, name);

	if (r != 0)
		return r;
	if (p->pending_at < p->pending_count &&
	    strcmp(p->pending[p->pending_at].name, name) == 0)
		return 0; /* the next turn gives the pending one */
	return page_add_stored(p, name, attr);
}

static int page_add_dots(struct page *p)
{
	struct fuse_entry_param e = {
		.attr = {.st_ino = p->l->dir, .st_mode = S_IFDIR}};
	uint64_t parent;

	if (p->place == 0) {
		p->used += page_put(p, ".", &e);
		p->place = 1;
	}
	if (p->place == 1) {
		size_t size;

		if (cubby_parent(p->m->store, p->l->dir, &parent) == 0)
			e.attr.st_ino = parent;
		size = page_put(p, "..", &e);
		if (size == 0)
			return PAGE_FULL;
		p->used += size;
		p->place = DOTS;
	}
	return 0;
}

/* The remembered name at a place, "" for the start, or NULL. */
static const char *listing_name_at(const struct listing *l, uint64_t place)
{
	if (place <= DOTS)
		return "";
	if (place == l->base)
		return l->after;
	if (place > l->base && place - l->base <= l->count)
		return l->names + l->given[place - l->base - 1].name_at;
	return NULL;
}

/*
 * Go to a place: listing.after is the name to go on after. Gives the number of
 * names to leave out after that.
 */
static int listing_seek(struct listing *l, uint64_t place, uint64_t *ret_skip)
{
	const char *known = listing_name_at(l, place);
	char *after = strdup(known ? known : "");

	if (!after)
		return -ENOMEM;
	free(l->after);
	l->after = after;
	l->base = known && place > DOTS ? place : DOTS;
	l->count = 0;
	l->names_size = 0;
	*ret_skip = known ? 0 : place - DOTS;
	return 0;
}

/* See cubby_watch_hold(): the nodes of a page stay until they are counted. */
static int hold_all(struct mount *m)
{
	if (!m->watch)
		return 0;
	cubby_watch_hold(m->watch, 0);
	return cubby_watch_settle(m->watch);
}

/* Fill the reply from `place` on. listing.lock is held. */
static int page_fill(struct page *p, uint64_t place)
{
	int r = listing_seek(p->l, place, &p->skip);

	if (r < 0)
		return r;
	p->place = p->skip ? DOTS : place;
	r = page_add_dots(p);
	if (r == 0)
		r = pending_list(p->m, p->l->dir, p->l->after, &p->pending,
				 &p->pending_count);
	if (r == 0) {
		pthread_rwlock_rdlock(&p->m->told);
		r = hold_all(p->m);
		if (r == 0)
			r = cubby_readdir(p->m->store, p->l->dir, p->l->after,
					  0, page_take, p);
		if (p->m->watch)
			cubby_watch_release(p->m->watch, 0);
		pthread_rwlock_unlock(&p->m->told);
	}
	if (r == 0)
		r = page_add_pending(p, NULL);
	pending_list_free(p->pending, p->pending_count);
	if (p->sought) {
		free(p->l->after);
		p->l->after = p->sought;
	}
	/* What has been put in is given, and the error comes the next time. */
	return r < 0 && p->used == 0 ? r : 0;
}

/* The kernel did not get the reply: take the lookups back. */
static void listing_undo(struct mount *m, struct listing *l)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->count; i++) {
		if (l->given[i].id)
			pending_forget(m, l->given[i].id, 1);
	}
	pthread_mutex_unlock(&l->lock);
}

static void list(fuse_req_t req, size_t size, off_t offset,
		 struct fuse_file_info *fi, bool plus)
{
	struct listing *l = listing_of(fi);
	struct page p = {.req = req,
			 .m = mount_of(req),
			 .l = l,
			 .plus = plus,
			 .buffer = malloc(size),
			 .size = size};
	int r = p.buffer ? -EBADF : -ENOMEM;

	if (l && p.buffer && offset >= 0) {
		pthread_mutex_lock(&l->lock);
		r = page_fill(&p, (uint64_t)offset);
		pthread_mutex_unlock(&l->lock);
	}
	if (r < 0)
		reply_result(req, r);
	else if (reply_data(req, p.buffer, p.used) != 0)
		listing_undo(p.m, l);
	free(p.buffer);
}

void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)id;
	list(req, size, offset, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)id;
	list(req, size, offset, fi, true);
}

static void listing_free(struct listing *l)
{
	l->magic = 0;
	pthread_mutex_destroy(&l->lock);
	free(l->after);
	free(l->given);
	free(l->names);
	free(l);
}

void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l || pthread_mutex_init(&l->lock, NULL) != 0) {
		free(l);
		reply_result(req, -ENOMEM);
		return;
	}
	l->magic = LISTING_MAGIC;
	l->dir = id;
	fi->fh = (uintptr_t)l;
	fi->keep_cache = 0;
	fi->cache_readdir = 0;
	if (reply_opened(req, fi) != 0)
		listing_free(l);
}

void op_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct listing *l = listing_of(fi);

	(void)id;
	if (l)
		listing_free(l);
	reply_result(req, 0);
}
