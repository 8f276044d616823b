/* SPDX-License-Identifier: MIT */
/*
 * Errors of the program as sentences: what is wrong, and what to do.
 */
#ifndef CUBBY_TOOL_FAIL_H
#define CUBBY_TOOL_FAIL_H

#include "tool/tool.h"

/* Say one line on standard error. Returns TOOL_FAILED. */
__attribute__((format(printf, 1, 2))) int tool_fail(const char *format, ...);

/* Say that cubby_open() gave `r`; `create` is whether it was to create. */
int tool_fail_open(const char *store_path, bool create, int r);

/* Say that `what` (as "cannot add") with the entry or the namespace of `call`
 * gave `r`. */
int tool_fail_entry(const struct tool_call *call, const char *what, int r);

/* Flush standard output; a write to it that failed, now or before, is an
 * error. Returns `status`, or TOOL_FAILED. */
int tool_flush(int status);

#endif
