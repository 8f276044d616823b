/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "others.h"
#include "sample.h"
#include "scratch.h"
#include "store/layout.h"
#include "store/store.h"

enum { ROOT = (int)CUBBY_ROOT_ID, SIZE = OTHERS_SIZE };

struct box box;		 /* whose operation it is */
static struct box other; /* who comes in between */
static struct cubby_watch *watch;
static uint8_t *old_data, *new_data;
static uint64_t dir;

static bool is_good; /* what comes in between has put a good one there */

bool is_damaged, is_lost, is_held;
size_t cut_size;

void (*deed)(void);
_Thread_local unsigned steps;
int step_error;

static void step(void)
{
	if (steps > 0 && --steps == 0)
		deed();
}

static int step_of_lmdb(void)
{
	int error;

	step_error = 0;
	step();
	error = step_error;
	step_error = 0;
	return error;
}

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags,
		  MDB_txn **ret_txn)
{
	static int (*real)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);
	int error;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_begin");
	error = step_of_lmdb();
	return error ? error : real(env, parent, flags, ret_txn);
}

int mdb_txn_renew(MDB_txn *txn)
{
	static int (*real)(MDB_txn *);
	int error;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_renew");
	error = step_of_lmdb();
	return error ? error : real(txn);
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

static void flip_entry(void)
{
	char path[LAYOUT_PATH_SIZE];
	char *blob;

	layout_blob(id_of(dir, ENTRY), CODEC_ZSTD, path);
	blob = text_new("%s/%s", box.path, path);
	file_flip(blob, 200);
	free(blob);
}

static char *file_of_plain(void)
{
	char path[LAYOUT_PATH_SIZE];

	layout_draft(id_of(dir, "plain"), path);
	return text_new("%s/%s", box.path, path);
}

static void lose_plain(void)
{
	char *file = file_of_plain();

	MUST(unlink(file) == 0);
	free(file);
}

/* "dir" with an entry and a plain file, and "empty". */
void scene_new(void)
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
	if (is_damaged)
		flip_entry();
	if (is_lost)
		lose_plain();
	if (is_held) {
		MUST_DO(cubby_watch_new(other.store, &watch));
		cubby_watch_hold(watch, 0);
	}
}

void scene_end(void)
{
	cubby_watch_close(watch);
	watch = NULL;
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
	if (r == -ENOENT ||
	    (r == -EBADMSG && (is_damaged || deed == cut_plain)))
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
	MUST_BE(summary.findings, is_damaged || is_lost ? summary.findings : 0);
	MUST_BE(summary.found[CUBBY_FOUND_TOTAL], 0);
	if (is_good) /* whoever met the damaged one before */
		MUST(box_has(&box, ENTRY, new_data, SIZE));
}

/* ------------------------------------------------------------ what is done */

int get(void)
{
	struct cubby_reader *reader;
	int r = cubby_get_name(box.ns, ENTRY, &reader);

	if (r < 0)
		return r;
	MUST(reader_is(reader, old_data, SIZE) || cubby_reader_size(reader));
	cubby_reader_close(reader);
	return 0;
}

/* A damaged one may be met, or not any more. */
int get_damaged(void)
{
	int r = get();

	return r == -EBADMSG || r == -ENOENT ? 0 : r;
}

int remove_entry(void)
{
	return cubby_delete_name(box.ns, ENTRY);
}

static int move(const char *from, const char *to)
{
	struct cubby_attr attr;

	return cubby_rename(box.store, dir, from, dir, to, 0, &attr);
}

int move_entry(void)
{
	return move(ENTRY, OTHER);
}

int unpublish(void)
{
	return move(ENTRY, "file");
}

int publish(void)
{
	return move("plain", OTHER);
}

int move_plain(void)
{
	return move("plain", "file");
}

int add_below(void)
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

int recompress(void)
{
	struct cubby_recompress_summary summary;

	return cubby_recompress(box.store, CUBBY_LEVEL_MAX, 0, NULL, NULL,
				&summary);
}

int scrub(void)
{
	int r;

	do
		r = cubby_scrub(box.store);
	while (r > 0);
	return r;
}

int repair(void)
{
	struct cubby_verify_summary summary;

	return cubby_verify(box.store, CUBBY_VERIFY_REPAIR, NULL, NULL,
			    &summary);
}

int set_mode(void)
{
	struct cubby_attr attr = {.mode = 0400};
	int r = cubby_lookup(box.store, dir, "plain", &attr);

	attr.mode = 0400;
	return r < 0 ? r
		     : cubby_setattr(box.store, attr.id, CUBBY_SET_MODE, &attr,
				     &attr);
}

/* --------------------------------------------------------- what comes in */

void replace_entry(void)
{
	box_add(&other, ENTRY, new_data, SIZE);
	is_good = is_damaged;
}

void delete_entry(void)
{
	box_delete(&other, ENTRY);
}

static void rename_other(const char *from, const char *to)
{
	struct cubby_attr attr;

	/* It may be gone, or have that name, already. */
	(void)!cubby_rename(other.store, dir, from, dir, to, 0, &attr);
}

void unpublish_entry(void)
{
	rename_other(ENTRY, "away");
}

void move_entry_away(void)
{
	rename_other(ENTRY, name_of(3));
}

/* The same id, in the other form. */
void unpublish_and_publish(void)
{
	rename_other(ENTRY, "away");
	rename_other("away", ENTRY);
}

void delete_plain(void)
{
	(void)!cubby_unlink(other.store, dir, "plain");
}

void replace_plain(void)
{
	delete_plain();
	make_plain("plain", old_data);
}

/* Somebody has found the file of the plain node, and puts it back. */
void bring_back(void)
{
	struct cubby_attr attr;
	char *file;

	if (cubby_lookup(other.store, dir, "plain", &attr) < 0)
		return;
	file = file_of_plain();
	file_write(file, old_data, SIZE);
	free(file);
}

void bring_back_and_publish(void)
{
	bring_back();
	rename_other("plain", OTHER);
}

/* Who writes to a file while he has it published, gets what he wrote. */
void cut_plain(void)
{
	struct cubby_attr attr;
	int fd;

	if (cubby_lookup(other.store, dir, "plain", &attr) < 0)
		return;
	MUST_DO(cubby_open_plain(other.store, attr.id, &fd));
	MUST(ftruncate(fd, (off_t)cut_size) == 0 && close(fd) == 0);
}

void make_shards(void)
{
	char path[LAYOUT_PATH_SIZE];

	for (uint64_t id = 0; id < LAYOUT_SHARDS; id++) {
		layout_blob_directory(id, path);
		MUST(mkdirat(other.store->dir_fd, path, 0700) == 0 ||
		     errno == EEXIST);
	}
}

void delete_empty(void)
{
	(void)!cubby_rmdir(other.store, ROOT, "empty");
}

unsigned try_all(int (*operation)(void), void (*change)(void), int error)
{
	unsigned count = 0;

	for (unsigned at = 1;; at++) {
		bool is_done;
		int r;

		MUST(at < OTHERS_STEPS_MAX);
		scene_new();
		is_good = false;
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
