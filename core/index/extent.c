/* SPDX-License-Identifier: MIT */
/*
 * A file that is shorter than its last page is not always damaged: a
 * transaction may take pages at the end and give them up again before it
 * commits; LMDB counts them, and has them in its list of free pages, but never
 * writes them. Nobody reads them either. So a short file is damaged only if one
 * of the missing pages is not free.
 *
 * To find out, the list is read, which may itself be among what is missing: so
 * the file is made longer first, and cut off again if it was damaged. That
 * needs the lock of the writers. Who can only read refuses a short file; so
 * that there are none, whoever commits makes the file longer, with
 * fallocate(2), which unlike ftruncate(2) never takes away what another process
 * has just written.
 */
#include <errno.h>

#include "base/base.h"
#include "index/extent.h"
#include "sys/sys.h"

enum {
	/* Pages that the file is longer than need be. The first so many are
	 * for deleting on a full disk, which takes new pages as well. */
	RESERVE = 256,
	STEP_SHARE = 8, /* of what is there */
	PAGE_SIZE = 4096,
};

struct extent {
	int fd;
	uint64_t pages; /* whole ones in the file */
	uint64_t needed;
	uint64_t page_size;
};

static int get_extent(struct index *index, struct extent *ret_extent)
{
	const size_t page_size = lmdb_page_size(index->env);
	const int fd = lmdb_fd(index->env);
	struct stat file;
	int r = sys_fstat(fd, &file);

	if (r < 0)
		return r;
	*ret_extent = (struct extent){
		.fd = fd,
		.pages = (uint64_t)file.st_size / page_size,
		.needed = lmdb_info(index->env).me_last_pgno + 1,
		.page_size = page_size,
	};
	return 0;
}

/* How many of the pages from `extent->pages` on are free? */
static int count_free(struct index_txn *txn, const struct extent *extent,
		      uint64_t *ret_count)
{
	SCOPED_CURSOR struct cursor cursor = {.of_tree = NULL};
	uint64_t count = 0;
	MDB_val key;
	MDB_val value;
	int r = lmdb_error(
		mdb_cursor_open(txn->txn, FREE_DBI, &cursor.of_tree));

	while (r == 0) {
		const size_t *list;

		r = lmdb_error(
			mdb_cursor_get(cursor.of_tree, &key, &value, MDB_NEXT));
		if (r < 0)
			break;
		list = value.mv_data;
		/* A number, and that many pages. */
		if (value.mv_size < sizeof(*list) ||
		    list[0] >= value.mv_size / sizeof(*list))
			return -EBADMSG;
		for (size_t i = 1; i <= list[0]; i++)
			count += list[i] >= extent->pages &&
				 list[i] < extent->needed;
	}
	if (r != -ENOENT)
		return r;
	*ret_count = count;
	return 0;
}

/* The lock of the writers is held: nothing changes meanwhile. */
static int verify_locked(struct index *index)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct extent extent;
	uint64_t count = 0;
	int r = get_extent(index, &extent);

	if (r < 0 || extent.pages >= extent.needed)
		return r;
	r = sys_extend(extent.fd, extent.needed * extent.page_size);
	if (r < 0)
		return r;
	r = index_read(index, &txn);
	if (r == 0)
		r = count_free(txn, &extent, &count);
	if (r == 0 && count == extent.needed - extent.pages)
		return 0;
	IGNORE(sys_truncate(extent.fd, extent.pages * extent.page_size));
	return r < 0 ? r : -EBADMSG;
}

int extent_verify(struct index *index)
{
	struct extent extent;
	MDB_txn *txn;
	int r = get_extent(index, &extent);

	if (r < 0 || extent.pages >= extent.needed)
		return r;
	if (index->read_only)
		return -EBADMSG;
	/* To begin one reads two pages of the start only. */
	r = lmdb_error(mdb_txn_begin(index->env, NULL, 0, &txn));
	if (r < 0)
		return r;
	r = verify_locked(index);
	mdb_txn_abort(txn);
	return r;
}

static bool is_no_room(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

CUBBY_MUST_CHECK static int extend(struct extent *extent, uint64_t pages)
{
	int r = sys_extend(extent->fd, pages * extent->page_size);

	if (r == 0)
		extent->pages = pages;
	return r;
}

void extent_keep(struct index *index)
{
	struct extent extent;
	uint64_t wanted;
	uint64_t step;
	int r = 0;

	if (lmdb_info(index->env).me_last_pgno + RESERVE <
	    atomic_load(&index->known_pages))
		return;
	if (get_extent(index, &extent) < 0)
		return;
	if (extent.pages < extent.needed + RESERVE) {
		/* In steps, so that few commits have to; a small one if there
		 * is no room for a large one. */
		wanted = extent.needed + RESERVE;
		step = extent.needed / STEP_SHARE;
		if (step > atomic_load(&index->commits_max))
			step = atomic_load(&index->commits_max);
		r = extend(&extent, wanted + step);
		if (r < 0)
			r = extend(&extent, wanted);
	}
	/* Other errors are of the disk, or of a file system which cannot do
	 * this: the next write will tell. */
	atomic_store(&index->is_tight, is_no_room(r));
	atomic_store(&index->known_pages, extent.pages);
}

uint64_t extent_slack(struct index *index)
{
	return ((uint64_t)RESERVE + atomic_load(&index->commits_max)) *
	       PAGE_SIZE;
}

bool extent_is_full(struct index *index)
{
	if (!atomic_load(&index->is_tight))
		return false;
	/* There may be room again: look. */
	atomic_store(&index->is_tight, false);
	atomic_store(&index->known_pages, 0);
	extent_keep(index);
	return atomic_load(&index->is_tight);
}

/* A file that is long enough may have holes, by a power cut or by who copied
 * it: they are filled as long as there is room. */
bool extent_was_full(struct index *index)
{
	struct extent extent;

	atomic_store(&index->is_tight, true);
	return extent_is_full(index) ||
	       (get_extent(index, &extent) == 0 &&
		is_no_room(extend(&extent, extent.pages)));
}
