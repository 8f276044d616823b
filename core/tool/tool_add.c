/* SPDX-License-Identifier: MIT */
/*
 * cubby add: standard input becomes an entry, whole or not at all.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool_fail.h"
#include "tool/tool_path.h"

/* Copy standard input into `writer`. Returns an exit status. */
static int add_content(const struct tool_call *call,
		       struct cubby_writer *writer)
{
	static char buffer[TOOL_BUFFER_SIZE];

	for (;;) {
		ssize_t size = read(STDIN_FILENO, buffer, sizeof(buffer));
		int r;

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return tool_fail("cannot read standard input: %s; "
					 "nothing was added",
					 strerror(errno));
		if (size == 0)
			return TOOL_OK;
		r = cubby_writer_write(writer, buffer, (size_t)size);
		if (r < 0)
			return tool_fail_entry(call, "cannot add", r);
	}
}

static int add_entry(const struct tool_call *call, struct cubby_ns *ns,
		     const char *name)
{
	struct cubby_writer *writer;
	int status;
	int r;

	r = cubby_writer_open_name(ns, name, &writer);
	if (r < 0)
		return tool_fail_entry(call, "cannot add", r);

	status = add_content(call, writer);
	if (status != TOOL_OK) {
		cubby_writer_abort(writer);
		return status;
	}
	r = cubby_writer_commit(writer);
	if (r == -EBADMSG)
		return tool_fail("cannot add '%s': its content does not hash "
				 "to its name, which is asked for there (see "
				 "`cubby set --help`), or the store is damaged "
				 "(see `cubby verify`); nothing was added",
				 call->operand);
	return r < 0 ? tool_fail_entry(call, "cannot add", r) : TOOL_OK;
}

static const struct tool_option options[] = {
	{"--durable", TOOL_FLAG, NULL,
	 "end when a power cut cannot take it any more"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_add_manual = {
	.options = options,
	.text = "Makes standard input an entry, whole or not at all. An entry "
		"that is there is\n"
		"replaced; who has it open keeps reading the old one. The "
		"store is made if it\n"
		"is missing, and so are the directories of the path.\n"
		"\n"
		"Example: cubby add ~/.cache/cubby demo/$(cubby key main.o) "
		"<main.o\n",
};

int tool_add(const struct tool_call *call)
{
	struct cubby_ns *ns;
	const char *name;
	int status;

	status = tool_path_open(call, "cannot add", &ns, &name);
	if (status != TOOL_OK)
		return status;
	status = add_entry(call, ns, name);
	cubby_ns_close(ns);
	return status;
}
