/* SPDX-License-Identifier: MIT */
/*
 * Numbers for people: with a unit that suits them, and grouped digits. The
 * texts live to the end of the expression that asked for them.
 */
#ifndef CUBBY_TOOL_FORMAT_H
#define CUBBY_TOOL_FORMAT_H

#include <stdint.h>

struct tool_words {
	char text[40];
};

/* Bytes: "0 B", "512 B", "1.50 KiB", "12.3 GiB". */
struct tool_words tool_format_size(uint64_t bytes);

/* Seconds: "45 s", "5 min", "3.5 h", "30 d". */
struct tool_words tool_format_time(uint64_t seconds);

/* "1,234,567". */
struct tool_words tool_format_count(uint64_t number);

/* `part` of `whole` as "82.1 %", or "-" of nothing. */
struct tool_words tool_format_share(uint64_t part, uint64_t whole);

/* Seconds since 1970 as "2026-11-23T03:45:47Z", or "-". */
struct tool_words tool_format_date(int64_t time_s);

#endif
