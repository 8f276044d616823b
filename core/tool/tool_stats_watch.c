/* SPDX-License-Identifier: MIT */
/*
 * Statistics while they change. A terminal gets a screen that is drawn anew in
 * place; anything else a line a second, so that it can be logged.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_stats.h"
#include "tool/tool_text.h"

enum { BAR_WIDTH = 40 };

/* Two moments, and the seconds between them. */
struct step {
	struct tool_stats before;
	struct tool_stats now;
	double seconds;
};

static uint64_t rate(const struct step *step, uint64_t before, uint64_t now)
{
	if (now < before) /* counted anew */
		return 0;
	return (uint64_t)((double)(now - before) / step->seconds + 0.5);
}

static void print_count(const struct step *step, const char *name,
			uint64_t before, uint64_t now)
{
	printf("%-16s %14s %16s\n", name,
	       tool_format_count(rate(step, before, now)).text,
	       tool_format_count(now).text);
}

static void print_size(const struct step *step, const char *name,
		       uint64_t before, uint64_t now)
{
	printf("%-16s %14s %16s\n", name,
	       tool_format_size(rate(step, before, now)).text,
	       tool_format_size(now).text);
}

static void print_bar(uint64_t part, uint64_t whole)
{
	char cells[BAR_WIDTH + 1];
	size_t full =
		part < whole
			? (size_t)((double)part * BAR_WIDTH / (double)whole)
			: BAR_WIDTH;

	memset(cells, '#', full);
	memset(cells + full, '.', BAR_WIDTH - full);
	cells[BAR_WIDTH] = '\0';
	printf("  [%s]  %s of %s", cells, tool_format_share(part, whole).text,
	       tool_format_size(whole).text);
}

static void print_screen(const struct step *step)
{
	const struct cubby_figures *before = &step->before.figures;
	const struct cubby_figures *now = &step->now.figures;
	const uint64_t disk = step->now.totals.disk_bytes;
	const uint64_t limit = step->now.limits.max_size;
	uint64_t hits = now->hits - before->hits;
	uint64_t misses = now->misses - before->misses;

	/* To the top, and after each line what was there before goes. */
	fputs("\x1b[H\x1b[J", stdout);
	tool_text_plain(stdout, step->now.call->store_path);
	printf("  %s\n\ndisk     %12s", tool_format_date(time(NULL)).text,
	       tool_format_size(disk).text);
	if (limit > 0)
		print_bar(disk, limit);
	printf("\nentries  %12s\n\n%-16s %14s %16s\n",
	       tool_format_count(step->now.totals.entries).text, "",
	       "each second", "in all");
	print_count(step, "hits", before->hits, now->hits);
	print_count(step, "misses", before->misses, now->misses);
	printf("%-16s %14s %16s\n", "hit rate",
	       tool_format_share(hits, hits + misses).text,
	       tool_format_share(now->hits, now->hits + now->misses).text);
	print_count(step, "adds", before->adds, now->adds);
	print_count(step, "deletes", before->deletes, now->deletes);
	print_count(step, "evictions", before->evictions, now->evictions);
	print_size(step, "added", before->bytes_in, now->bytes_in);
	print_size(step, "got", before->bytes_out, now->bytes_out);
	puts("\nCtrl-C ends this.");
}

static void print_line(const struct step *step)
{
	const struct cubby_figures *before = &step->before.figures;
	const struct cubby_figures *now = &step->now.figures;
	char share[64] = "";

	if (step->now.limits.max_size > 0)
		(void)snprintf(share, sizeof(share), " (%s)",
			       tool_format_share(step->now.totals.disk_bytes,
						 step->now.limits.max_size)
				       .text);
	printf("%s disk %s%s entries %s | each second: hits %s misses %s "
	       "adds %s evictions %s added %s got %s\n",
	       tool_format_date(time(NULL)).text,
	       tool_format_size(step->now.totals.disk_bytes).text, share,
	       tool_format_count(step->now.totals.entries).text,
	       tool_format_count(rate(step, before->hits, now->hits)).text,
	       tool_format_count(rate(step, before->misses, now->misses)).text,
	       tool_format_count(rate(step, before->adds, now->adds)).text,
	       tool_format_count(rate(step, before->evictions, now->evictions))
		       .text,
	       tool_format_size(rate(step, before->bytes_in, now->bytes_in))
		       .text,
	       tool_format_size(rate(step, before->bytes_out, now->bytes_out))
		       .text);
}

static double clock_s(void)
{
	struct timespec now = {0};

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return 0;
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int tool_stats_watch(const struct tool_call *call)
{
	const struct timespec second = {.tv_sec = 1};
	const bool is_terminal = isatty(STDOUT_FILENO);
	double before_s = clock_s();
	struct step step;
	int status;

	if (call->read_only)
		return tool_fail("--watch needs a store that can be written, "
				 "where what happens is counted; look at '%s' "
				 "without it",
				 call->store_path);
	status = tool_stats_read(call, false, &step.before);
	while (status == TOOL_OK) {
		double now_s;

		(void)nanosleep(&second, NULL); /* shorter is no harm */
		now_s = clock_s();
		status = tool_stats_read(call, false, &step.now);
		if (status != TOOL_OK)
			break;
		step.seconds = now_s > before_s ? now_s - before_s : 1;
		if (is_terminal)
			print_screen(&step);
		else
			print_line(&step);
		status = tool_flush(TOOL_OK);
		step.before = step.now;
		before_s = now_s;
	}
	return status;
}
