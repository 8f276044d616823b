/* SPDX-License-Identifier: MIT */
/*
 * What `cubby report` knows, and the page that it makes of that.
 */
#ifndef CUBBY_TOOL_REPORT_H
#define CUBBY_TOOL_REPORT_H

#include <stdio.h>

#include "tool/tool_heap.h"
#include "tool/tool_stats.h"

enum { TOOL_REPORT_AGES = 9 };

struct tool_report {
	struct tool_stats stats;
	struct cubby_sample *samples; /* the oldest first */
	size_t sample_count;
	struct tool_heap directories;
	struct tool_sums sums;
	uint64_t age_bytes[TOOL_REPORT_AGES]; /* stored, by the last use */
	int64_t now_ns;
};

/* Of the ages: where they begin, in seconds, and what they are called. */
extern const uint64_t tool_report_age_s[TOOL_REPORT_AGES];
extern const char *const tool_report_age_names[TOOL_REPORT_AGES];

/* Write the page. */
void tool_report_page(FILE *out, const struct tool_report *report);

#endif
