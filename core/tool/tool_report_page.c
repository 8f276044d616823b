/* SPDX-License-Identifier: MIT */
/*
 * The page of a report: HTML with its style and drawings in it, and no script.
 *
 * Colours are variables, which have other values where dark ones are wanted;
 * the charts use their names only.
 */
#include <stdio.h>
#include <string.h>

#include "tool/tool_chart.h"
#include "tool/tool_format.h"
#include "tool/tool_report.h"
#include "tool/tool_text.h"

enum { POINTS_MAX = 1100 };

static const char style[] =
	":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;"
	"--text:#1b2430;--soft:#566273;--grid:#dde2e9;--mark:#1f6fb5;"
	"--limit:#b5471f}\n"
	"@media(prefers-color-scheme:dark){:root{--page:#11151b;"
	"--card:#1a2029;--text:#e6ebf2;--soft:#9eabbc;--grid:#313a47;"
	"--mark:#5fb0f2;--limit:#f09a6d}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--page);color:var(--text);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"main{max-width:1160px;margin:0 auto;padding:28px 20px;display:grid;"
	"gap:18px;grid-template-columns:repeat(auto-fit,minmax(min(100%,"
	"480px),1fr))}\n"
	"header,.tiles,.wide{grid-column:1/-1}\n"
	"h1{font-size:24px;margin:0;overflow-wrap:anywhere}\n"
	"h2{font-size:16px;margin:0}\n"
	"p{margin:0;color:var(--soft)}\n"
	".tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,"
	"minmax(150px,1fr))}\n"
	".tiles div,section{background:var(--card);border:1px solid "
	"var(--grid);border-radius:10px;padding:14px 16px}\n"
	".tiles b{display:block;font-size:22px;line-height:1.3}\n"
	".tiles span{color:var(--soft);font-size:13px}\n"
	"section p{font-size:13px;margin-bottom:8px}\n"
	"section p.none{padding:36px 0;text-align:center;font-size:15px}\n"
	"svg{width:100%;height:auto;display:block}\n"
	".grid{stroke:var(--grid)}\n"
	".tick,.note{fill:var(--soft);font-size:14px}\n"
	".note{fill:var(--limit)}\n"
	".end{text-anchor:end}.middle{text-anchor:middle}\n"
	".line{fill:none;stroke:var(--mark);stroke-width:2;"
	"stroke-linejoin:round;stroke-linecap:round}\n"
	".bar{fill:var(--mark)}\n"
	".limit{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:6 4}\n"
	"table{width:100%;border-collapse:collapse;font-size:14px}\n"
	"th{text-align:left;color:var(--soft);font-weight:500}\n"
	"th,td{padding:4px 8px;border-bottom:1px solid var(--grid)}\n"
	"td.n,th.n{text-align:right;white-space:nowrap;"
	"font-variant-numeric:tabular-nums}\n"
	"td.path{overflow-wrap:anywhere}\n"
	"td.share{width:28%}\n"
	"td.share i{display:block;height:10px;border-radius:3px;"
	"background:var(--mark);min-width:2px}\n";

/* ------------------------------------------------------------------- parts */

static void section_begin(FILE *out, const char *class, const char *title,
			  const char *about)
{
	fprintf(out, "<section class=\"%s\"><h2>%s</h2><p>%s</p>\n", class,
		title, about);
}

static void section_end(FILE *out)
{
	fputs("</section>\n", out);
}

static void print_none(FILE *out, const char *why)
{
	fprintf(out, "<p class=\"none\">%s</p>\n", why);
}

static void tile(FILE *out, const char *name, struct tool_words words,
		 const char *about)
{
	fprintf(out, "<div><span>%s</span><b>%s</b><span>%s</span></div>\n",
		name, words.text, about);
}

static void print_tiles(FILE *out, const struct tool_report *report)
{
	const struct tool_stats *stats = &report->stats;
	const struct cubby_figures *figures = &stats->figures;
	const uint64_t limit = stats->limits.max_size;
	const uint64_t disk = stats->totals.disk_bytes;
	const uint64_t requests = figures->hits + figures->misses;
	char about[128] = "no limit is set";

	fputs("<div class=\"tiles\">\n", out);
	if (limit > 0)
		(void)snprintf(about, sizeof(about), "%s of %s",
			       tool_format_share(disk, limit).text,
			       tool_format_size(limit).text);
	tile(out, "Disk", tool_format_size(disk), about);
	(void)snprintf(about, sizeof(about), "%s of content",
		       tool_format_size(stats->totals.raw_bytes).text);
	tile(out, "Entries", tool_format_count(stats->totals.entries), about);
	(void)snprintf(about, sizeof(about), "of %s requests",
		       tool_format_count(requests).text);
	tile(out, "Hit rate", tool_format_share(figures->hits, requests),
	     about);
	(void)snprintf(about, sizeof(about), "%s of content",
		       tool_format_size(figures->bytes_in).text);
	tile(out, "Adds", tool_format_count(figures->adds), about);
	tile(out, "Evictions", tool_format_count(figures->evictions),
	     "for the limits");
	tile(out, "Quarantined", tool_format_count(stats->totals.quarantined),
	     "damaged entries");
	fputs("</div>\n", out);
}

/* ----------------------------------------------------------------- history */

static void print_use(FILE *out, const struct tool_report *report)
{
	struct tool_chart_point points[POINTS_MAX];
	struct tool_chart_lines chart = {
		.title = "Disk use over time",
		.unit = TOOL_CHART_BYTES,
		.points = points,
		.limit = (double)report->stats.limits.max_size,
	};

	section_begin(out, "", "Disk use over time", "bytes of disk; UTC");
	for (size_t i = 0; i < report->sample_count && i < POINTS_MAX; i++)
		points[chart.count++] = (struct tool_chart_point){
			.time_s = report->samples[i].time_s,
			.value = (double)report->samples[i].disk_bytes,
		};
	if (chart.count < 2)
		print_none(out, "No history yet: a sample is taken every ten "
				"minutes in which something changes.");
	else
		tool_chart_lines(out, &chart);
	section_end(out);
}

static void print_rate(FILE *out, const struct tool_report *report)
{
	struct tool_chart_point points[POINTS_MAX];
	struct tool_chart_lines chart = {
		.title = "Hit rate over time",
		.unit = TOOL_CHART_PERCENT,
		.points = points,
	};
	size_t known = 0;

	section_begin(out, "", "Hit rate over time",
		      "hits in 100 requests, between one sample and the next; "
		      "UTC");
	for (size_t i = 1; i < report->sample_count && i < POINTS_MAX; i++) {
		const struct cubby_figures *before =
			&report->samples[i - 1].figures;
		const struct cubby_figures *now = &report->samples[i].figures;
		double hits = (double)now->hits - (double)before->hits;
		double misses = (double)now->misses - (double)before->misses;
		bool gap = hits < 0 || misses < 0 || hits + misses < 1;

		points[chart.count++] = (struct tool_chart_point){
			.time_s = report->samples[i].time_s,
			.value = gap ? 0 : hits * 100 / (hits + misses),
			.gap = gap,
		};
		known += !gap;
	}
	if (chart.count < 2 || known == 0)
		print_none(out, "No history yet.");
	else
		tool_chart_lines(out, &chart);
	section_end(out);
}

static void print_added(FILE *out, const struct tool_report *report)
{
	struct tool_chart_point points[POINTS_MAX];
	struct tool_chart_lines chart = {
		.title = "Content added over time",
		.unit = TOOL_CHART_BYTES,
		.points = points,
	};

	section_begin(out, "", "Content added over time",
		      "bytes in an hour, between one sample and the next; UTC");
	for (size_t i = 1; i < report->sample_count && i < POINTS_MAX; i++) {
		const struct cubby_sample *before = &report->samples[i - 1];
		const struct cubby_sample *now = &report->samples[i];
		double bytes = (double)now->figures.bytes_in -
			       (double)before->figures.bytes_in;
		double seconds = (double)(now->time_s - before->time_s);

		points[chart.count++] = (struct tool_chart_point){
			.time_s = now->time_s,
			.value = bytes * 3600 / seconds,
			.gap = bytes < 0,
		};
	}
	if (chart.count < 2)
		print_none(out, "No history yet.");
	else
		tool_chart_lines(out, &chart);
	section_end(out);
}

/* ----------------------------------------------------------- what fills it */

static void print_directories(FILE *out, const struct tool_report *report)
{
	const struct tool_heap *heap = &report->directories;
	uint64_t all = report->stats.totals.stored_bytes;

	section_begin(out, "wide", "What fills it, by directory",
		      "the largest directories, each with all below: bytes as "
		      "stored");
	if (heap->count == 0) {
		print_none(out, "There are no directories with entries.");
		section_end(out);
		return;
	}
	fputs("<table><tr><th>Directory<th class=\"n\">Stored"
	      "<th class=\"n\">Share<th><th class=\"n\">Content"
	      "<th class=\"n\">Entries</tr>\n",
	      out);
	for (size_t i = 0; i < heap->count; i++) {
		const struct tool_heap_row *row = &heap->rows[i];

		fputs("<tr><td class=\"path\">", out);
		tool_text_html(out, row->path);
		fprintf(out,
			"<td class=\"n\">%s<td class=\"n\">%s<td "
			"class=\"share\"><i style=\"width:%.1f%%\"></i><td "
			"class=\"n\">%s<td class=\"n\">%s</tr>\n",
			tool_format_size(row->sum.stored_bytes).text,
			tool_format_share(row->sum.stored_bytes, all).text,
			all ? (double)row->sum.stored_bytes * 100 / (double)all
			    : 0,
			tool_format_size(row->sum.raw_bytes).text,
			tool_format_count(row->sum.entries).text);
	}
	fputs("</table>\n", out);
	section_end(out);
}

static void print_uses(FILE *out, const struct tool_report *report)
{
	struct tool_chart_bar bars[TOOL_REPORT_AGES] = {{.value = 0}};

	section_begin(out, "", "What fills it, by last use",
		      "bytes as stored, by the time since the last use");
	for (int i = 0; i < TOOL_REPORT_AGES; i++) {
		bars[i].value = (double)report->age_bytes[i];
		(void)snprintf(bars[i].name, sizeof(bars[i].name), "%s",
			       tool_report_age_names[i]);
	}
	if (report->stats.totals.entries == 0)
		print_none(out, "The store is empty.");
	else
		tool_chart_columns(out, "Bytes by last use", TOOL_CHART_BYTES,
				   bars, TOOL_REPORT_AGES);
	section_end(out);
}

/* --------------------------------------------------------------- evictions */

static void print_ages(FILE *out, const struct tool_report *report)
{
	const uint64_t *ages = report->stats.what_if.eviction_ages;
	struct tool_chart_bar bars[CUBBY_AGE_STEPS];
	int last = CUBBY_AGE_STEPS - 1;
	int first = 0;
	size_t count = 0;

	section_begin(out, "", "How long what was evicted had not been used",
		      "evictions, by the time from the last use on (each "
		      "column to twice its time)");
	while (first < CUBBY_AGE_STEPS && ages[first] == 0)
		first++;
	while (last > first && ages[last] == 0)
		last--;
	for (int i = first; i <= last; i++) {
		bars[count].value = (double)ages[i];
		(void)snprintf(bars[count].name, sizeof(bars[count].name), "%s",
			       tool_format_time(i ? UINT64_C(1) << i : 0).text);
		count++;
	}
	if (count == 0)
		print_none(out, "Nothing was evicted yet.");
	else
		tool_chart_columns(out, "Evictions by age", TOOL_CHART_COUNT,
				   bars, count);
	section_end(out);
}

static void print_ghosts(FILE *out, const struct tool_report *report)
{
	const struct tool_stats *stats = &report->stats;
	const uint64_t *hits = stats->what_if.ghost_hits;
	const uint64_t limit = stats->limits.max_size;
	struct tool_chart_bar bars[CUBBY_GHOST_STEPS];

	section_begin(out, "", "Would a larger limit help?",
		      "misses that would have been hits, in 100, by the limit; "
		      "estimated");
	for (int i = 0; i < CUBBY_GHOST_STEPS; i++) {
		double misses = (double)stats->figures.misses;

		bars[i].value = misses > 0 ? (double)hits[i] * 100 / misses : 0;
		if (bars[i].value > 100)
			bars[i].value = 100;
		(void)snprintf(
			bars[i].name, sizeof(bars[i].name), "%s",
			tool_format_size(limit / 4 * (uint64_t)(i + 5)).text);
	}
	if (limit == 0)
		print_none(out, "No limit is set.");
	else if (hits[CUBBY_GHOST_STEPS - 1] == 0)
		print_none(out, "Nothing that was evicted was asked for "
				"again.");
	else
		tool_chart_columns(out, "Misses saved by a larger limit",
				   TOOL_CHART_PERCENT, bars, CUBBY_GHOST_STEPS);
	section_end(out);
}

void tool_report_page(FILE *out, const struct tool_report *report)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
	      "charset=\"utf-8\">\n<meta name=\"viewport\" "
	      "content=\"width=device-width,initial-scale=1\">\n<title>cubby: ",
	      out);
	tool_text_html(out, report->stats.call->store_path);
	fprintf(out,
		"</title>\n<style>\n%s</style></head><body><main>\n"
		"<header><h1>",
		style);
	tool_text_html(out, report->stats.call->store_path);
	fprintf(out, "</h1><p>cubby store, %s</p></header>\n",
		tool_format_date(report->now_ns / 1000000000).text);
	print_tiles(out, report);
	print_use(out, report);
	print_rate(out, report);
	print_directories(out, report);
	print_uses(out, report);
	print_ages(out, report);
	print_ghosts(out, report);
	print_added(out, report);
	fputs("</main></body></html>\n", out);
}
