/* SPDX-License-Identifier: MIT */
/*
 * cubby set: what holds for the entries of a directory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cubby/manage.h"
#include "tool/tool_fail.h"
#include "tool/tool_text.h"

const struct tool_manual tool_set_manual = {
	.text = "RULE is content=sha256 or content=none.\n"
		"\n"
		"content=sha256 says that entries in the directory and below "
		"are named by the\n"
		"SHA-256 of their content: an add that does not hash to its "
		"name is refused, and\n"
		"counted in `cubby stats`. Such names are 64 hex digits, or "
		"these and \"-d\", as in\n"
		"the cas/ of Bazel, the objects/ of Git LFS, and the outputs "
		"of Go; other names\n"
		"are not checked. What is there already stays; `cubby verify` "
		"finds what does\n"
		"not match. content=none says that nothing is checked.\n"
		"\n"
		"The nearest setting holds. \"\" is the top of the store. "
		"Without a setting this\n"
		"prints what holds for the directory; without a directory, all "
		"settings.\n"
		"\n"
		"Example: cubby set ~/.cache/cubby bazel/cas content=sha256\n",
};

static const struct {
	enum cubby_content content;
	const char *name;
} set_contents[] = {
	{CUBBY_CONTENT_NONE, "none"},
	{CUBBY_CONTENT_SHA256, "sha256"},
};
enum { SET_CONTENTS = sizeof(set_contents) / sizeof(*set_contents) };

static const char *content_name(enum cubby_content content)
{
	for (size_t i = 0; i < SET_CONTENTS; i++)
		if (set_contents[i].content == content)
			return set_contents[i].name;
	return "unknown";
}

static int fail_directory(const struct tool_call *call, int r)
{
	switch (r) {
	case -ENOENT:
		return tool_fail("there is no directory '%s' in the store; it "
				 "comes with its first entry, or make it on a "
				 "mount",
				 call->operand);
	case -ENOTDIR:
		return tool_fail("'%s' is a file; name a directory of the "
				 "store",
				 call->operand);
	case -ENOSPC:
		return tool_fail("cannot set '%s': %d directories have a "
				 "setting, or the disk is full; take one away "
				 "with content=none, or free space",
				 call->operand, CUBBY_CONTENTS_MAX);
	default:
		return tool_fail_entry(call, "cannot set", r);
	}
}

static void content_print(bool json, const char *path,
			  enum cubby_content content)
{
	if (json) {
		fputs("{\"directory\":", stdout);
		tool_text_json(stdout, path);
		printf(",\"content\":\"%s\"}", content_name(content));
		return;
	}
	printf("content=%-8s  ", content_name(content));
	tool_text_plain(stdout, *path ? path : "(the top of the store)");
	putchar('\n');
}

struct set_listing {
	bool json;
	bool begun;
};

static int print_row(void *cookie, const char *path, enum cubby_content content)
{
	struct set_listing *listing = cookie;

	if (listing->json)
		fputs(listing->begun ? ",\n" : "\n", stdout);
	listing->begun = true;
	content_print(listing->json, path, content);
	return 0;
}

static int set_list(const struct tool_call *call)
{
	struct set_listing listing = {.json = call->json};
	int r;

	if (call->json)
		fputs("{\"settings\":[", stdout);
	r = cubby_list_contents(call->store, print_row, &listing);
	if (r < 0)
		return tool_fail("cannot read the settings of '%s': %s",
				 call->store_path, cubby_strerror(r));
	if (call->json)
		puts("]}");
	return TOOL_OK;
}

static int set_print(const struct tool_call *call)
{
	enum cubby_content content;
	int r = cubby_get_content(call->store, call->operand, &content);

	if (r < 0)
		return fail_directory(call, r);
	content_print(call->json, call->operand, content);
	if (call->json)
		putchar('\n');
	return TOOL_OK;
}

int tool_set(const struct tool_call *call)
{
	static const char key[] = "content=";
	const char *value;

	if (!call->operand)
		return set_list(call);
	if (!call->setting)
		return set_print(call);
	if (strncmp(call->setting, key, strlen(key)) != 0)
		return tool_fail("there is no setting '%s'; write "
				 "content=sha256 or content=none",
				 call->setting);
	value = call->setting + strlen(key);
	for (size_t i = 0; i < SET_CONTENTS; i++) {
		int r;

		if (strcmp(set_contents[i].name, value) != 0)
			continue;
		r = cubby_set_content(call->store, call->operand,
				      set_contents[i].content);
		if (r < 0)
			return fail_directory(call, r);
		return call->json ? set_print(call) : TOOL_OK;
	}
	return tool_fail("content: there is no digest '%s'; write sha256 or "
			 "none",
			 value);
}
