/* SPDX-License-Identifier: MIT */
/*
 * cubby verify: read everything, and tell what is wrong.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cubby/upkeep.h"
#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_progress.h"
#include "tool/tool_text.h"

static const struct tool_option verify_options[] = {
	{"--repair", TOOL_FLAG, NULL,
	 "put right what is found; damaged entries go into quarantine"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_verify_manual = {
	.options = verify_options,
	.text = "Reads, checks and decodes every entry, compares the tables of "
		"the index and\n"
		"counts its totals anew. It may run while the store is used. "
		"One line for each\n"
		"finding; exit status 1 when there is any.\n",
};

/* What verify_step() gives to end what nobody reads any more. */
enum { VERIFY_NO_OUTPUT = 1 };

struct verify {
	bool json;
	bool begun;	/* an element was printed */
	bool has_drawn; /* the bar has begun */
};

/* The words for people, and for JSON. */
static const struct {
	const char *about;
	const char *name;
} verify_kinds[CUBBY_FOUND_COUNT] = {
	[CUBBY_FOUND_ENTRY] = {"damaged entry", "entry"},
	[CUBBY_FOUND_PLAIN] = {"lost file", "plain"},
	[CUBBY_FOUND_NAME] = {"name without its node", "name"},
	[CUBBY_FOUND_NODE] = {"damaged or nameless node", "node"},
	[CUBBY_FOUND_USE] = {"wrong place among recent uses", "use"},
	[CUBBY_FOUND_BYTES] = {"bytes of no entry", "bytes"},
	[CUBBY_FOUND_QUOTA] = {"wrong sum of a quota", "quota"},
	[CUBBY_FOUND_SETTINGS] = {"damaged settings, to be made again",
				  "settings"},
	[CUBBY_FOUND_TOTAL] = {"wrong total", "total"},
	[CUBBY_FOUND_INDEX] = {"damaged index", "index"},
	[CUBBY_FOUND_CONTENT] = {"content that is not what its name says",
				 "content"},
};

static void verify_finding(struct verify *verify,
			   const struct cubby_verify_step *step)
{
	const bool is_sum = step->kept != step->counted;

	if (verify->json) {
		printf("%s{\"finding\":\"%s\",\"path\":",
		       verify->begun ? ",\n" : "\n",
		       verify_kinds[step->finding].name);
		tool_text_json(stdout, step->path);
		if (is_sum)
			printf(",\"kept\":%" PRIu64 ",\"counted\":%" PRIu64,
			       step->kept, step->counted);
		putchar('}');
	} else {
		tool_progress_clear();
		printf("%s: ", verify_kinds[step->finding].about);
		tool_text_plain(stdout, step->path);
		if (is_sum)
			printf(": %" PRIu64 ", counted %" PRIu64, step->kept,
			       step->counted);
		putchar('\n');
	}
	verify->begun = true;
}

static int verify_step(void *cookie, const struct cubby_verify_step *step)
{
	struct verify *verify = cookie;

	if (!verify->has_drawn)
		tool_progress_begin("verify", step->total);
	verify->has_drawn = true;
	if (step->finding == CUBBY_FOUND_NOTHING)
		tool_progress_add(1);
	else
		verify_finding(verify, step);
	return ferror(stdout) ? VERIFY_NO_OUTPUT : 0;
}

static void verify_print(const struct cubby_verify_summary *summary, bool json)
{
	if (json) {
		printf("],\n\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64
		       ",\"repaired\":%" PRIu64 ",\n\"unused_files\":%" PRIu64
		       ",\"unused_bytes\":%" PRIu64 "}\n",
		       summary->entries, summary->bytes, summary->repaired,
		       summary->unused_files, summary->unused_bytes);
		return;
	}
	printf("%s entries, %s of content: ",
	       tool_format_count(summary->entries).text,
	       tool_format_size(summary->bytes).text);
	if (summary->findings == 0)
		puts("all right");
	else
		printf("%s findings, %s put right\n",
		       tool_format_count(summary->findings).text,
		       tool_format_count(summary->repaired).text);
	if (summary->unused_files > 0)
		printf("%s files, %s, were left by killed processes: `cubby "
		       "gc` deletes them\n",
		       tool_format_count(summary->unused_files).text,
		       tool_format_size(summary->unused_bytes).text);
}

int tool_verify(const struct tool_call *call)
{
	const bool repairs = tool_option_value(call->given, "--repair");
	struct verify verify = {.json = call->json};
	struct cubby_verify_summary summary = {0};
	int r;

	if (call->json)
		fputs("{\"findings\":[", stdout);
	r = cubby_verify(call->store, repairs ? CUBBY_VERIFY_REPAIR : 0,
			 verify_step, &verify, &summary);
	tool_progress_end();
	if (r == 0)
		verify_print(&summary, call->json);
	if (r < 0)
		return tool_fail("cannot verify '%s': %s", call->store_path,
				 cubby_strerror(r));
	return summary.findings > 0 ? TOOL_MISS : TOOL_OK;
}
