/* SPDX-License-Identifier: MIT */
/*
 * Files and entries at their bounds: what cannot become the other stays what it
 * is, with all its bytes.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"
#include "store/encoder.h"
#include "store/layout.h"
#include "store/store.h"

TestSuite(files, .fini = scratch_end, .timeout = 60);

enum { ROOT = (int)CUBBY_ROOT_ID, SIZE = 20000 };

static const struct cubby_owner owner = {.mode = 0644};

/* Does the plain file still have its name and this content? */
static bool file_has(const struct box *box, const char *name, const void *data,
		     size_t size)
{
	struct cubby_attr attr;
	char path[LAYOUT_PATH_SIZE];
	char *file;
	bool same;

	if (cubby_lookup(box->store, ROOT, name, &attr) < 0)
		return false;
	layout_draft(attr.id, path);
	file = text_new("%s/%s", box->path, path);
	same = file_is(file, data, size);
	free(file);
	return same;
}

static int move(const struct box *box, const char *from, const char *to,
		unsigned flags)
{
	struct cubby_attr attr;

	return cubby_rename(box->store, ROOT, from, ROOT, to, flags, &attr);
}

/* --------------------------------------------------------------- renaming */

Test(files, onto_itself_without_replacing_is_refused)
{
	struct box box;

	box_new(&box, "");
	(void)box_make_file(&box, ROOT, "file", "abc", 3);
	MUST_DO(move(&box, "file", "file", 0));
	MUST_BE(move(&box, "file", "file", CUBBY_RENAME_NOREPLACE), -EEXIST);
	MUST(file_has(&box, "file", "abc", 3));
	box_close(&box);
}

static void blobs_away(const struct box *box, bool back)
{
	char *blobs = text_new("%s/blobs", box->path);
	char *away = text_new("%s/away", box->path);

	MUST(rename(back ? away : blobs, back ? blobs : away) == 0);
	free(blobs);
	free(away);
}

Test(files, a_file_that_cannot_become_a_blob_stays_what_it_is)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 2, SIZE);
	struct box box;

	box_new(&box, "");
	(void)box_make_file(&box, ROOT, "file", data, SIZE);
	blobs_away(&box, false);
	MUST_BE(move(&box, "file", name_of(1), 0), -ENOENT);
	MUST(file_has(&box, "file", data, SIZE));
	blobs_away(&box, true);
	MUST_DO(move(&box, "file", name_of(1), 0));
	MUST(box_has(&box, name_of(1), data, SIZE));
	free(data);
	box_close(&box);
}

/* An older version, which made blobs of less than goes into the index now, died
 * before it gave this one its name. */
Test(files, a_footer_without_an_entry_is_no_content)
{
	static const size_t sizes[] = {8161, 9000, 16000, 16320, SIZE};
	const struct origin origin = {.path = "", .name = "t"};
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t *data = sample_new(SAMPLE_NOISE, i, sizes[i]);
		struct frame frame = {.stored_size = (uint32_t)sizes[i]};
		struct footer footer = {
			.size = sizes[i],
			.payload_size = sizes[i],
			.frame_count = 1,
			.frames = &frame,
		};
		struct cubby_attr attr;
		struct record record;
		int fd;

		MUST_DO(cubby_create(box.store, ROOT, "t", &owner, &attr, &fd));
		MUST_BE(write(fd, data, sizes[i]), sizes[i]);
		footer.id = attr.id;
		frame.check = check_frame(attr.id, 0, data, sizes[i]);
		MUST_DO(encoder_append_footer(fd, &footer, &origin, &record));
		MUST(close(fd) == 0);
		MUST_DO(move(&box, "t", name_of(i), 0));
		MUST(box_has(&box, name_of(i), data, sizes[i]));
		free(data);
	}
	box_close(&box);
}

Test(files, a_file_that_is_larger_than_an_entry_may_be_is_not_published)
{
	char path[LAYOUT_PATH_SIZE];
	struct cubby_attr attr;
	struct box box;
	uint64_t id;

	box_new(&box, "");
	id = box_make_file(&box, ROOT, "file", "abc", 3).id;
	layout_draft(id, path);
	/* A hole. */
	int fd = openat(box.store->dir_fd, path, O_RDWR);
	MUST(fd >= 0);
	MUST(ftruncate(fd, (off_t)CUBBY_SIZE_MAX + 1) == 0);
	MUST_BE(move(&box, "file", name_of(1), 0), -EFBIG);
	MUST_DO(cubby_lookup(box.store, ROOT, "file", &attr));
	MUST_BE(attr.size, CUBBY_SIZE_MAX + 1);
	MUST(ftruncate(fd, 3) == 0 && close(fd) == 0);
	MUST_DO(move(&box, "file", name_of(1), 0));
	MUST(box_has(&box, name_of(1), "abc", 3));
	box_close(&box);
}

/* The file of a plain node that another process is just making of it. */
Test(files, an_entry_that_is_being_unpublished_is_busy)
{
	char path[LAYOUT_PATH_SIZE];
	struct box box;
	int fd;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	layout_draft(box_attr(&box, name_of(1)).id, path);
	fd = openat(box.store->dir_fd, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0);
	MUST_BE(move(&box, name_of(1), "plain", 0), -EBUSY);
	MUST(box_has(&box, name_of(1), "abc", 3));
	MUST(close(fd) == 0);
	MUST(unlinkat(box.store->dir_fd, path, 0) == 0);
	MUST_DO(move(&box, name_of(1), "plain", 0));
	MUST(file_has(&box, "plain", "abc", 3));
	box_close(&box);
}

Test(files, a_damaged_entry_gets_no_name_that_says_what_it_holds)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 3, SIZE);
	struct cubby_reader *reader;
	char path[LAYOUT_PATH_SIZE];
	struct box box;
	char *blob;

	box_new(&box, "");
	box_add(&box, name_of(1), data, SIZE);
	MUST_DO(cubby_set_content(box.store, "", CUBBY_CONTENT_SHA256));
	layout_blob(box_attr(&box, name_of(1)).id, CODEC_RAW, path);
	blob = text_new("%s/%s", box.path, path);
	file_flip(blob, 1000);
	MUST_BE(move(&box, name_of(1), name_of(2), 0), -EBADMSG);
	MUST(box_misses(&box, name_of(2)));
	/* It is no use of it: who gets it finds out. */
	MUST_BE(cubby_get_name(box.ns, name_of(1), &reader), -EBADMSG);
	MUST(box_misses(&box, name_of(1)));
	free(blob);
	free(data);
	box_close(&box);
}

static bool digests_fail;

int EVP_DigestUpdate(EVP_MD_CTX *context, const void *bytes, size_t size)
{
	static int (*real)(EVP_MD_CTX *, const void *, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "EVP_DigestUpdate");
	return digests_fail ? 0 : real(context, bytes, size);
}

/* What cannot be checked is not let pass. */
Test(files, a_digest_that_cannot_be_made_is_an_error)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 4, SIZE);
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_set_content(box.store, "", CUBBY_CONTENT_SHA256));
	(void)box_make_file(&box, ROOT, "file", data, SIZE);
	digests_fail = true;
	MUST_BE(move(&box, "file", name_of(1), 0), -EIO);
	MUST_BE(box_try_add(&box, name_of(1), data, SIZE), -EIO);
	digests_fail = false;
	MUST(file_has(&box, "file", data, SIZE));
	MUST_BE(move(&box, "file", name_of(1), 0), -EBADMSG);
	MUST(box_misses(&box, name_of(1)));
	free(data);
	box_close(&box);
}

/* ------------------------------------------------------------- attributes */

Test(files, times_are_set_of_any_kind_and_never_of_the_future)
{
	const int64_t future = INT64_C(1) << 62;
	struct cubby_attr set = {.mtime_ns = 5000000000, .mode = 0700};
	struct cubby_attr attr;
	struct box box;
	uint64_t dir;
	int64_t used;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "abc", 3);
	attr = box_attr(&box, name_of(1));
	dir = box_make_dir(&box, ROOT, "dir").id;
	MUST_DO(cubby_setattr(box.store, dir, CUBBY_SET_MTIME, &set, &set));
	MUST_BE(set.mtime_ns, 5000000000);
	MUST_DO(cubby_setattr(box.store, dir, CUBBY_SET_MTIME | CUBBY_SET_NOW,
			      &set, &set));
	MUST_DO(cubby_setattr(box.store, dir, CUBBY_SET_MODE, &set, &set));
	MUST_BE(set.mtime_ns, 5000000000);

	/* Its mode alone is no use of an entry. */
	used = attr.used_ns;
	set = (struct cubby_attr){.mode = 0600};
	MUST_DO(cubby_setattr(box.store, attr.id, CUBBY_SET_MODE, &set, &set));
	MUST_BE(set.used_ns, used);
	MUST_BE(set.mode, 0600);
	/* The later one of two times counts, as far as it has come. */
	set = (struct cubby_attr){.mtime_ns = 7000, .used_ns = 3000};
	MUST_DO(cubby_setattr(box.store, attr.id,
			      CUBBY_SET_MTIME | CUBBY_SET_USED, &set, &set));
	MUST_BE(set.used_ns, 7000);
	set = (struct cubby_attr){.used_ns = future};
	MUST_DO(cubby_setattr(box.store, attr.id, CUBBY_SET_USED, &set, &set));
	MUST(set.used_ns >= used && set.used_ns < future);
	set = (struct cubby_attr){.used_ns = -5};
	MUST_DO(cubby_setattr(box.store, attr.id, CUBBY_SET_USED, &set, &set));
	MUST_BE(set.used_ns, 0);
	/* "Now" is for the time of last change. */
	set = (struct cubby_attr){.used_ns = 4000};
	MUST_DO(cubby_setattr(box.store, attr.id,
			      CUBBY_SET_USED | CUBBY_SET_NOW, &set, &set));
	MUST_BE(set.used_ns, 4000);
	/* With a mode, "now" is the time that is given. */
	set = (struct cubby_attr){.mtime_ns = 9000, .mode = 0644};
	MUST_DO(cubby_setattr(box.store, attr.id,
			      CUBBY_SET_MTIME | CUBBY_SET_NOW | CUBBY_SET_MODE,
			      &set, &set));
	MUST_BE(set.mtime_ns, 9000);
	box_close(&box);
}

Test(files, a_store_for_reading_sets_nothing)
{
	const struct cubby_attr set = {.mode = 0};
	struct cubby_attr attr;
	struct cubby *store;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	attr = box_attr(&box, name_of(1));
	cubby_ns_close(box.ns);
	cubby_close(box.store);
	MUST_BE(cubby_open(box.path, CUBBY_READ_ONLY | CUBBY_DURABLE, &store),
		-EINVAL);
	MUST_DO(cubby_open(box.path, CUBBY_READ_ONLY, &store));
	MUST_BE(cubby_setattr(store, attr.id, CUBBY_SET_NOW | CUBBY_SET_MTIME,
			      &set, &attr),
		-EROFS);
	MUST_BE(cubby_make_room(store, 1), -EROFS);
	cubby_close(store);
	MUST_DO(cubby_open(box.path, 0, &box.store));
	MUST_DO(cubby_ns_open(box.store, "", &box.ns));
	box_close(&box);
}

/* ---------------------------------------------------------------- writing */

static ssize_t give_noise(void *cookie, void *buffer, size_t size)
{
	unsigned *left = cookie;

	if (*left == 0)
		return 0;
	--*left;
	sample_fill(SAMPLE_NOISE, *left, buffer, size);
	return (ssize_t)size;
}

/* Files may not be longer than the first frame. */
Test(files, a_writer_that_failed_goes_on_failing_and_adds_nothing)
{
	const struct rlimit small = {.rlim_cur = 100000,
				     .rlim_max = RLIM_INFINITY};
	const struct rlimit all = {.rlim_cur = RLIM_INFINITY,
				   .rlim_max = RLIM_INFINITY};
	uint8_t *data = sample_new(SAMPLE_NOISE, 4, 3 * FRAME);
	const struct cubby_key key = key_of(1);
	struct cubby_writer *writer;
	unsigned left = 3;
	struct box box;

	box_new(&box, "");
	MUST(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	MUST_DO(cubby_writer_open_name(box.ns, name_of(1), &writer));
	MUST(setrlimit(RLIMIT_FSIZE, &small) == 0);
	MUST_BE(cubby_writer_write(writer, data, 3 * FRAME), -EFBIG);
	MUST_BE(cubby_add_bytes(box.ns, &key, data, 3 * FRAME), -EFBIG);
	MUST_BE(cubby_add(box.ns, &key, give_noise, &left), -EFBIG);
	MUST(setrlimit(RLIMIT_FSIZE, &all) == 0);
	MUST_BE(cubby_writer_write(writer, data, 1), -EFBIG);
	MUST_BE(cubby_writer_commit(writer), -EFBIG);
	MUST(box_misses(&box, name_of(1)));
	MUST_BE(box_stats(&box).entries, 0);
	box_add(&box, name_of(1), data, 3 * FRAME);
	free(data);
	box_close(&box);
}
