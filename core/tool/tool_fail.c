/* SPDX-License-Identifier: MIT */
/*
 * The one place of the program where an error becomes a sentence.
 *
 * Every error is one line, also when a name in it has a line feed, because
 * scripts read it. It ends with what the user can do, if there is anything.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool_fail.h"
#include "tool/tool_progress.h"
#include "tool/tool_text.h"

int tool_fail(const char *format, ...)
{
	char *text = NULL;
	char *line = NULL;
	size_t size;
	FILE *out;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);

	/* Collected first, so that the line is one write. */
	out = open_memstream(&line, &size);
	if (out) {
		tool_text_plain(out, text ? text : "no memory");
		tool_progress_clear();
		if (fclose(out) == 0)
			fprintf(stderr, "cubby: %s\n", line);
	}
	free(line);
	free(text);
	return TOOL_FAILED;
}

int tool_fail_open(const char *store_path, bool create, int r)
{
	switch (r) {
	case -ENOENT:
		if (create)
			return tool_fail("cannot make the store '%s': the "
					 "directory above it is missing; make "
					 "that first",
					 store_path);
		return tool_fail("there is no store at '%s'; `cubby add` makes "
				 "one, and so does mounting it with cubbyfs",
				 store_path);
	case -ENOTDIR:
		return tool_fail("'%s' is not a directory; a store is a "
				 "directory, name that",
				 store_path);
	case -ENOTEMPTY:
		return tool_fail("'%s' holds something else than a store; name "
				 "another directory",
				 store_path);
	case -EPROTONOSUPPORT:
		return tool_fail(
			"the store '%s' was made by another version of "
			"cubby; use that one, or another directory",
			store_path);
	case -EBADMSG:
		return tool_fail(
			"the index of the store '%s' is damaged; delete "
			"the directory and fill it anew",
			store_path);
	case -EACCES:
	case -EPERM:
		return tool_fail("no permission for the store '%s'; check the "
				 "owner and the mode of the directory",
				 store_path);
	case -EROFS:
		return tool_fail(
			"the store '%s' is on a read-only disk; nothing "
			"can be changed there",
			store_path);
	case -ENOSPC:
		return tool_fail("no space on the disk of the store '%s'; free "
				 "some",
				 store_path);
	default:
		return tool_fail("cannot open the store '%s': %s", store_path,
				 cubby_strerror(r));
	}
}

int tool_fail_entry(const struct tool_call *call, const char *what, int r)
{
	const char *path = call->operand ? call->operand : call->store_path;

	switch (r) {
	case -EBADMSG:
		if (call->read_only)
			return tool_fail("%s '%s': it is damaged, and the "
					 "store is read-only, so it stays so",
					 what, path);
		return tool_fail(
			"%s '%s': it was damaged and has been moved to "
			"quarantine; add it again",
			what, path);
	case -EINVAL:
		return tool_fail("%s '%s': a namespace is names joined by "
				 "single slashes, without one at the start or "
				 "the end, and none is \".\" or \"..\"",
				 what, path);
	case -ENAMETOOLONG:
		return tool_fail("%s '%s': it is too long; a name has at most "
				 "%d bytes and a path %d",
				 what, path, CUBBY_NAME_MAX, CUBBY_PATH_MAX);
	case -ENOTDIR:
		return tool_fail("%s '%s': a part of its namespace is a file; "
				 "use another namespace, or remove that file "
				 "on a mount",
				 what, path);
	case -EISDIR:
		return tool_fail(
			"%s '%s': it is a directory; use another name, "
			"or remove it on a mount",
			what, path);
	case -EFBIG:
		return tool_fail("%s '%s': it is larger than an entry can be, "
				 "which is 128 GiB",
				 what, path);
	case -EROFS:
		return tool_fail("%s '%s': the store '%s' is read-only", what,
				 path, call->store_path);
	case -ENOSPC:
		return tool_fail("%s '%s': the disk or the index of the store "
				 "'%s' is full; delete entries, or free space",
				 what, path, call->store_path);
	default:
		return tool_fail("%s '%s': %s", what, path, cubby_strerror(r));
	}
}

int tool_flush(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status == TOOL_FAILED) /* it has said its line */
		return status;
	return tool_fail("cannot write to standard output: %s",
			 errno ? strerror(errno) : "a write failed");
}
