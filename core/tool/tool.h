/* SPDX-License-Identifier: MIT */
/*
 * The program `cubby`: what its files share.
 *
 * tool_main.c reads the command line, opens the store and runs one command of
 * its table; each command is a function which gets a call and returns an exit
 * status, and a manual. Whatever goes wrong is said by tool_fail(), in one
 * line.
 */
#ifndef CUBBY_TOOL_H
#define CUBBY_TOOL_H

#include <stdbool.h>

#include "cubby/cubby.h"
#include "tool/tool_option.h"

/* Exit statuses: scripts depend on them. */
enum tool_status {
	TOOL_OK = 0,
	TOOL_MISS = 1,	 /* there is no such entry; verify found something */
	TOOL_FAILED = 2, /* and one line on standard error says why */
};

enum { TOOL_BUFFER_SIZE = 128 * 1024 };

/* One run of a command. */
struct tool_call {
	struct cubby *store;	/* NULL for a command without a store */
	const char *store_path; /* as the user wrote it */
	const char *operand;	/* what follows the store; NULL if left out */
	const char *setting;	/* what follows that; NULL if left out */
	bool json;
	bool read_only; /* the store could not be opened otherwise */
	const struct tool_given *given; /* for tool_option_value() */
};

/* What a command is and takes, beside its row in the table. */
struct tool_manual {
	const struct tool_option *options; /* NULL for none but --json */
	const char *text; /* for --help, in lines of at most 78 characters */
};

/* The commands: each returns an exit status. */
int tool_add(const struct tool_call *call);
int tool_get(const struct tool_call *call);
int tool_delete(const struct tool_call *call);
int tool_list(const struct tool_call *call);
int tool_set(const struct tool_call *call);
int tool_stats(const struct tool_call *call);
int tool_key(const struct tool_call *call);
int tool_limit(const struct tool_call *call);
int tool_report(const struct tool_call *call);
int tool_top(const struct tool_call *call);
int tool_trim(const struct tool_call *call);
int tool_verify(const struct tool_call *call);
int tool_gc(const struct tool_call *call);
int tool_recompress(const struct tool_call *call);

extern const struct tool_manual tool_add_manual;
extern const struct tool_manual tool_get_manual;
extern const struct tool_manual tool_delete_manual;
extern const struct tool_manual tool_list_manual;
extern const struct tool_manual tool_set_manual;
extern const struct tool_manual tool_stats_manual;
extern const struct tool_manual tool_key_manual;
extern const struct tool_manual tool_limit_manual;
extern const struct tool_manual tool_report_manual;
extern const struct tool_manual tool_top_manual;
extern const struct tool_manual tool_trim_manual;
extern const struct tool_manual tool_verify_manual;
extern const struct tool_manual tool_gc_manual;
extern const struct tool_manual tool_recompress_manual;

#endif
