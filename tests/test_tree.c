/* SPDX-License-Identifier: MIT */
/* The store as a tree: looking, listing in pages, making and removing. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"

TestSuite(tree, .fini = scratch_end, .timeout = 60);

static const struct cubby_owner owner = {0644, 1000, 1001};

Test(tree, a_name_is_found_by_its_parent)
{
	struct cubby_attr dir;
	struct cubby_attr file;
	struct cubby_attr got;
	uint64_t parent;
	struct box box;

	box_new(&box, "");
	dir = box_make_dir(&box, CUBBY_ROOT_ID, "dir");
	file = box_make_file(&box, dir.id, "file.tmp", "abc", 3);
	MUST_DO(cubby_lookup(box.store, CUBBY_ROOT_ID, "dir", &got));
	MUST_BE(got.id, dir.id);
	MUST_BE(got.kind, CUBBY_DIRECTORY);
	MUST_DO(cubby_lookup(box.store, dir.id, "file.tmp", &got));
	MUST_BE(got.id, file.id);
	MUST_BE(got.kind, CUBBY_PLAIN);
	MUST_BE(got.size, 3);
	MUST_BE(got.uid, 1000);
	MUST_BE(got.gid, 1001);
	MUST_BE(got.mode, 0644);
	MUST_BE(cubby_lookup(box.store, CUBBY_ROOT_ID, "file.tmp", &got),
		-ENOENT);
	MUST_BE(cubby_lookup(box.store, file.id, "x", &got), -ENOTDIR);
	MUST_DO(cubby_parent(box.store, file.id, &parent));
	MUST_BE(parent, dir.id);
	MUST_DO(cubby_parent(box.store, dir.id, &parent));
	MUST_BE(parent, CUBBY_ROOT_ID);
	MUST_DO(cubby_parent(box.store, CUBBY_ROOT_ID, &parent));
	MUST_BE(parent, CUBBY_ROOT_ID);
	MUST_DO(cubby_getattr(box.store, CUBBY_ROOT_ID, &got));
	MUST_BE(got.kind, CUBBY_DIRECTORY);
	box_close(&box);
}

Test(tree, an_entry_of_the_library_is_found_in_the_tree)
{
	struct cubby_attr dir;
	struct cubby_attr got;
	struct cubby_reader *reader;
	struct box box;
	int fd;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_lookup(box.store, CUBBY_ROOT_ID, "ns", &dir));
	MUST_DO(cubby_lookup(box.store, dir.id, name_of(1), &got));
	MUST_BE(got.kind, CUBBY_ENTRY);
	MUST_BE(got.size, 3);
	MUST_BE(got.id, box_attr(&box, name_of(1)).id);
	MUST_DO(cubby_open_entry(box.store, got.id, &reader));
	MUST(reader_is(reader, "abc", 3));
	cubby_reader_close(reader);
	MUST_BE(cubby_open_plain(box.store, got.id, &fd), -EINVAL);
	MUST_BE(cubby_open_entry(box.store, dir.id, &reader), -EISDIR);
	MUST_BE(cubby_open_plain(box.store, dir.id, &fd), -EISDIR);
	MUST_BE(cubby_open_entry(box.store, got.id + 1000, &reader), -ENOENT);
	MUST_BE(cubby_open_plain(box.store, got.id + 1000, &fd), -ENOENT);
	MUST_BE(cubby_getattr(box.store, got.id + 1000, &got), -ENOENT);
	MUST_BE(cubby_getattr(box.store, 0, &got), -ENOENT);
	box_close(&box);
}

Test(tree, a_plain_file_is_read_and_written_through_its_descriptor)
{
	struct cubby_attr file;
	struct cubby_attr got;
	struct cubby_reader *reader;
	struct box box;
	char bytes[6];
	int fd;

	box_new(&box, "");
	file = box_make_file(&box, CUBBY_ROOT_ID, "trim.txt", "abc", 3);
	MUST_BE(cubby_open_entry(box.store, file.id, &reader), -EINVAL);
	MUST_DO(cubby_open_plain(box.store, file.id, &fd));
	MUST_BE(pwrite(fd, "def", 3, 3), 3);
	MUST_DO(cubby_getattr(box.store, file.id, &got));
	MUST_BE(got.size, 6);
	MUST_BE(pread(fd, bytes, 6, 0), 6);
	MUST(memcmp(bytes, "abcdef", 6) == 0);
	MUST_DO(cubby_unlink(box.store, CUBBY_ROOT_ID, "trim.txt"));
	MUST_BE(pread(fd, bytes, 6, 0), 6);
	MUST(memcmp(bytes, "abcdef", 6) == 0);
	MUST(close(fd) == 0);
	MUST_BE(cubby_lookup(box.store, CUBBY_ROOT_ID, "trim.txt", &got),
		-ENOENT);
	MUST_BE(box_stats(&box).plain_files, 0);
	box_close(&box);
}

Test(tree, names_that_are_no_names_are_refused)
{
	char longest[258];
	static const char *const bad[] = {"", ".", "..", "a/b", "/"};
	struct cubby_attr attr;
	struct box box;
	int fd;

	memset(longest, 'n', sizeof(longest));
	longest[256] = '\0';
	box_new(&box, "");
	for (size_t i = 0; i < 5; i++) {
		MUST_BE(cubby_mkdir(box.store, CUBBY_ROOT_ID, bad[i], &owner,
				    &attr),
			-EINVAL);
		MUST_BE(cubby_create(box.store, CUBBY_ROOT_ID, bad[i], &owner,
				     &attr, &fd),
			-EINVAL);
		MUST_BE(cubby_lookup(box.store, CUBBY_ROOT_ID, bad[i], &attr),
			-EINVAL);
		MUST_BE(cubby_unlink(box.store, CUBBY_ROOT_ID, bad[i]),
			-EINVAL);
		MUST_BE(cubby_rmdir(box.store, CUBBY_ROOT_ID, bad[i]), -EINVAL);
	}
	MUST_BE(cubby_mkdir(box.store, CUBBY_ROOT_ID, longest, &owner, &attr),
		-ENAMETOOLONG);
	MUST_BE(cubby_create(box.store, CUBBY_ROOT_ID, longest, &owner, &attr,
			     &fd),
		-ENAMETOOLONG);
	MUST_BE(cubby_lookup(box.store, CUBBY_ROOT_ID, longest, &attr),
		-ENAMETOOLONG);
	MUST_BE(cubby_create(box.store, CUBBY_ROOT_ID, name_of(1), &owner,
			     &attr, &fd),
		-EINVAL);
	longest[255] = '\0';
	(void)box_make_file(&box, CUBBY_ROOT_ID, longest, "x", 1);
	MUST_DO(cubby_lookup(box.store, CUBBY_ROOT_ID, longest, &attr));
	(void)box_make_file(&box, CUBBY_ROOT_ID, "line\nfeed", "x", 1);
	MUST_DO(cubby_lookup(box.store, CUBBY_ROOT_ID, "line\nfeed", &attr));
	box_close(&box);
}

Test(tree, making_what_exists_or_where_nothing_is_fails)
{
	struct cubby_attr dir;
	struct cubby_attr file;
	struct cubby_attr attr;
	struct box box;
	int fd;

	box_new(&box, "");
	dir = box_make_dir(&box, CUBBY_ROOT_ID, "dir");
	file = box_make_file(&box, CUBBY_ROOT_ID, "file", "x", 1);
	MUST_BE(cubby_mkdir(box.store, CUBBY_ROOT_ID, "dir", &owner, &attr),
		-EEXIST);
	MUST_BE(cubby_mkdir(box.store, CUBBY_ROOT_ID, "file", &owner, &attr),
		-EEXIST);
	MUST_BE(cubby_create(box.store, CUBBY_ROOT_ID, "dir", &owner, &attr,
			     &fd),
		-EEXIST);
	MUST_BE(cubby_create(box.store, CUBBY_ROOT_ID, "file", &owner, &attr,
			     &fd),
		-EEXIST);
	MUST_BE(cubby_mkdir(box.store, file.id, "x", &owner, &attr), -ENOTDIR);
	MUST_DO(cubby_rmdir(box.store, CUBBY_ROOT_ID, "dir"));
	MUST_BE(cubby_mkdir(box.store, dir.id, "x", &owner, &attr), -ENOENT);
	MUST_BE(cubby_create(box.store, dir.id, "x", &owner, &attr, &fd),
		-ENOENT);
	MUST_BE(box_stats(&box).plain_files, 1);
	MUST_BE(box_stats(&box).directories, 0);
	box_close(&box);
}

Test(tree, removing_the_wrong_kind_fails)
{
	struct cubby_attr dir;
	struct box box;

	box_new(&box, "dir");
	box_add(&box, name_of(1), "x", 1);
	(void)box_make_file(&box, CUBBY_ROOT_ID, "file", "x", 1);
	MUST_DO(cubby_lookup(box.store, CUBBY_ROOT_ID, "dir", &dir));
	MUST_BE(cubby_rmdir(box.store, CUBBY_ROOT_ID, "dir"), -ENOTEMPTY);
	MUST_BE(cubby_rmdir(box.store, CUBBY_ROOT_ID, "file"), -ENOTDIR);
	MUST_BE(cubby_rmdir(box.store, dir.id, name_of(1)), -ENOTDIR);
	MUST_BE(cubby_rmdir(box.store, CUBBY_ROOT_ID, "no"), -ENOENT);
	MUST_BE(cubby_unlink(box.store, CUBBY_ROOT_ID, "dir"), -EISDIR);
	MUST_BE(cubby_unlink(box.store, CUBBY_ROOT_ID, "no"), -ENOENT);
	MUST_DO(cubby_unlink(box.store, dir.id, name_of(1)));
	MUST(box_misses(&box, name_of(1)));
	MUST_DO(cubby_rmdir(box.store, CUBBY_ROOT_ID, "dir"));
	MUST_DO(cubby_unlink(box.store, CUBBY_ROOT_ID, "file"));
	box_close(&box);
}

/* The names of one page, joined with blanks, and the last of them. */
struct page {
	char text[4096];
	char last[256];
	size_t count;
};

static int page_one(void *cookie, const char *name,
		    const struct cubby_attr *attr)
{
	struct page *page = cookie;

	if (attr->id == 0 || attr->kind == 0)
		return -EPROTO;
	(void)strcat(strcat(page->text, name), " ");
	(void)strcpy(page->last, name);
	page->count++;
	return 0;
}

Test(tree, a_directory_is_listed_in_pages_in_the_order_of_bytes)
{
	struct page page = {0};
	struct page all = {0};
	struct box box;

	box_new(&box, "");
	(void)box_make_file(&box, CUBBY_ROOT_ID, "b.tmp", "x", 1);
	(void)box_make_file(&box, CUBBY_ROOT_ID, "B", "x", 1);
	(void)box_make_dir(&box, CUBBY_ROOT_ID, "c");
	(void)box_make_dir(&box, CUBBY_ROOT_ID, "a");
	(void)box_make_file(&box, CUBBY_ROOT_ID, "b", "x", 1);
	(void)box_make_file(&box, CUBBY_ROOT_ID, "\xff", "x", 1);
	MUST_DO(cubby_readdir(box.store, CUBBY_ROOT_ID, "", 0, page_one, &all));
	MUST(strcmp(all.text, "B a b b.tmp c \xff ") == 0);
	for (size_t left = 6; left > 0; left -= 2) {
		size_t before = page.count;

		MUST_DO(cubby_readdir(box.store, CUBBY_ROOT_ID, page.last, 2,
				      page_one, &page));
		MUST_BE(page.count - before, 2);
	}
	MUST(strcmp(page.text, all.text) == 0);
	MUST_DO(cubby_readdir(box.store, CUBBY_ROOT_ID, page.last, 2, page_one,
			      &page));
	MUST_BE(page.count, 6);
	/* `after` need not be there. */
	memset(&page, 0, sizeof(page));
	MUST_DO(cubby_readdir(box.store, CUBBY_ROOT_ID, "b!", 1, page_one,
			      &page));
	MUST(strcmp(page.text, "b.tmp ") == 0);
	box_close(&box);
}

static int stop_at_once(void *cookie, const char *name,
			const struct cubby_attr *attr)
{
	(void)cookie;
	(void)name;
	(void)attr;
	return 55;
}

Test(tree, listing_what_is_no_directory_fails)
{
	struct cubby_attr file;
	struct page page = {0};
	struct box box;

	box_new(&box, "");
	file = box_make_file(&box, CUBBY_ROOT_ID, "file", "x", 1);
	MUST_BE(cubby_readdir(box.store, file.id, "", 0, page_one, &page),
		-ENOTDIR);
	MUST_BE(cubby_readdir(box.store, file.id + 99, "", 0, page_one, &page),
		-ENOENT);
	MUST_BE(cubby_readdir(box.store, CUBBY_ROOT_ID, "", 0, stop_at_once,
			      NULL),
		55);
	box_close(&box);
}

Test(tree, attributes_are_set_one_by_one)
{
	struct cubby_attr file;
	struct cubby_attr want = {.mode = 06755,
				  .uid = 7,
				  .gid = 8,
				  .mtime_ns = 1234567890123456789};
	struct cubby_attr got;
	struct box box;

	box_new(&box, "ns");
	file = box_make_file(&box, CUBBY_ROOT_ID, "file", "abc", 3);
	MUST_DO(cubby_setattr(box.store, file.id, CUBBY_SET_MODE, &want, &got));
	MUST_BE(got.mode, 0755); /* without the set-id bits */
	MUST_BE(got.uid, 1000);
	MUST_DO(cubby_setattr(box.store, file.id, CUBBY_SET_UID, &want, &got));
	MUST_BE(got.uid, 7);
	MUST_BE(got.gid, 1001);
	MUST_DO(cubby_setattr(box.store, file.id,
			      CUBBY_SET_GID | CUBBY_SET_MTIME, &want, &got));
	MUST_BE(got.gid, 8);
	MUST_BE(got.mtime_ns, want.mtime_ns);
	MUST_BE(got.size, 3);
	MUST_DO(cubby_getattr(box.store, file.id, &got));
	MUST_BE(got.mode, 0755);
	MUST_BE(got.mtime_ns, want.mtime_ns);
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_setattr(box.store, box_attr(&box, name_of(1)).id,
			      CUBBY_SET_MTIME, &want, &got));
	MUST_BE(box_attr(&box, name_of(1)).mtime_ns, want.mtime_ns);
	MUST(box_has(&box, name_of(1), "abc", 3));
	MUST_BE(cubby_setattr(box.store, 999999, CUBBY_SET_MODE, &want, &got),
		-ENOENT);
	box_close(&box);
}

Test(tree, the_tree_is_there_after_reopening)
{
	struct cubby_attr dir;
	struct cubby_attr got;
	struct page page = {0};
	struct box box;
	char bytes[4];
	int fd;

	box_new(&box, "");
	dir = box_make_dir(&box, CUBBY_ROOT_ID, "dir");
	(void)box_make_file(&box, dir.id, "file", "abc", 3);
	box_reopen(&box);
	MUST_DO(cubby_readdir(box.store, dir.id, "", 0, page_one, &page));
	MUST(strcmp(page.text, "file ") == 0);
	MUST_DO(cubby_lookup(box.store, dir.id, "file", &got));
	MUST_BE(got.size, 3);
	MUST_DO(cubby_open_plain(box.store, got.id, &fd));
	MUST_BE(pread(fd, bytes, 4, 0), 3);
	MUST(close(fd) == 0);
	box_close(&box);
}

/* The check at the end of the only file below blobs/, see core/FORMAT.md. */
static void blob_check(const struct box *box, uint8_t ret_check[16])
{
	char *dir = text_new("%s/blobs", box->path);
	char *file;
	uint8_t *bytes;
	size_t size;

	MUST_BE(files_below(dir, &file, 1), 1);
	bytes = file_read(file, &size);
	MUST(bytes && size > 28);
	memcpy(ret_check, bytes + size - 28, 16);
	free(bytes);
	free(file);
	free(dir);
}

Test(tree, an_entry_says_how_it_is_stored)
{
	uint8_t *text = sample_new(SAMPLE_TEXT, 1, 100000);
	uint8_t *noise = sample_new(SAMPLE_NOISE, 1, 100000);
	struct cubby_storage small;
	struct cubby_storage got;
	struct cubby_attr plain;
	uint8_t check[16];
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), text, 100000);
	MUST_DO(cubby_get_storage(box.store, box_attr(&box, name_of(1)).id,
				  &got));
	blob_check(&box, check);
	MUST(strcmp(got.codec, "zstd") == 0);
	MUST_BE(memcmp(got.check, check, 16), 0);
	box_add(&box, name_of(1), noise, 100000);
	MUST_DO(cubby_get_storage(box.store, box_attr(&box, name_of(1)).id,
				  &got));
	blob_check(&box, check);
	MUST(strcmp(got.codec, "raw") == 0);
	MUST_BE(memcmp(got.check, check, 16), 0);

	box_add(&box, name_of(2), "abc", 3);
	MUST_DO(cubby_get_storage(box.store, box_attr(&box, name_of(2)).id,
				  &small));
	MUST(strcmp(small.codec, "raw") == 0);
	MUST(memcmp(got.check, small.check, 16) != 0);
	plain = box_make_file(&box, CUBBY_ROOT_ID, "plain", "abc", 3);
	MUST_BE(cubby_get_storage(box.store, plain.id, &got), -EINVAL);
	MUST_BE(cubby_get_storage(box.store, CUBBY_ROOT_ID, &got), -EISDIR);
	MUST_BE(cubby_get_storage(box.store, 4711, &got), -ENOENT);
	free(text);
	free(noise);
	box_close(&box);
}
