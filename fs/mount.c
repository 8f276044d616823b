/* SPDX-License-Identifier: MIT */
/*
 * One mount: what its requests share, what is agreed with the kernel, and the
 * operations.
 */
#include "mount.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cubby/manage.h"
#include "flusher.h"
#include "growth.h"
#include "inode.h"
#include "notify.h"
#include "ops.h"
#include "readers.h"
#include "reaper.h"
#include "scrub.h"

#define MAX_WRITE (1024u * 1024)
#define MAX_BACKGROUND 64u
/* How old may be what another process can change without telling. */
#define UNWATCHED_S 1.0

static double least(double a, double b)
{
	return a < b ? a : b;
}

double mount_entry_timeout(const struct mount *m, enum cubby_kind kind)
{
	double t = m->timeouts.entry_s;

	/* What the kernel does not ask for is not used, as the store sees it.
	 */
	if (kind == CUBBY_ENTRY)
		t = least(t, atomic_load(&m->resolution_s));
	return kind == CUBBY_PLAIN || !m->watch ? least(t, UNWATCHED_S) : t;
}

double mount_attr_timeout(const struct mount *m, enum cubby_kind kind)
{
	double t = m->timeouts.attr_s;

	return kind == CUBBY_PLAIN || !m->watch ? least(t, UNWATCHED_S) : t;
}

struct mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/*
 * A waiting reaper goes before new readers: they come all the time, and it
 * would never have its turn.
 */
static int told_init(pthread_rwlock_t *told)
{
	pthread_rwlockattr_t attr;
	int r = pthread_rwlockattr_init(&attr);

	if (r != 0)
		return -r;
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	r = pthread_rwlock_init(told, &attr);
	pthread_rwlockattr_destroy(&attr);
	return -r;
}

int mount_read_resolution(struct mount *m)
{
	struct cubby_limits limits;
	int r = cubby_get_limits(m->store, &limits);

	if (r == 0)
		atomic_store(&m->resolution_s, limits.resolution_s);
	return r;
}

int mount_init(struct mount *m, struct cubby *store, int store_fd,
	       const struct mount_settings *settings)
{
	int r;

	*m = (struct mount){.magic = MOUNT_MAGIC,
			    .read_only = settings->read_only,
			    .writeback = settings->writeback,
			    .has_xattr = settings->has_xattr,
			    .durable = settings->durable,
			    .store = store,
			    .store_fd = store_fd,
			    .timeouts = settings->timeouts,
			    .scrub_s = settings->scrub_s,
			    .access = settings->access};
	r = told_init(&m->told);
	if (r == 0)
		r = -pthread_mutex_init(&m->lock, NULL);
	if (r == 0)
		r = -pthread_cond_init(&m->settled, NULL);
	if (r == 0)
		r = -pthread_mutex_init(&m->grown_lock, NULL);
	if (r == 0)
		r = readers_new(&m->readers);
	if (r == 0)
		r = inode_table_init(m);
	if (r == 0)
		r = mount_read_resolution(m);
	if (r == 0)
		r = cubby_watch_new(store, &m->watch);
	/* Who cannot write cannot leave a sign that he watches. */
	if (r == -EROFS && m->read_only)
		r = 0;
	if (r < 0)
		mount_done(m);
	return r;
}

int mount_start(struct mount *m)
{
	int r = notify_start(m);

	if (r == 0)
		r = reaper_start(m);
	if (r == 0 && m->writeback)
		r = flusher_start(m);
	if (r == 0 && m->scrub_s > 0)
		r = scrub_start(m);
	if (r < 0)
		mount_stop(m);
	return r;
}

void mount_stop(struct mount *m)
{
	scrub_stop(m);
	/* The next two put into the notifier's queue. */
	flusher_stop(m);
	reaper_stop(m);
	notify_stop(m);
}

void mount_done(struct mount *m)
{
	if (m->bucket_count)
		inode_table_done(m);
	growth_settle(m, true);
	readers_free(m->readers);
	cubby_watch_close(m->watch);
	close(m->store_fd);
	pthread_cond_destroy(&m->settled);
	pthread_mutex_destroy(&m->grown_lock);
	pthread_mutex_destroy(&m->lock);
	pthread_rwlock_destroy(&m->told);
	m->magic = 0;
}

/*
 * ATOMIC_O_TRUNC would lose truncations, since opens are not answered.
 * AUTO_INVAL_DATA would drop the pages of an entry whose time somebody sets.
 * With WRITEBACK_CACHE the kernel gathers small writes, but a rename may come
 * before the bytes (see rename.c), each close sets the time and makes the next
 * fstat(2) a request, and what another process writes into a plain file may
 * not be seen: it is for those who ask for it. The rest saves requests.
 */
static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct mount *m = userdata;

	conn->want &=
		~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA |
			    FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_EXPORT_SUPPORT);
	conn->want |= conn->capable &
		      (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
		       FUSE_CAP_HANDLE_KILLPRIV);
	if (m->writeback)
		conn->want |= conn->capable & FUSE_CAP_WRITEBACK_CACHE;
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2 /* otherwise see handshake.c */
	if (m->has_xattr)
		conn->want |= conn->capable & FUSE_CAP_HANDLE_KILLPRIV_V2;
#endif
	conn->max_write = MAX_WRITE;
	conn->max_background = MAX_BACKGROUND;
	conn->time_gran = 1;
}

const struct fuse_lowlevel_ops *mount_ops(void)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init,
		.lookup = op_lookup,
		.forget = op_forget,
		.forget_multi = op_forget_multi,
		.getattr = op_getattr,
		.setattr = op_setattr,
		.mknod = op_mknod,
		.mkdir = op_mkdir,
		.unlink = op_unlink,
		.rmdir = op_rmdir,
		.symlink = op_symlink,
		.rename = op_rename,
		.link = op_link,
		.open = op_open,
		.read = op_read,
		.write = op_write,
		.fsync = op_fsync,
		.fsyncdir = op_fsyncdir,
		.fallocate = op_fallocate,
		.opendir = op_opendir,
		.readdir = op_readdir,
		.readdirplus = op_readdirplus,
		.releasedir = op_releasedir,
		.statfs = op_statfs,
		.create = op_create,
		.access = op_access,
		.getxattr = op_getxattr,
		.listxattr = op_listxattr,
		.setxattr = op_setxattr,
		.removexattr = op_removexattr,
	};

	return &ops;
}
