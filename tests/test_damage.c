/* SPDX-License-Identifier: MIT */
/*
 * Damage on the disk: an entry gives its right bytes, or -EBADMSG once and is
 * a miss from then on; what was found damaged is in quarantine; the other
 * entries are unhurt.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "command.h"
#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(damage, .fini = scratch_end, .timeout = 120);

/* The entries of the store that is damaged: stored raw and compressed, of one
 * and several frames, checked whole and checked by the frame. */
static const struct {
	enum sample_kind kind;
	size_t size;
} cases[] = {
	{SAMPLE_NOISE, 50000}, {SAMPLE_TEXT, 131072},	{SAMPLE_NOISE, 400000},
	{SAMPLE_TEXT, 900000}, {SAMPLE_NOISE, 3000000}, {SAMPLE_TEXT, 9000000},
};
enum { COUNT = sizeof(cases) / sizeof(*cases) };

struct victim {
	struct box box;
	uint8_t *data[COUNT];
	char *blob[COUNT]; /* the file of each entry */
};

static uint64_t file_size(const char *path)
{
	struct stat st;

	MUST(stat(path, &st) == 0);
	return (uint64_t)st.st_size;
}

/* Add one entry after the other, and see which file has come. */
static void victim_new(struct victim *victim)
{
	char *blobs;
	char *known[COUNT];
	char *now[COUNT + 1];

	box_new(&victim->box, "ns");
	blobs = text_new("%s/blobs", victim->box.path);
	for (unsigned i = 0; i < COUNT; i++) {
		victim->data[i] = sample_new(cases[i].kind, i, cases[i].size);
		box_add(&victim->box, name_of(i), victim->data[i],
			cases[i].size);
		MUST_BE(files_below(blobs, now, COUNT + 1), i + 1);
		for (unsigned n = 0; n <= i; n++) {
			unsigned k = 0;

			while (k < i && strcmp(known[k], now[n]) != 0)
				k++;
			if (k == i && !(k < i))
				known[i] = now[n];
			else
				free(now[n]);
		}
		victim->blob[i] = known[i];
	}
	box_add(&victim->box, name_of(100), "small", 5);
	free(blobs);
}

static void victim_free(struct victim *victim)
{
	box_close(&victim->box);
	for (unsigned i = 0; i < COUNT; i++) {
		free(victim->data[i]);
		free(victim->blob[i]);
	}
}

static size_t quarantine_count(const struct box *box)
{
	char *path = text_new("%s/quarantine", box->path);
	size_t count = access(path, F_OK) == 0 ? files_below(path, NULL, 0) : 0;

	free(path);
	return count;
}

enum fate { FATE_RIGHT, FATE_DAMAGED, FATE_MISS };

/* Get entry `i`: anything but its right bytes, damage or a miss fails. */
static enum fate fate_of(const struct victim *victim, unsigned i)
{
	uint8_t *got = NULL;
	size_t size = 0;
	int r = box_get(&victim->box, name_of(i), &got, &size);

	if (r == -EBADMSG)
		return FATE_DAMAGED;
	if (r == -ENOENT)
		return FATE_MISS;
	MUST_DO(r);
	MUST_BE(size, cases[i].size);
	MUST(memcmp(got, victim->data[i], size) == 0);
	free(got);
	return FATE_RIGHT;
}

/* Entry `i` was damaged: it is noticed once, and then it is a miss. */
static void is_noticed(const struct victim *victim, unsigned i)
{
	uint64_t before = box_stats(&victim->box).quarantined;
	size_t files = quarantine_count(&victim->box);

	MUST_BE(fate_of(victim, i), FATE_DAMAGED);
	MUST_BE(fate_of(victim, i), FATE_MISS);
	MUST_BE(box_stats(&victim->box).quarantined, before + 1);
	MUST_BE(quarantine_count(&victim->box), files + 1);
}

static void others_are_right(const struct victim *victim, unsigned but)
{
	for (unsigned i = 0; i < COUNT; i++)
		if (i != but && fate_of(victim, i) != FATE_MISS)
			MUST_BE(fate_of(victim, i), FATE_RIGHT);
	MUST(box_has(&victim->box, name_of(100), "small", 5));
}

Test(damage, a_flipped_byte_in_the_middle_is_noticed)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		file_flip(victim.blob[i],
			  (int64_t)file_size(victim.blob[i]) / 2);
		is_noticed(&victim, i);
		others_are_right(&victim, i);
	}
	MUST_BE(box_stats(&victim.box).entries, 1);
	victim_free(&victim);
}

Test(damage, a_flipped_byte_is_noticed_after_reopening)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++)
		file_flip(victim.blob[i],
			  (int64_t)file_size(victim.blob[i]) / 3);
	box_reopen(&victim.box);
	for (unsigned i = 0; i < COUNT; i++)
		is_noticed(&victim, i);
	box_reopen(&victim.box);
	for (unsigned i = 0; i < COUNT; i++)
		MUST_BE(fate_of(&victim, i), FATE_MISS);
	victim_free(&victim);
}

/* Every byte of the last 600 (footer and end of the payload), and of the first
 * 64: the right bytes or damage, never anything else. */
Test(damage, a_flipped_byte_anywhere_gives_no_wrong_bytes)
{
	struct victim victim;
	unsigned noticed = 0;
	unsigned tried = 0;
	const unsigned i = 0;
	char *keep;

	victim_new(&victim);
	keep = scratch_path("keep");
	for (uint64_t at = 0; at < 664; at++) {
		uint64_t size = file_size(victim.blob[i]);
		uint64_t offset = at < 64 ? at : size - 600 + (at - 64);
		char *blobs = text_new("%s/blobs", victim.box.path);
		char *files[COUNT];

		file_flip(victim.blob[i], (int64_t)offset);
		tried++;
		if (fate_of(&victim, i) != FATE_RIGHT) {
			noticed++;
			MUST_BE(fate_of(&victim, i), FATE_MISS);
		}
		box_add(&victim.box, name_of(i), victim.data[i], cases[i].size);
		MUST_BE(files_below(blobs, files, COUNT), COUNT);
		for (unsigned n = 0; n < COUNT; n++) {
			bool known = false;

			for (unsigned k = 1; k < COUNT; k++)
				known |= !strcmp(files[n], victim.blob[k]);
			if (!known) {
				free(victim.blob[i]);
				victim.blob[i] = files[n];
			} else {
				free(files[n]);
			}
		}
		free(blobs);
	}
	/* The stored bytes at least are all under the check. */
	if (noticed < 64)
		must_fail(__FILE__, __LINE__, "%u of %u flips noticed", noticed,
			  tried);
	others_are_right(&victim, i);
	free(keep);
	victim_free(&victim);
}

Test(damage, a_blob_that_was_cut_off_is_noticed)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		uint64_t size = file_size(victim.blob[i]);
		static const unsigned parts[] = {0, 1, 2, 3, 9, 10};
		uint64_t keep = size * parts[i] / 10;

		MUST(truncate(victim.blob[i],
			      (off_t)(i == 5 ? size - 1 : keep)) == 0);
		is_noticed(&victim, i);
		others_are_right(&victim, i);
	}
	victim_free(&victim);
}

Test(damage, bytes_behind_the_end_of_a_blob_give_no_wrong_bytes)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		int fd = open(victim.blob[i], O_WRONLY | O_APPEND | O_CLOEXEC);

		MUST(fd >= 0);
		MUST_BE(write(fd, "more", 4), 4);
		MUST(close(fd) == 0);
		if (fate_of(&victim, i) != FATE_RIGHT)
			MUST_BE(fate_of(&victim, i), FATE_MISS);
		others_are_right(&victim, i);
	}
	victim_free(&victim);
}

Test(damage, a_blob_of_zeros_is_noticed)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		off_t size = (off_t)file_size(victim.blob[i]);

		MUST(truncate(victim.blob[i], 0) == 0);
		MUST(truncate(victim.blob[i], size) == 0);
		is_noticed(&victim, i);
	}
	victim_free(&victim);
}

Test(damage, a_blob_that_is_gone_is_a_miss)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		MUST(unlink(victim.blob[i]) == 0);
		MUST_BE(fate_of(&victim, i), FATE_MISS);
		MUST_BE(box_stats(&victim.box).quarantined, 0);
		others_are_right(&victim, i);
		box_add(&victim.box, name_of(i), victim.data[i], cases[i].size);
		MUST_BE(fate_of(&victim, i), FATE_RIGHT);
	}
	victim_free(&victim);
}

/* Exactly the same size, so that only what the blob says of itself can tell
 * them apart. */
Test(damage, two_blobs_that_were_swapped_are_noticed)
{
	uint8_t *a = sample_new(SAMPLE_NOISE, 1, 200000);
	uint8_t *b = sample_new(SAMPLE_NOISE, 2, 200000);
	char *files[3];
	char *blobs;
	char *aside;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), a, 200000);
	box_add(&box, name_of(2), b, 200000);
	blobs = text_new("%s/blobs", box.path);
	MUST_BE(files_below(blobs, files, 3), 2);
	aside = text_new("%s.aside", files[0]);
	MUST(rename(files[0], aside) == 0);
	MUST(rename(files[1], files[0]) == 0);
	MUST(rename(aside, files[1]) == 0);
	for (unsigned i = 1; i <= 2; i++) {
		uint8_t *got;
		size_t size;

		MUST_BE(box_get(&box, name_of(i), &got, &size), -EBADMSG);
		MUST(box_misses(&box, name_of(i)));
	}
	for (unsigned i = 0; i < 2; i++)
		free(files[i]);
	free(aside);
	free(blobs);
	free(a);
	free(b);
	box_close(&box);
}

Test(damage, a_damaged_entry_can_be_added_again)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		file_flip(victim.blob[i],
			  (int64_t)file_size(victim.blob[i]) / 2);
		/* Once over the damage that nobody has noticed, once after. */
		if (i % 2)
			MUST_BE(fate_of(&victim, i), FATE_DAMAGED);
		box_add(&victim.box, name_of(i), victim.data[i], cases[i].size);
		MUST_BE(fate_of(&victim, i), FATE_RIGHT);
	}
	MUST_BE(box_stats(&victim.box).entries, COUNT + 1);
	victim_free(&victim);
}

Test(damage,
     a_reader_that_is_open_while_its_blob_is_damaged_gives_no_wrong_byte)
{
	const unsigned i = 4; /* of many frames, stored raw */
	struct cubby_reader *reader;
	struct victim victim;
	uint8_t *got;
	ssize_t n;

	victim_new(&victim);
	got = malloc(cases[i].size);
	MUST(got != NULL);
	MUST_DO(cubby_get_name(victim.box.ns, name_of(i), &reader));
	MUST_BE(cubby_reader_read(reader, got, FRAME), FRAME);
	MUST(memcmp(got, victim.data[i], FRAME) == 0);
	file_flip(victim.blob[i], (int64_t)file_size(victim.blob[i]) / 2);
	n = cubby_reader_pread(reader, got, cases[i].size, 0);
	MUST_BE(n, -EBADMSG);
	cubby_reader_close(reader);
	MUST_BE(fate_of(&victim, i), FATE_MISS);
	MUST(box_stats(&victim.box).quarantined > 0);
	free(got);
	victim_free(&victim);
}

/* A small entry lives in the index itself. */
Test(damage, a_flipped_byte_of_a_small_entry_is_noticed)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 9, 300);
	uint8_t *got;
	uint8_t *bytes;
	unsigned found = 0;
	size_t size;
	char *file;
	char *path;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), data, 300);
	box_add(&box, name_of(2), "other", 5);
	path = text_new("%s", box.path);
	box_close(&box);
	file = shell_text("ls -S -d '%s'/index/* | head -n 1 | tr -d '\\n'",
			  path);
	bytes = file_read(file, &size);
	MUST(bytes != NULL);
	for (size_t i = 0; i + 300 <= size; i++) {
		if (memcmp(bytes + i, data, 300) == 0) {
			bytes[i + 150] ^= 1;
			found++;
		}
	}
	MUST(found > 0);
	file_write(file, bytes, size);
	box_open(&box, path, "ns");
	MUST_BE(box_get(&box, name_of(1), &got, &size), -EBADMSG);
	MUST(box_misses(&box, name_of(1)));
	MUST_BE(box_stats(&box).quarantined, 1);
	MUST(quarantine_count(&box) > 0);
	MUST(box_has(&box, name_of(2), "other", 5));
	free(bytes);
	free(file);
	free(path);
	free(data);
	box_close(&box);
}

struct place {
	const char *path;
	struct cubby_figures figures;
};

static int find_place(void *cookie, const char *path,
		      const struct cubby_figures *figures)
{
	struct place *place = cookie;

	if (path && strcmp(path, place->path) == 0)
		place->figures = *figures;
	return 0;
}

static struct cubby_figures figures_in(const struct box *box, const char *path)
{
	struct place place = {.path = path};

	MUST_DO(cubby_list_figures(box->store, find_place, &place));
	return place.figures;
}

Test(damage, damage_is_counted_by_directory)
{
	struct cubby_figures sum;
	struct victim victim;
	struct box other;

	victim_new(&victim); /* all its entries are in one directory */
	box_open(&other, victim.box.path, "a/b");
	box_add(&other, name_of(200), "other", 5);
	MUST(box_has(&other, name_of(200), "other", 5));
	for (unsigned i = 0; i < 2; i++) {
		file_flip(victim.blob[i],
			  (int64_t)file_size(victim.blob[i]) / 2);
		is_noticed(&victim, i);
	}
	MUST_BE(figures_in(&victim.box, "ns").corrupt, 2);
	MUST_BE(figures_in(&victim.box, "a/b").corrupt, 0);
	MUST_DO(cubby_get_figures(victim.box.store, &sum, NULL));
	MUST_BE(sum.corrupt, 2);
	PRINTS("\"corrupt\":2", "stats", victim.box.path, "ns", "--json");
	PRINTS("\"corrupt\":0", "stats", victim.box.path, "a", "--json");
	PRINTS("corrupt_total{directory=\"ns\"} 2\n", "stats", victim.box.path,
	       "--prometheus");
	box_close(&other);
	victim_free(&victim);
}

Test(damage, the_tool_says_damage_once_and_then_a_miss)
{
	struct victim victim;

	victim_new(&victim);
	for (unsigned i = 0; i < COUNT; i++) {
		char *entry = text_new("ns/%s", name_of(i));
		struct outcome outcome;

		file_flip(victim.blob[i],
			  (int64_t)file_size(victim.blob[i]) / 2);
		outcome = tool("get", victim.box.path, entry, NULL, 0);
		MUST_BE(outcome.status, 2);
		MUST_BE(outcome_error_lines(&outcome), 1);
		MUST(outcome.out_size < cases[i].size);
		MUST(memcmp(outcome.out, victim.data[i], outcome.out_size) ==
		     0);
		outcome_free(&outcome);
		outcome = tool("get", victim.box.path, entry, NULL, 0);
		MUST_BE(outcome.status, 1);
		MUST_BE(outcome_error_lines(&outcome), 0);
		MUST_BE(outcome.out_size, 0);
		outcome_free(&outcome);
		free(entry);
	}
	MUST_BE(quarantine_count(&victim.box), COUNT);
	others_are_right(&victim, COUNT);
	victim_free(&victim);
}
