/* SPDX-License-Identifier: MIT */
/* Compressing anew: what changes, what stays, and the program. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(recompress, .fini = scratch_end, .timeout = 120);

static struct cubby_verify_summary verify(const struct box *box, unsigned flags)
{
	struct cubby_verify_summary summary;

	MUST_DO(cubby_verify(box->store, flags, NULL, NULL, &summary));
	return summary;
}

static struct cubby_recompress_summary recompress(const struct box *box,
						  int level, unsigned flags)
{
	struct cubby_recompress_summary summary;

	MUST_DO(cubby_recompress(box->store, level, flags, NULL, NULL,
				 &summary));
	return summary;
}

static unsigned count_files(const struct box *box, const char *directory)
{
	char *path = text_new("%s/%s", box->path, directory);
	size_t count = files_below(path, NULL, 0);

	free(path);
	return (unsigned)count;
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

Test(recompress, entries_become_smaller_and_stay_what_they_are)
{
	const size_t sizes[] = {3000, 30000, 140000, 900000, 3000000};
	enum { COUNT = 5 };
	struct cubby_recompress_summary dry;
	struct cubby_recompress_summary summary;
	struct cubby_attr before[COUNT];
	struct cubby_figures figures;
	uint8_t *data[COUNT];
	uint64_t stored = 0;
	struct box box;

	box_new(&box, "ns");
	for (unsigned i = 0; i < COUNT; i++) {
		struct cubby_attr set = {.mode = 0600,
					 .uid = 7,
					 .gid = 8,
					 .mtime_ns = 5000000000 + i};

		data[i] = sample_new(SAMPLE_TEXT, i, sizes[i]);
		box_add(&box, name_of(i), data[i], sizes[i]);
		MUST_DO(cubby_setattr(box.store, box_attr(&box, name_of(i)).id,
				      CUBBY_SET_MODE | CUBBY_SET_UID |
					      CUBBY_SET_GID | CUBBY_SET_MTIME,
				      &set, &before[i]));
		stored += before[i].stored_size;
	}
	dry = recompress(&box, 19, CUBBY_DRY_RUN);
	MUST(dry.changed > 0);
	MUST_BE(box_stats(&box).stored_bytes, stored);
	summary = recompress(&box, 19, 0);
	MUST(memcmp(&dry, &summary, sizeof(dry)) == 0);
	MUST_BE(summary.entries, COUNT);
	MUST_BE(summary.damaged, 0);
	MUST(summary.stored_after < summary.stored_before);
	MUST_BE(box_stats(&box).stored_bytes,
		stored - summary.stored_before + summary.stored_after);
	for (unsigned i = 0; i < COUNT; i++) {
		struct cubby_attr after = box_attr(&box, name_of(i));

		MUST(box_has(&box, name_of(i), data[i], sizes[i]));
		MUST(after.stored_size <= before[i].stored_size);
		MUST(after.id == before[i].id ||
		     after.stored_size < before[i].stored_size);
		after.id = before[i].id;
		after.stored_size = before[i].stored_size;
		MUST_BE(after.mtime_ns, before[i].mtime_ns);
		MUST_BE(after.used_ns, before[i].used_ns);
		MUST_BE(after.added_ns, before[i].added_ns);
		MUST_BE(after.hits, before[i].hits);
		MUST_BE(after.mode, 0600);
		MUST_BE(after.uid, 7);
		MUST_BE(after.gid, 8);
		free(data[i]);
	}
	MUST_DO(cubby_get_figures(box.store, &figures, NULL));
	MUST_BE(figures.adds, COUNT);
	MUST_BE(verify(&box, 0).findings, 0);
	/* What is known not to get smaller is not tried again. */
	summary = recompress(&box, 19, 0);
	MUST_BE(summary.changed, 0);
	MUST(summary.known >= 2);
	box_close(&box);
}

Test(recompress, a_small_result_moves_into_the_index)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 100000);
	uint64_t size = 0;
	struct box box;

	/* The smallest that has a file of its own. */
	box_new(&box, "");
	for (size = 20000; count_files(&box, "blobs") == 0; size += 500)
		box_add(&box, name_of(1), data, size);
	size -= 500;
	MUST_BE(recompress(&box, 19, 0).changed, 1);
	MUST_BE(count_files(&box, "blobs"), 0);
	MUST(box_has(&box, name_of(1), data, size));
	MUST_BE(verify(&box, 0).findings, 0);
	free(data);
	box_close(&box);
}

/* Incompressible at its beginning, so that it was stored as it is. */
Test(recompress, what_was_stored_raw_may_be_compressed_and_noise_is_left)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 900000);
	struct cubby_attr noise;
	struct box box;

	box_new(&box, "");
	box_add(&box, name_of(1), data, 900000);
	noise = box_attr(&box, name_of(1));
	sample_fill(SAMPLE_TEXT, 2, data + 200000, 700000);
	box_add(&box, name_of(2), data, 900000);
	MUST(box_attr(&box, name_of(2)).stored_size > 900000);
	MUST_BE(recompress(&box, 3, 0).changed, 1);
	MUST(box_attr(&box, name_of(2)).stored_size < 600000);
	MUST(box_has(&box, name_of(2), data, 900000));
	MUST_BE(box_attr(&box, name_of(1)).id, noise.id);
	free(data);
	box_close(&box);
}

static void count_told(void *cookie, uint64_t id, uint64_t parent,
		       const char *name)
{
	(void)id;
	(void)parent;
	(void)name;
	++*(unsigned *)cookie;
}

Test(recompress, who_reads_goes_on_and_who_holds_is_told)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 9000000);
	struct cubby_reader *reader;
	struct cubby_watch *watch;
	unsigned told = 0;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_watch_new(box.store, &watch));
	box_add(&box, name_of(1), data, 9000000);
	MUST_DO(cubby_get_name(box.ns, name_of(1), &reader));
	cubby_watch_hold(watch, box_attr(&box, name_of(1)).id);
	MUST_BE(recompress(&box, 9, 0).changed, 1);
	MUST(reader_is(reader, data, 9000000));
	cubby_reader_close(reader);
	MUST(box_has(&box, name_of(1), data, 9000000));
	MUST_BE(verify(&box, 0).findings, 0);
	MUST_DO(cubby_watch_poll(watch, count_told, &told));
	MUST_BE(told, 1);
	cubby_watch_close(watch);
	MUST_BE(count_files(&box, "blobs"), 1);
	free(data);
	box_close(&box);
}

Test(recompress, recompressing_loses_nothing_when_it_is_killed)
{
	enum { COUNT = 30, ROUNDS = 20, SIZE = 200000 };
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	unsigned seed = 3;
	char *path;
	struct box box;

	box_new(&box, "");
	path = text_new("%s", box.path);
	for (unsigned i = 0; i < COUNT; i++)
		box_add(&box, name_of(i), data, SIZE - i * 5000);
	box_close(&box);
	for (unsigned round = 0; round < ROUNDS; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			struct box mine;

			box_open(&mine, path, "");
			for (int level = 1 + (int)round % 10;; level++)
				(void)recompress(&mine, 1 + level % 19, 0);
		}
		pause_ms(rand_r(&seed) % 60);
		end_child(pid);
		box_open(&box, path, "");
		MUST_BE(verify(&box, 0).findings, 0);
		for (unsigned i = 0; i < COUNT; i++)
			MUST(box_has(&box, name_of(i), data, SIZE - i * 5000));
		MUST_BE(box_stats(&box).entries, COUNT);
		box_close(&box);
	}
	free(path);
	free(data);
}

Test(recompress, recompressing_beside_writers_loses_nothing)
{
	struct box box;
	pid_t pid;
	char *path;

	box_new(&box, "churn/x");
	path = text_new("%s", box.path);
	box_close(&box);
	pid = fork_child();
	if (pid == 0)
		churn(path, 1);
	box_open(&box, path, "churn/x");
	for (int i = 0; i < 10; i++) {
		MUST_BE(recompress(&box, 1 + i * 2, 0).damaged, 0);
		MUST_BE(verify(&box, 0).findings, 0);
	}
	MUST_BE(box_stats(&box).quarantined, 0);
	end_child(pid);
	MUST_BE(verify(&box, 0).findings, 0);
	free(path);
	box_close(&box);
}

/* ---------------------------------------------------------------- the tool */

static int tool_status(const char *path, const char *command,
		       const char *option)
{
	struct outcome outcome = tool(command, path, option, NULL, 0);
	const int status = outcome.status;

	MUST_BE(outcome_error_lines(&outcome), status == 2);
	MUST((outcome.out_size > 0) == (status != 2));
	outcome_free(&outcome);
	return status;
}

Test(recompress, the_tool_says_by_its_status_what_it_found)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, 900000);
	struct box box;
	char *blob;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, 900000);
	MUST_BE(tool_status(box.path, "verify", NULL), 0);
	MUST_BE(tool_status(box.path, "verify", "--json"), 0);
	MUST_BE(tool_status(box.path, "gc", "--dry-run"), 0);
	MUST_BE(tool_status(box.path, "gc", "--quarantine=30d"), 0);
	MUST_BE(tool_status(box.path, "gc", "--json"), 0);
	MUST_BE(tool_status(box.path, "recompress", NULL), 2);
	MUST_BE(tool_status(box.path, "recompress", "--level=20"), 2);
	MUST_BE(tool_status(box.path, "recompress", "--level=12"), 0);
	MUST(box_has(&box, name_of(1), data, 900000));
	blob = only_blob(&box);
	file_flip(blob, 20000);
	MUST_BE(tool_status(box.path, "verify", NULL), 1);
	shell_do("'%s' verify '%s' --json >'%s/json'; test $? = 1 && "
		 "python3 -c 'import json, sys; found = json.load(sys.stdin); "
		 "assert found[\"findings\"][0][\"finding\"] == \"entry\"' "
		 "<'%s/json'",
		 program("CUBBY"), box.path, scratch(), scratch());
	MUST_BE(tool_status(box.path, "verify", "--repair"), 1);
	MUST_BE(tool_status(box.path, "verify", NULL), 0);
	free(blob);
	free(data);
	box_close(&box);
}
