/* SPDX-License-Identifier: MIT */
/*
 * The bar: LABEL  [#####.....]  42 %  1,234 of 2,940  3 s left
 *
 * Looking at the clock costs more than many steps, so it is looked at when
 * enough steps were made that a tenth of a second may have passed; how many
 * that are is learnt on the way.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tool/tool_progress.h"

enum {
	STEP_MS = 100,	   /* between two drawings */
	LOOK_MAX = 4096,   /* steps between two looks at the clock */
	BAR_MAX = 40,	   /* columns */
	LINE_WIDTH = 80,   /* when the terminal does not say */
	BESIDE_WIDTH = 52, /* the most that the numbers beside the bar take */
};

static struct {
	const char *label; /* NULL when nothing is to be drawn */
	uint64_t total;
	uint64_t done;
	uint64_t look_at; /* the steps at which to look at the clock */
	uint64_t look_step;
	int64_t begun_ms;
	int64_t drawn_ms;
	bool shown;
} bar;

static int64_t clock_ms(void)
{
	struct timespec now = {0};

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return 0;
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int line_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return LINE_WIDTH;
	return size.ws_col;
}

static void bar_put(int width)
{
	char cells[BAR_MAX + 1];
	int full = (int)(bar.done * (uint64_t)width / bar.total);

	memset(cells, '#', (size_t)full);
	memset(cells + full, '.', (size_t)(width - full));
	cells[width] = '\0';
	fprintf(stderr, "  [%s]", cells);
}

/* How long it will take if it goes on so. */
static void left_put(int64_t now_ms)
{
	double each_ms = (double)(now_ms - bar.begun_ms) / (double)bar.done;
	double left_s = each_ms * (double)(bar.total - bar.done) / 1000;

	if (left_s < 100)
		fprintf(stderr, "  %.0f s left", left_s);
	else
		fprintf(stderr, "  %.0f min left", left_s / 60);
}

static void draw(int64_t now_ms)
{
	int width = line_width() - BESIDE_WIDTH - (int)strlen(bar.label);

	bar.drawn_ms = now_ms;
	bar.shown = true;
	fprintf(stderr, "\r%s", bar.label);
	if (bar.total == 0) {
		fprintf(stderr, "  %" PRIu64 "\x1b[K", bar.done);
	} else {
		/* What was counted at the beginning may have grown. */
		if (bar.done > bar.total)
			bar.total = bar.done;
		if (width > 0)
			bar_put(width < BAR_MAX ? width : BAR_MAX);
		fprintf(stderr, "  %3d %%  %" PRIu64 " of %" PRIu64,
			(int)((double)bar.done * 100 / (double)bar.total),
			bar.done, bar.total);
		if (bar.done > 0)
			left_put(now_ms);
		fputs("\x1b[K", stderr);
	}
	(void)fflush(stderr); /* a bar that is not seen is no error */
}

void tool_progress_begin(const char *label, uint64_t total)
{
	const char *terminal = getenv("TERM");

	memset(&bar, 0, sizeof(bar));
	if (!isatty(STDERR_FILENO) ||
	    (terminal && strcmp(terminal, "dumb") == 0))
		return;
	bar.label = label;
	bar.total = total;
	bar.begun_ms = clock_ms();
	bar.drawn_ms = bar.begun_ms; /* what is quick draws nothing */
	bar.look_step = 1;
	bar.look_at = 1;
}

void tool_progress_add(uint64_t steps)
{
	int64_t now_ms;

	bar.done += steps;
	if (!bar.label || bar.done < bar.look_at)
		return;
	now_ms = clock_ms();
	if (now_ms - bar.drawn_ms >= STEP_MS) {
		draw(now_ms);
		bar.look_step = bar.look_step / 2 + 1;
	} else if (bar.look_step < LOOK_MAX &&
		   now_ms - bar.drawn_ms < STEP_MS / 4) {
		bar.look_step++;
	}
	bar.look_at = bar.done + bar.look_step;
}

void tool_progress_clear(void)
{
	if (!bar.label || !bar.shown)
		return;
	fputs("\r\x1b[K", stderr);
	(void)fflush(stderr);
	bar.shown = false;
}

void tool_progress_end(void)
{
	tool_progress_clear();
	bar.label = NULL;
}
