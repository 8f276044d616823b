/* SPDX-License-Identifier: MIT */
/*
 * cubby stats: the totals of a store.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tool/tool_fail.h"

static void stats_json(const struct cubby_stats *stats)
{
	printf("{\"entries\":%" PRIu64 ",\"directories\":%" PRIu64
	       ",\"plain_files\":%" PRIu64 ",\n\"raw_bytes\":%" PRIu64
	       ",\"stored_bytes\":%" PRIu64 ",\n\"displaced\":%" PRIu64
	       ",\"index_bytes\":%" PRIu64 ",\"quarantined\":%" PRIu64 "}\n",
	       stats->entries, stats->directories, stats->plain_files,
	       stats->raw_bytes, stats->stored_bytes, stats->displaced,
	       stats->index_bytes, stats->quarantined);
}

static void stats_line(const char *name, uint64_t value, const char *about)
{
	printf("%-14s %14" PRIu64 "%s%s\n", name, value, *about ? "  " : "",
	       about);
}

static void stats_plain(const struct cubby_stats *stats)
{
	stats_line("entries", stats->entries, "");
	stats_line("directories", stats->directories, "");
	stats_line("plain files", stats->plain_files,
		   "with other than entry names, stored as they are");
	stats_line("raw bytes", stats->raw_bytes,
		   "of all entries, as they were added");
	stats_line("stored bytes", stats->stored_bytes,
		   "of all entries, as they are stored");
	stats_line("displaced", stats->displaced,
		   "replaced or deleted, kept for who has them open");
	stats_line("index bytes", stats->index_bytes, "");
	stats_line("quarantined", stats->quarantined,
		   "damaged, put aside; each is a miss");
}

const struct tool_manual tool_stats_manual = {
	.text = "Prints the totals of a store.\n",
};

int tool_stats(const struct tool_call *call)
{
	struct cubby_stats stats;
	int r;

	r = cubby_get_stats(call->store, &stats);
	if (r < 0)
		return tool_fail("cannot read the totals of '%s': %s",
				 call->store_path, cubby_strerror(r));
	if (call->json)
		stats_json(&stats);
	else
		stats_plain(&stats);
	return TOOL_OK;
}
