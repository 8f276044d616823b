/* SPDX-License-Identifier: MIT */
/*
 * Statistics for people.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tool/tool_format.h"
#include "tool/tool_stats.h"
#include "tool/tool_text.h"

enum {
	ROWS_MAX = 20, /* directories; --json has all */
	BAR_WIDTH = 30,
};

static void line(const char *name, struct tool_words value, const char *about)
{
	printf("  %-14s %14s%s%s\n", name, value.text, *about ? "  " : "",
	       about);
}

static void print_disk(const struct tool_stats *stats)
{
	const struct cubby_stats *totals = &stats->totals;
	uint64_t limit = stats->limits.max_size;
	char about[128] = "no limit is set; see `cubby limit`";

	if (limit > 0)
		(void)snprintf(
			about, sizeof(about), "%s of the limit, %s",
			tool_format_share(totals->disk_bytes, limit).text,
			tool_format_size(limit).text);
	line("disk", tool_format_size(totals->disk_bytes), about);
}

static void print_totals(const struct tool_stats *stats)
{
	const struct cubby_stats *totals = &stats->totals;
	char about[128] = "as they are stored";

	puts("Store");
	print_disk(stats);
	line("entries", tool_format_count(totals->entries), "");
	line("raw bytes", tool_format_size(totals->raw_bytes),
	     "of all entries, as they were added");
	if (totals->raw_bytes > totals->stored_bytes &&
	    totals->stored_bytes > 0)
		(void)snprintf(about, sizeof(about),
			       "as they are stored, %.2f times smaller",
			       (double)totals->raw_bytes /
				       (double)totals->stored_bytes);
	line("stored bytes", tool_format_size(totals->stored_bytes), about);
	line("index bytes", tool_format_size(totals->index_bytes), "");
	line("directories", tool_format_count(totals->directories), "");
	line("plain files", tool_format_count(totals->plain_files),
	     "with other than entry names, stored as they are");
	line("plain bytes", tool_format_size(totals->plain_bytes),
	     "of disk, of the plain files");
	line("displaced", tool_format_count(totals->displaced),
	     "replaced or deleted, kept for who has them open");
	line("quarantined", tool_format_count(totals->quarantined),
	     "damaged, put aside; each is a miss");
}

static void print_figures(const struct cubby_figures *figures)
{
	uint64_t requests = figures->hits + figures->misses;
	char about[128] = "nothing was asked for yet";

	puts("\nSince the store was made");
	if (requests > 0)
		(void)snprintf(about, sizeof(about), "of %s requests",
			       tool_format_count(requests).text);
	line("hit rate", tool_format_share(figures->hits, requests), about);
	(void)snprintf(about, sizeof(about), "%s of content",
		       tool_format_size(figures->bytes_out).text);
	line("hits", tool_format_count(figures->hits), about);
	line("misses", tool_format_count(figures->misses), "");
	(void)snprintf(about, sizeof(about), "%s of content",
		       tool_format_size(figures->bytes_in).text);
	line("adds", tool_format_count(figures->adds), about);
	line("deletes", tool_format_count(figures->deletes),
	     "without evictions");
	line("evictions", tool_format_count(figures->evictions), "");
	line("corrupt", tool_format_count(figures->corrupt),
	     "damaged, put aside");
}

static void print_checks(const struct cubby_checks *checks)
{
	const time_t ended = (time_t)checks->scrub_ended_s;
	char about[128] = "not yet once through the store";
	struct tm time;

	if (checks->refused > 0)
		line("refused", tool_format_count(checks->refused),
		     "adds that did not hash to their names");
	if (checks->scrub_begun_s == 0 && checks->scrub_rounds == 0)
		return;
	if (checks->scrub_rounds > 0 && localtime_r(&ended, &time))
		(void)strftime(about, sizeof(about),
			       "last once through the store on %F %H:%M",
			       &time);
	line("scrub", tool_format_count(checks->scrub_checked), about);
	line("damaged", tool_format_count(checks->scrub_damaged),
	     "found by it, put aside");
	if (checks->scrub_misnamed > 0)
		line("misnamed", tool_format_count(checks->scrub_misnamed),
		     "found by it: see `cubby verify`");
	if (checks->scrub_unreadable > 0)
		line("unreadable", tool_format_count(checks->scrub_unreadable),
		     "the disk gave an error");
}

static void print_ghosts(const struct tool_stats *stats)
{
	static const int steps[] = {0, 1, 3, 7, 11, 15};
	const uint64_t *hits = stats->what_if.ghost_hits;
	uint64_t limit = stats->limits.max_size;
	uint64_t misses = stats->figures.misses;

	puts("\nWould a larger limit help?");
	if (limit == 0) {
		puts("  No limit is set.");
		return;
	}
	if (hits[CUBBY_GHOST_STEPS - 1] == 0) {
		puts("  No: nothing that was evicted was asked for again.");
		return;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int quarters = 4 + steps[i] + 1;

		printf("  A limit of %s (%.4gx) would have saved %s misses, "
		       "%s\n",
		       tool_format_size(limit / 4 * (uint64_t)quarters).text,
		       quarters / 4.0, tool_format_count(hits[steps[i]]).text,
		       tool_format_share(hits[steps[i]], misses).text);
	}
}

static void print_ages(const struct cubby_what_if *what_if)
{
	const uint64_t *ages = what_if->eviction_ages;
	uint64_t sum = 0;
	uint64_t most = 0;
	int first = CUBBY_AGE_STEPS;
	int last = 0;

	for (int i = 0; i < CUBBY_AGE_STEPS; i++) {
		if (ages[i] == 0)
			continue;
		sum += ages[i];
		most = ages[i] > most ? ages[i] : most;
		first = i < first ? i : first;
		last = i;
	}
	if (sum == 0)
		return;
	puts("\nHow long what was evicted had not been used");
	for (int i = first; i <= last; i++) {
		int width =
			(int)((double)ages[i] * BAR_WIDTH / (double)most + 0.5);

		printf("  %8s to %8s %14s %8s  %.*s\n",
		       tool_format_time(i ? UINT64_C(1) << i : 0).text,
		       tool_format_time(UINT64_C(2) << i).text,
		       tool_format_count(ages[i]).text,
		       tool_format_share(ages[i], sum).text, width,
		       "##############################");
	}
}

static void print_row(const struct tool_tally_row *row)
{
	const struct cubby_figures *figures = &row->figures;

	printf("  %11s %11s %9s %11s %11s %9s %9s %9s  ",
	       tool_format_count(figures->hits).text,
	       tool_format_count(figures->misses).text,
	       tool_format_share(figures->hits, figures->hits + figures->misses)
		       .text,
	       tool_format_count(figures->adds).text,
	       tool_format_count(figures->evictions).text,
	       tool_format_count(figures->corrupt).text,
	       tool_format_size(figures->bytes_in).text,
	       tool_format_size(figures->bytes_out).text);
	if (!row->name)
		fputs("(directories that are gone, and others)", stdout);
	else if (*row->name == '\0')
		fputs("(directly here)", stdout);
	else
		tool_text_plain(stdout, row->name);
	putchar('\n');
}

static void print_tally(const struct tool_tally *tally)
{
	size_t shown = tally->count < ROWS_MAX ? tally->count : ROWS_MAX;

	if (shown == 0)
		return;
	puts("\nBy directory, with all below");
	printf("  %11s %11s %9s %11s %11s %9s %9s %9s  %s\n", "hits", "misses",
	       "hit rate", "adds", "evictions", "corrupt", "added", "got",
	       "directory");
	for (size_t i = 0; i < shown; i++)
		print_row(&tally->rows[i]);
	if (shown < tally->count)
		printf("  and %zu more, see --json\n", tally->count - shown);
}

static void print_no_figures(void)
{
	puts("\nWhat happened is not known of a store that cannot be written.");
}

void tool_stats_plain(const struct tool_stats *stats)
{
	print_totals(stats);
	if (!stats->has_figures) {
		print_no_figures();
		return;
	}
	print_figures(&stats->figures);
	print_checks(&stats->checks);
	print_ghosts(stats);
	print_ages(&stats->what_if);
	print_tally(&stats->tally);
}

void tool_stats_directory_plain(const struct tool_stats_directory *directory)
{
	const struct cubby_quota *quota = &directory->quota;
	char about[128];

	fputs("Directory ", stdout);
	tool_text_plain(stdout, directory->path);
	puts(", with all below");
	line("entries", tool_format_count(directory->entries), "");
	line("raw bytes", tool_format_size(directory->raw_bytes),
	     "as they were added");
	line("stored bytes", tool_format_size(directory->stored_bytes),
	     "as they are stored");
	if (quota->quota > 0) {
		(void)snprintf(
			about, sizeof(about), "%s of it are used, %s",
			tool_format_share(quota->bytes, quota->quota).text,
			tool_format_size(quota->bytes).text);
		line("quota", tool_format_size(quota->quota), about);
	}
	if (quota->is_pinned)
		puts("  It is pinned: nothing is evicted for the limits of the "
		     "store.");
	if (!directory->has_figures) {
		print_no_figures();
		return;
	}
	print_figures(&directory->tally.sum);
	print_tally(&directory->tally);
}
