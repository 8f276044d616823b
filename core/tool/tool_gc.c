/* SPDX-License-Identifier: MIT */
/*
 * cubby gc: delete what no entry needs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cubby/upkeep.h"
#include "tool/tool_fail.h"
#include "tool/tool_format.h"

static const struct tool_option gc_options[] = {
	{"--dry-run", TOOL_FLAG, NULL, "delete nothing, only tell"},
	{"--quarantine", TOOL_TIME, "AGE",
	 "also what was put into quarantine so long ago"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_gc_manual = {
	.options = gc_options,
	.text = "Deletes what killed processes have left: blobs that no entry "
		"has, drafts, and\n"
		"what was replaced or deleted while a killed mount had it open "
		"(\"displaced\").\n"
		"What is being written stays, and so does a file that was "
		"changed within the last\n"
		"five minutes. No entry is deleted; for that see `cubby "
		"limit`.\n",
};

int tool_gc(const struct tool_call *call)
{
	const struct tool_value *age =
		tool_option_value(call->given, "--quarantine");
	const bool is_dry = tool_option_value(call->given, "--dry-run");
	struct cubby_gc_summary summary;
	int r = cubby_gc(call->store, is_dry ? CUBBY_DRY_RUN : 0,
			 age ? age->number : 0, &summary);

	if (r < 0)
		return tool_fail("cannot clean up '%s': %s", call->store_path,
				 cubby_strerror(r));
	if (call->json)
		printf("{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
		       ",\"blobs\":%" PRIu64 ",\"drafts\":%" PRIu64
		       ",\"quarantine_files\":%" PRIu64
		       ",\"displaced\":%" PRIu64 "}\n",
		       summary.files, summary.bytes, summary.blobs,
		       summary.drafts, summary.quarantine_files,
		       summary.displaced);
	else
		printf("%s %s files, %s: %s blobs, %s drafts, %s from "
		       "quarantine, those of %s displaced entries\n",
		       is_dry ? "would delete" : "deleted",
		       tool_format_count(summary.files).text,
		       tool_format_size(summary.bytes).text,
		       tool_format_count(summary.blobs).text,
		       tool_format_count(summary.drafts).text,
		       tool_format_count(summary.quarantine_files).text,
		       tool_format_count(summary.displaced).text);
	return TOOL_OK;
}
