/* SPDX-License-Identifier: MIT */
/*
 * What happens when somebody else changes the store between two steps of an
 * operation: see others.h.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "must.h"
#include "others.h"
#include "scratch.h"

/* Some hundred stores are made: in memory, as no test here is about the disk.
 */
static void in_memory(void)
{
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
}

TestSuite(between, .init = in_memory, .fini = scratch_end, .timeout = 60);

/* What is there all the time is found. */
Test(between, what_is_replaced_is_found_all_the_same)
{
	MUST(try_all(get, replace_entry, 0) > 2);
	MUST(try_all(remove_entry, replace_entry, 0) > 2);
	MUST(try_all(move_entry, replace_entry, 0) > 2);
	MUST(try_all(unpublish, replace_entry, 0) > 2);
	MUST(try_all(recompress, replace_entry, 0) > 4);
	MUST(try_all(scrub, replace_entry, 0) > 4);
	MUST(try_all(repair, replace_entry, 0) > 4);
	MUST(try_all(publish, replace_plain, 0) > 2);
	MUST(try_all(move_plain, replace_plain, 0) > 2);
	/* The same node, that was something else in between. */
	MUST(try_all(get, unpublish_and_publish, 0) > 2);
	MUST(try_all(move_entry, unpublish_and_publish, 0) > 2);
	MUST(try_all(recompress, unpublish_and_publish, 0) > 4);
	MUST(try_all(scrub, unpublish_and_publish, 0) > 4);
}

Test(between, what_is_deleted_is_missed)
{
	MUST(try_all(get, delete_entry, -ENOENT) > 0);
	MUST(try_all(remove_entry, delete_entry, 0) > 0);
	MUST(try_all(move_entry, delete_entry, -ENOENT) > 0);
	MUST(try_all(unpublish, delete_entry, -ENOENT) > 0);
	MUST(try_all(recompress, delete_entry, 0) > 4);
	MUST(try_all(scrub, delete_entry, 0) > 4);
	MUST(try_all(repair, delete_entry, 0) > 4);
	MUST(try_all(publish, delete_plain, -ENOENT) > 0);
	MUST(try_all(move_plain, delete_plain, -ENOENT) > 0);
	MUST(try_all(set_mode, delete_plain, -ENOENT) > 0);
	MUST(try_all(repair, delete_plain, 0) > 4);
}

Test(between, an_entry_that_becomes_a_file_or_moves_is_missed)
{
	MUST(try_all(get, unpublish_entry, -ENOENT) > 0);
	MUST(try_all(move_entry, unpublish_entry, -ENOENT) > 0);
	MUST(try_all(unpublish, unpublish_entry, -ENOENT) > 0);
	MUST(try_all(recompress, unpublish_entry, 0) > 4);
	MUST(try_all(scrub, unpublish_entry, 0) > 4);
	MUST(try_all(repair, unpublish_entry, 0) > 4);
	MUST(try_all(get, move_entry_away, -ENOENT) > 0);
	MUST(try_all(unpublish, move_entry_away, -ENOENT) > 0);
	MUST(try_all(recompress, move_entry_away, 0) > 4);
	MUST(try_all(scrub, move_entry_away, 0) > 4);
}

Test(between, a_file_that_is_cut_is_published_as_it_is_then)
{
	for (cut_size = 0; cut_size < OTHERS_SIZE; cut_size += OTHERS_SIZE / 2)
		(void)try_all(publish, cut_plain, -EIO);
}

/* Whoever finds the damage puts it aside, and never what has come instead. */
Test(between, a_good_entry_in_the_place_of_a_damaged_one_stays)
{
	is_damaged = true;
	MUST(try_all(get_damaged, replace_entry, 0) > 2);
	MUST(try_all(scrub, replace_entry, 0) > 4);
	MUST(try_all(repair, replace_entry, 0) > 4);
	MUST(try_all(recompress, replace_entry, 0) > 4);
	MUST(try_all(get_damaged, delete_entry, 0) > 2);
	MUST(try_all(scrub, delete_entry, 0) > 4);
	MUST(try_all(repair, delete_entry, 0) > 4);
}

Test(between, a_file_that_is_found_again_stays)
{
	is_lost = true;
	MUST(try_all(repair, bring_back, 0) > 4);
	MUST(try_all(repair, bring_back_and_publish, 0) > 4);
	MUST(try_all(repair, replace_plain, 0) > 4);
	MUST(try_all(repair, delete_plain, 0) > 4);
}

Test(between, what_is_replaced_and_held_is_passed_by)
{
	is_held = true;
	MUST(try_all(get, replace_entry, 0) > 2);
	MUST(try_all(scrub, replace_entry, 0) > 4);
	MUST(try_all(recompress, replace_entry, 0) > 4);
	MUST(try_all(recompress, delete_entry, 0) > 4);
	is_damaged = true;
	MUST(try_all(get_damaged, replace_entry, 0) > 2);
	MUST(try_all(scrub, replace_entry, 0) > 4);
	MUST(try_all(repair, replace_entry, 0) > 4);
	is_damaged = false;
	is_lost = true;
	MUST(try_all(repair, replace_plain, 0) > 4);
}

static void nothing(void)
{
	step_error = MDB_READERS_FULL;
}

/* What a process lacks for a moment is no property of an entry. */
Test(between, a_scrub_that_lacks_something_goes_on_later)
{
	struct cubby_checks checks;
	unsigned refused = 0;

	for (unsigned at = 1; at < OTHERS_STEPS_MAX; at++) {
		int r;

		scene_new();
		deed = nothing;
		steps = at;
		r = scrub();
		steps = 0;
		MUST(r == 0 || r == -EUSERS);
		refused += r < 0;
		MUST_DO(scrub());
		MUST_DO(cubby_get_checks(box.store, &checks));
		MUST(checks.scrub_unreadable == 0 && checks.scrub_checked > 0);
		scene_end();
	}
	MUST(refused > 2);
}

Test(between, a_directory_that_goes_is_made_again)
{
	MUST(try_all(publish, make_shards, 0) > 2);
	MUST(try_all(add_below, delete_empty, 0) > 2);
}
