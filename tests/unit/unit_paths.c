/* SPDX-License-Identifier: MIT */
/*
 * Names and paths that are unusual, or wrong: what is asked with them is one
 * clear error, and nothing is changed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"
#include "store/store.h"
#include "store/walk.h"

TestSuite(paths, .fini = scratch_end, .timeout = 60);

enum { ROOT = (int)CUBBY_ROOT_ID, SIZE = 20000, AT_INCOMPAT = 3 };

static const struct cubby_owner owner = {0755, 0, 0};

/* The record of a node, as a newer version may have written it. */
static void make_newer(const struct box *box, uint64_t id)
{
	struct index_txn *txn;
	uint8_t bytes[512];
	uint8_t key[8];
	MDB_val value;
	size_t size;

	put_be64(key, id);
	MUST_DO(index_write(box->store->index, &txn));
	MUST_DO(lmdb_get(txn, TABLE_NODES, key, 8, &value));
	size = value.mv_size;
	MUST(size <= sizeof(bytes));
	memcpy(bytes, value.mv_data, size);
	bytes[AT_INCOMPAT] ^= 0x80;
	MUST_DO(lmdb_put(txn, TABLE_NODES, key, 8, bytes, size));
	MUST_DO(index_commit(txn));
}

/* ---------------------------------------------------------------- names */

Test(paths, a_directory_with_the_name_of_an_entry_is_no_entry)
{
	struct cubby_reader *reader;
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "");
	(void)box_make_dir(&box, ROOT, name_of(1));
	MUST_BE(cubby_get_name(box.ns, name_of(1), &reader), -ENOENT);
	MUST_BE(cubby_stat_name(box.ns, name_of(1), &attr), -ENOENT);
	MUST_DO(cubby_delete_name(box.ns, name_of(1)));
	MUST_BE(box_try_add(&box, name_of(1), "x", 1), -EISDIR);
	MUST_DO(cubby_rmdir(box.store, ROOT, name_of(1)));
	box_add(&box, name_of(1), "x", 1);
	box_close(&box);
}

Test(paths, a_name_that_is_too_long_begins_no_listing)
{
	char name[CUBBY_NAME_MAX + 2];
	struct box box;

	box_new(&box, "");
	memset(name, 'x', sizeof(name));
	name[CUBBY_NAME_MAX + 1] = '\0';
	MUST_BE(cubby_readdir(box.store, ROOT, name, 0, NULL, NULL),
		-ENAMETOOLONG);
	name[CUBBY_NAME_MAX] = '\0';
	MUST_DO(cubby_readdir(box.store, ROOT, name, 0, NULL, NULL));
	box_close(&box);
}

Test(paths, a_namespace_that_goes_through_a_file_takes_no_entry)
{
	struct cubby_reader *reader;
	struct box box;

	box_new(&box, "file/below");
	/* Whether names are digests is asked where the path ends. */
	MUST_DO(cubby_set_content(box.store, "", CUBBY_CONTENT_SHA256));
	(void)box_make_file(&box, ROOT, "file", "abc", 3);
	MUST_BE(box_try_add(&box, name_of(1), "x", 1), -ENOTDIR);
	MUST_BE(cubby_get_name(box.ns, name_of(1), &reader), -ENOENT);
	MUST_BE(box_stats(&box).plain_files, 1);
	box_close(&box);
}

/* ------------------------------------------------------------------ paths */

/* Directories in one another, each with a name of 255 bytes. */
static uint64_t make_deep(const struct box *box, int depth)
{
	char name[CUBBY_NAME_MAX + 1];
	uint64_t id = CUBBY_ROOT_ID;

	memset(name, 'd', CUBBY_NAME_MAX);
	name[CUBBY_NAME_MAX] = '\0';
	for (int i = 0; i < depth; i++)
		id = box_make_dir(box, id, name).id;
	return id;
}

/* By ids a tree can be deeper than any path. */
Test(paths, an_entry_that_no_path_can_name_is_an_entry)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, SIZE);
	char path[CUBBY_PATH_MAX + 1];
	struct cubby_reader *reader;
	struct cubby_attr attr;
	struct index_txn *txn;
	struct box box;
	uint64_t deep;

	box_new(&box, "");
	deep = make_deep(&box, 17);
	(void)box_make_file(&box, ROOT, "file", data, SIZE);
	MUST_DO(cubby_rename(box.store, ROOT, "file", deep, name_of(1), 0,
			     &attr));
	MUST_DO(cubby_open_entry(box.store, attr.id, &reader));
	MUST(reader_is(reader, data, SIZE));
	cubby_reader_close(reader);
	MUST_DO(index_read(box.store->index, &txn));
	strcpy(path, "?");
	MUST_DO(walk_path(txn, deep, path));
	cr_assert_str_eq(path, "");
	index_end(txn);
	free(data);
	box_close(&box);
}

Test(paths, a_path_that_is_too_long_is_refused)
{
	char path[CUBBY_PATH_MAX + 3];
	struct cubby_ns *ns;
	struct box box;

	box_new(&box, "");
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '/' : 'p';
	path[CUBBY_PATH_MAX + 2] = '\0';
	MUST_BE(cubby_ns_open(box.store, path, &ns), -ENAMETOOLONG);
	path[CUBBY_PATH_MAX] = '\0';
	MUST_DO(cubby_ns_open(box.store, path, &ns));
	cubby_ns_close(ns);
	box_close(&box);
}

/* Longer than what the system takes, where it is opened without a path. */
Test(paths, a_store_whose_own_path_is_too_long_is_refused)
{
	char name[201];
	struct cubby *store;

	memset(name, 's', 200);
	name[200] = '\0';
	MUST(chdir(scratch()) == 0);
	for (int depth = 0; depth < 30; depth++) {
		MUST(mkdir(name, 0700) == 0);
		MUST(chdir(name) == 0);
		char *path = realpath(".", NULL);
		size_t size = path ? strlen(path) : 0;

		free(path);
		if (size == 0)
			break;
		/* So that "/index" is what does not fit. */
		if (size > 4095 - 202 && size < 4093) {
			name[4093 - size - 1] = '\0';
			MUST(mkdir(name, 0700) == 0 && chdir(name) == 0);
			break;
		}
	}
	MUST_BE(cubby_open(".", CUBBY_CREATE, &store), -ENAMETOOLONG);
	MUST(chdir("/") == 0);
}

/* ------------------------------------------------------ newer directories */

Test(paths, what_is_below_a_directory_of_a_newer_version_stays)
{
	struct cubby_reader *reader;
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_lookup(box.store, ROOT, "ns", &attr));
	make_newer(&box, attr.id);
	MUST_BE(cubby_get_name(box.ns, name_of(1), &reader), -EPROTONOSUPPORT);
	MUST_BE(cubby_delete_name(box.ns, name_of(1)), -EPROTONOSUPPORT);
	MUST_BE(box_try_add(&box, name_of(1), "x", 1), -EPROTONOSUPPORT);
	MUST_BE(cubby_rmdir(box.store, ROOT, "ns"), -EPROTONOSUPPORT);
	make_newer(&box, attr.id); /* its flag goes */
	MUST(box_has(&box, name_of(1), "abc", 3));
	box_close(&box);
}

Test(paths, a_directory_with_an_entry_of_a_newer_version_is_not_empty)
{
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	make_newer(&box, box_attr(&box, name_of(1)).id);
	MUST_BE(cubby_rmdir(box.store, ROOT, "ns"), -ENOTEMPTY);
	MUST_DO(cubby_delete_name(box.ns, name_of(1)));
	MUST_DO(cubby_rmdir(box.store, ROOT, "ns"));
	box_close(&box);
}

Test(paths, below_a_directory_whose_name_is_damaged_is_damage)
{
	struct cubby_reader *reader;
	struct index_txn *txn;
	struct box box;

	box_new(&box, "lost");
	MUST_DO(index_write(box.store->index, &txn));
	MUST_DO(names_put(txn, ROOT, "lost", 4, 999999));
	MUST_DO(index_commit(txn));
	MUST_BE(cubby_get_name(box.ns, name_of(1), &reader), -EBADMSG);
	/* The name is nothing that a get of an entry takes away. */
	MUST_BE(cubby_get_name(box.ns, name_of(1), &reader), -EBADMSG);
	box_close(&box);
}

/* Two directories that are in one another. */
Test(paths, a_ring_of_directories_ends_every_walk)
{
	struct cubby_attr attr;
	struct record record;
	struct index_txn *txn;
	uint64_t upper;
	uint64_t lower;
	uint64_t other;
	struct box box;

	box_new(&box, "");
	upper = box_make_dir(&box, ROOT, "upper").id;
	lower = box_make_dir(&box, upper, "lower").id;
	other = box_make_dir(&box, ROOT, "other").id;
	MUST_DO(index_write(box.store->index, &txn));
	MUST_DO(nodes_get(txn, upper, &record));
	record.name = "upper";
	record.parent = lower;
	MUST_DO(nodes_put(txn, upper, &record));
	MUST_DO(names_delete(txn, ROOT, "upper", 5));
	MUST_DO(names_put(txn, lower, "upper", 5, upper));
	MUST_BE(walk_is_above(txn, other, lower), -EBADMSG);
	MUST_BE(walk_is_above(txn, upper, lower), 1);
	MUST_DO(index_commit(txn));
	MUST_BE(cubby_rename(box.store, ROOT, "other", lower, "other", 0,
			     &attr),
		-EBADMSG);
	MUST_DO(cubby_lookup(box.store, ROOT, "other", &attr));
	box_close(&box);
}

/* What is created in a directory that somebody else has replaced. */
Test(paths, a_displaced_directory_takes_no_name)
{
	struct cubby_watch *watch;
	struct cubby_attr attr;
	struct box box;
	uint64_t old;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	old = box_make_dir(&box, ROOT, "dir").id;
	MUST_DO(cubby_rmdir(box.store, ROOT, "dir"));
	MUST_BE(cubby_mkdir(box.store, old, "a", &owner, &attr), -ENOENT);
	(void)box_make_dir(&box, ROOT, "dir");
	MUST_BE(cubby_mkdir(box.store, old, "a", &owner, &attr), -ENOENT);
	cubby_watch_close(watch);
	box_close(&box);
}

/* A directory that somebody else's link leads to is not filled. */
Test(paths, a_directory_with_a_link_called_index_is_no_store)
{
	char *path = scratch_dir("other");
	char *target = scratch_dir("target");
	char *link = text_new("%s/index", path);
	struct cubby *store;

	MUST(symlink(target, link) == 0);
	MUST_BE(cubby_open(path, CUBBY_CREATE, &store), -ENOTEMPTY);
	MUST_BE(files_below(target, NULL, 0), 0);
	MUST(unlink(link) == 0);
	file_write(link, "mine", 4);
	MUST_BE(cubby_open(path, CUBBY_CREATE, &store), -ENOTDIR);
	MUST(file_is(link, "mine", 4));
	free(link);
	free(target);
	free(path);
}

/* --------------------------------------------------------------- listings */

static int count_listed(void *cookie, const char *name,
			const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	(void)name;
	MUST(attr->kind == CUBBY_ENTRY);
	++*count;
	return 0;
}

static int list(const struct box *box, const char *space, unsigned *ret_count)
{
	struct cubby_ns *ns;
	int r;

	*ret_count = 0;
	MUST_DO(cubby_ns_open(box->store, space, &ns));
	r = cubby_list(ns, count_listed, ret_count);
	cubby_ns_close(ns);
	return r;
}

Test(paths, only_entries_are_listed)
{
	char *below = text_new("a/%s/b", name_of(1));
	struct cubby_attr attr;
	struct box box;
	unsigned count;
	int fd;

	box_new(&box, "a");
	box_add(&box, name_of(1), "x", 1);
	box_add(&box, name_of(2), "y", 1);
	MUST_DO(cubby_lookup(box.store, ROOT, "a", &attr));
	MUST_DO(cubby_create(box.store, attr.id, "plain", &owner, &attr, &fd));
	MUST(close(fd) == 0);
	MUST_DO(list(&box, "", &count));
	MUST_BE(count, 2);
	MUST_DO(list(&box, "a/none", &count));
	MUST_BE(count, 0);
	/* Below an entry there is nothing. */
	MUST_DO(list(&box, below, &count));
	MUST_BE(count, 0);
	MUST_DO(cubby_lookup(box.store, ROOT, "a", &attr));
	make_newer(&box, attr.id);
	MUST_BE(list(&box, "a", &count), -EPROTONOSUPPORT);
	box_close(&box);
	free(below);
}

Test(paths, a_path_too_long_to_be_told_ends_a_listing)
{
	struct box box;
	unsigned count;

	box_new(&box, "");
	box_add(&box, name_of(1), "x", 1);
	(void)make_deep(&box, CUBBY_PATH_MAX / CUBBY_NAME_MAX - 1);
	MUST_DO(list(&box, "", &count));
	MUST_BE(count, 1);
	box_close(&box);
	box_new(&box, "");
	(void)make_deep(&box, CUBBY_PATH_MAX / CUBBY_NAME_MAX + 1);
	MUST_BE(list(&box, "", &count), -ENAMETOOLONG);
	box_close(&box);
}
