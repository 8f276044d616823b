/* SPDX-License-Identifier: MIT */
/*
 * The table of commands, which decides what operands and options each takes,
 * how the store is opened, and what the help says.
 */
#ifndef CUBBY_TOOL_COMMAND_H
#define CUBBY_TOOL_COMMAND_H

#include "tool/tool.h"

enum tool_access {
	TOOL_NO_STORE, /* the command has no store */
	TOOL_READ,     /* to write if that is allowed, to put damage aside */
	TOOL_WRITE,
	TOOL_CREATE, /* to write, and the store is made when missing */
};

enum tool_operand {
	TOOL_OPERAND_NONE,
	TOOL_OPERAND_OPTIONAL,
	TOOL_OPERAND_REQUIRED,
	TOOL_OPERAND_SETTING, /* one, and a setting after it: both optional */
};

struct tool_command {
	const char *heading; /* of the group that begins here, or NULL */
	const char *name;
	const char *usage;
	const char *about;
	int (*run)(const struct tool_call *call);
	const struct tool_manual *manual;
	enum tool_access access;
	enum tool_operand operand; /* after the store */
	bool json;		   /* has data to print */
};

/* Ends with a row without a name. */
extern const struct tool_command tool_commands[];

/* NULL when there is none of that name. */
const struct tool_command *tool_command_find(const char *name);

/* Print the help: of the program, or of one command. */
void tool_help(void);
void tool_help_command(const struct tool_command *command);

#endif
