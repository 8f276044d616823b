/* SPDX-License-Identifier: MIT */
/*
 * Both kinds of chart share a frame: a scale on the left that begins at 0 and
 * has round steps, and names below that do not touch.
 */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "tool/tool_chart.h"
#include "tool/tool_format.h"
#include "tool/tool_text.h"

/* The drawing, in the units of its view box. */
enum {
	WIDTH = 720,
	HEIGHT = 260,
	LEFT = 84,
	RIGHT = 12,
	TOP = 26,
	BOTTOM = 34,
	PLOT_WIDTH = WIDTH - LEFT - RIGHT,
	PLOT_HEIGHT = HEIGHT - TOP - BOTTOM,
	NAME_WIDTH = 78, /* of the widest name below */
};

struct scale {
	double step;
	double max;
};

/* Up to five round steps: 1, 2 or 5 times a power of ten, for bytes of 2. */
static struct scale scale_of(double most, enum tool_chart_unit unit)
{
	struct scale scale = {.step = 1};

	if (unit == TOOL_CHART_PERCENT)
		return (struct scale){.step = 25, .max = 100};
	if (unit == TOOL_CHART_BYTES) {
		while (scale.step * 5 < most)
			scale.step *= 2;
	} else {
		static const double factors[] = {2, 2.5, 2};

		for (int i = 0; scale.step * 5 < most; i = (i + 1) % 3)
			scale.step *= factors[i];
	}
	scale.max = scale.step * ceil(most / scale.step);
	if (scale.max < scale.step)
		scale.max = scale.step;
	return scale;
}

static struct tool_words value_words(double value, enum tool_chart_unit unit)
{
	struct tool_words words;

	switch (unit) {
	case TOOL_CHART_BYTES:
		return tool_format_size((uint64_t)value);
	case TOOL_CHART_COUNT:
		return tool_format_count((uint64_t)(value + 0.5));
	case TOOL_CHART_PERCENT:
		break;
	}
	(void)snprintf(words.text, sizeof(words.text), "%.4g %%", value);
	return words;
}

static double y_of(const struct scale *scale, double value)
{
	return TOP + PLOT_HEIGHT * (1 - value / scale->max);
}

static void begin(FILE *out, const char *title, const struct scale *scale,
		  enum tool_chart_unit unit)
{
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
		WIDTH, HEIGHT);
	tool_text_html(out, title);
	fputs("\">\n", out);
	/* NOLINTNEXTLINE(cert-flp30-c): 1.001 is for what rounding adds */
	for (double at = 0; at <= scale->max * 1.001; at += scale->step) {
		double y = y_of(scale, at);

		fprintf(out,
			"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
			"y2=\"%.1f\"/>\n<text class=\"tick end\" x=\"%d\" "
			"y=\"%.1f\">%s</text>\n",
			LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4,
			value_words(at, unit).text);
	}
}

/* ------------------------------------------------------------------ lines */

static double x_of(const struct tool_chart_lines *chart, int64_t time_s)
{
	int64_t first = chart->points[0].time_s;
	int64_t last = chart->points[chart->count - 1].time_s;

	if (last <= first)
		return LEFT;
	return LEFT +
	       PLOT_WIDTH * (double)(time_s - first) / (double)(last - first);
}

/* Times at round hours or days, as many as have room. */
static void print_times(FILE *out, const struct tool_chart_lines *chart)
{
	static const int64_t steps[] = {600,   1800,  3600,  7200,  14400,
					21600, 43200, 86400, 172800};
	int64_t first = chart->points[0].time_s;
	int64_t last = chart->points[chart->count - 1].time_s;
	size_t i = 0;
	int64_t step;

	while (i < sizeof(steps) / sizeof(*steps) - 1 &&
	       (last - first) / steps[i] > PLOT_WIDTH / (NAME_WIDTH * 2))
		i++;
	step = steps[i];
	while ((last - first) / step > PLOT_WIDTH / NAME_WIDTH)
		step *= 2;
	for (int64_t at = (first / step + 1) * step; at <= last; at += step) {
		time_t seconds = (time_t)at;
		double x = x_of(chart, at);
		char text[32] = "";
		struct tm tm;

		if (!gmtime_r(&seconds, &tm))
			continue;
		(void)!strftime(text, sizeof(text),
				at % 86400 == 0 ? "%d %b" : "%H:%M", &tm);
		fprintf(out,
			"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\""
			" y2=\"%d\"/>\n",
			x, x, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 4);
		if (x < WIDTH - RIGHT - 18)
			fprintf(out,
				"<text class=\"tick middle\" x=\"%.1f\" "
				"y=\"%d\">%s</text>\n",
				x, HEIGHT - BOTTOM + 19, text);
	}
}

static void print_line(FILE *out, const struct tool_chart_lines *chart,
		       const struct scale *scale)
{
	const char *command = "M";

	fputs("<path class=\"line\" d=\"", out);
	for (size_t i = 0; i < chart->count; i++) {
		const struct tool_chart_point *point = &chart->points[i];

		if (point->gap) {
			command = "M";
			continue;
		}
		fprintf(out, "%s%.1f %.1f", command, x_of(chart, point->time_s),
			y_of(scale, point->value));
		/* A point between gaps is seen as a dot. */
		if (*command == 'M')
			fputs("h.1", out);
		command = "L";
	}
	fputs("\"/>\n", out);
}

void tool_chart_lines(FILE *out, const struct tool_chart_lines *chart)
{
	double most = chart->limit;
	struct scale scale;

	for (size_t i = 0; i < chart->count; i++)
		if (!chart->points[i].gap && chart->points[i].value > most)
			most = chart->points[i].value;
	scale = scale_of(most, chart->unit);
	begin(out, chart->title, &scale, chart->unit);
	print_times(out, chart);
	print_line(out, chart, &scale);
	if (chart->limit > 0) {
		double y = y_of(&scale, chart->limit);

		fprintf(out,
			"<line class=\"limit\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
			"y2=\"%.1f\"/>\n<text class=\"note end\" x=\"%d\" "
			"y=\"%.1f\">limit %s</text>\n",
			LEFT, WIDTH - RIGHT, y, y, WIDTH - RIGHT - 4, y - 7,
			value_words(chart->limit, chart->unit).text);
	}
	fputs("</svg>\n", out);
}

/* ---------------------------------------------------------------- columns */

void tool_chart_columns(FILE *out, const char *title, enum tool_chart_unit unit,
			const struct tool_chart_bar *bars, size_t count)
{
	double each = (double)PLOT_WIDTH / (double)(count ? count : 1);
	double width = each * 0.7 < 56 ? each * 0.7 : 56;
	/* Names that would touch are left out, evenly. */
	size_t every = (size_t)ceil(NAME_WIDTH / each);
	double most = 0;
	struct scale scale;

	for (size_t i = 0; i < count; i++)
		most = bars[i].value > most ? bars[i].value : most;
	scale = scale_of(most, unit);
	begin(out, title, &scale, unit);
	for (size_t i = 0; i < count; i++) {
		double middle = LEFT + each * ((double)i + 0.5);
		double y = y_of(&scale, bars[i].value);

		fprintf(out,
			"<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" "
			"width=\"%.1f\" height=\"%.1f\" rx=\"2\"><title>",
			middle - width / 2, y, width, HEIGHT - BOTTOM - y);
		tool_text_html(out, bars[i].name);
		fprintf(out, ": %s</title></rect>\n",
			value_words(bars[i].value, unit).text);
		if (i % every != 0)
			continue;
		fprintf(out, "<text class=\"tick middle\" x=\"%.1f\" y=\"%d\">",
			middle, HEIGHT - BOTTOM + 19);
		tool_text_html(out, bars[i].name);
		fputs("</text>\n", out);
	}
	fputs("</svg>\n", out);
}
