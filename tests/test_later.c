/* SPDX-License-Identifier: MIT */
/* Published as it is, and compressed later: the entry is right all the time. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(later, .fini = scratch_end, .timeout = 120);

static const struct cubby_owner owner = {0644, 0, 0};

enum { ROOT = (int)CUBBY_ROOT_ID, SIZE = 300000, MANY = 24 };
enum { SMALL = 17000, VERY_MANY = 2000 }; /* it ends in the index */
static const uint64_t room = 64 * 1024 * 1024;

/* Add as a mount does: make a temporary file, write, rename. */
static void add(struct box *box, unsigned number, const uint8_t *data,
		size_t size)
{
	struct cubby_attr attr;
	int fd;

	MUST_DO(cubby_create(box->store, ROOT, "t", &owner, &attr, &fd));
	MUST_BE(write(fd, data, size), size);
	MUST_DO(cubby_rename(box->store, ROOT, "t", ROOT, name_of(number), 0,
			     &attr));
	MUST(close(fd) == 0);
}

static size_t blob_count(const struct box *box)
{
	char *blobs = text_new("%s/blobs", box->path);
	size_t count = files_below(blobs, NULL, 0);

	free(blobs);
	return count;
}

static size_t draft_count(const struct box *box)
{
	char *drafts = text_new("%s/drafts", box->path);
	size_t count = files_below(drafts, NULL, 0);

	free(drafts);
	return count;
}

/* Compress all that is queued. Nothing is queued after that. */
static void run_all(struct box *box)
{
	int r;

	cubby_later_end(box->store);
	while ((r = cubby_later_run(box->store)) > 0)
		continue;
	MUST_BE(r, 0);
}

Test(later, what_is_compressed_later_keeps_its_id_and_its_bytes)
{
	static const size_t sizes[] = {16400, 30000, 131072, 131073, 3000000};
	struct cubby_attr before[5];
	uint8_t *data[5];
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_later_begin(box.store, room));
	MUST_BE(cubby_later_begin(box.store, room), -EBUSY);
	for (unsigned i = 0; i < 5; i++) {
		data[i] = sample_new(SAMPLE_TEXT, i, sizes[i]);
		add(&box, i, data[i], sizes[i]);
		before[i] = box_attr(&box, name_of(i));
		MUST(before[i].stored_size > sizes[i]);
		MUST(box_has(&box, name_of(i), data[i], sizes[i]));
	}
	MUST_BE(blob_count(&box), 5);
	run_all(&box);
	for (unsigned i = 0; i < 5; i++) {
		struct cubby_attr attr = box_attr(&box, name_of(i));

		MUST(attr.stored_size < sizes[i] / 2);
		MUST_BE(attr.id, before[i].id);
		MUST_BE(attr.size, sizes[i]);
		MUST_BE(attr.mtime_ns, before[i].mtime_ns);
		MUST(box_has(&box, name_of(i), data[i], sizes[i]));
	}
	/* The first two are small enough for the index now. */
	MUST_BE(blob_count(&box), 3);
	MUST_BE(draft_count(&box), 0);
	box_reopen(&box);
	for (unsigned i = 0; i < 5; i++) {
		MUST(box_has(&box, name_of(i), data[i], sizes[i]));
		free(data[i]);
	}
	box_close(&box);
}

Test(later, totals_are_those_of_what_is_stored)
{
	struct cubby_stats stats;
	uint64_t stored = 0;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_later_begin(box.store, room));
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t *data =
			sample_new(i % 3 ? SAMPLE_TEXT : SAMPLE_NOISE, i, SIZE);

		add(&box, i, data, SIZE);
		free(data);
	}
	run_all(&box);
	for (unsigned i = 0; i < MANY; i++)
		stored += box_attr(&box, name_of(i)).stored_size;
	stats = box_stats(&box);
	MUST_BE(stats.entries, MANY);
	MUST_BE(stats.raw_bytes, MANY * SIZE);
	MUST_BE(stats.stored_bytes, stored);
	MUST_BE(blob_count(&box), MANY);
	box_close(&box);
}

Test(later, without_room_it_is_compressed_at_once)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_later_begin(box.store, 2 * SIZE));
	for (unsigned i = 0; i < 4; i++)
		add(&box, i, data, SIZE);
	for (unsigned i = 0; i < 4; i++)
		MUST((box_attr(&box, name_of(i)).stored_size > SIZE) ==
		     (i < 2));
	/* What has been compressed makes room again. */
	MUST_BE(cubby_later_run(box.store), 1);
	add(&box, 4, data, SIZE);
	MUST(box_attr(&box, name_of(4)).stored_size > SIZE);
	run_all(&box);
	add(&box, 5, data, SIZE);
	for (unsigned i = 0; i < 6; i++) {
		MUST(box_attr(&box, name_of(i)).stored_size < SIZE);
		MUST(box_has(&box, name_of(i), data, SIZE));
	}
	free(data);
	box_close(&box);
}

/* What happened to an entry between its publishing and its turn. */
Test(later, what_is_deleted_replaced_or_renamed_meanwhile_is_let_be)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	uint8_t *other = sample_new(SAMPLE_TEXT, 2, SIZE / 2);
	struct cubby_attr attr;
	struct box box;
	int fd;

	box_new(&box, "");
	MUST_DO(cubby_later_begin(box.store, room));
	for (unsigned i = 0; i < 5; i++)
		add(&box, i, data, SIZE);
	MUST_DO(cubby_unlink(box.store, ROOT, name_of(0)));
	add(&box, 1, other, SIZE / 2);
	MUST_DO(cubby_rename(box.store, ROOT, name_of(2), ROOT, name_of(7), 0,
			     &attr));
	MUST_DO(cubby_rename(box.store, ROOT, name_of(3), ROOT, "plain", 0,
			     &attr));
	/* To a plain file, changed, and back: the id is the same. */
	MUST_DO(cubby_rename(box.store, ROOT, name_of(4), ROOT, "p", 0, &attr));
	MUST_DO(cubby_open_plain(box.store, attr.id, &fd));
	MUST_BE(pwrite(fd, other, 1000, 0), 1000);
	MUST(close(fd) == 0);
	MUST_DO(cubby_rename(box.store, ROOT, "p", ROOT, name_of(4), 0, &attr));
	run_all(&box);

	MUST(box_misses(&box, name_of(0)));
	MUST(box_has(&box, name_of(1), other, SIZE / 2));
	MUST(box_misses(&box, name_of(2)));
	MUST(box_has(&box, name_of(7), data, SIZE));
	MUST_DO(cubby_lookup(box.store, ROOT, "plain", &attr));
	MUST_BE(attr.kind, CUBBY_PLAIN);
	MUST_BE(attr.size, SIZE);
	memcpy(data, other, 1000);
	MUST(box_has(&box, name_of(4), data, SIZE));
	MUST_BE(blob_count(&box), 3);
	MUST_BE(draft_count(&box), 1);
	MUST_BE(box_stats(&box).quarantined, 0);
	free(data);
	free(other);
	box_close(&box);
}

Test(later, who_has_it_open_reads_on)
{
	const size_t size = 5000000; /* its file is kept open */
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, size);
	struct cubby_reader *reader;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_later_begin(box.store, room));
	add(&box, 1, data, size);
	MUST_DO(cubby_open_entry(box.store, box_attr(&box, name_of(1)).id,
				 &reader));
	run_all(&box);
	MUST(reader_is(reader, data, size));
	cubby_reader_close(reader);
	free(data);
	box_close(&box);
}

Test(later, damage_found_while_compressing_is_a_miss)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	char *blobs, *file;
	struct box box;

	box_new(&box, "");
	blobs = text_new("%s/blobs", box.path);
	MUST_DO(cubby_later_begin(box.store, room));
	add(&box, 1, data, SIZE);
	MUST_BE(files_below(blobs, &file, 1), 1);
	file_flip(file, SIZE / 2);
	run_all(&box);
	MUST(box_misses(&box, name_of(1)));
	MUST_BE(box_stats(&box).quarantined, 1);
	free(file);
	free(blobs);
	free(data);
	box_close(&box);
}

/* The raw file is damaged when the entry is no longer read from there. */
Test(later, damage_of_what_was_replaced_does_not_hurt_the_entry)
{
	const size_t size = 5000000; /* its file is kept open */
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, size);
	struct cubby_reader *reader;
	char *blobs, *file;
	uint8_t *got = malloc(size);
	struct box box;
	int fd;

	MUST(got != NULL);
	box_new(&box, "");
	blobs = text_new("%s/blobs", box.path);
	MUST_DO(cubby_later_begin(box.store, room));
	add(&box, 1, data, size);
	MUST_DO(cubby_open_entry(box.store, box_attr(&box, name_of(1)).id,
				 &reader));
	MUST_BE(files_below(blobs, &file, 1), 1);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	run_all(&box);
	MUST_BE(pwrite(fd, "damage", 6, 2000000), 6);
	MUST(close(fd) == 0);
	MUST_BE(cubby_reader_pread(reader, got, size, 0), -EBADMSG);
	cubby_reader_close(reader);
	MUST(box_has(&box, name_of(1), data, size));
	MUST_BE(box_stats(&box).quarantined, 0);
	free(file);
	free(blobs);
	free(got);
	free(data);
	box_close(&box);
}

struct readers {
	struct box *box;
	const uint8_t *data;
	uint64_t ids[VERY_MANY];
	_Atomic(bool) ending;
	_Atomic(unsigned) reads;
	_Atomic(unsigned) failures;
	_Atomic(unsigned) turn; /* which entry is being compressed */
};

/* Read what is just being compressed, again and again. */
static void *readers_run(void *arg)
{
	struct readers *readers = arg;

	while (!readers->ending) {
		struct cubby_reader *reader;
		uint8_t bytes[SMALL];

		readers->reads++;
		if (cubby_open_entry(readers->box->store,
				     readers->ids[readers->turn],
				     &reader) < 0) {
			readers->failures++;
			continue;
		}
		if (cubby_reader_pread(reader, bytes, SMALL, 0) != SMALL ||
		    memcmp(bytes, readers->data, SMALL) != 0)
			readers->failures++;
		cubby_reader_close(reader);
	}
	return NULL;
}

Test(later, readers_never_see_the_change)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SMALL);
	struct readers readers = {.data = data};
	pthread_t threads[3];
	struct box box;

	box_new(&box, "");
	readers.box = &box;
	MUST_DO(cubby_later_begin(box.store, room));
	for (unsigned i = 0; i < VERY_MANY; i++) {
		add(&box, i, data, SMALL);
		readers.ids[i] = box_attr(&box, name_of(i)).id;
	}
	for (int i = 0; i < 3; i++)
		MUST(pthread_create(&threads[i], NULL, readers_run, &readers) ==
		     0);
	cubby_later_end(box.store);
	for (unsigned i = 0; i < VERY_MANY; i++) {
		readers.turn = i;
		MUST_BE(cubby_later_run(box.store), 1);
	}
	readers.ending = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	MUST(readers.reads > 0);
	MUST_BE(readers.failures, 0);
	MUST_BE(cubby_later_run(box.store), 0);
	MUST_BE(box_stats(&box).quarantined, 0);
	MUST_BE(blob_count(&box), 0);
	free(data);
	box_close(&box);
}

/* Kill it at many instants: every entry is there, packed or not. */
Test(later, a_killed_process_loses_no_queued_entry)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	unsigned packed = 0;
	struct box box;
	char *path;

	box_new(&box, "");
	path = text_new("%s", box.path);
	box_close(&box);
	for (int round = 0; round < 40; round++) {
		int ends[2];
		char byte;
		pid_t pid;

		MUST(pipe(ends) == 0);
		pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			box_open(&box, path, "");
			MUST_DO(cubby_later_begin(box.store, room));
			for (unsigned i = 0; i < MANY; i++)
				add(&box, i, data, SIZE);
			MUST_BE(write(ends[1], "", 1), 1);
			cubby_later_end(box.store);
			while (cubby_later_run(box.store) > 0)
				continue;
			for (;;)
				pause();
		}
		close(ends[1]);
		MUST_BE(read(ends[0], &byte, 1), 1);
		close(ends[0]);
		usleep((useconds_t)(round * 700));
		MUST(kill(pid, SIGKILL) == 0);
		MUST(waitpid(pid, NULL, 0) == pid);

		box_open(&box, path, "");
		for (unsigned i = 0; i < MANY; i++) {
			MUST(box_has(&box, name_of(i), data, SIZE));
			packed += box_attr(&box, name_of(i)).stored_size < SIZE;
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
