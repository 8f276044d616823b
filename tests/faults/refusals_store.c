/* SPDX-License-Identifier: MIT */
/*
 * What a store promises when something is refused while an entry is made, or
 * changed by others meanwhile: see refusals.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "fault.h"
#include "must.h"
#include "refusals.h"
#include "refuse.h"
#include "sample.h"
#include "scratch.h"

enum { SIZE = 300000, TINY_SIZE = 17000 };

static const struct cubby_owner owner = {.mode = 0644};

static struct box box;
static uint8_t *text;

static void begin(unsigned flags)
{
	static unsigned count;
	/* The scratch directory is that of the parent, for all cases. */
	char *path = scratch_path("store_%d_%u", (int)getpid(), count++);

	box_open(&box, path, "");
	free(path);
	if (flags != 0) {
		cubby_ns_close(box.ns);
		cubby_close(box.store);
		MUST_DO(cubby_open(box.path, flags, &box.store));
		MUST_DO(cubby_ns_open(box.store, "", &box.ns));
	}
	text = sample_new(SAMPLE_TEXT, 1, SIZE);
}

static void end(void)
{
	box_close(&box);
	free(text);
}

/* Nothing is wrong in the store, and nothing is left over. */
static void expect_clean(void)
{
	char *drafts = text_new("%s/drafts", box.path);
	char *blobs = text_new("%s/blobs", box.path);
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box.store, 0, NULL, NULL, &summary));
	MUST_BE(summary.findings, 0);
	MUST_BE(files_below(drafts, NULL, 0), box_stats(&box).plain_files);
	MUST(files_below(blobs, NULL, 0) <= box_stats(&box).entries);
	free(drafts);
	free(blobs);
}

static struct cubby_draft *new_draft(size_t size)
{
	struct cubby_draft *draft;

	MUST_DO(cubby_draft_new(box.store, 0, &draft));
	MUST_DO(cubby_draft_grow(draft, size));
	MUST_BE(pwrite(cubby_draft_fd(draft), text, size, 0), size);
	return draft;
}

static int publish(struct cubby_draft *draft, const char *name)
{
	struct cubby_attr attr;

	return cubby_draft_publish(draft, CUBBY_ROOT_ID, name, &owner, &attr);
}

/* ------------------------------------------------------------------ drafts */

/* A draft in memory gets a file, or stays as it is. */
static void growing(void)
{
	static const struct refusal all[] = {
		{.name = "openat2", .at = 1, .error = EMFILE},
		{.name = "pread64", .at = 1, .error = EIO},
		{.name = "pwrite64", .at = 1, .error = EIO},
		{.name = "fstat64", .at = 1, .error = EIO},
		{.name = "dup3", .at = 1, .error = EBUSY},
		{.name = "fcntl64", .at = 1, .error = ENOLCK},
		{.name = REFUSE_HEAP, .at = 1, .error = ENOMEM},
	};
	static const struct refusal stays = {
		.name = "unlinkat", .at = 1, .error = EROFS};
	struct cubby_draft *draft;
	char *left_over;
	int fd;

	begin(0);
	box_add(&box, name_of(2), text, SIZE);
	refuse(&all[1]);
	MUST_BE(cubby_draft_new(box.store, box_attr(&box, name_of(2)).id,
				&draft),
		-EIO);
	MUST(refuse_end() > 0);
	draft = new_draft(100);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(cubby_draft_grow(draft, SIZE), -all[i].error);
		MUST(refuse_end() > 0);
		expect_clean();
	}
	/* A plain file has one in any case. */
	refuse(&all[0]);
	MUST_BE(publish(draft, "plain"), -EMFILE);
	MUST(refuse_end() > 0);
	expect_clean();
	/* One that could not be deleted before. */
	left_over = text_new("%s/drafts/%016llx", box.path,
			     (unsigned long long)cubby_draft_id(draft));
	fd = open(left_over, O_WRONLY | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0 && write(fd, "left over", 9) == 9 && close(fd) == 0);
	free(left_over);
	refuse(&stays);
	MUST_BE(cubby_draft_grow(draft, SIZE), -EROFS);
	MUST(refuse_end() > 0);
	MUST_DO(cubby_draft_grow(draft, SIZE));
	MUST_DO(publish(draft, name_of(1)));
	MUST(box_has(&box, name_of(1), text, 100));
	expect_clean();
	end();
}

/* The first of its directory. */
static void make_directories(void)
{
	for (unsigned i = 0; i < 256; i++) {
		char *path = text_new("%s/blobs/%02x", box.path, i);

		MUST(mkdir(path, 0700) == 0 || errno == EEXIST);
		free(path);
	}
}

static void no_directory(void)
{
	const struct refusal refusal = {
		.name = "mkdirat", .at = 1, .error = EACCES};
	const struct refusal another = {
		.name = "mkdirat", .at = 1, .meanwhile = make_directories};

	begin(0);
	/* Somebody else makes it at the same moment. */
	refuse(&another);
	MUST_DO(box_try_add(&box, name_of(1), text, SIZE));
	MUST_BE(refuse_end(), 1);
	end();
	begin(0);
	refuse(&refusal);
	MUST_BE(box_try_add(&box, name_of(1), text, SIZE), -EACCES);
	MUST_BE(refuse_end(), 1);
	MUST(box_misses(&box, name_of(1)));
	expect_clean();
	MUST_DO(box_try_add(&box, name_of(1), text, SIZE));
	expect_clean();
	end();
}

static int rename_it(void)
{
	struct cubby_attr attr;

	return cubby_rename(box.store, CUBBY_ROOT_ID, name_of(1), CUBBY_ROOT_ID,
			    "plain", 0, &attr);
}

/* Published when it is on the disk, or not at all. */
static void not_durable(void)
{
	struct refusal refusal = {.name = "fsync", .error = EIO};
	unsigned failed = 0;
	int r;

	begin(CUBBY_DURABLE);
	for (refusal.at = 1;; refusal.at++) {
		struct cubby_draft *draft = new_draft(SIZE);

		refuse(&refusal);
		r = publish(draft, name_of(1));
		if (refuse_end() == 0)
			break;
		MUST_BE(r, -EIO);
		failed++;
		MUST(box_misses(&box, name_of(1)));
		cubby_draft_drop(draft);
		expect_clean();
	}
	MUST_DO(r);
	MUST(failed > 1);
	MUST(box_has(&box, name_of(1), text, SIZE));
	end();
}

/* To take its bytes away is a change that waits, too. */
static void renamed_durably(void)
{
	const struct refusal refusal = {.name = "fsync", .at = 1, .error = EIO};

	begin(CUBBY_DURABLE);
	MUST_DO(publish(new_draft(SIZE), name_of(1)));
	refuse(&refusal);
	MUST_BE(rename_it(), -EIO);
	MUST(refuse_end() > 0);
	expect_clean();
	MUST(box_has(&box, name_of(1), text, SIZE));
	MUST_DO(rename_it());
	MUST(box_misses(&box, name_of(1)));
	expect_clean();
	end();
}

/* -------------------------------------------------------------------- gc */

static uint64_t collected;

static void collect(void)
{
	struct cubby_gc_summary summary;

	MUST_DO(cubby_gc(box.store, 0, 1, &summary));
	collected += summary.files;
}

/* Old files that nobody knows. */
static void litter(void)
{
	static const char *const files[] = {
		"blobs/10/0000000000000010", "blobs/10/0000000000000010.raw",
		"drafts/0000000000000011", "quarantine/0000000000000012"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
		char *path = text_new("%s/%s", box.path, files[i]);

		file_write(path, "litter", 6);
		MUST(utimensat(AT_FDCWD, path, old, 0) == 0);
		free(path);
	}
}

/* At each call of one, the other does all. */
static void collected_twice(void)
{
	static const char *const calls[] = {"openat2", "fstatat64", "unlinkat",
					    "fcntl64", "mdb_txn_renew"};
	struct refusal refusal = {.times = 1, .meanwhile = collect};
	unsigned races = 0;
	char *directory;

	begin(0);
	directory = text_new("%s/blobs/10", box.path);
	MUST(mkdir(directory, 0700) == 0);
	free(directory);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		refusal.name = calls[i];
		for (refusal.at = 1;; refusal.at++) {
			litter();
			/* What is in quarantine has to be older than that. */
			pause_ms(races == 0 ? 2100 : 0);
			collected = 0;
			refuse(&refusal);
			collect();
			if (refuse_end() == 0)
				break;
			MUST(collected >= 3 && collected <= 4);
			expect_clean();
			races++;
		}
	}
	MUST(races > 10);
	end();
}

/* ----------------------------------------------------------- compress later */

static void delete_it(void)
{
	MUST_DO(cubby_delete_name(box.ns, name_of(1)));
}

static void replace_it(void)
{
	box_add(&box, name_of(1), text + 7, SIZE - 7);
}

static void take_it_away(void)
{
	MUST_DO(rename_it());
}

static void compress_it(void)
{
	struct cubby_recompress_summary summary;

	MUST_DO(cubby_recompress(box.store, 1, 0, NULL, NULL, &summary));
	MUST_BE(summary.entries, 1);
}

static const struct deed {
	void (*what)(void);
	size_t from; /* what is left of the content */
	bool is_gone;
} deeds[] = {
	{delete_it, 0, true},
	{replace_it, 7, false},
	{take_it_away, 0, true},
	{compress_it, 0, false},
};

static void expect_deed(const struct deed *deed)
{
	if (deed->is_gone)
		MUST(box_misses(&box, name_of(1)));
	else
		MUST(box_has(&box, name_of(1), text + deed->from,
			     SIZE - deed->from));
	expect_clean();
}

static void queue_it(size_t size)
{
	MUST_DO(cubby_later_begin(box.store, size + 1));
	MUST_DO(publish(new_draft(size), name_of(1)));
	MUST_BE(box_attr(&box, name_of(1)).stored_size > size, true);
}

/* Before it is compressed, and before the index changes. */
static void changed_meanwhile(void)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(deeds); i++) {
		const struct deed *deed = &deeds[i / 2];
		const struct refusal refusal = {.name = "mdb_txn_begin",
						.at = 1,
						.times = 1,
						.meanwhile = deed->what};

		begin(0);
		queue_it(SIZE);
		if (i % 2 == 0)
			deed->what();
		else
			refuse(&refusal);
		MUST_BE(cubby_later_run(box.store), 1);
		MUST_BE(refuse_end(), i % 2);
		expect_deed(deed);
		end();
	}
}

/* The update fails after the file has its name: who did something meanwhile
 * may have a file of that name. */
static void changed_after_a_failure(void)
{
	const struct refusal no_commit = {
		.name = "mdb_txn_commit", .at = 1, .times = 1, .error = EIO};

	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
		const struct refusal refusal = {.name = "mdb_txn_begin",
						.at = 2,
						.times = 1,
						.meanwhile = deeds[i].what};

		begin(0);
		queue_it(SIZE);
		refuse(&no_commit);
		refuse(&refusal);
		MUST_BE(cubby_later_run(box.store), 1);
		MUST_BE(refuse_end(), 2);
		expect_deed(&deeds[i]);
		end();
	}
}

/* What was small enough for the index when it was compressed. */
static void compressed_into_the_index(void)
{
	begin(0);
	memset(text, 'x', TINY_SIZE);
	queue_it(TINY_SIZE);
	compress_it();
	MUST(box_attr(&box, name_of(1)).stored_size < TINY_SIZE);
	MUST_BE(cubby_later_run(box.store), 1);
	MUST(box_has(&box, name_of(1), text, TINY_SIZE));
	expect_clean();
	end();
}

const struct refusal_case store_cases[] = {
	{"a draft that cannot grow is as it was", growing},
	{"an entry without a directory for its file is none", no_directory},
	{"what the disk refuses is not published durably", not_durable},
	{"nor is a rename that takes bytes away", renamed_durably},
	{"two who collect take each file once", collected_twice},
	{"what is changed while it is compressed stays so", changed_meanwhile},
	{"also when the update fails", changed_after_a_failure},
	{"what is in the index is not compressed", compressed_into_the_index},
};
const size_t store_cases_count = ARRAY_SIZE(store_cases);
