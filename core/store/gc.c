/* SPDX-License-Identifier: MIT */
/*
 * Files that no record refers to. A file is deleted only when
 *
 *  1. it was not changed for a while: between making a file and locking it,
 *     and between linking an adopted draft and its record, is an instant;
 *  2. then, nobody has it locked: who makes a blob or a draft has, until its
 *     record is committed;
 *  3. then, the index knows of no node that has it.
 *
 * In this order: a lock that is gone was given back after the commit, which is
 * seen then. An id is used for a new file again only when a draft or a plain
 * file of that id is published a second time, so where there is one the blob is
 * left, and nobody makes a file at the instant in which it is deleted.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "cubby/upkeep.h"
#include "index/nodes.h"
#include "store/gc.h"
#include "store/layout.h"
#include "store/purge.h"
#include "sys/sys.h"

struct gc {
	struct cubby *store;
	bool is_dry;
	int64_t now_s;
	uint64_t quarantine_age_s;
	struct cubby_gc_summary *summary;
};

enum heap { HEAP_PACKED, HEAP_RAW, HEAP_DRAFTS };

/*
 * Does a node have the file? Returns 1, 0, or a negative errno. The compressed
 * bytes of a raw entry are not looked at, whoever has left them: somebody may
 * be about to make them anew and commit.
 */
static int is_used(struct cubby *store, enum heap heap, uint64_t id)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct record record;
	int r = index_read(store->index, &txn);

	if (r == 0)
		r = nodes_get(txn, id, &record);
	if (r == -ENOENT)
		return 0;
	/* Nobody can say what a damaged record refers to. */
	if (r < 0)
		return r == -EBADMSG || r == -EPROTONOSUPPORT ? 1 : r;
	switch (heap) {
	case HEAP_PACKED:
		return record.place == PLACE_BLOB;
	case HEAP_RAW:
		return record.place == PLACE_BLOB && record.codec == CODEC_RAW;
	default:
		return record.kind == CUBBY_PLAIN;
	}
}

static bool is_old(const struct gc *gc, const struct timespec *time,
		   uint64_t age_s)
{
	return gc->now_s > time->tv_sec &&
	       (uint64_t)(gc->now_s - time->tv_sec) >= age_s;
}

/* Is the file, which no node has, being made? Returns 1, 0, or an error. */
static int is_in_work(const struct gc *gc, enum heap heap, uint64_t id, int fd,
		      const struct stat *file)
{
	char draft[LAYOUT_PATH_SIZE];
	struct stat found;
	int r;

	if (!is_old(gc, &file->st_mtim, CUBBY_GC_AGE_S))
		return 1;
	r = sys_byte_is_locked(fd, LAYOUT_WRITER_LOCK);
	if (r != 0 || heap == HEAP_DRAFTS)
		return r;
	layout_draft(id, draft);
	r = sys_stat(gc->store->dir_fd, draft, &found);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* Delete a file, and count it in `count` as well. */
static int drop(struct gc *gc, const char *path, const struct stat *file,
		uint64_t *count)
{
	int r = gc->is_dry ? 0 : sys_unlink(gc->store->dir_fd, path);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	gc->summary->files++;
	if (file->st_nlink == 1)
		gc->summary->bytes += (uint64_t)file->st_blocks * 512;
	++*count;
	return 0;
}

static int look_at_file(struct gc *gc, enum heap heap, uint64_t id,
			const char *path)
{
	SCOPED_FD int fd = -1;
	struct stat file;
	int r = is_used(gc->store, heap, id);

	if (r != 0)
		return r < 0 ? r : 0;
	fd = sys_open_file(gc->store->dir_fd, path, O_RDONLY);
	if (fd < 0) /* it went, or is no file, and so not ours */
		return fd == -ENOENT || fd == -EBADMSG ? 0 : fd;
	r = sys_fstat(fd, &file);
	if (r < 0)
		return r;
	r = is_in_work(gc, heap, id, fd, &file);
	if (r == 0)
		r = is_used(gc->store, heap, id);
	if (r != 0)
		return r < 0 ? r : 0;
	return drop(gc, path, &file,
		    heap == HEAP_DRAFTS ? &gc->summary->drafts
					: &gc->summary->blobs);
}

/* Is `name` the last part of `path`, which was made of the id in it? */
static bool is_named(const char *path, const char *name)
{
	return strcmp(strrchr(path, '/') + 1, name) == 0;
}

static int blob_name(void *cookie, const char *name)
{
	const uint64_t id = strtoull(name, NULL, 16);
	char path[LAYOUT_PATH_SIZE];

	layout_blob(id, CODEC_ZSTD, path);
	if (is_named(path, name))
		return look_at_file(cookie, HEAP_PACKED, id, path);
	layout_blob(id, CODEC_RAW, path);
	return is_named(path, name) ? look_at_file(cookie, HEAP_RAW, id, path)
				    : 0;
}

/* A directory of blobs. A blob in another one than its own is not ours: what
 * would be opened is the right one. */
static int blob_directory(void *cookie, const char *name)
{
	struct gc *gc = cookie;
	char path[LAYOUT_PATH_SIZE];
	int r;

	if (strlen(name) != 2)
		return 0;
	(void)snprintf(path, sizeof(path), LAYOUT_BLOBS "/%s", name);
	r = sys_scan(gc->store->dir_fd, path, blob_name, gc);
	return r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

static int draft_name(void *cookie, const char *name)
{
	const uint64_t id = strtoull(name, NULL, 16);
	char path[LAYOUT_PATH_SIZE];

	layout_draft(id, path);
	return is_named(path, name)
		       ? look_at_file(cookie, HEAP_DRAFTS, id, path)
		       : 0;
}

static int quarantine_name_of(void *cookie, const char *name)
{
	struct gc *gc = cookie;
	char path[LAYOUT_PATH_SIZE];
	struct stat file;
	int r;

	layout_quarantine(strtoull(name, NULL, 16), path);
	if (!is_named(path, name))
		return 0;
	r = sys_stat(gc->store->dir_fd, path, &file);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* A rename, which put it there, changes no other time. */
	if (!S_ISREG(file.st_mode) ||
	    !is_old(gc, &file.st_ctim, gc->quarantine_age_s))
		return 0;
	return drop(gc, path, &file, &gc->summary->quarantine_files);
}

static int scan(struct gc *gc, const char *path, sys_name_fn *fn)
{
	int r = sys_scan(gc->store->dir_fd, path, fn, gc);

	return r == -ENOENT ? 0 : r;
}

int gc_files(struct cubby *store, bool is_dry, uint64_t quarantine_age_s,
	     struct cubby_gc_summary *summary)
{
	struct gc gc = {
		.store = store,
		.is_dry = is_dry,
		.now_s = sys_now_ns() / 1000000000,
		.quarantine_age_s = quarantine_age_s,
		.summary = summary,
	};
	/* Drafts first: they keep blobs. */
	int r = scan(&gc, LAYOUT_DRAFTS, draft_name);

	if (r == 0)
		r = scan(&gc, LAYOUT_BLOBS, blob_directory);
	if (r == 0 && quarantine_age_s > 0)
		r = scan(&gc, LAYOUT_QUARANTINE, quarantine_name_of);
	return r;
}

/* What killed mounts had open. Who can only read may not look. */
static int gc_displaced(struct cubby *store, bool is_dry,
			struct cubby_gc_summary *summary)
{
	struct cubby_stats stats;
	struct purged purged = {.nodes = 0};
	int r = cubby_get_stats(store, &stats);

	if (r == 0 && stats.displaced > 0 && !store->read_only)
		r = is_dry ? purge_count(store, &purged)
			   : purge_all(store, &purged);
	summary->displaced = purged.nodes;
	summary->files += purged.files;
	summary->bytes += purged.bytes;
	return r;
}

int cubby_gc(struct cubby *store, unsigned flags, uint64_t quarantine_age_s,
	     struct cubby_gc_summary *ret_summary)
{
	const bool is_dry = flags & CUBBY_DRY_RUN;
	struct cubby_gc_summary summary = {.files = 0};
	int r = is_dry ? store_verify_process(store)
		       : store_verify_writable(store);

	if (flags & ~(unsigned)CUBBY_DRY_RUN)
		return -EINVAL;
	if (r == 0)
		r = gc_displaced(store, is_dry, &summary);
	if (r == 0)
		r = gc_files(store, is_dry, quarantine_age_s, &summary);
	if (r == 0)
		*ret_summary = summary;
	return r;
}
