/* SPDX-License-Identifier: MIT */
/*
 * Three digits are enough to compare by, so that is what sizes and times have;
 * --json has all of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tool/tool_format.h"

static struct tool_words number_words(double number, const char *unit)
{
	struct tool_words words;
	int digits = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;

	(void)snprintf(words.text, sizeof(words.text), "%.*f %s", digits,
		       number, unit);
	return words;
}

struct tool_words tool_format_size(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	struct tool_words words;
	double number = (double)bytes / 1024;
	unsigned i = 0;

	if (bytes < 1024) {
		(void)snprintf(words.text, sizeof(words.text), "%" PRIu64 " B",
			       bytes);
		return words;
	}
	for (; number >= 1023.5 && i < 5; i++)
		number /= 1024;
	return number_words(number, units[i]);
}

struct tool_words tool_format_time(uint64_t seconds)
{
	static const struct {
		uint64_t from;
		uint64_t seconds;
		const char *name;
	} units[] = {
		{2 * 86400, 86400, "d"},
		{2 * 3600, 3600, "h"},
		{120, 60, "min"},
		{0, 1, "s"},
	};
	struct tool_words words;
	unsigned i = 0;

	while (seconds < units[i].from)
		i++;
	(void)snprintf(words.text, sizeof(words.text), "%.*f %s",
		       seconds % units[i].seconds ? 1 : 0,
		       (double)seconds / (double)units[i].seconds,
		       units[i].name);
	return words;
}

struct tool_words tool_format_count(uint64_t number)
{
	struct tool_words words = {0};
	char digits[24];
	size_t length;
	char *to = words.text;

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return words;
}

struct tool_words tool_format_share(uint64_t part, uint64_t whole)
{
	struct tool_words words = {.text = "-"};

	if (whole > 0)
		(void)snprintf(words.text, sizeof(words.text), "%.1f %%",
			       (double)part * 100 / (double)whole);
	return words;
}

struct tool_words tool_format_date(int64_t time_s)
{
	struct tool_words words = {.text = "-"};
	time_t seconds = (time_t)time_s;
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)!strftime(words.text, sizeof(words.text),
				"%Y-%m-%dT%H:%M:%SZ", &tm);
	return words;
}
