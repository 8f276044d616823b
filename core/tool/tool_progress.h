/* SPDX-License-Identifier: MIT */
/*
 * A progress bar for commands that take long.
 *
 * It is one line on standard error, drawn at most ten times a second, and only
 * when that is a terminal: what is piped or logged never has it. There is one
 * at a time; it is for one thread.
 *
 * Whoever prints to a terminal in between calls tool_progress_clear() first;
 * tool_fail() does.
 */
#ifndef CUBBY_TOOL_PROGRESS_H
#define CUBBY_TOOL_PROGRESS_H

#include <stdint.h>

/* Begin. `label` is what is done, as "scan", and stays the caller's; `total` is
 * how many steps there will be, or 0 when nobody knows. */
void tool_progress_begin(const char *label, uint64_t total);

/* So many steps more are done. */
void tool_progress_add(uint64_t steps);

/* Take the line away, until the next step that draws. */
void tool_progress_clear(void);

/* End, and leave nothing behind. Does nothing when none was begun. */
void tool_progress_end(void);

#endif
