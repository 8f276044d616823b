/* SPDX-License-Identifier: MIT */
/*
 * cubby key: the key of a file's content, which is its plain SHA-256.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool_fail.h"
#include "tool/tool_text.h"

/* Feed all of `fd` to `builder`. Returns an exit status. */
static int key_content(int fd, const char *file,
		       struct cubby_key_builder *builder)
{
	static char buffer[TOOL_BUFFER_SIZE];

	for (;;) {
		ssize_t size = read(fd, buffer, sizeof(buffer));
		int r;

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return tool_fail("cannot read %s: %s", file,
					 strerror(errno));
		if (size == 0)
			return TOOL_OK;
		r = cubby_key_builder_bytes(builder, buffer, (size_t)size);
		if (r < 0)
			return tool_fail("cannot hash %s: %s", file,
					 cubby_strerror(r));
	}
}

static int key_of(int fd, const char *file, struct cubby_key *ret_key)
{
	struct cubby_key_builder *builder;
	int status;
	int r;

	r = cubby_key_builder_new(&builder);
	if (r < 0)
		return tool_fail("cannot hash %s: %s", file, cubby_strerror(r));
	status = key_content(fd, file, builder);
	if (status == TOOL_OK) {
		r = cubby_key_builder_finish(builder, ret_key);
		if (r < 0)
			status = tool_fail("cannot hash %s: %s", file,
					   cubby_strerror(r));
	}
	cubby_key_builder_free(builder);
	return status;
}

static void key_print(const char *file, const struct cubby_key *key, bool json)
{
	char text[CUBBY_KEY_TEXT_SIZE];

	cubby_key_format(key, text);
	if (!json) {
		puts(text);
		return;
	}
	fputs("{\"file\":", stdout);
	tool_text_json(stdout, file);
	printf(",\"key\":\"%s\"}\n", text);
}

const struct tool_manual tool_key_manual = {
	.text = "Prints the SHA-256 of the content of a file, or of standard "
		"input if FILE is\n"
		"\"-\": a name for an entry that has this content.\n",
};

int tool_key(const struct tool_call *call)
{
	const char *file = call->operand;
	bool standard = strcmp(file, "-") == 0;
	struct cubby_key key;
	int status;
	int fd;

	fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return tool_fail("cannot open '%s': %s", file, strerror(errno));
	status = key_of(fd, standard ? "standard input" : file, &key);
	if (!standard)
		close(fd);
	if (status == TOOL_OK)
		key_print(file, &key, call->json);
	return status;
}
