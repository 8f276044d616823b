/* SPDX-License-Identifier: MIT */
/*
 * cubby report: the state and the history of a store as one HTML page.
 *
 * The page is made in memory and written at the end, so that a report that
 * fails leaves the one before it as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/tool_fail.h"
#include "tool/tool_report.h"
#include "tool/tool_scan.h"

enum { DIRECTORIES_MAX = 12 };

static const struct tool_option options[] = {
	{"-o", TOOL_TEXT, "FILE",
	 "where the report goes; \"-\" is standard output"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_report_manual = {
	.options = options,
	.text = "Writes a page for a browser, which needs nothing else: disk "
		"use and hit rate\n"
		"over the last days, what fills the store by directory and by "
		"last use, how old\n"
		"was what was evicted, and whether a larger limit would help. "
		"All entries are\n"
		"looked at.\n"
		"\n"
		"Example: cubby report ~/.cache/cubby -o report.html\n",
};

const uint64_t tool_report_age_s[TOOL_REPORT_AGES] = {
	0,	   600,	      3600,	  6 * 3600,  86400,
	3 * 86400, 7 * 86400, 14 * 86400, 30 * 86400};
const char *const tool_report_age_names[TOOL_REPORT_AGES] = {
	"< 10 min", "< 1 h",  "< 6 h",	"< 1 d", "< 3 d",
	"< 7 d",    "< 14 d", "< 30 d", "≥ 30 d"};

/* -------------------------------------------------------------- collecting */

static int take_entry(void *cookie, const char *path,
		      const struct cubby_attr *attr)
{
	struct tool_report *report = cookie;
	int64_t age_s = (report->now_ns - attr->used_ns) / 1000000000;
	int at = TOOL_REPORT_AGES - 1;

	while (at > 0 && age_s < (int64_t)tool_report_age_s[at])
		at--;
	report->age_bytes[at] += attr->stored_size;
	return tool_sums_add(&report->sums, path, attr);
}

static int take_directory(void *cookie, const char *path,
			  const struct tool_sum *sum)
{
	struct tool_report *report = cookie;
	char copy[CUBBY_PATH_MAX + 1];
	const struct tool_heap_row row = {
		.weight = (int64_t)sum->stored_bytes,
		.path = strcpy(copy, path),
		.sum = *sum,
	};

	/* As in tool_top.c. */
	if (*path == '\0' || (sum->direct == 0 && sum->below == 1))
		return 0;
	return tool_heap_offer(&report->directories, &row);
}

static int take_sample(void *cookie, const struct cubby_sample *sample)
{
	struct tool_report *report = cookie;
	size_t count = report->sample_count;
	struct cubby_sample *samples;

	/* A clock that was set back is left out. */
	if (count > 0 && report->samples[count - 1].time_s >= sample->time_s)
		return 0;
	samples = realloc(report->samples, (count + 1) * sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	samples[count] = *sample;
	report->samples = samples;
	report->sample_count++;
	return 0;
}

static int collect(const struct tool_call *call, struct tool_report *report)
{
	const struct cubby_sample now = {
		.time_s = report->now_ns / 1000000000,
		.disk_bytes = report->stats.totals.disk_bytes,
		.entries = report->stats.totals.entries,
		.figures = report->stats.figures,
	};
	int r = cubby_list_samples(call->store, take_sample, report);

	/* Who may only read sees no history, but all else. */
	if (r == -EROFS)
		r = 0;
	if (r == 0 && report->sample_count > 0)
		r = take_sample(report, &now);
	if (r == 0)
		r = tool_scan(call, "", "report", take_entry, report);
	r = tool_sums_done(&report->sums, r);
	tool_heap_sort(&report->directories);
	return r;
}

/* ----------------------------------------------------------------- writing */

static int write_file(const char *path, const char *page, size_t size)
{
	const bool standard = strcmp(path, "-") == 0;
	FILE *out = standard ? stdout : fopen(path, "w");
	bool is_written;

	if (!out)
		return tool_fail("cannot write '%s': %s", path,
				 strerror(errno));
	is_written = fwrite(page, 1, size, out) == size;
	if (standard)
		return TOOL_OK; /* tool_flush() looks at it */
	if (fclose(out) != 0 || !is_written)
		return tool_fail("cannot write '%s': %s", path,
				 errno ? strerror(errno) : "a write failed");
	return TOOL_OK;
}

static int write_report(const char *path, const struct tool_report *report)
{
	char *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);
	int status;

	if (!out)
		return tool_fail("no memory");
	tool_report_page(out, report);
	if (fclose(out) == 0)
		status = write_file(path, page, size);
	else
		status = tool_fail("no memory");
	free(page);
	return status;
}

int tool_report(const struct tool_call *call)
{
	const struct tool_value *path = tool_option_value(call->given, "-o");
	struct tool_report report = {
		.directories = {.max = DIRECTORIES_MAX},
		.sums = {.fn = take_directory, .cookie = &report},
		.now_ns = (int64_t)time(NULL) * 1000000000,
	};
	int status;
	int r;

	if (!path)
		return tool_fail(
			"say where the report goes, as -o report.html");
	status = tool_stats_read(call, true, &report.stats);
	if (status != TOOL_OK)
		return status;
	r = collect(call, &report);
	if (r < 0)
		status = tool_fail("cannot report on '%s': %s",
				   call->store_path, cubby_strerror(r));
	else
		status = write_report(path->text, &report);
	free(report.samples);
	tool_heap_done(&report.directories);
	tool_stats_done(&report.stats);
	return status;
}
