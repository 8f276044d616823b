/* SPDX-License-Identifier: MIT */
/*
 * Rules, and why they are enough. "Protected" means: LMDB finds a reader that
 * is no newer than the snapshot in the file `steady`.
 *
 *  1. A pin is made with the lock of the writers held, and the file only ever
 *     replaced by the maker of a pin with that pin's snapshot. Checkpoints are
 *     one at a time (the byte CHECKPOINT), so the file never goes back to an
 *     older snapshot: a pin protects it, from when the file names the pin's
 *     snapshot on, however often the file is replaced after that. Until it
 *     does, the maker's pin before that one protects, or rule 3.
 *  2. Who holds such a pin has marked the byte PINNED: it marks it after the
 *     file is replaced, and unmarks it, and ends the pin, with the lock of the
 *     writers held. (At a checkpoint it ends the old pin after the mark, and
 *     after the file names the new pin's snapshot.)
 *  3. Who writes looks with the lock of the writers held whether it has a pin
 *     itself or another process has marked the byte; if not, it gives up the
 *     lock, has a checkpoint taken, and begins again. So in every transaction
 *     that changes anything there is a mark, and by rule 2 nobody who lives
 *     ends his before the transaction ends.
 *  4. Who dies leaves his slot in the table of readers, which protects as a
 *     pin does. Slots of the dead are cleared (a) by who has a pin of his own,
 *     or takes a checkpoint and has the lock of the writers: who then finds no
 *     mark waits for that checkpoint, (b) by LMDB when it gets that lock from
 *     the dead, before rule 3 is applied, (c) by LMDB when it opens an
 *     environment and is alone: then there is no transaction. In case (b) the
 *     mark is gone as well, as LMDB knows the dead by a lock of the same kind
 *     on the same file, and the kernel takes all these at once. Nor does a
 *     child after fork(2) keep a mark. That is why PINNED is not a lock as the
 *     other bytes are. LMDB also clears them (d) for a reader who gets the lock
 *     of the slots from the dead. If that was the one pin, and its holder died
 *     in the middle of another's transaction, that one is not protected; the
 *     next one finds no mark. It takes a power cut before that to do harm.
 *  5. Who has the index open holds a shared lock on the byte USED. Who gets it
 *     alone may go back, as no environment is open.
 *  6. Going back is needed when the page cache that held the last writes may be
 *     gone: the boot id or the mount of the store is another than when the file
 *     was written. A checkpoint comes before the first write, so the file
 *     always names the instance whose writes are in doubt.
 *
 * So a pin may end at any time with the lock of the writers held: what that
 * costs is that the next who writes has to sync first.
 *
 * index->steady_lock guards the pin and its version, and is held during a
 * checkpoint. It is taken before the lock of the writers, never after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "index/environment.h"
#include "index/held.h"
#include "index/keeper.h"
#include "index/snapshot.h"
#include "index/steady.h"
#include "sys/sys.h"

enum {
	MADE_SIZE = 2 * 4096, /* no index is smaller */
	/* Not more than LMDB makes it, but as many blocks: one line of cache
	 * for each reader, and some for what is before them. */
	LOCK_FILE_SIZE = (ENVIRONMENT_READERS_MAX + 1) * 64,
};

/* Bytes of the watches file, beyond all slots. */
static const uint64_t byte_used = UINT64_C(1) << 40;
static const uint64_t byte_checkpoint = (UINT64_C(1) << 40) + 2;
/* Of lock.mdb, beyond all process ids. */
static const uint64_t byte_pinned = (UINT64_C(1) << 40) + 1;

/* ------------------------------------------------------------- going back */

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
	newest = snapshot_txnid(snapshot->page);
	return snapshot_txnid(pages) <= newest &&
	       snapshot_txnid(pages + size) <= newest &&
	       memcmp(pages + (newest & 1) * size, snapshot->page, size) == 0;
}

/* Nobody has the index open. The page goes into both places, so that none of a
 * later, unfinished state is left; each page bears its own number. */
static int go_back(const char *path, int fd, const struct snapshot *snapshot)
{
	SCOPED_FREE uint8_t *page = malloc(snapshot->page_size);
	char lock_file[PATH_MAX];
	int r = 0;

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
	index_join(lock_file, path, "lock.mdb");
	if (r == 0)
		r = sys_unlink(AT_FDCWD, lock_file);
	return r == -ENOENT ? 0 : r;
}

/* There is no snapshot, so nothing was ever written. A full disk may have left
 * one of the two meta pages that LMDB begins with, which it takes for damage.
 */
static int drop_half_made(const char *path)
{
	char file[PATH_MAX];
	struct stat found;
	int r;

	index_join(file, path, "data.mdb");
	r = sys_stat(AT_FDCWD, file, &found);
	if (r == 0 && found.st_size < MADE_SIZE)
		r = sys_unlink(AT_FDCWD, file);
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
		return read_only ? 0 : drop_half_made(path);
	if (r == 0)
		r = instance_get(path, &instance);
	if (r < 0)
		return r;
	if (instance_equal(&instance, &snapshot->instance))
		return 0;
	index_join(file, path, "data.mdb");
	fd = sys_open_file(AT_FDCWD, file, read_only ? O_RDONLY : O_RDWR);
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
	int r;

	index_join(file, path, "watches");
	fd = read_only ? sys_open_file(AT_FDCWD, file, O_RDONLY)
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
	const uint64_t version = lmdb_info(index->env).me_last_txnid;
	const size_t size = lmdb_page_size(index->env);
	MDB_txn *pin;
	ssize_t n;
	int dead;
	int r;

	if (size > SNAPSHOT_PAGE_MAX)
		return -EBADMSG;
	snapshot->page_size = size;
	/* LMDB writes them in turn. */
	n = sys_pread(lmdb_fd(index->env), snapshot->page, size,
		      (version & 1) * size);
	if (n < 0)
		return (int)n;
	if ((size_t)n != size || snapshot_txnid(snapshot->page) != version)
		return -EBADMSG;
	r = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &pin);
	if (r == MDB_READERS_FULL && mdb_reader_check(index->env, &dead) == 0)
		r = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &pin);
	if (r == 0)
		*ret_pin = pin;
	return lmdb_error(r);
}

/* Is this the snapshot that the last user left behind? */
static bool is_on_disk(const char *path, const struct snapshot *snapshot)
{
	SCOPED_FREE struct snapshot *found = malloc(sizeof(*found));

	return found && snapshot_read(path, found) == 0 &&
	       instance_equal(&found->instance, &snapshot->instance) &&
	       found->page_size == snapshot->page_size &&
	       memcmp(found->page, snapshot->page, found->page_size) == 0;
}

/*
 * A sync that failed is not just tried again: see sys_write_again(). Another
 * process that had the file open is told of the failure as well, and does the
 * same. Who opens it after that is not; then this process has ended without a
 * sync that succeeded.
 */
static int sync_data(struct index *index, int fd)
{
	MDB_txn *lock;
	int r = 0;

	if (index->is_doubtful) {
		r = lmdb_error(mdb_txn_begin(index->env, NULL, 0, &lock));
		if (r < 0)
			return r;
		r = sys_write_again(fd);
		mdb_txn_abort(lock);
	}
	if (r == 0)
		r = sys_fsync(fd);
	index->is_doubtful = r < 0;
	return r;
}

static int put_on_disk(struct index *index, const struct snapshot *snapshot)
{
	int r = sync_data(index, lmdb_fd(index->env));

	return r < 0 ? r : snapshot_write(index->path, snapshot);
}

bool steady_is_marked_by_others(struct index *index)
{
	return sys_byte_is_marked(index->lock_fd, byte_pinned) > 0;
}

/* steady_lock and the byte CHECKPOINT are held. */
static int checkpoint(struct index *index)
{
	SCOPED_FREE struct snapshot *snapshot = malloc(sizeof(*snapshot));
	MDB_txn *pin = NULL;
	MDB_txn *lock;
	uint64_t version;
	uint64_t work;
	unsigned commits;
	int dead;
	int r;

	if (!snapshot)
		return -ENOMEM;
	if (!environment_is_there(index))
		return -EIO;
	r = lmdb_error(mdb_txn_begin(index->env, NULL, 0, &lock));
	if (r < 0)
		return r;
	version = index_version(index);
	work = atomic_load(&index->shared->work);
	commits = atomic_load(&index->commits);
	r = take_snapshot(index, snapshot, &pin);
	mdb_txn_abort(lock);
	if (r == 0)
		r = instance_get(index->path, &snapshot->instance);
	if (r == 0 && (index->pin || !is_on_disk(index->path, snapshot)))
		r = put_on_disk(index, snapshot);
	if (r == 0)
		r = sys_mark_byte(index->lock_fd, byte_pinned);
	if (r < 0) {
		/* What was promised before still holds: keep the old pin. */
		mdb_txn_abort(pin);
		return r;
	}
	/* As long as another process has an older pin, that one counts. */
	if (index->pin || !steady_is_marked_by_others(index))
		atomic_store(&index->shared->steady_work, work);
	mdb_txn_abort(index->pin);
	index->pin = pin;
	index->steady_version = version;
	index->steady_work = work;
	atomic_store(&index->is_pinned, true);
	atomic_fetch_sub(&index->commits, commits);
	return lmdb_error(mdb_reader_check(index->env, &dead));
}

/* steady_lock is held. Without `wait`, -EAGAIN while another process is at it:
 * it may have been stopped. */
static int checkpoint_lock(struct index *index, bool wait)
{
	return wait ? sys_lock_byte_wait(index->watch_fd, byte_checkpoint)
		    : sys_lock_byte(index->watch_fd, byte_checkpoint);
}

static void checkpoint_unlock(struct index *index)
{
	/* Only a wrong descriptor makes it fail. */
	IGNORE(sys_unlock_byte(index->watch_fd, byte_checkpoint));
}

int steady_checkpoint_alone(struct index *index, bool wait)
{
	int r = checkpoint_lock(index, wait);

	if (r < 0)
		return r;
	r = checkpoint(index);
	atomic_store(&index->steady_error, r);
	checkpoint_unlock(index);
	return r;
}

/* steady_lock is held: rule 2. */
int steady_end_pin(struct index *index)
{
	MDB_txn *lock;
	int r = lmdb_error(mdb_txn_begin(index->env, NULL, 0, &lock));

	if (r < 0)
		return r;
	r = sys_unmark_byte(index->lock_fd, byte_pinned);
	if (r == 0) {
		atomic_store(&index->is_pinned, false);
		mdb_txn_abort(index->pin);
		index->pin = NULL;
	}
	mdb_txn_abort(lock);
	return r;
}

int steady_checkpoint_once(struct index *index, bool wait)
{
	const bool had_pin = index->pin != NULL;
	int r = steady_checkpoint_alone(index, wait);

	if (r == 0 && !had_pin && steady_is_marked_by_others(index))
		r = steady_end_pin(index);
	return r;
}

int steady_checkpoint(struct index *index)
{
	int r = 0;

	pthread_mutex_lock(&index->steady_lock);
	if (!index->pin || index->steady_version != index_version(index))
		r = steady_checkpoint_once(index, true);
	pthread_mutex_unlock(&index->steady_lock);
	keeper_need(index);
	return r;
}

int steady_clear_dead(struct index *index)
{
	int dead;
	int r = 0;

	pthread_mutex_lock(&index->steady_lock);
	if (!index->pin)
		r = steady_checkpoint_alone(index, true);
	if (r == 0)
		r = lmdb_error(mdb_reader_check(index->env, &dead));
	pthread_mutex_unlock(&index->steady_lock);
	keeper_need(index);
	return r;
}

/* ----------------------------------------------------------------- writing */

/* LMDB makes its lock file a hole and maps it: on a full disk the first access
 * would end the process with SIGBUS. So it gets its blocks here, but not its
 * size, by which LMDB sees that it is new. */
static int fill_lock_file(int fd)
{
	struct stat file;
	int r = sys_fstat(fd, &file);

	if (r == 0 && file.st_blocks * INT64_C(512) < LOCK_FILE_SIZE)
		r = sys_reserve(fd, LOCK_FILE_SIZE);
	/* Other errors are of a file system which cannot do this. */
	return r == -ENOSPC || r == -EDQUOT ? r : 0;
}

int steady_begin(struct index *index)
{
	char file[PATH_MAX];
	int r;

	index_join(file, index->path, "lock.mdb");
	r = sys_create(AT_FDCWD, file, O_RDWR);
	if (r < 0)
		return index->read_only && r != -ENOSPC ? 0 : r;
	index->lock_fd = r;
	return fill_lock_file(index->lock_fd);
}

int steady_verify(struct index *index)
{
	if (atomic_load(&index->is_pinned))
		return 1;
	return sys_byte_is_marked(index->lock_fd, byte_pinned);
}

int steady_protect(struct index *index)
{
	int r = 0;

	pthread_mutex_lock(&index->steady_lock);
	if (!index->pin)
		r = checkpoint_lock(index, true);
	if (!index->pin && r == 0) {
		/* Another process may have done so while we waited. */
		r = sys_byte_is_marked(index->lock_fd, byte_pinned);
		r = r == 0 ? checkpoint(index) : r;
		checkpoint_unlock(index);
	}
	pthread_mutex_unlock(&index->steady_lock);
	keeper_need(index);
	return r < 0 ? r : 0;
}

void steady_close(struct index *index)
{
	if (atomic_load(&index->commits) > 0)
		IGNORE(steady_checkpoint_alone(index, true));
	/* If that fails the environment is broken, and is not written to. */
	if (index->pin && steady_end_pin(index) < 0)
		mdb_txn_abort(index->pin);
	index->pin = NULL;
}
