/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes, for mounts with the option xattr: what the store knows
 * of an entry and of a directory, and the quota and the pin of a directory,
 * which can be set. Nobody's own attributes are kept.
 *
 * Without the option all this is answered with ENOSYS, and the kernel never
 * asks again. That is worth an option: before it writes, the kernel asks for
 * security.capability, which is a request for each new file (see handshake.c).
 *
 * What is listed, rsync -X, cp --preserve=xattr and tar --xattrs copy. They set
 * it on their copy, delete it from a target whose original has none, and take a
 * refusal as a failure. So what is listed can be "set" and "removed", to no
 * effect, as modes of entries can. The quota and the pin are not listed: a
 * directory must not lose them to an rsync.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "bounds.h"
#include "content.h"
#include "cubby/manage.h"
#include "ops.h"
#include "reply.h"

enum { VALUE_SIZE = 40, LIST_SIZE = 512 };

enum attribute {
	STORED_SIZE, /* of entries */
	CHECKSUM,
	CODEC,
	ADDED,
	USED,
	HITS,
	ENTRIES, /* of directories */
	RAW_BYTES,
	STORED_BYTES,
	DISK_BYTES,
	LISTED, /* how many those are; the rest can be set */
	QUOTA = LISTED,
	PIN,
	COUNT,
};

static const char *const names[COUNT] = {
	[STORED_SIZE] = "user.cubby.stored_size",
	[CHECKSUM] = "user.cubby.checksum",
	[CODEC] = "user.cubby.codec",
	[ADDED] = "user.cubby.added",
	[USED] = "user.cubby.used",
	[HITS] = "user.cubby.hits",
	[ENTRIES] = "user.cubby.entries",
	[RAW_BYTES] = "user.cubby.raw_bytes",
	[STORED_BYTES] = "user.cubby.stored_bytes",
	[DISK_BYTES] = "user.cubby.disk_bytes",
	[QUOTA] = "user.cubby.quota",
	[PIN] = "user.cubby.pin",
};

/* The values that a node has; an empty one is none. */
struct values {
	char of[COUNT][VALUE_SIZE];
};

/* COUNT when it is none of them. */
static enum attribute find(const char *name)
{
	unsigned i = 0;

	while (i < COUNT && strcmp(names[i], name) != 0)
		i++;
	return (enum attribute)i;
}

__attribute__((format(printf, 3, 4))) static void
put(struct values *values, enum attribute which, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(values->of[which], VALUE_SIZE, format, list);
	va_end(list);
}

static void put_number(struct values *values, enum attribute which, uint64_t n)
{
	put(values, which, "%" PRIu64, n);
}

/* Seconds since 1970, as `stat -c %.9Y` prints and `date -d @N` reads. */
static void put_time(struct values *values, enum attribute which, int64_t ns)
{
	put(values, which, "%" PRId64 ".%09" PRId64, ns / 1000000000,
	    ns % 1000000000);
}

static int read_entry(struct mount *m, uint64_t id, struct values *values)
{
	struct cubby_storage storage;
	struct cubby_attr attr;
	int r = cubby_getattr(m->store, id, &attr);

	if (r == 0)
		r = cubby_get_storage(m->store, id, &storage);
	if (r < 0)
		return r == -EINVAL ? 0 : r; /* a plain file by now */
	put_number(values, STORED_SIZE, attr.stored_size);
	put_number(values, HITS, attr.hits);
	put_time(values, ADDED, attr.added_ns);
	put_time(values, USED, attr.used_ns);
	put(values, CODEC, "%s", storage.codec);
	for (size_t i = 0; i < sizeof(storage.check); i++)
		(void)snprintf(values->of[CHECKSUM] + 2 * i, 3, "%02x",
			       storage.check[i]);
	return 0;
}

static int read_root(struct mount *m, struct values *values)
{
	struct cubby_stats stats;
	int r = cubby_get_stats(m->store, &stats);

	if (r < 0)
		return r;
	put_number(values, ENTRIES, stats.entries);
	put_number(values, RAW_BYTES, stats.raw_bytes);
	put_number(values, STORED_BYTES, stats.stored_bytes);
	put_number(values, DISK_BYTES, stats.disk_bytes);
	return 0;
}

/* Only of those with a quota or a pin the store knows sums. */
static int read_directory(struct mount *m, uint64_t id, struct values *values)
{
	struct cubby_quota quota;
	int r = cubby_get_quota_of(m->store, id, &quota);

	if (r < 0 || (quota.quota == 0 && !quota.is_pinned))
		return r;
	put_number(values, ENTRIES, quota.entries);
	put_number(values, DISK_BYTES, quota.bytes);
	if (quota.quota > 0)
		put_number(values, QUOTA, quota.quota);
	if (quota.is_pinned)
		put_number(values, PIN, 1);
	return 0;
}

static int read_values(struct mount *m, struct inode *inode,
		       struct values *ret_values)
{
	uint64_t id = atomic_load(&inode->store_id);
	int r = 0;

	*ret_values = (struct values){{{0}}};
	if (id == CUBBY_ROOT_ID)
		r = read_root(m, ret_values);
	else if (inode_kind(inode) == CUBBY_DIRECTORY)
		r = read_directory(m, id, ret_values);
	else if (inode_kind(inode) == CUBBY_ENTRY && !content_is_draft(inode))
		r = read_entry(m, id, ret_values);
	/* What is gone from the store, and open here, has none. */
	return r == -ENOENT ? 0 : r;
}

void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size)
{
	struct mount *m = mount_of(req);
	enum attribute which = find(name);
	struct inode *inode;
	struct values values;
	int r = -ESTALE;

	if (!m->has_xattr || which == COUNT) {
		reply_result(req, m->has_xattr ? -ENODATA : -ENOSYS);
		return;
	}
	inode = inode_find(m, id);
	if (inode)
		r = read_values(m, inode, &values);
	inode_put(m, inode);
	if (r == 0 && !*values.of[which])
		r = -ENODATA;
	if (r < 0)
		reply_result(req, r);
	else
		reply_xattr(req, values.of[which], strlen(values.of[which]),
			    size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	struct mount *m = mount_of(req);
	struct inode *inode = m->has_xattr ? inode_find(m, id) : NULL;
	struct values values;
	char list[LIST_SIZE];
	size_t used = 0;
	int r = m->has_xattr ? -ESTALE : -ENOSYS;

	if (inode)
		r = read_values(m, inode, &values);
	inode_put(m, inode);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	for (unsigned i = 0; i < LISTED; i++) {
		size_t n = strlen(names[i]) + 1;

		if (!*values.of[i])
			continue;
		memcpy(list + used, names[i], n);
		used += n;
	}
	reply_xattr(req, list, used, size);
}

/* Read the value of a quota or a pin: a size, or "none". */
static int take_value(const char *value, size_t size, uint64_t *ret_number)
{
	char text[VALUE_SIZE] = "";

	if (size >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, size);
	/* Without a zero in it. */
	return strlen(text) == size && bounds_take_size(text, ret_number)
		       ? 0
		       : -EINVAL;
}

/* Set the quota or the pin of a directory; 0 takes it away. */
static int quota_set(struct mount *m, struct inode *inode, enum attribute which,
		     uint64_t number, int flags)
{
	uint64_t id = atomic_load(&inode->store_id);
	struct cubby_quota quota;
	bool is_set;
	int r;

	if (inode_kind(inode) != CUBBY_DIRECTORY)
		return -ENOTDIR;
	r = cubby_get_quota_of(m->store, id, &quota);
	if (r < 0)
		return r;
	is_set = which == PIN ? quota.is_pinned : quota.quota > 0;
	if (flags & XATTR_CREATE && is_set)
		return -EEXIST;
	if (flags & XATTR_REPLACE && !is_set)
		return -ENODATA;
	if (which == PIN && number > 1)
		return -EINVAL;
	if (which == PIN)
		quota.is_pinned = number > 0;
	else
		quota.quota = number;
	return cubby_set_quota_of(m->store, id, &quota);
}

/* May the caller change this attribute? Returns 1, 0 for one that stays as it
 * is whatever he does, or an error; `unknown` for what is no attribute. */
static int may_change(fuse_req_t req, enum attribute which, int unknown)
{
	int r = mount_of(req)->has_xattr ? access_check(req) : -ENOSYS;

	if (r == 0 && which == COUNT)
		return unknown;
	return r < 0 ? r : which >= LISTED;
}

void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		 const char *value, size_t size, int flags)
{
	struct mount *m = mount_of(req);
	enum attribute which = find(name);
	struct inode *inode;
	uint64_t number;
	int r = may_change(req, which, -EOPNOTSUPP);

	if (r > 0) {
		inode = inode_find(m, id);
		r = inode ? take_value(value, size, &number) : -ESTALE;
		if (r == 0)
			r = quota_set(m, inode, which, number, flags);
		inode_put(m, inode);
	}
	reply_result(req, r);
}

void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	struct mount *m = mount_of(req);
	enum attribute which = find(name);
	struct inode *inode;
	int r = may_change(req, which, -ENODATA);

	if (r > 0) {
		inode = inode_find(m, id);
		r = inode ? quota_set(m, inode, which, 0, XATTR_REPLACE)
			  : -ESTALE;
		inode_put(m, inode);
	}
	reply_result(req, r);
}
