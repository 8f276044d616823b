/* SPDX-License-Identifier: MIT */
/*
 * cubby: add, get and delete the entries of a store, keep it in bounds, and see
 * what it does.
 *
 * This file is the command line. Every command is a row of a table, see
 * tool_command.h. It knows the store by the public interface only, so that it
 * is also an example of it.
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

#include "tool/tool_command.h"
#include "tool/tool_fail.h"
#include "tool/tool_progress.h"

const struct tool_command tool_commands[] = {
	{"Entries", "add", "STORE PATH <content", "add or replace an entry",
	 tool_add, &tool_add_manual, TOOL_CREATE, TOOL_OPERAND_REQUIRED, false},
	{NULL, "get", "STORE PATH >content", "print the content of an entry",
	 tool_get, &tool_get_manual, TOOL_READ, TOOL_OPERAND_REQUIRED, false},
	{NULL, "delete", "STORE [PATH]", "delete an entry, or many",
	 tool_delete, &tool_delete_manual, TOOL_WRITE, TOOL_OPERAND_OPTIONAL,
	 true},
	{NULL, "list", "STORE [NAMESPACE]",
	 "list entries: size, stored, date, path", tool_list, &tool_list_manual,
	 TOOL_READ, TOOL_OPERAND_OPTIONAL, true},
	{NULL, "key", "FILE", "print the SHA-256 of a file", tool_key,
	 &tool_key_manual, TOOL_NO_STORE, TOOL_OPERAND_REQUIRED, true},
	{"The store", "stats", "STORE [DIRECTORY]",
	 "print totals, hit rates, evictions", tool_stats, &tool_stats_manual,
	 TOOL_READ, TOOL_OPERAND_OPTIONAL, true},
	{NULL, "limit", "STORE [DIRECTORY]", "print and set limits and quotas",
	 tool_limit, &tool_limit_manual, TOOL_READ, TOOL_OPERAND_OPTIONAL,
	 true},
	{NULL, "set", "STORE [DIR [RULE]]",
	 "check what is added against its name", tool_set, &tool_set_manual,
	 TOOL_READ, TOOL_OPERAND_SETTING, true},
	{NULL, "top", "STORE", "print what is largest, coldest, most used",
	 tool_top, &tool_top_manual, TOOL_READ, TOOL_OPERAND_NONE, true},
	{NULL, "report", "STORE -o FILE", "write a page with charts",
	 tool_report, &tool_report_manual, TOOL_READ, TOOL_OPERAND_NONE, false},
	{NULL, "trim", "STORE", "evict now what is over the limits", tool_trim,
	 &tool_trim_manual, TOOL_WRITE, TOOL_OPERAND_NONE, true},
	{"Upkeep", "verify", "STORE", "read everything, tell what is wrong",
	 tool_verify, &tool_verify_manual, TOOL_READ, TOOL_OPERAND_NONE, true},
	{NULL, "gc", "STORE", "delete what killed processes have left", tool_gc,
	 &tool_gc_manual, TOOL_READ, TOOL_OPERAND_NONE, true},
	{NULL, "recompress", "STORE --level N", "compress the entries better",
	 tool_recompress, &tool_recompress_manual, TOOL_READ, TOOL_OPERAND_NONE,
	 true},
	{NULL, NULL, NULL, NULL, NULL, NULL, TOOL_NO_STORE, TOOL_OPERAND_NONE,
	 false},
};

enum { WORDS_MAX = 4 };

/* The command line, taken apart. */
struct line {
	const struct tool_command *command; /* NULL while there is no word */
	const char *words[WORDS_MAX];	    /* the command and its operands */
	int count;
	struct tool_given given;
	bool json;
	bool help;
	bool version;
};

static int print_version(void)
{
	puts("cubby " TOOL_VERSION);
	return TOOL_OK;
}

static int print_help(const struct line *line)
{
	if (line->command)
		tool_help_command(line->command);
	else
		tool_help();
	return TOOL_OK;
}

const struct tool_command *tool_command_find(const char *name)
{
	for (const struct tool_command *row = tool_commands; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

/* Take a word that is no option: the command, or one of its operands. */
static int word_take(struct line *line, const char *word)
{
	if (line->help && line->command)
		return TOOL_OK;
	if (!line->command && !line->help && strcmp(word, "help") == 0) {
		line->help = true;
		return TOOL_OK;
	}
	if (!line->command) {
		line->command = tool_command_find(word);
		if (!line->command)
			return tool_fail(
				"unknown command '%s'; see `cubby help`", word);
		line->given.options = line->command->manual->options;
	}
	if (line->count == WORDS_MAX)
		return tool_fail("one argument too many: '%s'; see `cubby %s "
				 "--help`",
				 word, line->command->name);
	line->words[line->count++] = word;
	return TOOL_OK;
}

/* Take what stands at `*words`. `*ret_taken` is how many words that were. */
static int option_take(struct line *line, char *const *words, int *ret_taken)
{
	int status = tool_option_take(&line->given, words, ret_taken);

	if (status != TOOL_OK || *ret_taken > 0)
		return status;
	*ret_taken = 1;
	if (strcmp(*words, "--json") == 0)
		line->json = true;
	else if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0)
		line->help = true;
	else if (strcmp(*words, "--version") == 0)
		line->version = true;
	else if (line->command)
		return tool_fail("%s has no option '%s'; see `cubby %s --help`",
				 line->command->name, *words,
				 line->command->name);
	else
		return tool_fail("unknown option '%s'; see `cubby help`, and "
				 "write options after the command",
				 *words);
	return TOOL_OK;
}

/* Take `argv` apart. Returns TOOL_OK, or TOOL_FAILED, which has been said. */
static int line_parse(char **argv, struct line *line)
{
	bool options = true;
	int status = TOOL_OK;
	int taken;

	for (char **arg = argv + 1; *arg && status == TOOL_OK; arg += taken) {
		taken = 1;
		if (options && strcmp(*arg, "--") == 0)
			options = false;
		else if (options && (*arg)[0] == '-' && (*arg)[1] != '\0')
			status = option_take(line, arg, &taken);
		else
			status = word_take(line, *arg);
	}
	return status;
}

/* Is the line one that its command understands? Returns as line_parse(). */
static int line_verify(const struct line *line)
{
	const struct tool_command *command = line->command;
	const bool has_setting = command->operand == TOOL_OPERAND_SETTING;
	int most = 1 + (command->access != TOOL_NO_STORE) +
		   (command->operand != TOOL_OPERAND_NONE) + has_setting;
	int least =
		has_setting
			? most - 2
			: most - (command->operand == TOOL_OPERAND_OPTIONAL);

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
static int store_open(struct tool_call *call, enum tool_access access)
{
	unsigned flags = access == TOOL_CREATE ? CUBBY_CREATE : 0;
	int r;

	if (access == TOOL_CREATE &&
	    tool_option_value(call->given, "--durable"))
		flags |= CUBBY_DURABLE;
	r = cubby_open(call->store_path, flags, &call->store);
	if (access == TOOL_READ && (r == -EROFS || r == -EACCES)) {
		call->read_only = true;
		r = cubby_open(call->store_path, CUBBY_READ_ONLY, &call->store);
	}
	return r;
}

static int line_run(const struct line *line)
{
	const struct tool_command *command = line->command;
	bool has_store = command->access != TOOL_NO_STORE;
	struct tool_call call = {
		.store_path = has_store ? line->words[1] : NULL,
		.operand = line->words[has_store ? 2 : 1],
		.setting = line->words[has_store ? 3 : 2],
		.json = line->json,
		.given = &line->given,
	};
	int status;

	status = line_verify(line);
	if (status != TOOL_OK)
		return status;

	if (has_store) {
		int r = store_open(&call, command->access);

		if (r < 0)
			return tool_fail_open(call.store_path,
					      command->access == TOOL_CREATE,
					      r);
	}
	status = tool_flush(command->run(&call));
	tool_progress_end();
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
	struct line line = {0};

	/* A reader that went away is an error of write(2), and said. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || argc < 1)
		return tool_fail("cannot ignore SIGPIPE: %s", strerror(errno));

	if (!descriptors_fill())
		return TOOL_FAILED;
	if (line_parse(argv, &line) != TOOL_OK)
		return TOOL_FAILED;
	if (line.help)
		return tool_flush(print_help(&line));
	if (line.version)
		return tool_flush(print_version());
	if (!line.command)
		return tool_fail("no command; see `cubby help`");
	return line_run(&line);
}
