/* SPDX-License-Identifier: MIT */
/* Verify and gc, and that nobody is disturbed by them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(upkeep, .fini = scratch_end, .timeout = 120);

enum { OLD_S = CUBBY_GC_AGE_S + 10, FILES_MAX = 64 };

static const struct cubby_owner owner = {0644, 7, 8};

static struct cubby_verify_summary verify(const struct box *box, unsigned flags)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, flags, NULL, NULL, &summary));
	return summary;
}

static struct cubby_gc_summary gc(const struct box *box, unsigned flags)
{
	struct cubby_gc_summary summary;

	MUST_DO(cubby_gc(box->store, flags, 0, &summary));
	return summary;
}

/* Make all files below a directory of the store as old as gc wants them. */
static unsigned age_files(const struct box *box, const char *directory)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {.tv_sec = time(NULL) - OLD_S}};
	char *path = text_new("%s/%s", box->path, directory);
	char *files[FILES_MAX];
	size_t count = files_below(path, files, FILES_MAX);

	for (size_t i = 0; i < count; i++) {
		MUST(utimensat(AT_FDCWD, files[i], times, 0) == 0);
		free(files[i]);
	}
	free(path);
	return (unsigned)count;
}

static unsigned count_files(const struct box *box, const char *directory)
{
	char *path = text_new("%s/%s", box->path, directory);
	size_t count = files_below(path, NULL, 0);

	free(path);
	return (unsigned)count;
}

static void write_file(const struct box *box, const char *name)
{
	char *path = text_new("%s/%s", box->path, name);

	file_write(path, "leavings", 8);
	free(path);
}

/* The only file below blobs/. */
static char *only_blob(const struct box *box)
{
	char *path = text_new("%s/blobs", box->path);
	char *file = NULL;

	MUST_BE(files_below(path, &file, 1), 1);
	free(path);
	return file;
}

/* ---------------------------------------------------------------- verify */

Test(upkeep, a_store_in_order_has_no_findings)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 3000000);
	const size_t sizes[] = {0, 1, 5000, 140000, 3000000};
	struct cubby_verify_summary summary;
	struct cubby_attr attr;
	uint64_t bytes = 0;
	struct box box;
	int fd;

	box_new(&box, "a/b");
	for (unsigned i = 0; i < 5; i++) {
		box_add(&box, name_of(i), data, sizes[i]);
		bytes += sizes[i];
	}
	box_add(&box, name_of(9), data, 200000);
	box_delete(&box, name_of(9));
	MUST_DO(cubby_create(box.store, CUBBY_ROOT_ID, "plain", &owner, &attr,
			     &fd));
	MUST(close(fd) == 0);
	summary = verify(&box, CUBBY_VERIFY_REPAIR);
	MUST_BE(summary.findings, 0);
	MUST_BE(summary.repaired, 0);
	MUST_BE(summary.entries, 5);
	MUST_BE(summary.bytes, bytes);
	MUST_BE(summary.unused_files, 0);
	free(data);
	box_close(&box);
}

static int note_path(void *cookie, const struct cubby_verify_step *step)
{
	MUST(step->done <= step->total);
	if (step->finding == CUBBY_FOUND_NOTHING)
		return 0;
	strcpy(cookie, step->path);
	return 0;
}

Test(upkeep, damaged_bytes_are_told_and_only_repair_puts_them_aside)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 3000000);
	const size_t sizes[] = {140000, 3000000};
	struct cubby_verify_summary summary;
	char path[CUBBY_PATH_MAX] = "";
	char *want = text_new("ns/%s", name_of(1));

	for (unsigned i = 0; i < 2; i++) {
		struct box box;
		char *blob;

		box_new(&box, "ns");
		box_add(&box, name_of(1), data, sizes[i]);
		box_add(&box, name_of(2), "small", 5);
		blob = only_blob(&box);
		file_flip(blob, 20000);
		for (unsigned k = 0; k < 2; k++) {
			MUST_DO(cubby_verify(box.store, 0, note_path, path,
					     &summary));
			MUST_BE(summary.findings, 1);
			MUST_BE(summary.found[CUBBY_FOUND_ENTRY], 1);
			MUST_BE(summary.repaired, 0);
			MUST(strcmp(path, want) == 0);
			MUST_BE(box_stats(&box).quarantined, 0);
			MUST_BE(box_stats(&box).entries, 2);
		}
		MUST_BE(verify(&box, CUBBY_VERIFY_REPAIR).repaired, 1);
		MUST_BE(box_stats(&box).quarantined, 1);
		MUST_BE(verify(&box, 0).findings, 0);
		MUST(box_misses(&box, name_of(1)));
		MUST(box_has(&box, name_of(2), "small", 5));
		free(blob);
		box_close(&box);
	}
	free(want);
	free(data);
}

Test(upkeep, files_that_are_gone_are_found)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 140000);
	struct cubby_verify_summary summary;
	struct cubby_attr attr;
	struct box box;
	int fd;

	box_new(&box, "");
	box_add(&box, name_of(1), data, 140000);
	MUST_DO(cubby_create(box.store, CUBBY_ROOT_ID, "plain", &owner, &attr,
			     &fd));
	MUST(close(fd) == 0);
	shell_do("rm '%s'/blobs/*/* '%s'/drafts/*", box.path, box.path);
	summary = verify(&box, 0);
	MUST_BE(summary.found[CUBBY_FOUND_ENTRY], 1);
	MUST_BE(summary.found[CUBBY_FOUND_PLAIN], 1);
	MUST_BE(summary.findings, 2);
	MUST_BE(verify(&box, CUBBY_VERIFY_REPAIR).repaired, 2);
	MUST_BE(verify(&box, 0).findings, 0);
	MUST_BE(box_stats(&box).plain_files, 0);
	free(data);
	box_close(&box);
}

static int stop(void *cookie, const struct cubby_verify_step *step)
{
	(void)step;
	++*(unsigned *)cookie;
	return 42;
}

Test(upkeep, bad_flags_are_refused_and_a_callback_ends_the_work)
{
	struct cubby_recompress_summary done;
	struct cubby_verify_summary summary;
	struct cubby_gc_summary freed;
	unsigned calls = 0;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), "abc", 3);
	box_add(&box, name_of(2), "abc", 3);
	MUST_BE(cubby_verify(box.store, 2, NULL, NULL, &summary), -EINVAL);
	MUST_BE(cubby_gc(box.store, 1, 0, &freed), -EINVAL);
	MUST_BE(cubby_recompress(box.store, 3, 1, NULL, NULL, &done), -EINVAL);
	MUST_BE(cubby_recompress(box.store, 0, 0, NULL, NULL, &done), -EINVAL);
	MUST_BE(cubby_recompress(box.store, 20, 0, NULL, NULL, &done), -EINVAL);
	MUST_BE(cubby_verify(box.store, 0, stop, &calls, &summary), 42);
	MUST_BE(calls, 1);
	box_close(&box);
}

_Noreturn static void churn(const char *path, unsigned seed)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, seed, 300000);
	struct box box;

	box_open(&box, path, "churn/x");
	for (;;) {
		unsigned i = (unsigned)rand_r(&seed) % 50;

		if (i % 5 == 0)
			box_delete(&box, name_of(i));
		else
			box_add(&box, name_of(i), data,
				(unsigned)rand_r(&seed) % 300000);
	}
}

static void end_child(pid_t pid)
{
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, NULL, 0) == pid);
}

Test(upkeep, the_count_is_exact_while_others_write)
{
	const struct cubby_quota quota = {.quota = 4 << 20};
	struct cubby_attr attr;
	pid_t pids[2];
	struct box box;
	char *path;

	box_new(&box, "");
	path = text_new("%s", box.path);
	MUST_DO(cubby_mkdir(box.store, CUBBY_ROOT_ID, "churn", &owner, &attr));
	MUST_DO(cubby_set_quota(box.store, "churn", &quota));
	box_close(&box);
	for (unsigned i = 0; i < 2; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0)
			churn(path, i + 1);
	}
	box_open(&box, path, "churn/x");
	for (unsigned i = 0; i < 60; i++)
		MUST_BE(verify(&box, i % 2).findings, 0);
	MUST_BE(box_stats(&box).quarantined, 0);
	for (unsigned i = 0; i < 2; i++)
		end_child(pids[i]);
	MUST_BE(verify(&box, 0).findings, 0);
	free(path);
	box_close(&box);
}

/* -------------------------------------------------------------------- gc */

Test(upkeep, gc_deletes_old_leavings_and_nothing_else)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 140000);
	struct cubby_gc_summary summary;
	struct cubby_attr attr;
	struct box box;
	int fd;

	box_new(&box, "");
	box_add(&box, name_of(1), data, 140000);
	MUST_DO(cubby_create(box.store, CUBBY_ROOT_ID, "plain", &owner, &attr,
			     &fd));
	MUST(close(fd) == 0);
	shell_do("mkdir -p '%s/blobs/40' '%s/blobs/41'", box.path, box.path);
	write_file(&box, "blobs/40/0000000000990099");
	shell_do("mv '%s'/blobs/40/* '%s'/blobs/40/x", box.path, box.path);
	write_file(&box, "blobs/41/0000000000000041");
	write_file(&box, "drafts/0000000000000042");
	write_file(&box, "drafts/a stranger");
	/* All are too young. */
	MUST_BE(gc(&box, 0).files, 0);
	MUST_BE(age_files(&box, "blobs"), 3);
	MUST_BE(age_files(&box, "drafts"), 3);
	MUST_BE(verify(&box, 0).unused_files, 2);
	MUST_BE(verify(&box, 0).findings, 0);
	for (unsigned i = 0; i < 2; i++) {
		MUST_BE(count_files(&box, "blobs"), 3);
		summary = gc(&box, i == 0 ? CUBBY_DRY_RUN : 0);
		MUST_BE(summary.files, 2);
		MUST_BE(summary.blobs, 1);
		MUST_BE(summary.drafts, 1);
		MUST(summary.bytes >= 2 * 512);
	}
	MUST_BE(gc(&box, 0).files, 0);
	MUST_BE(count_files(&box, "blobs"), 2);
	MUST_BE(count_files(&box, "drafts"), 2);
	shell_do("test -d '%s/blobs/41'", box.path);
	MUST(box_has(&box, name_of(1), data, 140000));
	MUST_BE(verify(&box, 0).findings, 0);
	free(data);
	box_close(&box);
}

Test(upkeep, gc_leaves_what_is_being_written_however_slowly)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 400000);
	struct cubby_writer *writer;
	struct cubby_draft *draft;
	struct cubby_attr attr;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_writer_open_name(box.ns, name_of(1), &writer));
	MUST_DO(cubby_writer_write(writer, data, 400000));
	MUST_DO(cubby_draft_new(box.store, 0, &draft));
	MUST_DO(cubby_draft_grow(draft, 300000)); /* into a file */
	MUST_BE(write(cubby_draft_fd(draft), data, 300000), 300000);
	MUST_BE(age_files(&box, "blobs"), 1);
	MUST_BE(age_files(&box, "drafts"), 1);
	MUST_BE(gc(&box, 0).files, 0);
	MUST_DO(cubby_writer_commit(writer));
	MUST_DO(cubby_draft_publish(draft, CUBBY_ROOT_ID, name_of(2), &owner,
				    &attr));
	MUST_BE(age_files(&box, "blobs"), 2);
	MUST_BE(gc(&box, 0).files, 0);
	MUST(box_has(&box, name_of(1), data, 400000));
	MUST(box_has(&box, name_of(2), data, 300000));
	free(data);
	box_close(&box);
}

Test(upkeep, gc_deletes_what_killed_writers_have_left)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 400000);
	struct cubby_gc_summary summary;
	struct box box;
	int words[2];
	char byte;
	pid_t pid;

	box_new(&box, "");
	MUST(pipe(words) == 0);
	pid = fork_child();
	if (pid == 0) {
		struct cubby_writer *writer;
		struct cubby_draft *draft;
		struct box mine;

		box_open(&mine, box.path, "");
		MUST_DO(cubby_writer_open_name(mine.ns, name_of(1), &writer));
		MUST_DO(cubby_writer_write(writer, data, 400000));
		MUST_DO(cubby_draft_new(mine.store, 0, &draft));
		MUST_DO(cubby_draft_grow(draft, 300000)); /* into a file */
		MUST_BE(write(words[1], "", 1), 1);
		for (;;)
			(void)pause();
	}
	MUST_BE(read(words[0], &byte, 1), 1);
	age_files(&box, "blobs");
	age_files(&box, "drafts");
	MUST_BE(gc(&box, 0).files, 0);
	end_child(pid);
	summary = gc(&box, 0);
	MUST_BE(summary.blobs, 1);
	MUST_BE(summary.drafts, 1);
	/* What the frames that were written by then take. */
	MUST(summary.bytes >= 2 * FRAME);
	MUST_BE(count_files(&box, "blobs") + count_files(&box, "drafts"), 0);
	free(data);
	box_close(&box);
}

Test(upkeep, gc_takes_back_what_killed_mounts_had_open)
{
	struct cubby_gc_summary summary;
	struct box box;

	box_new(&box, "");
	box_leave_displaced(&box, 300, 20000);
	box_leave_displaced(&box, 100, 3);
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t displaced = box_stats(&box).displaced;
		const unsigned files = count_files(&box, "blobs");

		MUST(displaced >= 100 && displaced <= 144);
		summary = gc(&box, i == 0 ? CUBBY_DRY_RUN : 0);
		MUST_BE(summary.displaced, displaced);
		MUST_BE(summary.files, files);
		MUST_BE(summary.blobs, 0);
		MUST(summary.bytes >= files * UINT64_C(20000));
	}
	MUST_BE(box_stats(&box).displaced, 0);
	MUST_BE(count_files(&box, "blobs"), 0);
	MUST_BE(gc(&box, 0).displaced, 0);
	box_close(&box);
}

Test(upkeep, gc_leaves_what_a_living_mount_has_open)
{
	struct cubby_watch *watch;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	cubby_watch_hold(watch, 0);
	box_come_and_go(&box, 1, 3);
	MUST_BE(gc(&box, CUBBY_DRY_RUN).displaced, 0);
	MUST_BE(gc(&box, 0).displaced, 0);
	MUST_BE(box_stats(&box).displaced, 1);
	cubby_watch_close(watch);
	box_close(&box);
}

Test(upkeep, gc_deletes_from_quarantine_when_asked)
{
	struct cubby_gc_summary summary;
	struct box box;

	box_new(&box, "");
	write_file(&box, "quarantine/0000000000000042");
	MUST_DO(cubby_gc(box.store, 0, 3600, &summary));
	MUST_BE(summary.files, 0);
	pause_ms(2100);
	MUST_BE(gc(&box, 0).files, 0);
	MUST_DO(cubby_gc(box.store, 0, 1, &summary));
	MUST_BE(summary.quarantine_files, 1);
	MUST_BE(count_files(&box, "quarantine"), 0);
	box_close(&box);
}

/* A daemon that is killed between giving a draft its second name and the
 * commit leaves both: the next publish must not empty the draft through it. */
Test(upkeep, a_draft_with_a_dead_process_s_second_name_is_published_whole)
{
	static const enum sample_kind kinds[] = {SAMPLE_NOISE, SAMPLE_TEXT};
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *data = sample_new(kinds[i], 1, 900000);
		struct cubby_attr attr;
		unsigned id;
		int fd;

		MUST_DO(cubby_create(box.store, CUBBY_ROOT_ID, "temp", &owner,
				     &attr, &fd));
		MUST_BE(write(fd, data, 900000), 900000);
		MUST(close(fd) == 0);
		id = (unsigned)attr.id;
		shell_do("cd '%s' && mkdir -p blobs/%02x && "
			 "ln drafts/%016x blobs/%02x/%016x",
			 box.path, (id ^ id >> 8) & 0xff, id,
			 (id ^ id >> 8) & 0xff, id);
		MUST_DO(cubby_rename(box.store, CUBBY_ROOT_ID, "temp",
				     CUBBY_ROOT_ID, name_of(i), 0, &attr));
		MUST_BE(attr.size, 900000);
		MUST(box_has(&box, name_of(i), data, 900000));
		free(data);
	}
	box_close(&box);
}
