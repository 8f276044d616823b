/* SPDX-License-Identifier: MIT */
/*
 * cubby: add, get, delete and list the entries of a store.
 *
 * This file is the command line. Every command is a row of a table, which
 * decides what operands it takes, how the store is opened, and what the help
 * says. It knows the store by the public interface only, so that it is also an
 * example of it.
 *
 * A reading command opens the store for writing first: then an entry that is
 * found damaged can be put aside. Where that is not allowed it reads all the
 * same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tool/tool_fail.h"

enum access {
	ACCESS_NONE, /* the command has no store */
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_CREATE, /* to write, and the store is made when missing */
};

enum operand {
	OPERAND_NONE,
	OPERAND_OPTIONAL,
	OPERAND_REQUIRED,
};

struct command {
	const char *name;
	const char *usage;
	const char *about;
	int (*run)(const struct tool_call *call);
	enum access access;
	enum operand operand; /* after the store */
	bool json;	      /* has data to print */
};

static const struct command commands[] = {
	{"add", "STORE PATH <content", "add or replace an entry", tool_add,
	 ACCESS_CREATE, OPERAND_REQUIRED, false},
	{"get", "STORE PATH >content", "print the content of an entry",
	 tool_get, ACCESS_READ, OPERAND_REQUIRED, false},
	{"delete", "STORE PATH", "delete an entry, if it is there", tool_delete,
	 ACCESS_WRITE, OPERAND_REQUIRED, false},
	{"list", "STORE [NAMESPACE]", "list entries: size, stored, date, path",
	 tool_list, ACCESS_READ, OPERAND_OPTIONAL, true},
	{"stats", "STORE", "print the totals of a store", tool_stats,
	 ACCESS_READ, OPERAND_NONE, true},
	{"key", "FILE", "print the SHA-256 of a file (\"-\": standard input)",
	 tool_key, ACCESS_NONE, OPERAND_REQUIRED, true},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

/* The command line, taken apart. */
struct line {
	const char *words[3]; /* the command and its operands */
	int count;
	bool json;
	bool help;
	bool version;
};

static int print_help(void)
{
	puts("Usage: cubby COMMAND ...\n");
	for (int i = 0; i < COMMAND_COUNT; i++)
		printf("  %-6s %-20s %s\n", commands[i].name, commands[i].usage,
		       commands[i].about);
	puts("  help                        print this\n"
	     "\n"
	     "STORE      the directory of the store; add makes it if missing\n"
	     "PATH       where the entry is in a mount: [NAMESPACE/]NAME; "
	     "NAME\n"
	     "           is 32 to 128 digits of 0-9a-f, optionally with \"-\"\n"
	     "           and 1 to 8 characters of a-z0-9\n"
	     "NAMESPACE  names joined by \"/\"\n"
	     "\n"
	     "--json     list, stats, key: print JSON\n"
	     "--version  print the version\n"
	     "--         what follows is no option\n"
	     "\n"
	     "Exit status: 0 done, 1 no such entry, 2 an error.");
	return TOOL_OK;
}

static int print_version(void)
{
	puts("cubby " TOOL_VERSION);
	return TOOL_OK;
}

/* Take `argv` apart. Returns TOOL_OK, or TOOL_FAILED, which has been said. */
static int line_parse(char **argv, struct line *line)
{
	bool options = true;

	for (char **arg = argv + 1; *arg; arg++) {
		if (options && strcmp(*arg, "--") == 0)
			options = false;
		else if (options && strcmp(*arg, "--json") == 0)
			line->json = true;
		else if (options && (strcmp(*arg, "--help") == 0 ||
				     strcmp(*arg, "-h") == 0))
			line->help = true;
		else if (options && strcmp(*arg, "--version") == 0)
			line->version = true;
		else if (options && (*arg)[0] == '-' && (*arg)[1] != '\0')
			return tool_fail(
				"unknown option '%s'; see `cubby help`", *arg);
		else if (line->count == 3)
			return tool_fail("one argument too many: '%s'; see "
					 "`cubby help`",
					 *arg);
		else
			line->words[line->count++] = *arg;
	}
	return TOOL_OK;
}

static const struct command *command_find(const char *name)
{
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Is the line one that `command` understands? Returns as line_parse(). */
static int command_verify(const struct command *command,
			  const struct line *line)
{
	int most = 1 + (command->access != ACCESS_NONE) +
		   (command->operand != OPERAND_NONE);
	int least = most - (command->operand == OPERAND_OPTIONAL);

	if (line->count < least)
		return tool_fail("an argument is missing; usage: cubby %s %s",
				 command->name, command->usage);
	if (line->count > most)
		return tool_fail("one argument too many: '%s'; usage: cubby %s "
				 "%s",
				 line->words[most], command->name,
				 command->usage);
	if (line->json && !command->json)
		return tool_fail("%s has no data to print as JSON; leave out "
				 "--json",
				 command->name);
	return TOOL_OK;
}

/* Open the store of `call`, as the command wants it or as it can be had. */
static int store_open(struct tool_call *call, enum access access)
{
	int r;

	r = cubby_open(call->store_path,
		       access == ACCESS_CREATE ? CUBBY_CREATE : 0,
		       &call->store);
	if (access == ACCESS_READ && (r == -EROFS || r == -EACCES)) {
		call->read_only = true;
		r = cubby_open(call->store_path, CUBBY_READ_ONLY, &call->store);
	}
	return r;
}

static int command_run(const struct command *command, const struct line *line)
{
	bool has_store = command->access != ACCESS_NONE;
	struct tool_call call = {
		.store_path = has_store ? line->words[1] : NULL,
		.operand = line->words[has_store ? 2 : 1],
		.json = line->json,
	};
	int status;

	status = command_verify(command, line);
	if (status != TOOL_OK)
		return status;

	if (has_store) {
		int r = store_open(&call, command->access);

		if (r < 0)
			return tool_fail_open(call.store_path,
					      command->access == ACCESS_CREATE,
					      r);
	}
	status = tool_flush(command->run(&call));
	cubby_close(call.store);
	return status;
}

/*
 * See to it that descriptors 0 to 2 are taken: a file of the store that got
 * one of them would receive what this program prints. Each is opened the wrong
 * way round, so that using it fails as it should.
 */
static bool descriptors_fill(void)
{
	static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", flags[fd]) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct line line = {0};

	/* A reader that went away is an error of write(2), and said. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || argc < 1)
		return tool_fail("cannot ignore SIGPIPE: %s", strerror(errno));

	if (!descriptors_fill())
		return TOOL_FAILED;
	if (line_parse(argv, &line) != TOOL_OK)
		return TOOL_FAILED;
	if (line.help)
		return tool_flush(print_help());
	if (line.version)
		return tool_flush(print_version());
	if (line.count == 0)
		return tool_fail("no command; see `cubby help`");

	if (strcmp(line.words[0], "help") == 0 && line.count == 1)
		return tool_flush(print_help());

	command = command_find(line.words[0]);
	if (!command && strcmp(line.words[0], "help") == 0)
		return tool_fail("one argument too many: '%s'; usage: cubby "
				 "help",
				 line.words[1]);
	if (!command)
		return tool_fail("unknown command '%s'; see `cubby help`",
				 line.words[0]);
	return command_run(command, &line);
}
