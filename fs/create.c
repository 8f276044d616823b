/* SPDX-License-Identifier: MIT */
/*
 * New files and directories.
 *
 * A file with an entry name begins as a draft, which only this mount knows, and
 * so does a temporary one (temporary.c); any other is a plain file in the store
 * at once.
 *
 * The kernel asks to create when it believes that the name does not exist.
 * Another process may have made it meanwhile; then the request is answered as
 * open(2) would be, O_TRUNC included: the kernel does not ask for that again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"
#include "cubby/manage.h"
#include "ops.h"
#include "pending.h"
#include "reply.h"
#include "temporary.h"

/* How often a name may come and go while it is created. */
#define TRIES 8

struct request {
	struct mount *m;
	uint64_t parent;
	const char *name;
	int flags; /* of open(2) */
	struct cubby_owner owner;
	pid_t by;     /* the thread that creates it */
	bool is_node; /* mknod(2) */
};

/* Answer with what has the name already. -EAGAIN: it has gone. */
static int existing_open(const struct request *q,
			 struct fuse_entry_param *ret_entry)
{
	struct fuse_entry_param e;
	struct inode *inode;
	double timeout_s;
	int r;

	if (q->flags & O_EXCL)
		return -EEXIST;
	r = lookup_node(q->m, q->parent, q->name, &e);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;

	inode = inode_find(q->m, e.ino);
	if (!inode)
		r = -EAGAIN;
	else if (S_ISDIR(e.attr.st_mode))
		r = -EISDIR;
	else if (q->flags & O_TRUNC)
		r = content_truncate(q->m, inode, 0, q->by);
	if (r == 0)
		r = inode_stat(q->m, inode, &e.attr, &timeout_s);
	if (r == 0 && content_is_draft(inode))
		e.entry_timeout = e.attr_timeout = 0;
	inode_put(q->m, inode);
	if (r < 0)
		pending_forget(q->m, e.ino, 1);
	else
		*ret_entry = e;
	return r;
}

/* Make an inode for a draft and enter it. Takes the draft on success. */
static int draft_enter(const struct request *q, struct cubby_draft *draft,
		       struct fuse_entry_param *ret_entry)
{
	bool temporary = !cubby_name_is_entry(q->name);
	enum cubby_kind kind = temporary ? CUBBY_PLAIN : CUBBY_ENTRY;
	struct fuse_entry_param e = {.ino = cubby_draft_id(draft)};
	struct inode *inode = inode_new(e.ino, kind, q->parent, q->name);
	struct content *c = content_new();
	int r = -ENOMEM;

	if (inode && c) {
		c->attr.mode = q->owner.mode & 0777;
		c->attr.uid = q->owner.uid;
		c->attr.gid = q->owner.gid;
		c->fd = cubby_draft_fd(draft);
		c->draft = draft;
		if (temporary)
			c->temporary_s = temporary_now_s();
		else
			author_note(&c->author, q->by);
		atomic_store(&inode->content, c);
		r = inode_stat(q->m, inode, &e.attr, &e.attr_timeout);
		if (r == 0)
			r = pending_enter(q->m, inode);
		if (r == 0) {
			if (temporary)
				e.entry_timeout =
					mount_entry_timeout(q->m, kind);
			*ret_entry = e;
			return 0;
		}
		atomic_store(&inode->content, NULL);
		c->draft = NULL;
		c->fd = -1;
	}
	content_free(c);
	inode_put(q->m, inode);
	return r == -EEXIST ? -EAGAIN : r;
}

static int draft_create(const struct request *q,
			struct fuse_entry_param *ret_entry)
{
	struct cubby_draft *draft;
	struct cubby_attr attr;
	struct inode *pending = pending_find(q->m, q->parent, q->name, false);
	int r;

	inode_put(q->m, pending);
	if (pending)
		return existing_open(q, ret_entry);

	r = cubby_lookup(q->m->store, q->parent, q->name, &attr);
	if (r == 0 && (attr.kind != CUBBY_ENTRY || q->flags & O_EXCL ||
		       !(q->flags & O_TRUNC)))
		return existing_open(q, ret_entry);
	if (r == -ENOENT) /* of the name; the directory must be there */
		r = cubby_getattr(q->m->store, q->parent, &attr);
	if (r < 0)
		return r;

	r = cubby_draft_new(q->m->store, 0, &draft);
	if (r < 0)
		return r;
	r = draft_enter(q, draft, ret_entry);
	if (r < 0)
		cubby_draft_drop(draft);
	return r;
}

static int plain_create(const struct request *q,
			struct fuse_entry_param *ret_entry)
{
	struct fuse_entry_param e = {0};
	struct cubby_attr attr;
	struct inode *inode;
	struct content *c;
	int fd;
	int r = cubby_create(q->m->store, q->parent, q->name, &q->owner, &attr,
			     &fd);

	if (r == -EEXIST)
		return existing_open(q, ret_entry);
	if (r < 0)
		return r;
	r = inode_remember(q->m, &attr, q->parent, q->name, &inode);
	if (r < 0) {
		close(fd);
		return r;
	}
	/* Without memory for it the file is just opened on its first use. */
	c = content_obtain(q->m, inode);
	if (!c || !content_give_fd(c, &attr, fd))
		close(fd);
	inode_put(q->m, inode);

	e.ino = attr.id;
	e.entry_timeout = mount_entry_timeout(q->m, CUBBY_PLAIN);
	e.attr_timeout = mount_attr_timeout(q->m, CUBBY_PLAIN);
	reply_fill_stat(&attr, &e.attr);
	*ret_entry = e;
	return 0;
}

static int file_create(const struct request *q,
		       struct fuse_entry_param *ret_entry)
{
	int r = -EAGAIN;

	bool is_draft = cubby_name_is_entry(q->name) ||
			(!q->is_node && temporary_has_name(q->name));

	for (int i = 0; i < TRIES && r == -EAGAIN; i++)
		r = is_draft ? draft_create(q, ret_entry)
			     : plain_create(q, ret_entry);
	/* A full disk: once more, when something could be evicted. */
	if ((r == -ENOSPC || r == -EDQUOT) &&
	    cubby_make_room(q->m->store, 0) > 0)
		r = is_draft ? draft_create(q, ret_entry)
			     : plain_create(q, ret_entry);
	return r == -EAGAIN ? -ENOENT : r;
}

static struct cubby_owner owner_of(fuse_req_t req, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct cubby_owner){
		.mode = mode & 0777, .uid = ctx->uid, .gid = ctx->gid};
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct request q = {mount_of(req),
			    parent,
			    name,
			    fi->flags,
			    owner_of(req, mode),
			    fuse_req_ctx(req)->pid,
			    false};
	struct fuse_entry_param e;
	int r = access_check(req);

	if (r == 0)
		r = file_create(&q, &e);
	if (r < 0)
		reply_result(req, r);
	else
		reply_created(req, &e, fi);
	pending_announce(q.m, parent, name);
}

/*
 * The same without opening it. The name of a draft would be dropped at once,
 * and an empty entry published before the caller can open it: so what mknod(2)
 * makes under an entry name is an empty entry, and writing to it rewrites it.
 */
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t device)
{
	struct request q = {mount_of(req),	 parent, name, O_EXCL,
			    owner_of(req, mode), 0,	 true};
	struct fuse_entry_param e;
	int r = access_check(req);

	(void)device;
	if (r == 0)
		r = S_ISREG(mode) ? file_create(&q, &e) : -EPERM;
	if (r < 0)
		reply_result(req, r);
	else
		reply_node(req, &e);
	pending_announce(q.m, parent, name);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct mount *m = mount_of(req);
	struct cubby_owner owner = owner_of(req, mode);
	struct inode *inode = pending_find(m, parent, name, false);
	struct fuse_entry_param e = {0};
	struct cubby_attr attr;
	int r = inode ? -EEXIST : access_check(req);

	inode_put(m, inode);
	if (r == 0)
		r = cubby_mkdir(m->store, parent, name, &owner, &attr);
	if (r == 0)
		r = inode_remember(m, &attr, parent, name, &inode);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	inode_put(m, inode);
	e.ino = attr.id;
	e.entry_timeout = mount_entry_timeout(m, CUBBY_DIRECTORY);
	e.attr_timeout = mount_attr_timeout(m, CUBBY_DIRECTORY);
	reply_fill_stat(&attr, &e.attr);
	reply_node(req, &e);
}

/* Tools that lock with symbolic links go on without locks after EPERM. */
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	reply_result(req, -EPERM);
}

void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent,
	     const char *new_name)
{
	(void)id;
	(void)new_parent;
	(void)new_name;
	reply_result(req, -EPERM);
}
