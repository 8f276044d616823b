/* SPDX-License-Identifier: MIT */
/*
 * Taking options off the command line. A value is checked here, so that what a
 * command gets is a number in range; every misuse is one sentence, which ends
 * with what to write instead.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool_fail.h"
#include "tool/tool_option.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{"", 1},
	{"B", 1},
	{"K", UINT64_C(1) << 10},
	{"M", UINT64_C(1) << 20},
	{"G", UINT64_C(1) << 30},
	{"T", UINT64_C(1) << 40},
	{"P", UINT64_C(1) << 50},
	{NULL, 0},
};

static const struct unit times[] = {
	{"s", 1},     {"m", 60},	{"h", 3600},
	{"d", 86400}, {"w", 7 * 86400}, {NULL, 0},
};

/* What is beyond these is an error of typing. */
static const uint64_t size_max = UINT64_C(1) << 60;
static const uint64_t time_max = UINT64_C(100) * 366 * 86400;

/* ----------------------------------------------------------------- values */

/* A number that is not negative, with or without a fraction. Gives what
 * follows it; false when there is none, or one of too many digits. */
static bool number_parse(const char *text, uint64_t *ret_whole,
			 double *ret_fraction, const char **ret_rest)
{
	uint64_t whole = 0;
	double fraction = 0;
	double place = 0.1;
	const char *at = text;

	if (!isdigit((unsigned char)*at))
		return false;
	for (; isdigit((unsigned char)*at); at++) {
		if (whole > UINT64_MAX / 10 - 1)
			return false;
		whole = whole * 10 + (uint64_t)(*at - '0');
	}
	if (*at == '.' && isdigit((unsigned char)at[1]))
		for (at++; isdigit((unsigned char)*at); at++) {
			fraction += place * (*at - '0');
			place /= 10;
		}
	*ret_whole = whole;
	*ret_fraction = fraction;
	*ret_rest = at;
	return true;
}

/* "G" is also written "g", "Gi" and "GiB"; a "GB" would be another number. */
static const struct unit *size_unit_find(const char *text)
{
	for (const struct unit *unit = sizes; unit->name; unit++) {
		size_t length = strlen(unit->name);

		if (strncasecmp(text, unit->name, length) != 0)
			continue;
		if (text[length] == '\0')
			return unit;
		if (unit->factor > 1 && (strcmp(text + length, "i") == 0 ||
					 strcmp(text + length, "iB") == 0))
			return unit;
	}
	return NULL;
}

static const struct unit *time_unit_find(const char *text)
{
	for (const struct unit *unit = times; unit->name; unit++)
		if (strcmp(text, unit->name) == 0)
			return unit;
	return NULL;
}

static const char *example_of(enum tool_option_kind kind)
{
	switch (kind) {
	case TOOL_SIZE:
		return "a size, as 512M, 10G or 1.5T";
	case TOOL_SIZE_OR_PERCENT:
		return "a size, as 512M or 10G, or a share, as 5%";
	case TOOL_TIME:
		return "a time, as 90s, 15m, 12h, 30d or 2w";
	case TOOL_COUNT:
		return "a number from 1 on";
	case TOOL_TEXT:
	case TOOL_FLAG:
		break;
	}
	return "a text";
}

static int percent_parse(const struct tool_option *option,
			 struct tool_value *value, double fraction)
{
	if (value->number > 99 || fraction > 0)
		return tool_fail("%s: '%s' is no share; write a whole number "
				 "from 0%% to 99%%",
				 option->name, value->text);
	value->is_percent = true;
	return TOOL_OK;
}

static int unit_parse(const struct tool_option *option,
		      struct tool_value *value, double fraction,
		      const char *rest)
{
	const bool is_time = option->kind == TOOL_TIME;
	const uint64_t max = is_time ? time_max : size_max;
	const struct unit *unit =
		is_time ? time_unit_find(rest) : size_unit_find(rest);

	if (!unit && is_time && *rest == '\0' && value->number == 0)
		return TOOL_OK;
	if (!unit && *rest == '\0')
		return tool_fail("%s: '%s' has no unit; write %s", option->name,
				 value->text, example_of(option->kind));
	if (!unit)
		return tool_fail("%s: '%s' has the unknown unit '%s'; write %s",
				 option->name, value->text, rest,
				 example_of(option->kind));
	if (value->number > max / unit->factor)
		return tool_fail("%s: '%s' is too large; write %s",
				 option->name, value->text,
				 example_of(option->kind));
	value->number = value->number * unit->factor +
			(uint64_t)(fraction * (double)unit->factor + 0.5);
	return TOOL_OK;
}

/* Read the number in `value->text`, as the option wants it. */
static int value_parse(const struct tool_option *option,
		       struct tool_value *value)
{
	const char *rest;
	double fraction;

	if (*value->text == '\0')
		return tool_fail("%s: the value is empty; write %s",
				 option->name, example_of(option->kind));
	if (option->kind == TOOL_TEXT)
		return TOOL_OK;
	if (option->kind != TOOL_COUNT && strcmp(value->text, "none") == 0) {
		value->is_none = true;
		return TOOL_OK;
	}
	if (value->text[0] == '-')
		return tool_fail("%s: '%s' is negative; write %s", option->name,
				 value->text, example_of(option->kind));
	if (!number_parse(value->text, &value->number, &fraction, &rest))
		return tool_fail("%s: '%s' is no number; write %s",
				 option->name, value->text,
				 example_of(option->kind));
	if (option->kind == TOOL_COUNT) {
		if (*rest == '\0' && value->number > 0 && fraction <= 0)
			return TOOL_OK;
		return tool_fail("%s: '%s' is no whole number from 1 on",
				 option->name, value->text);
	}
	if (option->kind == TOOL_SIZE_OR_PERCENT && strcmp(rest, "%") == 0)
		return percent_parse(option, value, fraction);
	return unit_parse(option, value, fraction, rest);
}

/* ---------------------------------------------------------------- options */

/* What is written behind the name of the option: "" when it stands alone, NULL
 * when it is another option. */
static const char *name_match(const struct tool_option *option,
			      const char *word)
{
	size_t length = strlen(option->name);

	if (strncmp(word, option->name, length) != 0)
		return NULL;
	word += length;
	if (*word == '\0' || *word == '=' || option->name[1] != '-')
		return word;
	return NULL;
}

static int option_take(const struct tool_option *option,
		       struct tool_value *value, const char *joined,
		       char *const *words, int *ret_taken)
{
	struct tool_value parsed = {0};
	int status;

	*ret_taken = 1;
	if (option->kind == TOOL_FLAG) {
		if (*joined != '\0')
			return tool_fail("%s has no value; write it alone",
					 option->name);
		return TOOL_OK;
	}
	if (*joined != '\0') {
		parsed.text = joined + (*joined == '=');
	} else {
		parsed.text = words[1];
		*ret_taken = 2;
	}
	if (!parsed.text)
		return tool_fail("%s: the value is missing; write %s after it",
				 option->name, example_of(option->kind));
	status = value_parse(option, &parsed);
	if (status == TOOL_OK)
		*value = parsed;
	return status;
}

int tool_option_take(struct tool_given *given, char *const *words,
		     int *ret_taken)
{
	*ret_taken = 0;
	for (int i = 0; given->options && given->options[i].name; i++) {
		const struct tool_option *option = &given->options[i];
		const char *joined = name_match(option, words[0]);

		if (!joined)
			continue;
		if (given->is_given[i])
			return tool_fail("%s is given twice; leave one out",
					 option->name);
		given->is_given[i] = true;
		return option_take(option, &given->values[i], joined, words,
				   ret_taken);
	}
	return TOOL_OK;
}

const struct tool_value *tool_option_value(const struct tool_given *given,
					   const char *name)
{
	for (int i = 0; given->options && given->options[i].name; i++)
		if (strcmp(given->options[i].name, name) == 0)
			return given->is_given[i] ? &given->values[i] : NULL;
	abort(); /* the command has no such option */
}
