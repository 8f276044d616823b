/* SPDX-License-Identifier: MIT */
/*
 * Options of commands, and their values: sizes as 10G, times as 30d.
 *
 * A command lists its options in an array that ends with an empty one. They
 * are taken off the command line before it runs; it asks with tool_given().
 */
#ifndef CUBBY_TOOL_OPTION_H
#define CUBBY_TOOL_OPTION_H

#include <stdbool.h>
#include <stdint.h>

enum tool_option_kind {
	TOOL_FLAG,  /* has no value */
	TOOL_TEXT,  /* any text but the empty one */
	TOOL_COUNT, /* a whole number from 1 on */
	TOOL_SIZE,  /* bytes: 4096, 512M, 1.5T, none; powers of 1024 */
	TOOL_SIZE_OR_PERCENT, /* the same, or 5% */
	TOOL_TIME,	      /* seconds: 90s, 15m, 12h, 30d, 2w, none */
};

struct tool_option {
	const char *name; /* with its dashes; NULL ends the array */
	enum tool_option_kind kind;
	const char *value; /* its name in the help, as "N" */
	const char *about; /* in the help; may have lines */
};

struct tool_value {
	const char *text; /* as the user wrote it; NULL of a flag */
	uint64_t number;  /* bytes, seconds, percent, or how many */
	bool is_percent;
	bool is_none; /* "none": the number is 0 */
};

enum { TOOL_OPTIONS_MAX = 16 };

/* What of them was on the command line. */
struct tool_given {
	const struct tool_option *options;
	struct tool_value values[TOOL_OPTIONS_MAX]; /* in their order */
	bool is_given[TOOL_OPTIONS_MAX];
};

/*
 * Is `*words` an option of `given->options`? Takes it and its value, which may
 * be joined to it (--name=VALUE, -nVALUE) or be the next word, and gives in
 * `*ret_taken` how many words that were: 0 when it is none of them.
 *
 * Returns TOOL_OK, or TOOL_FAILED, which has been said.
 */
int tool_option_take(struct tool_given *given, char *const *words,
		     int *ret_taken);

/* The value of an option of the command, or NULL when it was not given. */
const struct tool_value *tool_option_value(const struct tool_given *given,
					   const char *name);

#endif
