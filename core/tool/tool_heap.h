/* SPDX-License-Identifier: MIT */
/*
 * The N rows of most weight out of any number, in memory for N.
 */
#ifndef CUBBY_TOOL_HEAP_H
#define CUBBY_TOOL_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "tool/tool_sums.h"

struct tool_heap_row {
	int64_t weight;
	char *path;
	union {
		struct cubby_attr attr; /* of an entry */
		struct tool_sum sum;	/* of a directory */
	};
};

struct tool_heap {
	size_t max; /* set by the caller; all else is 0 */
	size_t count;
	struct tool_heap_row *rows;
};

/* Take `row` if it is one of the N; its path is copied. Returns 0 or -ENOMEM.
 */
int tool_heap_offer(struct tool_heap *heap, const struct tool_heap_row *row);

/* Put the rows in order, the heaviest first; those of the same weight by their
 * paths. Nothing can be offered any more. */
void tool_heap_sort(struct tool_heap *heap);

void tool_heap_done(struct tool_heap *heap);

#endif
