/* SPDX-License-Identifier: MIT */
/*
 * Rules, and why they are enough:
 *
 *  1. The snapshot in the file `steady` is protected by a pin, which its maker
 *     holds. A maker that is killed leaves its slot in the table of readers,
 *     which protects as well: slots of the dead are cleared only after a
 *     checkpoint (or by LMDB when it finds itself alone).
 *  2. Who holds a pin holds a shared lock on the byte PINNED. Who begins to
 *     write without a pin and finds that byte free takes a checkpoint first. A
 *     holder that ends its pin between that look and the write is harmless: a
 *     transaction only reuses pages that were free in the state before it, and
 *     the next one looks again.
 *  3. Checkpoints are one at a time (the byte CHECKPOINT), so that the file
 *     never goes back to an older snapshot than a pin protects.
 *  4. Who has the index open holds a shared lock on the byte USED. Who gets it
 *     alone may go back, as no environment is open.
 *  5. Going back is needed when the page cache that held the last writes may be
 *     gone: the boot id or the mount of the store is another than when the file
 *     was written. A checkpoint comes before the first write, so the file
 * always names the instance whose writes are in doubt.
 *
 * index->steady_lock guards the pin and the counters.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/base.h"
#include "format/check.h"
#include "index/steady.h"
#include "sys/sys.h"

enum {
	/* A checkpoint after so many commits: each frees some dozen pages,
	 * which cannot be used again before it. */
	COMMITS_MAX = 1024,
	COMMITS_IDLE = 256, /* the same for who can wait */
	INTERVAL_S = 5,

	PAGE_MAX = 65536,
	BOOT_ID_SIZE = 36,
	/* The file: magic, instance, size of the page, check, the page. */
	AT_BOOT_ID = 8,
	AT_MOUNT = 44,
	AT_PAGE_SIZE = 52,
	AT_CHECK = 56,
	AT_PAGE = 72,
	/* Of a meta page of LMDB 0.9 on a 64-bit machine. */
	META_TXNID = 144,
};
static const char magic[8] = {'c', 'u', 'b', 'b', 'y', 's', 't', 'd'};

/* Bytes of the watches file, beyond all slots. */
static const uint64_t byte_used = UINT64_C(1) << 40;
static const uint64_t byte_pinned = (UINT64_C(1) << 40) + 1;
static const uint64_t byte_checkpoint = (UINT64_C(1) << 40) + 2;

struct instance {
	char boot_id[BOOT_ID_SIZE];
	uint64_t mount;
};

struct snapshot {
	struct instance instance;
	size_t page_size;
	uint8_t page[PAGE_MAX];
};

static bool is_same(const struct instance *a, const struct instance *b)
{
	return a->mount == b->mount &&
	       memcmp(a->boot_id, b->boot_id, BOOT_ID_SIZE) == 0;
}

static int join(char *ret_path, const char *path, const char *name)
{
	return snprintf(ret_path, PATH_MAX, "%s/%s", path, name) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static int get_instance(const char *path, struct instance *ret_instance)
{
	SCOPED_FD int fd =
		sys_open(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY);
	ssize_t n;

	memset(ret_instance, 0, sizeof(*ret_instance));
	if (fd >= 0) {
		n = sys_pread(fd, ret_instance->boot_id, BOOT_ID_SIZE, 0);
		if (n < 0)
			return (int)n;
	}
	return sys_mount_id(path, &ret_instance->mount);
}

/* ------------------------------------------------------- the file `steady` */

static size_t encode(const struct snapshot *snapshot, uint8_t *ret_bytes)
{
	uint8_t *to = ret_bytes;
	struct check check;

	memset(to, 0, AT_PAGE);
	memcpy(to, magic, sizeof(magic));
	memcpy(to + AT_BOOT_ID, snapshot->instance.boot_id, BOOT_ID_SIZE);
	put_le(to + AT_MOUNT, snapshot->instance.mount, 8);
	put_le(to + AT_PAGE_SIZE, snapshot->page_size, 4);
	memcpy(to + AT_PAGE, snapshot->page, snapshot->page_size);
	check = check_footer(0, to, AT_PAGE + snapshot->page_size);
	memcpy(to + AT_CHECK, check.bytes, CHECK_SIZE);
	return AT_PAGE + snapshot->page_size;
}

static int decode(uint8_t *bytes, size_t size, struct snapshot *ret_snapshot)
{
	struct check stored;
	struct check check;
	size_t page_size;

	if (size < AT_PAGE || memcmp(bytes, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	page_size = get_le(bytes + AT_PAGE_SIZE, 4);
	if (page_size > PAGE_MAX || page_size < META_TXNID + 8 ||
	    size != AT_PAGE + page_size)
		return -EBADMSG;
	memcpy(stored.bytes, bytes + AT_CHECK, CHECK_SIZE);
	memset(bytes + AT_CHECK, 0, CHECK_SIZE);
	check = check_footer(0, bytes, size);
	if (!check_equal(&check, &stored))
		return -EBADMSG;
	memcpy(ret_snapshot->instance.boot_id, bytes + AT_BOOT_ID,
	       BOOT_ID_SIZE);
	ret_snapshot->instance.mount = get_le(bytes + AT_MOUNT, 8);
	ret_snapshot->page_size = page_size;
	memcpy(ret_snapshot->page, bytes + AT_PAGE, page_size);
	return 0;
}

static int snapshot_read(const char *path, struct snapshot *ret_snapshot)
{
	SCOPED_FREE uint8_t *bytes = malloc(AT_PAGE + PAGE_MAX + 1);
	SCOPED_FD int fd = -1;
	char file[PATH_MAX];
	ssize_t n;
	int r = join(file, path, "steady");

	if (!bytes)
		return -ENOMEM;
	if (r < 0)
		return r;
	fd = sys_open(AT_FDCWD, file, O_RDONLY);
	if (fd < 0)
		return fd;
	n = sys_pread(fd, bytes, AT_PAGE + PAGE_MAX + 1, 0);
	return n < 0 ? (int)n : decode(bytes, (size_t)n, ret_snapshot);
}

/* Replaced atomically, and on the disk when this returns. */
static int snapshot_write(const char *path, const struct snapshot *snapshot)
{
	SCOPED_FREE uint8_t *bytes = malloc(AT_PAGE + PAGE_MAX);
	SCOPED_FD int dir_fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	SCOPED_FD int fd = -1;
	int r;

	if (!bytes)
		return -ENOMEM;
	if (dir_fd < 0)
		return dir_fd;
	fd = sys_create(dir_fd, "steady.new", O_WRONLY | O_TRUNC);
	if (fd < 0)
		return fd;
	r = sys_pwrite(fd, bytes, encode(snapshot, bytes), 0);
	if (r == 0)
		r = sys_fsync(fd);
	if (r == 0)
		r = sys_rename(dir_fd, "steady.new", "steady");
	return r < 0 ? r : sys_fsync(dir_fd);
}

/* ------------------------------------------------------------- going back */

static uint64_t meta_txnid(const uint8_t *page)
{
	return *(const uint64_t *)(const void *)(page + META_TXNID);
}

/* Are both meta pages no newer than the snapshot? Then there is nothing in
 * doubt, and a reader may go on. */
static int is_at_snapshot(int fd, const struct snapshot *snapshot)
{
	const size_t size = snapshot->page_size;
	SCOPED_FREE uint8_t *pages = malloc(2 * size);
	uint64_t newest;
	ssize_t n;

	if (!pages)
		return -ENOMEM;
	n = sys_pread(fd, pages, 2 * size, 0);
	if (n < 0)
		return (int)n;
	if ((size_t)n != 2 * size)
		return 0;
	newest = meta_txnid(snapshot->page);
	return meta_txnid(pages) <= newest &&
	       meta_txnid(pages + size) <= newest &&
	       memcmp(pages + (newest & 1) * size, snapshot->page, size) == 0;
}

/* Nobody has the index open. The page goes into both places, so that none of a
 * later, unfinished state is left; each page bears its own number. */
static int go_back(const char *path, int fd, const struct snapshot *snapshot)
{
	SCOPED_FREE uint8_t *page = malloc(snapshot->page_size);
	char lock_file[PATH_MAX];
	int r = join(lock_file, path, "lock.mdb");

	if (!page)
		return -ENOMEM;
	for (uint64_t i = 0; r == 0 && i < 2; i++) {
		memcpy(page, snapshot->page, snapshot->page_size);
		memcpy(page, &i, sizeof(i));
		r = sys_pwrite(fd, page, snapshot->page_size,
			       i * snapshot->page_size);
	}
	if (r == 0)
		r = sys_fsync(fd);
	if (r == 0)
		r = sys_unlink(AT_FDCWD, lock_file);
	return r == -ENOENT ? 0 : r;
}

/* Returns 1 when it went back, or 0. */
static int recover(const char *path, bool read_only)
{
	SCOPED_FREE struct snapshot *snapshot = malloc(sizeof(*snapshot));
	SCOPED_FD int fd = -1;
	struct instance instance;
	char file[PATH_MAX];
	int r;

	if (!snapshot)
		return -ENOMEM;
	r = snapshot_read(path, snapshot);
	/* Made, but not yet written to: nothing to lose. */
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = get_instance(path, &instance);
	if (r == 0)
		r = join(file, path, "data.mdb");
	if (r < 0)
		return r;
	if (is_same(&instance, &snapshot->instance))
		return 0;
	fd = sys_open(AT_FDCWD, file, read_only ? O_RDONLY : O_RDWR);
	if (fd < 0)
		return fd;
	r = is_at_snapshot(fd, snapshot);
	if (r != 0)
		return r < 0 ? r : 0;
	if (read_only)
		return -EBADMSG;
	r = go_back(path, fd, snapshot);
	return r < 0 ? r : 1;
}

int steady_open(const char *path, bool read_only, int *ret_fd)
{
	SCOPED_FD int fd = -1;
	char file[PATH_MAX];
	bool went_back;
	int r = join(file, path, "watches");

	if (r < 0)
		return r;
	fd = read_only ? sys_open(AT_FDCWD, file, O_RDONLY)
		       : sys_create(AT_FDCWD, file, O_RDWR);
	if (fd < 0)
		return fd;
	/* Without the right to write, nobody can be kept out, and only a store
	 * that needs nothing can be read. */
	if (read_only) {
		r = sys_byte_is_locked(fd, byte_used);
		r = r > 0 ? -EAGAIN : r;
	} else {
		r = sys_lock_byte(fd, byte_used);
	}
	if (r == 0)
		r = recover(path, read_only);
	else if (r == -EAGAIN)
		r = 0; /* somebody uses it: it has been looked after */
	if (r < 0)
		return r;
	went_back = r > 0;
	/* From alone to among others, or wait for who goes back. */
	r = sys_share_byte(fd, byte_used, true);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return went_back;
}

/* ------------------------------------------------------------- checkpoints */

/* Copy the meta page of the last commit, and pin that. The lock of the writers
 * is held. */
static int take_snapshot(struct index *index, struct snapshot *snapshot,
			 MDB_txn **ret_pin)
{
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *pin;
	ssize_t n;
	int fd;
	int r = lmdb_error(mdb_env_get_fd(index->env, &fd));

	if (r == 0)
		r = lmdb_error(mdb_env_info(index->env, &info));
	if (r == 0)
		r = lmdb_error(mdb_env_stat(index->env, &stat));
	if (r < 0)
		return r;
	if (stat.ms_psize > PAGE_MAX)
		return -EBADMSG;
	snapshot->page_size = stat.ms_psize;
	/* LMDB writes them in turn. */
	n = sys_pread(fd, snapshot->page, stat.ms_psize,
		      (info.me_last_txnid & 1) * stat.ms_psize);
	if (n < 0)
		return (int)n;
	if ((size_t)n != stat.ms_psize ||
	    meta_txnid(snapshot->page) != info.me_last_txnid)
		return -EBADMSG;
	r = lmdb_error(mdb_txn_begin(index->env, NULL, MDB_RDONLY, &pin));
	if (r == 0)
		*ret_pin = pin;
	return r;
}

/* Is this the snapshot that the last user left behind? */
static bool is_on_disk(const char *path, const struct snapshot *snapshot)
{
	SCOPED_FREE struct snapshot *found = malloc(sizeof(*found));

	return found && snapshot_read(path, found) == 0 &&
	       is_same(&found->instance, &snapshot->instance) &&
	       found->page_size == snapshot->page_size &&
	       memcmp(found->page, snapshot->page, found->page_size) == 0;
}

static int put_on_disk(struct index *index, const struct snapshot *snapshot)
{
	int fd;
	int r = lmdb_error(mdb_env_get_fd(index->env, &fd));

	if (r == 0)
		r = sys_fsync(fd);
	return r < 0 ? r : snapshot_write(index->path, snapshot);
}

/* steady_lock and the byte CHECKPOINT are held. */
static int checkpoint(struct index *index)
{
	SCOPED_FREE struct snapshot *snapshot = malloc(sizeof(*snapshot));
	MDB_txn *pin = NULL;
	MDB_txn *lock;
	uint64_t version;
	int dead;
	int r;

	if (!snapshot)
		return -ENOMEM;
	r = lmdb_error(mdb_txn_begin(index->env, NULL, 0, &lock));
	if (r < 0)
		return r;
	version = index_version(index);
	r = take_snapshot(index, snapshot, &pin);
	mdb_txn_abort(lock);
	if (r == 0)
		r = get_instance(index->path, &snapshot->instance);
	if (r == 0 && (index->pin || !is_on_disk(index->path, snapshot)))
		r = put_on_disk(index, snapshot);
	if (r == 0)
		r = sys_share_byte(index->watch_fd, byte_pinned, false);
	if (r < 0) {
		/* What was promised before still holds: keep the old pin. */
		mdb_txn_abort(pin);
		return r;
	}
	mdb_txn_abort(index->pin);
	index->pin = pin;
	index->steady_version = version;
	index->steady_commits = 0;
	index->steady_time_s = sys_now_ns() / 1000000000;
	return lmdb_error(mdb_reader_check(index->env, &dead));
}

/* steady_lock is held. */
static int checkpoint_alone(struct index *index)
{
	SCOPED_FD int fd = sys_open(AT_FDCWD, index->watches_path, O_RDWR);
	int r;

	if (fd < 0)
		return fd;
	/* Of an open file of its own: its locks are one owner's. */
	r = sys_lock_byte_wait(fd, byte_checkpoint);
	return r < 0 ? r : checkpoint(index);
}

int steady_checkpoint(struct index *index)
{
	int r = 0;

	pthread_mutex_lock(&index->steady_lock);
	if (!index->pin || index->steady_version != index_version(index))
		r = checkpoint_alone(index);
	pthread_mutex_unlock(&index->steady_lock);
	return r;
}

int steady_protect(struct index *index)
{
	int r = 0;

	if (atomic_load(&index->is_pinned))
		return 0;
	pthread_mutex_lock(&index->steady_lock);
	if (!index->pin) {
		r = sys_byte_is_locked(index->watch_fd, byte_pinned);
		if (r == 0)
			r = checkpoint_alone(index);
		else if (r > 0)
			r = 0;
		if (index->pin)
			atomic_store(&index->is_pinned, true);
	}
	pthread_mutex_unlock(&index->steady_lock);
	return r;
}

static void checkpoint_if(struct index *index, bool is_due)
{
	/* Another thread may be at it; and what fails is tried again. */
	if (!is_due || pthread_mutex_trylock(&index->steady_lock) != 0)
		return;
	if (index->pin && index->steady_version != index_version(index))
		IGNORE(checkpoint_alone(index));
	pthread_mutex_unlock(&index->steady_lock);
}

static bool is_late(struct index *index)
{
	return sys_now_ns() / 1000000000 >=
	       atomic_load(&index->steady_time_s) + INTERVAL_S;
}

void steady_committed(struct index *index)
{
	unsigned commits = atomic_fetch_add(&index->steady_commits, 1) + 1;

	checkpoint_if(index, commits >= COMMITS_MAX ||
				     (commits % 16 == 0 && is_late(index)));
}

void steady_tick(struct index *index)
{
	checkpoint_if(index,
		      is_late(index) || atomic_load(&index->steady_commits) >=
						COMMITS_IDLE);
}

void steady_close(struct index *index)
{
	if (index->pin)
		mdb_txn_abort(index->pin);
	index->pin = NULL;
}
