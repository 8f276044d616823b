/* SPDX-License-Identifier: MIT */
/*
 * The help: what a manual page would say, out of the table of commands.
 */
#include <stdio.h>
#include <string.h>

#include "tool/tool_command.h"

/* Columns of an option before what it is about. */
enum { OPTION_WIDTH = 18 };

static void print_row(const struct tool_command *command)
{
	if (command->heading)
		printf("\n%s:\n", command->heading);
	printf("  %-10s %-20s %s\n", command->name, command->usage,
	       command->about);
}

void tool_help(void)
{
	puts("cubby - look after a compile cache\n"
	     "\n"
	     "Usage: cubby COMMAND ...\n"
	     "       cubby COMMAND --help     all about one command");
	for (const struct tool_command *row = tool_commands; row->name; row++)
		print_row(row);
	puts("\n"
	     "Words:\n"
	     "  STORE      the directory of the store, not a mount of it; add "
	     "makes it\n"
	     "             if it is missing. Works beside a mount and without "
	     "one\n"
	     "  PATH       where the entry is in a mount: [NAMESPACE/]NAME; "
	     "NAME is\n"
	     "             32 to 128 digits of 0-9a-f, optionally with \"-\" "
	     "and 1 to 8\n"
	     "             characters of a-z0-9\n"
	     "  NAMESPACE, DIRECTORY\n"
	     "             names joined by \"/\", from the top of the mount\n"
	     "\n"
	     "Values:\n"
	     "  sizes      4096, 512M, 10G, 1.5T: bytes, and K, M, G, T, P "
	     "are powers of\n"
	     "             1024, also written Ki or KiB\n"
	     "  times      90s, 15m, 12h, 30d, 2w\n"
	     "  none, 0    takes a limit away\n"
	     "\n"
	     "Options of all commands:\n"
	     "  -h, --help     print the help of the command\n"
	     "  --json         print JSON, where there is data to print\n"
	     "  --version      print the version\n"
	     "  --             what follows is no option\n"
	     "\n"
	     "What takes long shows how far it is on standard error, if that "
	     "is a terminal.\n"
	     "\n"
	     "Exit status: 0 done, 1 no such entry, 2 an error, of which one "
	     "line on\n"
	     "standard error says what it is and what to do.");
}

/* The lines of `about` after the first are set under it. */
static void print_option(const struct tool_option *option)
{
	const char *about = option->about;
	int width = printf("  %s%s%s", option->name, option->value ? " " : "",
			   option->value ? option->value : "");

	if (width > OPTION_WIDTH) {
		putchar('\n');
		width = 0;
	}
	for (;;) {
		int length = (int)strcspn(about, "\n");

		printf("%*s%.*s\n", OPTION_WIDTH + 2 - width, "", length,
		       about);
		if (about[length] == '\0')
			break;
		about += length + 1;
		width = 0;
	}
}

void tool_help_command(const struct tool_command *command)
{
	const struct tool_option *option = command->manual->options;
	const bool has_options = option || command->json;

	printf("cubby %s - %s\n\n"
	       "Usage: cubby %s %s%s\n\n%s",
	       command->name, command->about, command->name, command->usage,
	       has_options ? " [OPTION...]" : "", command->manual->text);
	if (has_options)
		puts("\nOptions:");
	for (; option && option->name; option++)
		print_option(option);
	if (command->json)
		print_option(&(struct tool_option){.name = "--json",
						   .about = "print JSON"});
	puts("\nExit status: 0 done, 1 no such entry, 2 an error. "
	     "See also `cubby help`.");
}
