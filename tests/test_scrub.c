/* SPDX-License-Identifier: MIT */
/* The scrub: all entries are looked at, damage is put aside, and nothing is
 * used by it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "command.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(scrub, .fini = scratch_end, .timeout = 120);

enum { COUNT = 24, SIZE = 50000, PATIENCE_MS = 60000 };

static struct cubby_checks checks_of(const struct box *box)
{
	struct cubby_checks checks;

	MUST_DO(cubby_get_checks(box->store, &checks));
	return checks;
}

/* Half of them in files, half in the index. */
static void add_all(const struct box *box)
{
	for (unsigned i = 0; i < COUNT; i++) {
		const size_t size = i % 2 ? SIZE : 100;
		uint8_t *data = sample_new(SAMPLE_NOISE, i, size);

		box_add(box, name_of(i), data, size);
		free(data);
	}
}

/* Damage one of the files. */
static void damage_one(const struct box *box)
{
	char *blobs = text_new("%s/blobs", box->path);
	char *files[COUNT];
	size_t count = files_below(blobs, files, COUNT);

	MUST(count > 0);
	file_flip(files[count / 2], SIZE / 2);
	for (size_t i = 0; i < count; i++)
		free(files[i]);
	free(blobs);
}

/* The rest of a round: how many entries were looked at. */
static unsigned run_round(const struct box *box)
{
	unsigned looked = 0;
	int r;

	while ((r = cubby_scrub(box->store)) > 0)
		looked++;
	MUST_BE(r, 0);
	return looked;
}

Test(scrub, a_round_looks_at_all_entries_once)
{
	struct cubby_attr before[COUNT];
	struct cubby_checks checks;
	struct box box;

	box_new(&box, "a/b");
	MUST_BE(run_round(&box), 0);
	add_all(&box);
	box_limit(&box, 0); /* every use counts */
	for (unsigned i = 0; i < COUNT; i++)
		before[i] = box_attr(&box, name_of(i));
	MUST_BE(run_round(&box), COUNT);
	MUST_BE(run_round(&box), COUNT);
	checks = checks_of(&box);
	MUST_BE(checks.scrub_rounds, 3);
	MUST_BE(checks.scrub_checked, 2 * COUNT);
	MUST_BE(checks.scrub_round_checked, 0);
	MUST_BE(checks.scrub_damaged, 0);
	MUST(checks.scrub_ended_s > 0);
	/* It is no use of them. */
	box_reopen(&box);
	for (unsigned i = 0; i < COUNT; i++)
		MUST_BE(box_attr(&box, name_of(i)).used_ns, before[i].used_ns);
	box_close(&box);
}

Test(scrub, it_goes_on_where_it_was_after_a_restart)
{
	struct box box;

	box_new(&box, "a");
	add_all(&box);
	for (unsigned i = 0; i < COUNT / 3; i++)
		MUST_BE(cubby_scrub(box.store), 1);
	box_reopen(&box);
	MUST_BE(checks_of(&box).scrub_round_checked, COUNT / 3);
	MUST_BE(run_round(&box), COUNT - COUNT / 3);
	MUST_BE(checks_of(&box).scrub_rounds, 1);
	box_close(&box);
}

Test(scrub, damage_is_put_aside_and_counted)
{
	struct box box;

	box_new(&box, "a");
	add_all(&box);
	damage_one(&box);
	MUST_BE(run_round(&box), COUNT);
	MUST_BE(checks_of(&box).scrub_damaged, 1);
	MUST_BE(box_stats(&box).quarantined, 1);
	MUST_BE(box_stats(&box).entries, COUNT - 1);
	MUST_BE(run_round(&box), COUNT - 1);
	MUST_BE(checks_of(&box).scrub_damaged, 1);
	PRINTS("put aside", "stats", box.path);
	PRINTS("cubby_scrub_damaged_total 1\n", "stats", box.path,
	       "--prometheus");
	box_close(&box);
}

/* Who said what their names say may not have known what was there. */
Test(scrub, what_is_only_misnamed_is_counted_and_left)
{
	struct box box;

	box_new(&box, "a");
	add_all(&box);
	MUST_DO(cubby_set_content(box.store, "a", CUBBY_CONTENT_SHA256));
	MUST_BE(run_round(&box), COUNT);
	MUST_BE(checks_of(&box).scrub_misnamed, COUNT);
	MUST_BE(checks_of(&box).scrub_damaged, 0);
	MUST_BE(box_stats(&box).entries, COUNT);
	box_close(&box);
}

Test(scrub, a_mount_looks_at_all_entries_again_and_again)
{
	struct cubby_attr before;
	struct site site;

	MOUNT_OR_SKIP();
	box_new(&site.box, "");
	add_all(&site.box);
	before = box_attr(&site.box, name_of(0));
	mounted_start(&site.mount, site.box.path, "scrub=2s");
	MUST(WITHIN_MS(PATIENCE_MS, checks_of(&site.box).scrub_rounds >= 2));
	MUST_BE(checks_of(&site.box).scrub_damaged, 0);
	damage_one(&site.box);
	MUST(WITHIN_MS(PATIENCE_MS, checks_of(&site.box).scrub_damaged == 1));
	MUST(WITHIN_MS(PATIENCE_MS, box_stats(&site.box).entries == COUNT - 1));
	MUST_BE(box_attr(&site.box, name_of(0)).used_ns, before.used_ns);
	site_end(&site);
}

Test(scrub, a_mount_without_the_option_looks_at_none)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	add_all(&site.box);
	MUST(ALL_THE_WHILE_MS(2500, checks_of(&site.box).scrub_begun_s == 0));
	MUST_BE(checks_of(&site.box).scrub_checked, 0);
	site_end(&site);
}

Test(scrub, a_bad_time_is_one_error)
{
	static const char *const bad[] = {
		"7", "d", "7y", "-1d", "7d7", "99999999999999999999d"};
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *option = text_new("scrub=%s", bad[i]);
		const char *const words[] = {program("CUBBYFS"),
					     box.path,
					     scratch(),
					     "-o",
					     option,
					     NULL};
		struct outcome got = run(words, NULL, 0);

		MUST_BE(got.status, 2);
		MUST_BE(outcome_error_lines(&got), 1);
		MUST(strstr(got.err, "scrub is a time"));
		free(option);
		outcome_free(&got);
	}
	box_close(&box);
}
