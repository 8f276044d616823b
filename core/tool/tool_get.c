/* SPDX-License-Identifier: MIT */
/*
 * cubby get: the content of an entry to standard output.
 *
 * A miss is said by the exit status alone, as grep does: it is an answer.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool_fail.h"
#include "tool/tool_path.h"

/* Write all of `data`. Returns 0 or a negative errno. */
static int write_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(STDOUT_FILENO, data, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		data += done;
		size -= (size_t)done;
	}
	return 0;
}

static int get_content(const struct tool_call *call,
		       struct cubby_reader *reader)
{
	static char buffer[TOOL_BUFFER_SIZE];

	for (;;) {
		ssize_t size =
			cubby_reader_read(reader, buffer, sizeof(buffer));
		int r;

		if (size < 0)
			return tool_fail_entry(call, "cannot get", (int)size);
		if (size == 0)
			return TOOL_OK;
		r = write_all(buffer, (size_t)size);
		if (r < 0)
			return tool_fail("cannot write to standard output: %s",
					 strerror(-r));
	}
}

static int get_entry(const struct tool_call *call, struct cubby_ns *ns,
		     const char *name)
{
	struct cubby_reader *reader;
	int status;
	int r;

	r = cubby_get_name(ns, name, &reader);
	if (r == -ENOENT)
		return TOOL_MISS;
	if (r < 0)
		return tool_fail_entry(call, "cannot get", r);
	status = get_content(call, reader);
	cubby_reader_close(reader);
	return status;
}

const struct tool_manual tool_get_manual = {
	.text = "Prints the content of an entry, which is checked before a "
		"byte is printed\n"
		"(a large one piece by piece). That there is no such entry is "
		"an answer, and\n"
		"said by the exit status 1 alone. A damaged entry goes into "
		"quarantine.\n",
};

int tool_get(const struct tool_call *call)
{
	struct cubby_ns *ns;
	const char *name;
	int status;

	status = tool_path_open(call, "cannot get", &ns, &name);
	if (status != TOOL_OK)
		return status;
	status = get_entry(call, ns, name);
	cubby_ns_close(ns);
	return status;
}
