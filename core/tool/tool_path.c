/* SPDX-License-Identifier: MIT */
/*
 * From PATH to a namespace and a name. The rules for both are the library's;
 * the name is asked for first, because the sentence about it is another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cubby/tree.h"
#include "tool/tool_fail.h"
#include "tool/tool_path.h"

int tool_path_open(const struct tool_call *call, const char *what,
		   struct cubby_ns **ret_ns, const char **ret_name)
{
	const char *path = call->operand;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *directory;
	int r;

	if (!cubby_name_is_entry(name))
		return tool_fail("%s '%s': the last part of the path is not an "
				 "entry name, which is 32 to 128 digits of "
				 "0-9a-f, and optionally \"-\" with 1 to 8 "
				 "characters of a-z0-9",
				 what, path);
	if (slash == path)
		return tool_fail("%s '%s': a path in the store has no slash at "
				 "its start",
				 what, path);

	directory = strndup(path, slash ? (size_t)(slash - path) : 0);
	if (!directory)
		return tool_fail("no memory");
	r = cubby_ns_open(call->store, directory, ret_ns);
	free(directory);
	if (r < 0)
		return tool_fail_entry(call, what, r);

	*ret_name = name;
	return TOOL_OK;
}
