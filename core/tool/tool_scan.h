/* SPDX-License-Identifier: MIT */
/*
 * Looking at every entry, with a progress bar.
 */
#ifndef CUBBY_TOOL_SCAN_H
#define CUBBY_TOOL_SCAN_H

#include "tool/tool.h"

/*
 * Call `fn` for the entries below the namespace `path`, "" for all; `label` is
 * what the bar says. Returns 0, what `fn` returned, or as cubby_ns_open() and
 * cubby_list().
 */
int tool_scan(const struct tool_call *call, const char *path, const char *label,
	      cubby_list_fn *fn, void *cookie);

#endif
