/* SPDX-License-Identifier: MIT */
/*
 * What cannot be opened: one clear error each, nothing made, nothing changed,
 * and no crash. The tool says each of them in one line.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "guardian.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(bad_stores, .fini = scratch_end, .timeout = 60);

/* `path` is refused with `want` by the library; by the tool with exit status 2
 * and one line. */
static void is_refused(const char *path, unsigned flags, int want)
{
	struct cubby *store = NULL;
	struct outcome outcome;

	MUST_BE(cubby_open(path, flags, &store), want);
	MUST(store == NULL);
	outcome = tool("get", path, name_of(1), NULL, 0);
	MUST_BE(outcome.status, 2);
	MUST_BE(outcome_error_lines(&outcome), 1);
	MUST_BE(outcome.out_size, 0);
	outcome_free(&outcome);
}

/* A store with three entries, closed; its path, to be freed. */
static char *some_store(void)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	struct box box;
	char *path;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "small", 5);
	box_add(&box, name_of(2), data, 400000);
	box_add(&box, name_of(3), data, 5000);
	path = text_new("%s", box.path);
	box_close(&box);
	free(data);
	return path;
}

static void still_has_its_entries(const char *path)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	struct box box;

	box_open(&box, path, "ns");
	MUST(box_has(&box, name_of(1), "small", 5));
	MUST(box_has(&box, name_of(2), data, 400000));
	MUST(box_has(&box, name_of(3), data, 5000));
	box_close(&box);
	free(data);
}

Test(bad_stores, a_missing_directory_is_no_store)
{
	char *path = scratch_path("missing");
	struct cubby *store;

	is_refused(path, 0, -ENOENT);
	is_refused(path, CUBBY_READ_ONLY, -ENOENT);
	MUST(access(path, F_OK) != 0);
	free(path);
	path = scratch_path("missing/too");
	MUST_BE(cubby_open(path, CUBBY_CREATE, &store), -ENOENT);
	free(path);
}

Test(bad_stores, an_empty_directory_is_no_store_but_may_become_one)
{
	char *path = scratch_dir("empty");
	struct box box;

	is_refused(path, 0, -ENOENT);
	is_refused(path, CUBBY_READ_ONLY, -ENOENT);
	MUST_BE(files_below(path, NULL, 0), 0);
	box_open(&box, path, "ns");
	box_add(&box, name_of(1), "x", 1);
	box_close(&box);
	free(path);
}

Test(bad_stores, a_file_is_no_store_and_stays_as_it_is)
{
	char *path = scratch_path("file");
	struct cubby *store;

	file_write(path, "precious", 8);
	is_refused(path, 0, -ENOTDIR);
	is_refused(path, CUBBY_CREATE, -ENOTDIR);
	is_refused(path, CUBBY_READ_ONLY, -ENOTDIR);
	MUST(file_is(path, "precious", 8));
	free(path);
	path = scratch_path("file/below");
	MUST_BE(cubby_open(path, CUBBY_CREATE, &store), -ENOTDIR);
	free(path);
}

Test(bad_stores, a_directory_with_other_things_is_refused_and_left_alone)
{
	char *path = scratch_dir("home");
	char *file = text_new("%s/thesis.tex", path);
	struct outcome outcome;
	struct cubby *store;

	file_write(file, "precious", 8);
	is_refused(path, CUBBY_CREATE, -ENOTEMPTY);
	MUST(cubby_open(path, 0, &store) < 0);
	outcome = tool("add", path, name_of(1), "x", 1);
	MUST_BE(outcome.status, 2);
	MUST_BE(outcome_error_lines(&outcome), 1);
	outcome_free(&outcome);
	MUST_BE(files_below(path, NULL, 0), 1);
	MUST(file_is(file, "precious", 8));
	free(file);
	free(path);
}

Test(bad_stores, unknown_flags_and_both_flags_are_refused)
{
	char *path = some_store();
	struct cubby *store = NULL;

	MUST_BE(cubby_open(path, CUBBY_CREATE | CUBBY_READ_ONLY, &store),
		-EINVAL);
	MUST_BE(cubby_open(path, CUBBY_DURABLE | CUBBY_READ_ONLY, &store),
		-EINVAL);
	MUST_BE(cubby_open(path, CUBBY_COMPRESS_LATER | CUBBY_READ_ONLY,
			   &store),
		-EINVAL);
	MUST_BE(cubby_open(path, 16, &store), -EINVAL);
	MUST_BE(cubby_open(path, 1U << 31, &store), -EINVAL);
	MUST(store == NULL);
	free(path);
}

Test(bad_stores, the_store_of_somebody_else_is_refused)
{
	char *path;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	path = some_store();
	MUST(chmod(scratch(), 0755) == 0);
	shell_do("chmod -R go-rwx '%s'", path);
	pid = fork_child();
	if (pid == 0) {
		MUST(setgroups(0, NULL) == 0);
		MUST(setresgid(65534, 65534, 65534) == 0);
		MUST(setresuid(65534, 65534, 65534) == 0);
		is_refused(path, 0, -EACCES);
		is_refused(path, CUBBY_CREATE, -EACCES);
		is_refused(path, CUBBY_READ_ONLY, -EACCES);
		_exit(0);
	}
	child_must_succeed(pid);
	still_has_its_entries(path);
	free(path);
}

Test(bad_stores, a_store_cannot_be_made_where_one_may_not_write)
{
	char *path;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	path = scratch_dir("closed");
	MUST(chmod(scratch(), 0755) == 0);
	pid = fork_child();
	if (pid == 0) {
		char *below = text_new("%s/store", path);
		struct cubby *store;

		MUST(setresuid(65534, 65534, 65534) == 0);
		MUST_BE(cubby_open(below, CUBBY_CREATE, &store), -EACCES);
		MUST_BE(cubby_open(path, CUBBY_CREATE, &store), -EACCES);
		free(below);
		_exit(0);
	}
	child_must_succeed(pid);
	MUST_BE(files_below(path, NULL, 0), 0);
	free(path);
}

Test(bad_stores, on_a_read_only_disk_a_store_can_be_read)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	struct outcome outcome;
	struct cubby *store;
	struct box box;
	char *path;
	char *at;

	if (geteuid() != 0)
		cr_skip_test("only root can mount a directory read-only");
	path = some_store();
	at = scratch_dir("disk");
	guardian_mount(at);
	if (mount(path, at, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
		cr_skip_test("a bind mount is not allowed here");

	MUST_BE(cubby_open(at, 0, &store), -EROFS);
	MUST_BE(cubby_open(at, CUBBY_CREATE, &store), -EROFS);
	MUST_DO(cubby_open(at, CUBBY_READ_ONLY, &box.store));
	MUST_DO(cubby_ns_open(box.store, "ns", &box.ns));
	MUST(box_has(&box, name_of(1), "small", 5));
	MUST(box_has(&box, name_of(2), data, 400000));
	MUST_BE(box_try_add(&box, name_of(4), "x", 1), -EROFS);
	cubby_ns_close(box.ns);
	cubby_close(box.store);

	char *entry = text_new("ns/%s", name_of(1));
	outcome = tool("get", at, entry, NULL, 0);
	MUST_BE(outcome.status, 0);
	MUST_BE(outcome.out_size, 5);
	outcome_free(&outcome);
	outcome = tool("add", at, entry, "x", 1);
	MUST_BE(outcome.status, 2);
	MUST_BE(outcome_error_lines(&outcome), 1);
	outcome_free(&outcome);
	free(entry);

	MUST(umount(at) == 0);
	still_has_its_entries(path);
	free(data);
	free(path);
	free(at);
}

Test(bad_stores, a_new_store_is_not_made_on_a_read_only_disk)
{
	struct cubby *store;
	char *path;
	char *below;

	if (geteuid() != 0)
		cr_skip_test("only root can mount a directory read-only");
	path = scratch_dir("disk");
	guardian_mount(path);
	if (mount(path, path, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		cr_skip_test("a bind mount is not allowed here");
	below = text_new("%s/store", path);
	MUST_BE(cubby_open(below, CUBBY_CREATE, &store), -EROFS);
	MUST_BE(cubby_open(path, CUBBY_CREATE, &store), -EROFS);
	MUST(umount(path) == 0);
	free(below);
	free(path);
}

/* The data file of a store's index; to be freed. */
static char *index_file(const char *path)
{
	char *index = text_new("%s/index", path);
	char *files[8];
	char *largest = NULL;
	size_t largest_size = 0;
	size_t count = files_below(index, files, 8);

	for (size_t i = 0; i < count && i < 8; i++) {
		struct stat st;

		MUST(stat(files[i], &st) == 0);
		if (!largest || (size_t)st.st_size > largest_size) {
			free(largest);
			largest = files[i];
			largest_size = (size_t)st.st_size;
		} else {
			free(files[i]);
		}
	}
	MUST(largest != NULL);
	free(index);
	return largest;
}

/* The index says its format as "cubbyidx", a version of two bytes, a byte of
 * incompatible and one of compatible features: see core/FORMAT.md. Put `value`
 * at `offset` of it, wherever a page has it. */
static void format_poke(const char *path, size_t offset, uint8_t value)
{
	char *file = index_file(path);
	size_t size;
	uint8_t *bytes = file_read(file, &size);
	unsigned found = 0;

	MUST(bytes != NULL);
	for (size_t i = 0; i + 16 <= size; i++) {
		if (memcmp(bytes + i, "cubbyidx", 8) == 0) {
			bytes[i + offset] = value;
			found++;
		}
	}
	MUST(found > 0);
	file_write(file, bytes, size);
	free(bytes);
	free(file);
}

Test(bad_stores, a_store_of_a_newer_version_is_refused_and_not_touched)
{
	/* The version, and a feature that must be known to read. */
	static const size_t offsets[] = {8, 10};

	for (unsigned i = 0; i < 2; i++) {
		char *path = some_store();
		char *file = index_file(path);
		uint8_t now = i == 0 ? 2 : 0;
		uint8_t *before;
		size_t size;

		format_poke(path, offsets[i], now + 1);
		before = file_read(file, &size);
		is_refused(path, 0, -EPROTONOSUPPORT);
		is_refused(path, CUBBY_CREATE, -EPROTONOSUPPORT);
		is_refused(path, CUBBY_READ_ONLY, -EPROTONOSUPPORT);
		MUST(file_is(file, before, size));
		format_poke(path, offsets[i], now);
		still_has_its_entries(path);
		free(before);
		free(file);
		free(path);
	}
}

Test(bad_stores, a_feature_that_is_not_needed_to_read_allows_reading)
{
	char *path = some_store();
	struct cubby *store;
	struct box box;

	format_poke(path, 11, 1);
	MUST_DO(cubby_open(path, CUBBY_READ_ONLY, &box.store));
	MUST_DO(cubby_ns_open(box.store, "ns", &box.ns));
	MUST(box_has(&box, name_of(1), "small", 5));
	cubby_ns_close(box.ns);
	cubby_close(box.store);
	MUST_BE(cubby_open(path, 0, &store), -EPROTONOSUPPORT);
	free(path);
}

Test(bad_stores, an_index_that_is_not_one_is_damage)
{
	char *path = some_store();
	char *file = index_file(path);
	uint8_t *noise = sample_new(SAMPLE_NOISE, 1, 200000);

	file_write(file, noise, 200000);
	is_refused(path, 0, -EBADMSG);
	is_refused(path, CUBBY_CREATE, -EBADMSG);
	is_refused(path, CUBBY_READ_ONLY, -EBADMSG);
	free(noise);
	free(file);
	free(path);
}

/* Whatever is answered, it is no crash and no wrong byte. */
static void is_refused_or_right(const char *path)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 400000);
	pid_t pid = fork_child();

	if (pid == 0) {
		struct box box;
		uint8_t *got;
		size_t size;

		if (cubby_open(path, 0, &box.store) < 0)
			_exit(0);
		MUST_DO(cubby_ns_open(box.store, "ns", &box.ns));
		for (unsigned i = 1; i <= 3; i++) {
			size_t want = i == 1 ? 5 : i == 2 ? 400000 : 5000;

			if (box_get(&box, name_of(i), &got, &size) < 0)
				continue;
			MUST_BE(size, want);
			MUST(!memcmp(got, i == 1 ? (const void *)"small" : data,
				     want));
			free(got);
		}
		cubby_ns_close(box.ns);
		cubby_close(box.store);
		_exit(0);
	}
	child_must_succeed(pid);
	free(data);
}

Test(bad_stores, an_index_that_was_cut_off_is_no_crash)
{
	static const unsigned keep[] = {0, 1, 4095, 4096, 8192, 12288, 20480};

	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++) {
		char *path = some_store();
		char *file = index_file(path);

		MUST(truncate(file, keep[i]) == 0);
		is_refused_or_right(path);
		free(file);
		free(path);
	}
}

Test(bad_stores, an_index_that_lost_its_end_is_damage)
{
	char *path = some_store();
	char *file = index_file(path);
	struct stat st;

	MUST(stat(file, &st) == 0);
	MUST(st.st_size > 12288);
	MUST(truncate(file, 12288) == 0);
	is_refused(path, 0, -EBADMSG);
	free(file);
	free(path);
}
