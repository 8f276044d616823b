/* SPDX-License-Identifier: MIT */
/*
 * One store, many doors: the library, the tool, the mount by rename, and the
 * mount by a direct write of the final name. What goes in by one comes out by
 * every other, byte for byte, and what is deleted by one is a miss at all.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(doors, .fini = scratch_end, .timeout = 120);

enum door { LIBRARY, TOOL, MOUNT_RENAME, MOUNT_DIRECT, DOOR_COUNT };
static const char *const door_names[] = {"library", "tool", "mount by rename",
					 "mount by cp"};

static const size_t sizes[] = {0,	  1,	 400,	    5000,
			       FRAME - 1, FRAME, FRAME + 1, 700000};
enum { SIZE_COUNT = sizeof(sizes) / sizeof(*sizes) };

/* Add with programs that know nothing of this project. */
static void door_add(const struct site *site, enum door door, const char *name,
		     const uint8_t *data, size_t size)
{
	char *source = scratch_path("source");
	char *path = text_new("%s", site_path(site, name));
	struct outcome outcome;

	file_write(source, data, size);
	switch (door) {
	case LIBRARY:
		box_add(&site->box, name, data, size);
		break;
	case TOOL:
		outcome = tool("add", site->box.path, name, data, size);
		MUST_BE(outcome.status, 0);
		outcome_free(&outcome);
		break;
	case MOUNT_RENAME:
		shell_do("cp '%s' '%s.tmp' && mv '%s.tmp' '%s'", source, path,
			 path, path);
		break;
	default:
		shell_do("cp '%s' '%s'", source, path);
	}
	free(source);
	free(path);
}

static bool door_has(const struct site *site, enum door door, const char *name,
		     const uint8_t *data, size_t size)
{
	struct outcome outcome;
	bool same;

	if (door == LIBRARY)
		return box_has(&site->box, name, data, size);
	if (door == TOOL) {
		outcome = tool("get", site->box.path, name, NULL, 0);
		MUST(outcome.status == 0 || outcome.status == 1);
		same = outcome.status == 0 && outcome.out_size == size &&
		       memcmp(outcome.out, data, size) == 0;
		outcome_free(&outcome);
		return same;
	}
	char *want = scratch_path("want");

	file_write(want, data, size);
	same = shell("cmp '%s' '%s'", want, site_path(site, name)) == 0;
	free(want);
	return same;
}

static bool door_misses(const struct site *site, enum door door,
			const char *name)
{
	struct outcome outcome;
	int status;

	if (door == LIBRARY)
		return box_misses(&site->box, name);
	if (door == TOOL) {
		outcome = tool("get", site->box.path, name, NULL, 0);
		status = outcome.status;
		outcome_free(&outcome);
		return status == 1;
	}
	return site_misses(site, name);
}

static void door_delete(const struct site *site, enum door door,
			const char *name)
{
	struct outcome outcome;

	if (door == LIBRARY) {
		box_delete(&site->box, name);
	} else if (door == TOOL) {
		outcome = tool("delete", site->box.path, name, NULL, 0);
		MUST_BE(outcome.status, 0);
		outcome_free(&outcome);
	} else {
		shell_do("rm '%s'", site_path(site, name));
	}
}

/* May `out` be late for what came in by `in`? Only a direct write is, and only
 * for other processes. */
static int lag_of_add(enum door in, enum door out)
{
	return in == MOUNT_DIRECT && out != MOUNT_RENAME ? LAG_MS : 0;
}

static void every_door_has(const struct site *site, enum door in,
			   const char *name, const uint8_t *data, size_t size,
			   int mount_lag)
{
	for (enum door out = LIBRARY; out <= MOUNT_RENAME; out++) {
		int lag = lag_of_add(in, out);

		if (out == MOUNT_RENAME && in < MOUNT_RENAME)
			lag = mount_lag;
		if (!WITHIN_MS(lag, door_has(site, out, name, data, size)))
			must_fail(__FILE__, __LINE__,
				  "%zu bytes added by the %s are not read back "
				  "by the %s",
				  size, door_names[in], door_names[out]);
	}
}

static void added_is_read(enum door in)
{
	struct site site;

	site_new(&site);
	for (unsigned i = 0; i < 2 * SIZE_COUNT; i++) {
		size_t size = sizes[i / 2];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);

		door_add(&site, in, name_of(i), data, size);
		every_door_has(&site, in, name_of(i), data, size, 0);
		free(data);
	}
	MUST_BE(box_stats(&site.box).entries, 2 * SIZE_COUNT);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	site_end(&site);
}

Test(doors, every_door_reads_at_once_what_the_library_adds)
{
	MOUNT_OR_SKIP();
	added_is_read(LIBRARY);
}

Test(doors, every_door_reads_at_once_what_the_tool_adds)
{
	MOUNT_OR_SKIP();
	added_is_read(TOOL);
}

Test(doors, every_door_reads_at_once_what_a_rename_on_the_mount_adds)
{
	MOUNT_OR_SKIP();
	added_is_read(MOUNT_RENAME);
}

Test(doors, every_door_reads_what_a_direct_write_on_the_mount_adds)
{
	MOUNT_OR_SKIP();
	added_is_read(MOUNT_DIRECT);
}

/* Replace it by each door, and read it by all after each. */
static void replaced_is_read(enum door first)
{
	struct site site;
	uint8_t *old = sample_new(SAMPLE_NOISE, 1000, 300000);

	site_new(&site);
	for (enum door in = LIBRARY; in < DOOR_COUNT; in++) {
		for (unsigned i = 0; i < 3; i++) {
			unsigned number = (unsigned)in * 10 + i;
			size_t size = sizes[i * 3 + 1];
			uint8_t *data = sample_new(SAMPLE_TEXT, number, size);

			door_add(&site, first, name_of(number), old, 300000);
			every_door_has(&site, first, name_of(number), old,
				       300000, 0);
			door_add(&site, in, name_of(number), data, size);
			every_door_has(&site, in, name_of(number), data, size,
				       LAG_MS);
			free(data);
		}
	}
	MUST_BE(box_stats(&site.box).entries, 12);
	MUST(WITHIN_MS(5000, box_stats(&site.box).displaced == 0));
	free(old);
	site_end(&site);
}

Test(doors, what_the_library_added_is_replaced_by_any_door)
{
	MOUNT_OR_SKIP();
	replaced_is_read(LIBRARY);
}

Test(doors, what_a_rename_on_the_mount_added_is_replaced_by_any_door)
{
	MOUNT_OR_SKIP();
	replaced_is_read(MOUNT_RENAME);
}

Test(doors, what_a_direct_write_added_is_replaced_by_any_door)
{
	MOUNT_OR_SKIP();
	replaced_is_read(MOUNT_DIRECT);
}

static void deleted_is_a_miss(enum door by)
{
	struct site site;

	site_new(&site);
	for (enum door in = LIBRARY; in < DOOR_COUNT; in++) {
		for (unsigned i = 0; i < 3; i++) {
			unsigned number = (unsigned)in * 10 + i;
			size_t size = sizes[i * 3 + 1];
			uint8_t *data = sample_new(SAMPLE_TEXT, number, size);

			door_add(&site, in, name_of(number), data, size);
			every_door_has(&site, in, name_of(number), data, size,
				       0);
			door_delete(&site, by, name_of(number));
			MUST(door_misses(&site, LIBRARY, name_of(number)));
			MUST(door_misses(&site, TOOL, name_of(number)));
			if (!WITHIN_MS(by == MOUNT_RENAME ? 0 : LAG_MS,
				       door_misses(&site, MOUNT_RENAME,
						   name_of(number))))
				must_fail(__FILE__, __LINE__,
					  "deleted by the %s, still on the "
					  "mount",
					  door_names[by]);
			free(data);
		}
	}
	MUST_BE(box_stats(&site.box).entries, 0);
	MUST(WITHIN_MS(5000, box_stats(&site.box).displaced == 0));
	site_end(&site);
}

Test(doors, what_the_library_deletes_is_a_miss_at_every_door)
{
	MOUNT_OR_SKIP();
	deleted_is_a_miss(LIBRARY);
}

Test(doors, what_the_tool_deletes_is_a_miss_at_every_door)
{
	MOUNT_OR_SKIP();
	deleted_is_a_miss(TOOL);
}

Test(doors, what_rm_deletes_on_the_mount_is_a_miss_at_every_door)
{
	MOUNT_OR_SKIP();
	deleted_is_a_miss(MOUNT_RENAME);
}

Test(doors, an_add_after_a_miss_is_seen_on_the_mount_within_its_time_out)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST(site_misses(&site, name_of(1)));
	MUST(site_misses(&site, name_of(1)));
	box_add(&site.box, name_of(1), "abc", 3);
	MUST(WITHIN_MS(LAG_MS,
		       file_is(site_path(&site, name_of(1)), "abc", 3)));
	/* What comes in by the mount itself is never late there. */
	MUST(site_misses(&site, name_of(2)));
	site_put(&site, name_of(2), "abc", 3);
	MUST(file_is(site_path(&site, name_of(2)), "abc", 3));
	MUST(site_misses(&site, name_of(3)));
	file_write(site_path(&site, name_of(3)), "abc", 3);
	MUST(file_is(site_path(&site, name_of(3)), "abc", 3));
	site_end(&site);
}

Test(doors, a_namespace_of_the_library_is_a_directory_of_the_mount)
{
	struct cubby_ns *ns;
	struct cubby_key key = key_of(1);
	struct cubby_reader *reader;
	struct site site;
	char *path;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST_DO(cubby_ns_open(site.box.store, "wazero-1/amd64", &ns));
	MUST_DO(cubby_add_bytes(ns, &key, "library", 7));
	path = text_new("wazero-1/amd64/%s", name_of(1));
	MUST(file_is(site_path(&site, path), "library", 7));
	site_put(&site, path, "mount", 5);
	MUST_DO(cubby_get(ns, &key, &reader));
	MUST(reader_is(reader, "mount", 5));
	cubby_reader_close(reader);
	cubby_ns_close(ns);

	shell_do("mkdir -p '%s/x/y'", site.mount.at);
	free(path);
	path = text_new("x/y/%s", name_of(1));
	site_put(&site, path, "deep", 4);
	MUST_DO(cubby_ns_open(site.box.store, "x/y", &ns));
	MUST_DO(cubby_get(ns, &key, &reader));
	MUST(reader_is(reader, "deep", 4));
	cubby_reader_close(reader);
	cubby_ns_close(ns);
	free(path);
	site_end(&site);
}

Test(doors, two_mounts_of_one_store_show_the_same)
{
	struct mounted second;
	struct site site;
	char *path;

	MOUNT_OR_SKIP();
	site_new(&site);
	mounted_start(&second, site.box.path, NULL);
	site_put(&site, name_of(1), "first", 5);
	path = text_new("%s/%s", second.at, name_of(1));
	MUST(file_is(path, "first", 5));
	site_put(&site, name_of(1), "second", 6);
	MUST(WITHIN_MS(LAG_MS, file_is(path, "second", 6)));
	MUST(unlink(path) == 0);
	MUST(WITHIN_MS(LAG_MS, site_misses(&site, name_of(1))));
	MUST(WITHIN_MS(5000, box_stats(&site.box).displaced == 0));
	free(path);
	mounted_stop(&second);
	site_end(&site);
}

Test(doors, a_rename_on_one_mount_is_seen_on_the_other)
{
	struct mounted second;
	struct site site;
	char *path;
	char *directory;

	MOUNT_OR_SKIP();
	site_new(&site);
	mounted_start(&second, site.box.path, NULL);
	site_put(&site, name_of(1), "first", 5);
	MUST(mkdir(site_path(&site, "a"), 0755) == 0);
	path = text_new("%s/%s", second.at, name_of(1));
	directory = text_new("%s/a", second.at);
	MUST(file_is(path, "first", 5));
	MUST(access(directory, F_OK) == 0);
	MUST(rename(site_path(&site, name_of(1)),
		    site_path(&site, name_of(2))) == 0);
	MUST(rename(site_path(&site, "a"), site_path(&site, "b")) == 0);
	MUST(WITHIN_MS(LAG_MS, access(path, F_OK) < 0 && errno == ENOENT));
	MUST(WITHIN_MS(LAG_MS, access(directory, F_OK) < 0 && errno == ENOENT));
	free(directory);
	free(path);
	mounted_stop(&second);
	site_end(&site);
}
