/* SPDX-License-Identifier: MIT */
/*
 * cubby delete: afterwards there is no such entry, as there was or not.
 */
#include "tool/tool_fail.h"
#include "tool/tool_path.h"

const struct tool_manual tool_delete_manual = {
	.text = "Deletes an entry. That it is not there is no error. Who has "
		"it open keeps\n"
		"reading.\n",
};

int tool_delete(const struct tool_call *call)
{
	struct cubby_ns *ns;
	const char *name;
	int status;
	int r;

	status = tool_path_open(call, "cannot delete", &ns, &name);
	if (status != TOOL_OK)
		return status;
	r = cubby_delete_name(ns, name);
	cubby_ns_close(ns);
	return r < 0 ? tool_fail_entry(call, "cannot delete", r) : TOOL_OK;
}
