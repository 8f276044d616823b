/* SPDX-License-Identifier: MIT */
/*
 * Charts as inline SVG, in the colours of the page's style sheet: see
 * tool_report_page.c.
 */
#ifndef CUBBY_TOOL_CHART_H
#define CUBBY_TOOL_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the values are, and so how they are written. */
enum tool_chart_unit {
	TOOL_CHART_BYTES,
	TOOL_CHART_COUNT,
	TOOL_CHART_PERCENT,
};

struct tool_chart_point {
	int64_t time_s;
	double value;
	bool gap; /* no value here: the line is interrupted */
};

struct tool_chart_lines {
	const char *title; /* for who cannot see it */
	enum tool_chart_unit unit;
	const struct tool_chart_point *points;
	size_t count;
	double limit; /* a dashed line across, when more than 0 */
};

/* Draw a line over time, which has at least two points. */
void tool_chart_lines(FILE *out, const struct tool_chart_lines *chart);

struct tool_chart_bar {
	char name[40];
	double value;
};

/* Draw columns side by side; what they stand for is `name`, below. */
void tool_chart_columns(FILE *out, const char *title, enum tool_chart_unit unit,
			const struct tool_chart_bar *bars, size_t count);

#endif
