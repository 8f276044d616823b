/* SPDX-License-Identifier: MIT */
/*
 * cubby stats: what is in a store, and what happened there.
 */
#include <errno.h>
#include <stdio.h>

#include "tool/tool_fail.h"
#include "tool/tool_scan.h"
#include "tool/tool_stats.h"

static const struct tool_option options[] = {
	{"--prometheus", TOOL_FLAG, NULL,
	 "print metrics in the text format of Prometheus"},
	{"--watch", TOOL_FLAG, NULL,
	 "print rates, each second until it is interrupted: drawn\n"
	 "in place on a terminal, else one line a second"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_stats_manual = {
	.options = options,
	.text = "Prints the totals of a store, the disk that it takes against "
		"its limit, and\n"
		"what happened since it was made: hits, misses, adds, "
		"evictions, by directory,\n"
		"each with all below. With DIRECTORY it prints that and the "
		"directories in it.\n"
		"\n"
		"\"Would a larger limit help?\" is estimated from a sample of "
		"what was evicted and\n"
		"asked for again: so many of the misses would have been hits. "
		"The table of ages\n"
		"says how long what was evicted had not been used.\n"
		"\n"
		"A mount counts a hit when the kernel asks it for the name, "
		"which it does at\n"
		"most once a minute as long as it knows it.\n",
};

static int fail(const struct tool_call *call, int r)
{
	return tool_fail("cannot read the totals of '%s': %s", call->store_path,
			 cubby_strerror(r));
}

int tool_stats_read(const struct tool_call *call, bool directories,
		    struct tool_stats *ret_stats)
{
	struct tool_stats stats = {
		.call = call,
		.has_figures = !call->read_only,
	};
	int r = cubby_get_stats(call->store, &stats.totals);

	if (r == 0)
		r = cubby_get_limits(call->store, &stats.limits);
	if (r == 0 && stats.has_figures)
		r = cubby_get_figures(call->store, &stats.figures,
				      &stats.what_if);
	if (r == 0 && stats.has_figures)
		r = cubby_get_checks(call->store, &stats.checks);
	if (r == 0 && directories && stats.has_figures)
		r = tool_tally_init(call->store, "", &stats.tally);
	if (r < 0)
		return fail(call, r);
	*ret_stats = stats;
	return TOOL_OK;
}

void tool_stats_done(struct tool_stats *stats)
{
	tool_tally_done(&stats->tally);
}

/* -------------------------------------------------------------- directory */

static int sum_entry(void *cookie, const char *path,
		     const struct cubby_attr *attr)
{
	struct tool_stats_directory *directory = cookie;

	(void)path;
	directory->entries++;
	directory->raw_bytes += attr->size;
	directory->stored_bytes += attr->stored_size;
	return 0;
}

static int directory_read(const struct tool_call *call,
			  struct tool_stats_directory *directory)
{
	int r = cubby_get_quota(call->store, directory->path,
				&directory->quota);

	if (r == 0)
		r = tool_scan(call, directory->path, "stats", sum_entry,
			      directory);
	if (r == 0)
		r = tool_tally_init(call->store, directory->path,
				    &directory->tally);
	return r;
}

static int stats_directory(const struct tool_call *call)
{
	struct tool_stats_directory directory = {
		.path = call->operand,
		.has_figures = !call->read_only,
	};
	int r = directory_read(call, &directory);

	if (r == -ENOENT)
		return tool_fail("there is no directory '%s' in the store; see "
				 "`cubby stats %s`",
				 call->operand, call->store_path);
	if (r < 0)
		return tool_fail_entry(call, "cannot read the totals of", r);
	if (call->json)
		tool_stats_directory_json(&directory);
	else
		tool_stats_directory_plain(&directory);
	tool_tally_done(&directory.tally);
	return TOOL_OK;
}

/* ------------------------------------------------------------------ store */

static int stats_store(const struct tool_call *call, bool prometheus)
{
	struct tool_stats stats;
	int status = tool_stats_read(call, true, &stats);
	int r = 0;

	if (status != TOOL_OK)
		return status;
	if (prometheus)
		r = tool_stats_prometheus(&stats);
	else if (call->json)
		tool_stats_json(&stats);
	else
		tool_stats_plain(&stats);
	tool_stats_done(&stats);
	return r < 0 ? fail(call, r) : TOOL_OK;
}

int tool_stats(const struct tool_call *call)
{
	const bool prometheus = tool_option_value(call->given, "--prometheus");
	const bool watch = tool_option_value(call->given, "--watch");
	const bool directory = call->operand && *call->operand != '\0';

	if (prometheus + watch + call->json > 1)
		return tool_fail("--json, --prometheus and --watch exclude "
				 "each other; leave out all but one");
	if (directory && (prometheus || watch))
		return tool_fail("%s is of the whole store; leave out '%s'",
				 watch ? "--watch" : "--prometheus",
				 call->operand);
	if (watch)
		return tool_stats_watch(call);
	if (directory)
		return stats_directory(call);
	return stats_store(call, prometheus);
}
