/* SPDX-License-Identifier: MIT */
/*
 * What happens when somebody else changes the store between two steps of an
 * operation: before its first transaction or file, before its second, and so
 * on, each is tried. Whatever the operation then says, the tables of the index
 * agree, and each entry is one of those that were added, whole.
 *
 * This program's own mdb_txn_begin(), mdb_txn_renew(), openat() and pread() let
 * the other one in.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/nodes.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"
#include "store/store.h"

/* Some hundred stores are made: in memory, as no test here is about the disk.
 */
static void in_memory(void)
{
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
}

TestSuite(between, .init = in_memory, .fini = scratch_end, .timeout = 60);

enum {
	ROOT = (int)CUBBY_ROOT_ID,
	SIZE = 30000, /* a blob file */
	STEPS_MAX = 60,
};

static struct box box;	 /* whose operation it is */
static struct box other; /* who comes in between */
static uint8_t *old_data, *new_data;
static uint64_t dir;

static size_t cut_size;
static void cut_plain(void);

static void (*deed)(void);	     /* of the other one */
static _Thread_local unsigned steps; /* until then; 0: never */

static void step(void)
{
	if (steps > 0 && --steps == 0)
		deed();
}

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags,
		  MDB_txn **ret_txn)
{
	static int (*real)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_begin");
	step();
	return real(env, parent, flags, ret_txn);
}

int mdb_txn_renew(MDB_txn *txn)
{
	static int (*real)(MDB_txn *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_renew");
	step();
	return real(txn);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
	static int (*real)(int, const char *, int, ...);
	mode_t mode = 0;
	va_list list;

	if (flags & O_CREAT) {
		va_start(list, flags);
		mode = va_arg(list, mode_t);
		va_end(list);
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "openat");
	step();
	return real(dir_fd, path, flags, mode);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t at)
{
	static ssize_t (*real)(int, void *, size_t, off_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pread");
	step();
	return real(fd, buffer, size, at);
}

/* ------------------------------------------------------------------ scene */

#define ENTRY name_of(1)
#define OTHER name_of(2)

static uint64_t id_of(uint64_t parent, const char *name)
{
	struct cubby_attr attr;

	MUST_DO(cubby_lookup(other.store, parent, name, &attr));
	return attr.id;
}

static void make_plain(const char *name, const uint8_t *data)
{
	static const struct cubby_owner owner = {0600, 0, 0};
	struct cubby_attr attr;
	int fd;

	MUST_DO(cubby_create(other.store, dir, name, &owner, &attr, &fd));
	MUST(write(fd, data, SIZE) == SIZE && close(fd) == 0);
}

/* "dir" with an entry and a plain file, and "empty". */
static void scene_new(void)
{
	static const struct cubby_owner owner = {0700, 0, 0};
	struct cubby_attr attr;

	box_new(&box, "dir");
	box_open(&other, box.path, "dir");
	old_data = sample_new(SAMPLE_TEXT, 1, SIZE);
	new_data = sample_new(SAMPLE_NOISE, 2, SIZE);
	box_add(&other, ENTRY, old_data, SIZE);
	dir = id_of(ROOT, "dir");
	make_plain("plain", new_data);
	MUST_DO(cubby_mkdir(other.store, ROOT, "empty", &owner, &attr));
}

static void scene_end(void)
{
	box_close(&other);
	box_close(&box);
	free(old_data);
	free(new_data);
}

static void expect_whole(const char *name)
{
	uint8_t *data;
	size_t size;
	int r = box_get(&box, name, &data, &size);

	/* Who writes to a file that is being published may damage it. */
	if (r == -ENOENT || (r == -EBADMSG && deed == cut_plain))
		return;
	MUST_DO(r);
	MUST(size == SIZE || (deed == cut_plain && size == cut_size));
	MUST(memcmp(data, old_data, size) == 0 ||
	     memcmp(data, new_data, size) == 0);
	free(data);
}

static void expect_order(void)
{
	struct cubby_verify_summary summary;

	expect_whole(ENTRY);
	expect_whole(OTHER);
	MUST_DO(cubby_verify(box.store, 0, NULL, NULL, &summary));
	MUST_BE(summary.findings, 0);
}

/* ------------------------------------------------------------ what is done */

static int get(void)
{
	struct cubby_reader *reader;
	int r = cubby_get_name(box.ns, ENTRY, &reader);

	if (r < 0)
		return r;
	MUST(reader_is(reader, old_data, SIZE) || cubby_reader_size(reader));
	cubby_reader_close(reader);
	return 0;
}

static int delete (void)
{
	return cubby_delete_name(box.ns, ENTRY);
}

static int move(const char *from, const char *to)
{
	struct cubby_attr attr;

	return cubby_rename(box.store, dir, from, dir, to, 0, &attr);
}

static int move_entry(void)
{
	return move(ENTRY, OTHER);
}

static int unpublish(void)
{
	return move(ENTRY, "file");
}

static int publish(void)
{
	return move("plain", OTHER);
}

static int move_plain(void)
{
	return move("plain", "file");
}

static int add_below(void)
{
	struct cubby_ns *ns;
	struct cubby_writer *writer;
	int r;

	MUST_DO(cubby_ns_open(box.store, "empty/below", &ns));
	MUST_DO(cubby_writer_open_name(ns, ENTRY, &writer));
	MUST_DO(cubby_writer_write(writer, old_data, SIZE));
	r = cubby_writer_commit(writer);
	cubby_ns_close(ns);
	return r;
}

static int recompress(void)
{
	struct cubby_recompress_summary summary;

	return cubby_recompress(box.store, CUBBY_LEVEL_MAX, 0, NULL, NULL,
				&summary);
}

static int scrub(void)
{
	int r;

	do
		r = cubby_scrub(box.store);
	while (r > 0);
	return r;
}

static int repair(void)
{
	struct cubby_verify_summary summary;

	return cubby_verify(box.store, CUBBY_VERIFY_REPAIR, NULL, NULL,
			    &summary);
}

static int set_mode(void)
{
	struct cubby_attr attr = {.mode = 0400};
	int r = cubby_lookup(box.store, dir, "plain", &attr);

	attr.mode = 0400;
	return r < 0 ? r
		     : cubby_setattr(box.store, attr.id, CUBBY_SET_MODE, &attr,
				     &attr);
}

/* --------------------------------------------------------- what comes in */

static void replace_entry(void)
{
	box_add(&other, ENTRY, new_data, SIZE);
}

static void delete_entry(void)
{
	box_delete(&other, ENTRY);
}

static void rename_other(const char *from, const char *to)
{
	struct cubby_attr attr;

	/* It may be gone, or have that name, already. */
	(void)!cubby_rename(other.store, dir, from, dir, to, 0, &attr);
}

static void unpublish_entry(void)
{
	rename_other(ENTRY, "away");
}

static void move_entry_away(void)
{
	rename_other(ENTRY, name_of(3));
}

/* The same id, in the other form. */
static void unpublish_and_publish(void)
{
	rename_other(ENTRY, "away");
	rename_other("away", ENTRY);
}

static void delete_plain(void)
{
	(void)!cubby_unlink(other.store, dir, "plain");
}

static void replace_plain(void)
{
	delete_plain();
	make_plain("plain", old_data);
}

/* Who writes to a file while he has it published, gets what he wrote. */
static void cut_plain(void)
{
	struct cubby_attr attr;
	int fd;

	if (cubby_lookup(other.store, dir, "plain", &attr) < 0)
		return;
	MUST_DO(cubby_open_plain(other.store, attr.id, &fd));
	MUST(ftruncate(fd, (off_t)cut_size) == 0 && close(fd) == 0);
}

static void delete_empty(void)
{
	(void)!cubby_rmdir(other.store, ROOT, "empty");
}

/* Each operation, with each of these before each of its steps. Returns how
 * often it gave that error. */
static unsigned try_all(int (*operation)(void), void (*change)(void), int error)
{
	unsigned count = 0;

	for (unsigned at = 1;; at++) {
		bool is_done;
		int r;

		MUST(at < STEPS_MAX);
		scene_new();
		deed = change;
		steps = at;
		r = operation();
		is_done = steps > 0;
		steps = 0;
		if (r != 0 && r != error)
			must_fail(__FILE__, __LINE__, "step %u gives %s", at,
				  must_show(r));
		count += r == error;
		expect_order();
		scene_end();
		if (is_done)
			return count;
	}
}

/* What is there all the time is found. */
Test(between, what_is_replaced_is_found_all_the_same)
{
	MUST(try_all(get, replace_entry, 0) > 2);
	MUST(try_all(delete, replace_entry, 0) > 2);
	MUST(try_all(move_entry, replace_entry, 0) > 2);
	MUST(try_all(unpublish, replace_entry, 0) > 2);
	MUST(try_all(recompress, replace_entry, 0) > 4);
	MUST(try_all(scrub, replace_entry, 0) > 4);
	MUST(try_all(repair, replace_entry, 0) > 4);
	MUST(try_all(publish, replace_plain, 0) > 2);
	MUST(try_all(move_plain, replace_plain, 0) > 2);
	/* The same node, that was something else in between. */
	MUST(try_all(get, unpublish_and_publish, 0) > 2);
	MUST(try_all(move_entry, unpublish_and_publish, 0) > 2);
	MUST(try_all(recompress, unpublish_and_publish, 0) > 4);
	MUST(try_all(scrub, unpublish_and_publish, 0) > 4);
}

Test(between, what_is_deleted_is_missed)
{
	MUST(try_all(get, delete_entry, -ENOENT) > 0);
	MUST(try_all(delete, delete_entry, 0) > 0);
	MUST(try_all(move_entry, delete_entry, -ENOENT) > 0);
	MUST(try_all(unpublish, delete_entry, -ENOENT) > 0);
	MUST(try_all(recompress, delete_entry, 0) > 4);
	MUST(try_all(scrub, delete_entry, 0) > 4);
	MUST(try_all(repair, delete_entry, 0) > 4);
	MUST(try_all(publish, delete_plain, -ENOENT) > 0);
	MUST(try_all(move_plain, delete_plain, -ENOENT) > 0);
	MUST(try_all(set_mode, delete_plain, -ENOENT) > 0);
	MUST(try_all(repair, delete_plain, 0) > 4);
}

Test(between, an_entry_that_becomes_a_file_or_moves_is_missed)
{
	MUST(try_all(get, unpublish_entry, -ENOENT) > 0);
	MUST(try_all(move_entry, unpublish_entry, -ENOENT) > 0);
	MUST(try_all(unpublish, unpublish_entry, -ENOENT) > 0);
	MUST(try_all(recompress, unpublish_entry, 0) > 4);
	MUST(try_all(scrub, unpublish_entry, 0) > 4);
	MUST(try_all(repair, unpublish_entry, 0) > 4);
	MUST(try_all(get, move_entry_away, -ENOENT) > 0);
	MUST(try_all(unpublish, move_entry_away, -ENOENT) > 0);
	MUST(try_all(recompress, move_entry_away, 0) > 4);
	MUST(try_all(scrub, move_entry_away, 0) > 4);
}

Test(between, a_file_that_is_cut_is_published_as_it_is_then)
{
	for (cut_size = 0; cut_size < SIZE; cut_size += SIZE / 2)
		(void)try_all(publish, cut_plain, -EIO);
}

Test(between, a_directory_that_goes_is_made_again)
{
	MUST(try_all(add_below, delete_empty, 0) > 2);
}
