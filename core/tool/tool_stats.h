/* SPDX-License-Identifier: MIT */
/*
 * What `cubby stats` knows, and the forms in which it prints that.
 */
#ifndef CUBBY_TOOL_STATS_H
#define CUBBY_TOOL_STATS_H

#include "cubby/manage.h"
#include "tool/tool.h"
#include "tool/tool_tally.h"

struct tool_stats {
	const struct tool_call *call;
	struct cubby_stats totals;
	struct cubby_limits limits;
	struct cubby_figures figures;
	struct cubby_what_if what_if;
	struct cubby_checks checks;
	struct tool_tally tally;
	bool has_figures; /* a store on a read-only disk gives none */
};

/* What is in and below one directory. */
struct tool_stats_directory {
	const char *path;
	uint64_t entries;
	uint64_t raw_bytes;
	uint64_t stored_bytes;
	struct cubby_quota quota;
	struct tool_tally tally;
	bool has_figures;
};

/*
 * Read everything, or all but the directories. The caller ends it with
 * tool_stats_done(). Returns TOOL_OK, or TOOL_FAILED, which has been said.
 */
int tool_stats_read(const struct tool_call *call, bool directories,
		    struct tool_stats *ret_stats);
void tool_stats_done(struct tool_stats *stats);

void tool_stats_plain(const struct tool_stats *stats);
void tool_stats_directory_plain(const struct tool_stats_directory *directory);
void tool_stats_json(const struct tool_stats *stats);
void tool_stats_directory_json(const struct tool_stats_directory *directory);

/* The text exposition format 0.0.4. Returns 0, or as cubby_list_quotas(). */
int tool_stats_prometheus(const struct tool_stats *stats);

/* Print what happens, each second, for ever. Returns an exit status. */
int tool_stats_watch(const struct tool_call *call);

#endif
