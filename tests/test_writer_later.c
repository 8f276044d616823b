/* SPDX-License-Identifier: MIT */
/* Adds by the library that do not wait for the compressor. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(writer_later, .fini = scratch_end, .timeout = 120);

enum { SIZE = 300000, MANY = 24, NICENESS = 10 };

static void open_later(struct box *box, const char *path, unsigned flags)
{
	box->path = text_new("%s", path);
	box->space = text_new("ns");
	MUST_DO(cubby_open(path, CUBBY_CREATE | CUBBY_COMPRESS_LATER | flags,
			   &box->store));
	MUST_DO(cubby_ns_open(box->store, "ns", &box->ns));
}

static void new_later(struct box *box)
{
	char *path = scratch_path("later");

	open_later(box, path, 0);
	free(path);
}

/* Compress all that is queued, and go on without the flag. */
static void finish(struct box *box)
{
	box_reopen(box);
}

static size_t files_in(const struct box *box, const char *directory)
{
	char *path = text_new("%s/%s", box->path, directory);
	size_t count = files_below(path, NULL, 0);

	free(path);
	return count;
}

static bool is_raw(const struct box *box, unsigned number)
{
	struct cubby_attr attr = box_attr(box, name_of(number));

	return attr.stored_size >= attr.size;
}

static void expect_sound(const struct box *box)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, 0, NULL, NULL, &summary));
	MUST_BE(summary.findings, 0);
	MUST_BE(box_stats(box).quarantined, 0);
	MUST_BE(files_in(box, "drafts"), 0);
}

/* -------------------------------------------------------------------- adds */

static int add_in_pieces(const struct box *box, unsigned number,
			 const uint8_t *data, size_t size, size_t piece)
{
	struct cubby_writer *writer;

	MUST_DO(cubby_writer_open_name(box->ns, name_of(number), &writer));
	for (size_t at = 0; at < size; at += piece)
		MUST_DO(cubby_writer_write(writer, data + at,
					   size - at < piece ? size - at
							     : piece));
	return cubby_writer_commit(writer);
}

Test(writer_later, what_is_added_is_right_at_once_and_when_it_is_compressed)
{
	static const size_t sizes[] = {8161,   20000,  131072, 131073,
				       262144, 500000, 3000000};
	static const size_t pieces[] = {1000, 131072, 200000, 3000000};
	struct cubby_attr before[28];
	uint8_t *data[7];
	struct box box;

	new_later(&box);
	for (unsigned i = 0; i < 28; i++) {
		const size_t size = sizes[i % 7];

		if (i < 7)
			data[i] = sample_new(SAMPLE_TEXT, i, size);
		MUST_DO(add_in_pieces(&box, i, data[i % 7], size,
				      pieces[i / 7]));
		before[i] = box_attr(&box, name_of(i));
		MUST(box_has(&box, name_of(i), data[i % 7], size));
	}
	finish(&box);
	for (unsigned i = 0; i < 28; i++) {
		struct cubby_attr attr = box_attr(&box, name_of(i));

		MUST(attr.stored_size < sizes[i % 7] / 2);
		MUST_BE(attr.id, before[i].id);
		MUST_BE(attr.size, sizes[i % 7]);
		MUST_BE(attr.mtime_ns, before[i].mtime_ns);
		MUST(box_has(&box, name_of(i), data[i % 7], sizes[i % 7]));
	}
	expect_sound(&box);
	for (unsigned i = 0; i < 7; i++)
		free(data[i]);
	box_close(&box);
}

Test(writer_later, every_way_to_add_leaves_it_to_later)
{
	struct sample_stream stream = {.seed = 1, .size = SIZE};
	struct cubby_key key = key_of(1);
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_later_begin(box.store, 2 * SIZE));
	MUST_DO(cubby_add(box.ns, &key, sample_stream_read, &stream));
	MUST(is_raw(&box, 1));
	key = key_of(2);
	MUST_DO(cubby_add_bytes(box.ns, &key, data, SIZE));
	MUST(is_raw(&box, 2));
	/* What is small stays as it always was. */
	box_add(&box, name_of(3), data, 8000);
	MUST(!is_raw(&box, 3));
	box_add(&box, name_of(4), data, 0);
	cubby_later_end(box.store);
	MUST_BE(cubby_later_run(box.store), 1);
	MUST_BE(cubby_later_run(box.store), 1);
	MUST_BE(cubby_later_run(box.store), 0);
	MUST(!is_raw(&box, 2));
	expect_sound(&box);
	free(data);
	box_close(&box);
}

Test(writer_later, what_does_not_compress_is_tried_once)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, SIZE);
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_later_begin(box.store, 2 * SIZE));
	box_add(&box, name_of(1), data, SIZE);
	cubby_later_end(box.store);
	MUST_BE(cubby_later_run(box.store), 1);
	MUST_BE(cubby_later_run(box.store), 0);
	MUST(is_raw(&box, 1));
	MUST(box_has(&box, name_of(1), data, SIZE));
	/* Without room it is seen at once, and not queued. */
	box_add(&box, name_of(2), data, SIZE);
	MUST_BE(cubby_later_run(box.store), 0);
	MUST(box_has(&box, name_of(2), data, SIZE));
	MUST_BE(files_in(&box, "blobs"), 2);
	expect_sound(&box);
	free(data);
	box_close(&box);
}

/* -------------------------------------------------------------------- room */

Test(writer_later, without_room_it_is_compressed_at_once)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct cubby_writer *writer;
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_later_begin(box.store, 2 * SIZE));
	/* What is not added takes no room. */
	MUST_DO(cubby_writer_open_name(box.ns, name_of(9), &writer));
	MUST_DO(cubby_writer_write(writer, data, SIZE));
	MUST_BE(files_in(&box, "blobs"), 1);
	cubby_writer_abort(writer);
	MUST_BE(files_in(&box, "blobs"), 0);
	for (unsigned i = 0; i < 4; i++) {
		box_add(&box, name_of(i), data, SIZE);
		MUST_BE(is_raw(&box, i), i < 2);
	}
	MUST_BE(cubby_later_run(box.store), 1);
	box_add(&box, name_of(4), data, SIZE);
	MUST(is_raw(&box, 4));
	cubby_later_end(box.store);
	box_add(&box, name_of(5), data, SIZE);
	MUST(!is_raw(&box, 5));
	while (cubby_later_run(box.store) > 0)
		continue;
	for (unsigned i = 0; i < 6; i++) {
		MUST(!is_raw(&box, i));
		MUST(box_has(&box, name_of(i), data, SIZE));
	}
	expect_sound(&box);
	free(data);
	box_close(&box);
}

/* Nobody knows how much comes. */
Test(writer_later, what_is_longer_than_the_room_is_compressed_after_all)
{
	static const size_t pieces[] = {1000, 131072, 300000};
	static const size_t sizes[] = {131073, 262144, 400000, 2000000};
	struct box box;

	box_new(&box, "ns");
	MUST_DO(cubby_later_begin(box.store, 131072));
	for (unsigned i = 0; i < 24; i++) {
		const enum sample_kind kind =
			i < 12 ? SAMPLE_TEXT : SAMPLE_NOISE;
		const size_t size = sizes[i % 4];
		uint8_t *data = sample_new(kind, i, size);

		MUST_DO(add_in_pieces(&box, i, data, size, pieces[i / 4 % 3]));
		MUST_BE(is_raw(&box, i), kind == SAMPLE_NOISE);
		MUST(box_has(&box, name_of(i), data, size));
		free(data);
	}
	MUST_BE(files_in(&box, "blobs"), 24);
	expect_sound(&box);
	/* And there is room for what fits. */
	cubby_later_end(box.store);
	MUST_BE(cubby_later_run(box.store), 0);
	box_close(&box);
}

Test(writer_later, a_limit_lets_in_what_fits_when_it_is_compressed)
{
	static const size_t sizes[] = {150 * FRAME, 150 * FRAME - 5000};
	const struct cubby_quota quota = {.quota = 60000};
	struct box box;

	new_later(&box);
	box_limit(&box, 16 * 1024 * 1024);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *data = sample_new(SAMPLE_TEXT, i, sizes[i]);

		MUST_DO(add_in_pieces(&box, i, data, sizes[i], FRAME));
		MUST(!is_raw(&box, i));
		MUST(box_has(&box, name_of(i), data, sizes[i]));
		box_delete(&box, name_of(i));
		MUST_DO(add_in_pieces(&box, i, data, sizes[i], sizes[i]));
		MUST(box_has(&box, name_of(i), data, sizes[i]));
		box_delete(&box, name_of(i));
		free(data);
	}
	MUST_DO(cubby_set_quota(box.store, "ns", &quota));
	uint8_t *data = sample_new(SAMPLE_TEXT, 7, 100000);

	box_add(&box, name_of(7), data, 100000);
	MUST(box_has(&box, name_of(7), data, 100000));
	free(data);
	data = sample_new(SAMPLE_NOISE, 8, 100000);
	MUST_BE(box_try_add(&box, name_of(8), data, 100000), -EFBIG);
	free(data);
	MUST_BE(files_in(&box, "blobs"), 1);
	finish(&box);
	expect_sound(&box);
	box_close(&box);
}

/* ------------------------------------------------------------------ thread */

/* Threads of this process, and how many of them are nice. */
static unsigned count_threads(unsigned *ret_nice)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	unsigned count = 0;

	MUST(tasks != NULL);
	*ret_nice = 0;
	while ((task = readdir(tasks))) {
		if (task->d_name[0] == '.')
			continue;
		count++;
		*ret_nice += getpriority(PRIO_PROCESS,
					 (id_t)atoi(task->d_name)) == NICENESS;
	}
	MUST(closedir(tasks) == 0);
	return count;
}

Test(writer_later, the_thread_comes_with_the_first_entry_and_ends_at_close)
{
	enum { ONE_FRAME = 50000 };
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, ONE_FRAME);
	unsigned usual, nice;
	struct box box;
	char *path;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, ONE_FRAME);
	usual = count_threads(&nice);
	path = text_new("%s", box.path);
	box_close(&box);
	open_later(&box, path, 0);
	MUST_BE(cubby_later_begin(box.store, 1 << 20), -EBUSY);
	MUST(box_has(&box, name_of(1), data, ONE_FRAME));
	MUST(count_threads(&nice) <= usual);
	box_add(&box, name_of(2), data, ONE_FRAME);
	/* It compresses without being asked. */
	MUST(WITHIN_MS(30000, !is_raw(&box, 2)));
	(void)count_threads(&nice);
	MUST_BE(nice, 1);
	MUST(box_has(&box, name_of(2), data, ONE_FRAME));
	box_close(&box);
	(void)count_threads(&nice);
	MUST_BE(nice, 0);
	free(path);
	free(data);
}

struct adder {
	const struct box *box;
	const uint8_t *data;
	unsigned first;
	int error;
};

static void *add_many(void *arg)
{
	struct adder *adder = arg;

	for (unsigned i = 0; i < MANY && adder->error == 0; i++)
		adder->error =
			box_try_add(adder->box, name_of(adder->first + i),
				    adder->data, SIZE + i);
	return NULL;
}

Test(writer_later, threads_add_and_the_close_waits_for_all)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE + MANY);
	struct adder adders[3];
	pthread_t threads[3];
	struct box box;

	new_later(&box);
	for (unsigned i = 0; i < 3; i++) {
		adders[i] = (struct adder){&box, data, i * MANY, 0};
		MUST(pthread_create(&threads[i], NULL, add_many, &adders[i]) ==
		     0);
	}
	for (unsigned i = 0; i < 3; i++) {
		(void)pthread_join(threads[i], NULL);
		MUST_DO(adders[i].error);
	}
	finish(&box);
	for (unsigned i = 0; i < 3 * MANY; i++) {
		MUST(!is_raw(&box, i));
		MUST(box_has(&box, name_of(i), data, SIZE + i % MANY));
	}
	expect_sound(&box);
	free(data);
	box_close(&box);
}

Test(writer_later, it_goes_with_durable_and_not_with_read_only)
{
	const unsigned flags = CUBBY_READ_ONLY | CUBBY_COMPRESS_LATER;
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct cubby *store;
	struct box box;
	char *path = scratch_path("durable");

	open_later(&box, path, CUBBY_DURABLE);
	box_add(&box, name_of(1), data, SIZE);
	MUST(is_raw(&box, 1));
	MUST(box_has(&box, name_of(1), data, SIZE));
	MUST_BE(cubby_open(path, flags, &store), -EINVAL);
	MUST_BE(cubby_open(path, 16, &store), -EINVAL);
	finish(&box);
	MUST(!is_raw(&box, 1));
	MUST(box_has(&box, name_of(1), data, SIZE));
	expect_sound(&box);
	free(path);
	free(data);
	box_close(&box);
}

/* --------------------------------------------------------------- processes */

_Noreturn static void child_of_fork(struct box *box, struct cubby_writer *begun,
				    const uint8_t *data)
{
	struct box mine;

	MUST_BE(box_try_add(box, name_of(1), data, SIZE), -ECHILD);
	MUST_BE(cubby_later_run(box->store), -ECHILD);
	cubby_writer_abort(begun);
	open_later(&mine, box->path, 0);
	box_add(&mine, name_of(2), data, SIZE);
	box_close(&mine);
	/* Does not wait for the thread, which is the parent's. */
	box_close(box);
	_exit(0);
}

Test(writer_later, the_thread_is_not_the_childs_after_a_fork)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct cubby_writer *begun;
	struct box box;

	new_later(&box);
	for (unsigned i = 0; i < 40; i++) {
		pid_t pid;

		box_add(&box, name_of(10 + i), data, SIZE);
		MUST_DO(cubby_writer_open_name(box.ns, name_of(3), &begun));
		MUST_DO(cubby_writer_write(begun, data, SIZE));
		/* While the thread waits, or works. */
		(void)usleep(i * 5000);
		pid = fork_child();
		if (pid == 0)
			child_of_fork(&box, begun, data);
		child_must_succeed(pid);
		MUST_DO(cubby_writer_commit(begun));
	}
	finish(&box);
	for (unsigned i = 0; i < 40; i++) {
		MUST(!is_raw(&box, 10 + i));
		MUST(box_has(&box, name_of(10 + i), data, SIZE));
	}
	MUST(!is_raw(&box, 2) && !is_raw(&box, 3));
	expect_sound(&box);
	free(data);
	box_close(&box);
}

/* Kill it at many instants: every entry is there, compressed or not. */
Test(writer_later, a_killed_process_loses_no_entry)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	char *path = scratch_path("killed");
	unsigned packed = 0;
	struct box box;

	for (int round = 0; round < 40; round++) {
		int ends[2];
		char byte;
		pid_t pid;

		MUST(pipe(ends) == 0);
		pid = fork_child();
		if (pid == 0) {
			open_later(&box, path, 0);
			for (unsigned i = 0; i < MANY; i++)
				box_add(&box, name_of(i), data, SIZE);
			MUST_BE(write(ends[1], "", 1), 1);
			for (;;)
				pause();
		}
		(void)close(ends[1]);
		MUST_BE(read(ends[0], &byte, 1), 1);
		(void)close(ends[0]);
		(void)usleep((useconds_t)(50000 + round * 4000));
		MUST(kill(pid, SIGKILL) == 0);
		MUST(waitpid(pid, NULL, 0) == pid);

		box_open(&box, path, "ns");
		for (unsigned i = 0; i < MANY; i++) {
			MUST(box_has(&box, name_of(i), data, SIZE));
			packed += !is_raw(&box, i);
		}
		MUST_BE(box_stats(&box).quarantined, 0);
		MUST_BE(box_stats(&box).entries, MANY);
		box_close(&box);
	}
	/* Some rounds ended in the middle. */
	MUST(packed > 0 && packed < 40 * MANY);
	free(path);
	free(data);
}
