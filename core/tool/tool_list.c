/* SPDX-License-Identifier: MIT */
/*
 * cubby list: the entries of a store or of a namespace, one a line.
 *
 * Nothing is collected, so a store with millions of entries is listed in
 * constant memory; with --json the lines are the elements of one array.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cubby/manage.h"
#include "tool/tool_fail.h"
#include "tool/tool_text.h"

/* What list_entry() gives to end a listing nobody reads any more. */
enum { LIST_NO_OUTPUT = 1 };

struct list {
	bool json;
	bool begun; /* an element was printed */
};

static int64_t list_seconds(const struct cubby_attr *attr)
{
	return attr->mtime_ns / 1000000000;
}

static void list_plain(const char *path, const struct cubby_attr *attr)
{
	time_t seconds = (time_t)list_seconds(attr);
	char date[sizeof("-2147481748-01-01T00:00:00Z")] = "-";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)!strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%12" PRIu64 " %12" PRIu64 " %s ", attr->size, attr->stored_size,
	       date);
	tool_text_plain(stdout, path);
	putchar('\n');
}

static void list_json(struct list *list, const char *path,
		      const struct cubby_attr *attr)
{
	fputs(list->begun ? ",\n{\"path\":" : "\n{\"path\":", stdout);
	tool_text_json(stdout, path);
	printf(",\"size\":%" PRIu64 ",\"stored_size\":%" PRIu64
	       ",\"added\":%" PRId64 "}",
	       attr->size, attr->stored_size, list_seconds(attr));
	list->begun = true;
}

static int list_entry(void *cookie, const char *path,
		      const struct cubby_attr *attr)
{
	struct list *list = cookie;

	if (list->json)
		list_json(list, path, attr);
	else
		list_plain(path, attr);
	return ferror(stdout) ? LIST_NO_OUTPUT : 0;
}

const struct tool_manual tool_list_manual = {
	.text = "Prints all entries of the store, or those of a namespace and "
		"of all below it,\n"
		"one a line: bytes, bytes as stored, when it was added, path. "
		"Control\n"
		"characters and bytes that are not UTF-8 are printed as \\xHH; "
		"in JSON they\n"
		"are escaped, or U+FFFD.\n",
};

int tool_list(const struct tool_call *call)
{
	const char *path = call->operand ? call->operand : "";
	struct list list = {.json = call->json};
	struct cubby_quota quota; /* of a directory, so that there is one */
	struct cubby_ns *ns = NULL;
	int r = 0;

	if (*path != '\0')
		r = cubby_get_quota(call->store, path, &quota);
	if (r == 0)
		r = cubby_ns_open(call->store, path, &ns);
	if (r == -ENOENT)
		return tool_fail("there is no directory '%s' in the store; it "
				 "comes with its first entry",
				 path);
	if (r < 0)
		return tool_fail_entry(call, "cannot list", r);

	if (list.json)
		putchar('[');
	r = cubby_list(ns, list_entry, &list);
	if (list.json)
		fputs(list.begun ? "\n]\n" : "]\n", stdout);
	cubby_ns_close(ns);
	return r < 0 ? tool_fail_entry(call, "cannot list", r) : TOOL_OK;
}
