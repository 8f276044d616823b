/* SPDX-License-Identifier: MIT */
/*
 * cubby recompress: compress the entries better than adds have time for.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cubby/upkeep.h"
#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_progress.h"

static const struct tool_option recompress_options[] = {
	{"--level", TOOL_COUNT, "N",
	 "of zstd, 1 to 19; adds use 1. Must be given"},
	{"--dry-run", TOOL_FLAG, NULL,
	 "change nothing, only tell what would be gained"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_recompress_manual = {
	.options = recompress_options,
	.text = "Compresses every entry anew, and keeps the result where it is "
		"smaller by a\n"
		"fiftieth at least. It may run while the store is used and be "
		"ended at any\n"
		"moment; what was compressed at that level or above is not "
		"tried again.\n",
};

static int recompress_step(void *cookie, uint64_t total,
			   const struct cubby_recompress_summary *so_far)
{
	(void)cookie;
	if (so_far->entries == 1)
		tool_progress_begin("recompress", total);
	tool_progress_add(1);
	return 0;
}

static void recompress_print(const struct cubby_recompress_summary *summary,
			     bool is_dry)
{
	uint64_t saved = summary->stored_before - summary->stored_after;

	printf("%s %s of %s entries, %s less",
	       is_dry ? "would compress" : "compressed",
	       tool_format_count(summary->changed).text,
	       tool_format_count(summary->entries).text,
	       tool_format_size(saved).text);
	printf(" (%s of what they took); %s had that level already\n",
	       tool_format_share(saved, summary->stored_before).text,
	       tool_format_count(summary->known).text);
	if (summary->damaged > 0)
		printf("%s were damaged, and are in quarantine\n",
		       tool_format_count(summary->damaged).text);
}

int tool_recompress(const struct tool_call *call)
{
	const struct tool_value *level =
		tool_option_value(call->given, "--level");
	const bool is_dry = tool_option_value(call->given, "--dry-run");
	struct cubby_recompress_summary summary;
	int r;

	if (!level)
		return tool_fail("recompress needs --level N; see `cubby "
				 "recompress --help`");
	if (level->number > CUBBY_LEVEL_MAX)
		return tool_fail("there is no level %" PRIu64 ": 1 to %d",
				 level->number, CUBBY_LEVEL_MAX);
	r = cubby_recompress(call->store, (int)level->number,
			     is_dry ? CUBBY_DRY_RUN : 0, recompress_step, NULL,
			     &summary);
	tool_progress_end();
	if (r < 0)
		return tool_fail("cannot recompress '%s': %s", call->store_path,
				 cubby_strerror(r));
	if (call->json)
		printf("{\"entries\":%" PRIu64 ",\"changed\":%" PRIu64
		       ",\"known\":%" PRIu64 ",\"damaged\":%" PRIu64
		       ",\"stored_before\":%" PRIu64
		       ",\"stored_after\":%" PRIu64 "}\n",
		       summary.entries, summary.changed, summary.known,
		       summary.damaged, summary.stored_before,
		       summary.stored_after);
	else
		recompress_print(&summary, is_dry);
	return TOOL_OK;
}
