/* SPDX-License-Identifier: MIT */
/*
 * PATH on the command line, as it is in a mount: [NAMESPACE/]NAME.
 */
#ifndef CUBBY_TOOL_PATH_H
#define CUBBY_TOOL_PATH_H

#include "tool/tool.h"

/*
 * Open the namespace of the PATH in `call` and find its name.
 *
 * `what` begins the sentence if that fails (as "cannot add").
 *
 * On success `*ret_ns` is the caller's to close and `*ret_name` points into
 * the operand. Returns TOOL_OK, or TOOL_FAILED, which has been said.
 */
int tool_path_open(const struct tool_call *call, const char *what,
		   struct cubby_ns **ret_ns, const char **ret_name);

#endif
