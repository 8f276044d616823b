/* SPDX-License-Identifier: MIT */
/*
 * cubby delete: afterwards there is no such entry, as there was or not; or none
 * below a namespace, or none that was last used long ago.
 *
 * Directories stay: a client that made them expects them to be there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_path.h"
#include "tool/tool_scan.h"

static const struct tool_option options[] = {
	{"--namespace", TOOL_TEXT, "DIR",
	 "all entries in the directory and below"},
	{"--older-than", TOOL_TIME, "T",
	 "all entries, or those of --namespace, that were used last\n"
	 "before this time"},
	{"--dry-run", TOOL_FLAG, NULL,
	 "with these: delete nothing, say what would go"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_delete_manual = {
	.options = options,
	.text = "Deletes an entry, or many. That it is not there is no error. "
		"Who has it open\n"
		"keeps reading. Directories stay. Of many it prints how many "
		"there were.\n"
		"\n"
		"Examples: cubby delete ~/.cache/cubby demo/$key\n"
		"          cubby delete ~/.cache/cubby --older-than 30d "
		"--dry-run\n"
		"          cubby delete ~/.cache/cubby --namespace "
		"wazero-1.6-amd64-linux\n",
};

struct deletion {
	const struct tool_call *call;
	int64_t oldest_ns; /* what was used after this stays */
	bool dry_run;
	struct cubby_ns *ns; /* of the last entry; NULL before the first */
	char directory[CUBBY_PATH_MAX + 1]; /* its path */
	uint64_t entries;
	uint64_t raw_bytes;
	uint64_t stored_bytes;
};

/* Have the namespace of the first `size` bytes of `path` open. Neighbours in a
 * listing mostly have the same. */
static int namespace_move(struct deletion *deletion, const char *path,
			  size_t size)
{
	struct cubby_ns *ns;
	int r;

	if (deletion->ns && strncmp(deletion->directory, path, size) == 0 &&
	    deletion->directory[size] == '\0')
		return 0;
	memcpy(deletion->directory, path, size);
	deletion->directory[size] = '\0';
	r = cubby_ns_open(deletion->call->store, deletion->directory, &ns);
	if (r < 0)
		return r;
	cubby_ns_close(deletion->ns);
	deletion->ns = ns;
	return 0;
}

static int delete_one_of(struct deletion *deletion, const char *path)
{
	const char *slash = strrchr(path, '/');
	int r = namespace_move(deletion, path,
			       slash ? (size_t)(slash - path) : 0);

	if (r < 0)
		return r;
	return cubby_delete_name(deletion->ns, slash ? slash + 1 : path);
}

static int delete_entry(void *cookie, const char *path,
			const struct cubby_attr *attr)
{
	struct deletion *deletion = cookie;

	if (attr->used_ns > deletion->oldest_ns)
		return 0;
	deletion->entries++;
	deletion->raw_bytes += attr->size;
	deletion->stored_bytes += attr->stored_size;
	return deletion->dry_run ? 0 : delete_one_of(deletion, path);
}

static void print_summary(const struct deletion *deletion)
{
	if (deletion->call->json)
		printf("{\"dry_run\":%s,\"entries\":%" PRIu64
		       ",\"raw_bytes\":%" PRIu64 ",\"stored_bytes\":%" PRIu64
		       "}\n",
		       deletion->dry_run ? "true" : "false", deletion->entries,
		       deletion->raw_bytes, deletion->stored_bytes);
	else
		printf("%s %s entries of %s, stored in %s\n",
		       deletion->dry_run ? "would delete" : "deleted",
		       tool_format_count(deletion->entries).text,
		       tool_format_size(deletion->raw_bytes).text,
		       tool_format_size(deletion->stored_bytes).text);
}

static int delete_many(const struct tool_call *call)
{
	const struct tool_value *space =
		tool_option_value(call->given, "--namespace");
	const struct tool_value *age =
		tool_option_value(call->given, "--older-than");
	struct deletion deletion = {
		.call = call,
		.oldest_ns = INT64_MAX,
		.dry_run = tool_option_value(call->given, "--dry-run"),
	};
	struct tool_call of_space = *call;
	int r;

	if (age && age->is_none)
		return tool_fail("--older-than: '%s' is no time; write one, as "
				 "30d, or 0 for all entries",
				 age->text);
	if (age)
		deletion.oldest_ns =
			((int64_t)time(NULL) - (int64_t)age->number) *
			1000000000;
	if (age && age->number == 0)
		deletion.oldest_ns = INT64_MAX;
	r = tool_scan(call, space ? space->text : "", "delete", delete_entry,
		      &deletion);
	cubby_ns_close(deletion.ns);
	if (r < 0) {
		of_space.operand = space ? space->text : NULL;
		return tool_fail_entry(&of_space, "cannot delete", r);
	}
	print_summary(&deletion);
	return TOOL_OK;
}

static int delete_one(const struct tool_call *call)
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

int tool_delete(const struct tool_call *call)
{
	const bool many = tool_option_value(call->given, "--namespace") ||
			  tool_option_value(call->given, "--older-than");

	if (many && call->operand)
		return tool_fail("delete one entry or many: leave out '%s', or "
				 "--namespace and --older-than",
				 call->operand);
	if (many)
		return delete_many(call);
	if (!call->operand)
		return tool_fail("name what to delete: a PATH, --namespace or "
				 "--older-than; see `cubby delete --help`");
	if (call->json || tool_option_value(call->given, "--dry-run"))
		return tool_fail("--json and --dry-run go with --namespace and "
				 "--older-than; leave them out");
	return delete_one(call);
}
