/* SPDX-License-Identifier: MIT */
/*
 * Figures by directory, each with those of all below: the library has them of
 * what is directly in a directory.
 */
#ifndef CUBBY_TOOL_TALLY_H
#define CUBBY_TOOL_TALLY_H

#include <stddef.h>

#include "cubby/manage.h"

struct tool_tally_row {
	char *name; /* one name; "" is what is directly in the directory, NULL
		       what the library does not know the place of */
	struct cubby_figures figures;
};

/* The directories in one directory, the one with most requests first. */
struct tool_tally {
	struct tool_tally_row *rows;
	size_t count;
	struct cubby_figures sum; /* of the rows */
};

/*
 * Sum up what is in and below the directory `base`, "" for all of the store.
 * The caller ends `*ret_tally` with tool_tally_done(). Returns 0, -ENOMEM, or
 * as cubby_list_figures().
 */
int tool_tally_init(struct cubby *store, const char *base,
		    struct tool_tally *ret_tally);

void tool_tally_done(struct tool_tally *tally);

#endif
