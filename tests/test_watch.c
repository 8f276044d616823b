/* SPDX-License-Identifier: MIT */
/* Watches: what was taken away stays readable until its time. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(watch, .fini = scratch_end, .timeout = 60);

static const struct cubby_owner owner = {0644, 0, 0};

enum { ROOT = (int)CUBBY_ROOT_ID };

/* What a watch told: the last of it, and how many times. */
struct told {
	unsigned count;
	uint64_t id;
	uint64_t parent;
	char name[256];
};

static void told_one(void *cookie, uint64_t id, uint64_t parent,
		     const char *name)
{
	struct told *told = cookie;

	told->count++;
	told->id = id;
	told->parent = parent;
	(void)strcpy(told->name, name);
}

static bool entry_id_is(const struct box *box, uint64_t id, const void *data,
			size_t size)
{
	struct cubby_reader *reader;
	bool same;

	if (cubby_open_entry(box->store, id, &reader) < 0)
		return false;
	same = reader_is(reader, data, size);
	cubby_reader_close(reader);
	return same;
}

Test(watch, a_displaced_entry_is_told_of_and_readable_until_then)
{
	static const size_t sizes[] = {30, 300000};
	struct cubby_watch *watch;
	struct box box;
	struct box other;

	box_new(&box, "");
	box_open(&other, box.path, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	for (unsigned i = 0; i < 4; i++) {
		size_t size = sizes[i / 2];
		uint8_t *data = sample_new(SAMPLE_NOISE, i, size);
		struct told told = {0};
		struct cubby_attr attr;
		uint64_t id;

		box_add(&other, name_of(i), data, size);
		id = box_attr(&box, name_of(i)).id;
		MUST_DO(cubby_watch_poll(watch, told_one, &told));
		MUST_BE(told.count, 0);
		if (i % 2)
			box_delete(&other, name_of(i));
		else
			box_add(&other, name_of(i), "new", 3);
		MUST_BE(box_stats(&box).displaced, 1);
		MUST(entry_id_is(&box, id, data, size));
		MUST(entry_id_is(&other, id, data, size));
		MUST_DO(cubby_getattr(box.store, id, &attr));
		MUST_BE(attr.size, size);
		MUST_DO(cubby_watch_poll(watch, told_one, &told));
		MUST_BE(told.count, 1);
		MUST_BE(told.id, id);
		MUST_BE(told.parent, ROOT);
		MUST(strcmp(told.name, name_of(i)) == 0);
		MUST_DO(cubby_watch_poll(watch, told_one, &told));
		MUST_BE(told.count, 1);
		MUST_BE(box_stats(&box).displaced, 0);
		MUST_BE(cubby_getattr(box.store, id, &attr), -ENOENT);
		free(data);
	}
	cubby_watch_close(watch);
	box_close(&other);
	box_close(&box);
}

Test(watch, what_nobody_holds_is_purged_at_once_and_not_told_of)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 300000);
	struct cubby_watch *watch;
	struct told told = {0};
	struct cubby_attr attr;
	struct box box;
	uint64_t id[2];

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	for (unsigned i = 0; i < 2; i++) {
		box_add(&box, name_of(i), data, 300000);
		id[i] = box_attr(&box, name_of(i)).id;
	}
	cubby_watch_hold(watch, id[0]);
	MUST_DO(cubby_watch_confirm(watch, ROOT, name_of(0), id[0]));
	box_delete(&box, name_of(0));
	box_delete(&box, name_of(1));
	MUST(entry_id_is(&box, id[0], data, 300000));
	MUST_BE(cubby_getattr(box.store, id[1], &attr), -ENOENT);
	MUST_BE(box_stats(&box).displaced, 1);
	MUST_BE(cubby_watch_confirm(watch, ROOT, name_of(0), id[0]), -ESTALE);
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 1);
	MUST_BE(told.id, id[0]);

	/* Held twice, let go of once; then not held any more. */
	box_add(&box, name_of(2), "abc", 3);
	id[0] = box_attr(&box, name_of(2)).id;
	cubby_watch_hold(watch, id[0]);
	cubby_watch_hold(watch, id[0]);
	cubby_watch_release(watch, id[0]);
	box_add(&box, name_of(2), "def", 3);
	MUST_DO(cubby_getattr(box.store, id[0], &attr));
	id[0] = box_attr(&box, name_of(2)).id;
	cubby_watch_hold(watch, id[0]);
	cubby_watch_release(watch, id[0]);
	box_delete(&box, name_of(2));
	MUST_BE(cubby_getattr(box.store, id[0], &attr), -ENOENT);
	cubby_watch_close(watch);
	free(data);
	box_close(&box);
}

Test(watch, a_renamed_entry_and_directory_are_told_of_by_name)
{
	struct cubby_watch *watch;
	struct told told = {0};
	struct cubby_attr attr;
	struct box box;
	int fd;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_add(&box, name_of(1), "abc", 3);
	MUST_DO(cubby_mkdir(box.store, ROOT, "a", &owner, &attr));
	MUST_DO(cubby_create(box.store, ROOT, "t", &owner, &attr, &fd));
	MUST(close(fd) == 0);

	MUST_DO(cubby_rename(box.store, ROOT, name_of(1), ROOT, name_of(2), 0,
			     &attr));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 1);
	MUST_BE(told.id, 0);
	MUST_BE(told.parent, ROOT);
	MUST(strcmp(told.name, name_of(1)) == 0);
	MUST(box_has(&box, name_of(2), "abc", 3));

	MUST_DO(cubby_rename(box.store, ROOT, "a", ROOT, "b", 0, &attr));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 2);
	MUST_BE(told.id, 0);
	MUST(strcmp(told.name, "a") == 0);
	MUST_DO(cubby_lookup(box.store, ROOT, "b", &attr));

	/* A temporary file that is published is not news. */
	MUST_DO(cubby_rename(box.store, ROOT, "t", ROOT, name_of(3), 0, &attr));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 2);
	MUST_BE(box_stats(&box).displaced, 0);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watch, the_room_of_a_displaced_entry_is_given_back_after_the_poll)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 300000);
	struct cubby_watch *watch;
	struct told told = {0};
	char *blobs;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	blobs = text_new("%s/blobs", box.path);
	for (unsigned i = 0; i < 50; i++)
		box_add(&box, name_of(i), data, 300000);
	for (unsigned i = 0; i < 50; i++)
		box_delete(&box, name_of(i));
	MUST_BE(box_stats(&box).displaced, 50);
	MUST_BE(box_stats(&box).entries, 0);
	MUST_BE(files_below(blobs, NULL, 0), 50);
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 50);
	MUST_BE(box_stats(&box).displaced, 0);
	MUST_BE(files_below(blobs, NULL, 0), 0);
	cubby_watch_close(watch);
	free(blobs);
	free(data);
	box_close(&box);
}

/* Opens what it is told of: the way to keep it. */
struct keeper {
	struct box *box;
	struct cubby_reader *reader;
};

static void keep_one(void *cookie, uint64_t id, uint64_t parent,
		     const char *name)
{
	struct keeper *keeper = cookie;

	(void)parent;
	(void)name;
	MUST_DO(cubby_open_entry(keeper->box->store, id, &keeper->reader));
}

Test(watch, what_is_opened_when_told_stays_readable_after_the_purge)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 3000000);
	struct cubby_watch *watch;
	struct keeper keeper = {0};
	struct told told = {0};
	struct box box;

	box_new(&box, "");
	keeper.box = &box;
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_add(&box, name_of(1), data, 3000000);
	box_delete(&box, name_of(1));
	MUST_DO(cubby_watch_poll(watch, keep_one, &keeper));
	MUST(keeper.reader != NULL);
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 0);
	MUST_BE(box_stats(&box).displaced, 0);
	MUST(reader_is(keeper.reader, data, 3000000));
	cubby_reader_close(keeper.reader);
	cubby_watch_close(watch);
	free(data);
	box_close(&box);
}

/* Where a blob is damaged, its name may have gone to a good one. */
Test(watch, damage_of_what_was_replaced_leaves_the_new_version_alone)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 3000000);
	struct cubby_watch *watch;
	struct cubby_reader *reader;
	struct box box;
	char *blobs;
	char *blob;
	uint64_t id;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_add(&box, name_of(1), data, 3000000);
	id = box_attr(&box, name_of(1)).id;
	blobs = text_new("%s/blobs", box.path);
	MUST_BE(files_below(blobs, &blob, 1), 1);
	file_flip(blob, 1000);
	box_add(&box, name_of(1), data, 300000);
	MUST_DO(cubby_open_entry(box.store, id, &reader));
	MUST_BE(cubby_reader_read(reader, data + 300000, 2700000), -EBADMSG);
	cubby_reader_close(reader);
	MUST(box_has(&box, name_of(1), data, 300000));
	MUST_BE(box_stats(&box).quarantined, 0);
	cubby_watch_close(watch);
	free(blob);
	free(blobs);
	free(data);
	box_close(&box);
}

Test(watch, a_displaced_plain_file_is_told_of_as_well)
{
	struct cubby_watch *watch;
	struct told told = {0};
	struct cubby_attr attr;
	struct box box;
	int fd;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	MUST_DO(cubby_create(box.store, ROOT, "file", &owner, &attr, &fd));
	MUST_BE(write(fd, "abc", 3), 3);
	MUST(close(fd) == 0);
	MUST_DO(cubby_unlink(box.store, ROOT, "file"));
	MUST_DO(cubby_open_plain(box.store, attr.id, &fd));
	MUST(close(fd) == 0);
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(told.count, 1);
	MUST_BE(told.id, attr.id);
	MUST(strcmp(told.name, "file") == 0);
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(box_stats(&box).displaced, 0);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watch, two_watches_are_both_told_before_the_purge)
{
	struct cubby_watch *first;
	struct cubby_watch *second;
	struct told told = {0};
	struct box box;
	struct box other;
	uint64_t id;

	box_new(&box, "");
	box_open(&other, box.path, "");
	MUST_DO(cubby_watch_new(box.store, &first));
	cubby_watch_hold(first, 0);
	MUST_DO(cubby_watch_new(other.store, &second));
	cubby_watch_hold(second, 0);
	box_add(&box, name_of(1), "abc", 3);
	id = box_attr(&box, name_of(1)).id;
	box_delete(&box, name_of(1));
	MUST_DO(cubby_watch_poll(first, told_one, &told));
	MUST_BE(told.count, 1);
	MUST(entry_id_is(&box, id, "abc", 3));
	MUST_BE(box_stats(&box).displaced, 1);
	MUST_DO(cubby_watch_poll(second, told_one, &told));
	MUST_BE(told.count, 2);
	MUST_DO(cubby_watch_poll(first, told_one, &told));
	MUST_DO(cubby_watch_poll(second, told_one, &told));
	MUST_BE(told.count, 2);
	MUST_BE(box_stats(&box).displaced, 0);
	/* A watch that ends unpolled does not hold anything back. */
	box_add(&box, name_of(2), "abc", 3);
	box_delete(&box, name_of(2));
	cubby_watch_close(second);
	MUST_DO(cubby_watch_poll(first, told_one, &told));
	MUST_DO(cubby_watch_poll(first, told_one, &told));
	MUST_BE(box_stats(&box).displaced, 0);
	cubby_watch_close(first);
	box_close(&other);
	box_close(&box);
}

Test(watch, the_watch_of_a_killed_process_does_not_hold_back_the_purge)
{
	struct cubby_watch *watch;
	struct told told = {0};
	struct box box;
	int ready[2];
	char byte;
	pid_t pid;

	box_new(&box, "");
	MUST(pipe(ready) == 0);
	pid = fork_child();
	if (pid == 0) {
		struct box mine;

		box_open(&mine, box.path, "");
		MUST_DO(cubby_watch_new(mine.store, &watch));
		cubby_watch_hold(watch, 0);
		MUST(write(ready[1], "", 1) == 1);
		for (;;)
			(void)pause();
	}
	MUST(read(ready[0], &byte, 1) == 1);
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_add(&box, name_of(1), "abc", 3);
	box_delete(&box, name_of(1));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	/* The other one lives and has not polled. */
	MUST_BE(box_stats(&box).displaced, 1);
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, NULL, 0) == pid);
	box_add(&box, name_of(2), "abc", 3);
	box_delete(&box, name_of(2));
	MUST(WITHIN_MS(5000, cubby_watch_poll(watch, told_one, &told) == 0 &&
				     box_stats(&box).displaced == 0));
	MUST_BE(told.count, 2);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watch, what_a_killed_process_left_displaced_is_purged_by_others)
{
	struct box box;
	int ready[2];
	char byte;
	pid_t pid;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	MUST(pipe(ready) == 0);
	pid = fork_child();
	if (pid == 0) {
		struct cubby_watch *watch;
		struct box mine;

		box_open(&mine, box.path, "");
		MUST_DO(cubby_watch_new(mine.store, &watch));
		cubby_watch_hold(watch, 0);
		box_delete(&mine, name_of(1));
		MUST(write(ready[1], "", 1) == 1);
		for (;;)
			(void)pause();
	}
	MUST(read(ready[0], &byte, 1) == 1);
	MUST_BE(box_stats(&box).displaced, 1);
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, NULL, 0) == pid);
	MUST(WITHIN_MS(5000, (box_add(&box, name_of(2), "abc", 3),
			      box_delete(&box, name_of(2)),
			      box_stats(&box).displaced == 0)));
	box_close(&box);
}

/* Mounts that are killed again and again may not live until their first poll.
 */
Test(watch, a_new_watch_purges_of_what_killed_ones_have_left)
{
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 8; i++)
		box_leave_displaced(&box, 50, 3);
	cr_assert_leq(box_stats(&box).displaced, 50);
	box_close(&box);
}

Test(watch, one_poll_purges_all_that_killed_ones_have_left)
{
	struct cubby_watch *watch;
	struct told told = {0};
	struct box box;

	box_new(&box, "");
	box_leave_displaced(&box, 1000, 3);
	MUST_DO(cubby_watch_new(box.store, &watch));
	MUST_DO(cubby_watch_poll(watch, told_one, &told));
	MUST_BE(box_stats(&box).displaced, 0);
	MUST_BE(told.count, 0);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(watch, the_last_one_that_ends_leaves_nothing_displaced)
{
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_come_and_go(&box, 600, 3);
	MUST_BE(box_stats(&box).displaced, 600);
	cubby_watch_close(watch);
	MUST_BE(box_stats(&box).displaced, 0);
	box_close(&box);
}
