/* SPDX-License-Identifier: MIT */
/*
 * Statistics as JSON: all numbers in full, bytes and seconds. What is not known
 * is null.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tool/tool_stats.h"
#include "tool/tool_text.h"

static void print_figures(const struct cubby_figures *figures)
{
	printf("\"hits\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"adds\":%" PRIu64
	       ",\"deletes\":%" PRIu64 ",\"evictions\":%" PRIu64
	       ",\"corrupt\":%" PRIu64 ",\"bytes_in\":%" PRIu64
	       ",\"bytes_out\":%" PRIu64 "}",
	       figures->hits, figures->misses, figures->adds, figures->deletes,
	       figures->evictions, figures->corrupt, figures->bytes_in,
	       figures->bytes_out);
}

static void print_checks(const struct cubby_checks *checks)
{
	printf(",\n\"refused\":%" PRIu64 ",\"scrub\":{\"rounds\":%" PRIu64
	       ",\"begun_s\":%" PRId64 ",\"ended_s\":%" PRId64
	       ",\n\"round_checked\":%" PRIu64 ",\"checked\":%" PRIu64
	       ",\"damaged\":%" PRIu64 ",\"misnamed\":%" PRIu64
	       ",\"unreadable\":%" PRIu64 "}",
	       checks->refused, checks->scrub_rounds, checks->scrub_begun_s,
	       checks->scrub_ended_s, checks->scrub_round_checked,
	       checks->scrub_checked, checks->scrub_damaged,
	       checks->scrub_misnamed, checks->scrub_unreadable);
}

static void print_ghosts(const struct tool_stats *stats)
{
	uint64_t limit = stats->limits.max_size;

	fputs(",\n\"ghost_hits\":[", stdout);
	for (int i = 0; limit > 0 && i < CUBBY_GHOST_STEPS; i++)
		printf("%s\n{\"limit_factor\":%.2f,\"limit_bytes\":%" PRIu64
		       ",\"hits\":%" PRIu64 "}",
		       i ? "," : "", (i + 5) / 4.0,
		       limit / 4 * (uint64_t)(i + 5),
		       stats->what_if.ghost_hits[i]);
	fputs("]", stdout);
}

static void print_ages(const struct cubby_what_if *what_if)
{
	const char *comma = "";

	fputs(",\n\"eviction_ages\":[", stdout);
	for (int i = 0; i < CUBBY_AGE_STEPS; i++) {
		if (what_if->eviction_ages[i] == 0)
			continue;
		printf("%s\n{\"from_s\":%" PRIu64 ",\"to_s\":%" PRIu64
		       ",\"evictions\":%" PRIu64 "}",
		       comma, i ? UINT64_C(1) << i : 0, UINT64_C(2) << i,
		       what_if->eviction_ages[i]);
		comma = ",";
	}
	fputs("]", stdout);
}

static void print_tally(const struct tool_tally *tally)
{
	fputs(",\n\"by_directory\":[", stdout);
	for (size_t i = 0; i < tally->count; i++) {
		const struct tool_tally_row *row = &tally->rows[i];

		fputs(i ? ",\n{\"directory\":" : "\n{\"directory\":", stdout);
		if (row->name)
			tool_text_json(stdout, row->name);
		else
			fputs("null", stdout);
		putchar(',');
		print_figures(&row->figures);
	}
	fputs("]", stdout);
}

void tool_stats_json(const struct tool_stats *stats)
{
	const struct cubby_stats *totals = &stats->totals;

	printf("{\"entries\":%" PRIu64 ",\"directories\":%" PRIu64
	       ",\"plain_files\":%" PRIu64 ",\n\"raw_bytes\":%" PRIu64
	       ",\"stored_bytes\":%" PRIu64 ",\"plain_bytes\":%" PRIu64
	       ",\n\"disk_bytes\":%" PRIu64 ",\"limit_bytes\":%" PRIu64
	       ",\"index_bytes\":%" PRIu64 ",\n\"displaced\":%" PRIu64
	       ",\"quarantined\":%" PRIu64 ",\n\"figures\":",
	       totals->entries, totals->directories, totals->plain_files,
	       totals->raw_bytes, totals->stored_bytes, totals->plain_bytes,
	       totals->disk_bytes, stats->limits.max_size, totals->index_bytes,
	       totals->displaced, totals->quarantined);
	if (!stats->has_figures) {
		puts("null}");
		return;
	}
	putchar('{');
	print_figures(&stats->figures);
	print_checks(&stats->checks);
	print_ghosts(stats);
	print_ages(&stats->what_if);
	print_tally(&stats->tally);
	puts("}");
}

void tool_stats_directory_json(const struct tool_stats_directory *directory)
{
	const struct cubby_quota *quota = &directory->quota;

	fputs("{\"directory\":", stdout);
	tool_text_json(stdout, directory->path);
	printf(",\"entries\":%" PRIu64 ",\"raw_bytes\":%" PRIu64
	       ",\"stored_bytes\":%" PRIu64 ",\n\"quota\":%" PRIu64
	       ",\"quota_used\":%" PRIu64 ",\"pinned\":%s,\n\"figures\":",
	       directory->entries, directory->raw_bytes,
	       directory->stored_bytes, quota->quota, quota->bytes,
	       quota->is_pinned ? "true" : "false");
	if (!directory->has_figures) {
		puts("null}");
		return;
	}
	putchar('{');
	print_figures(&directory->tally.sum);
	print_tally(&directory->tally);
	puts("}");
}
