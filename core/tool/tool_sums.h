/* SPDX-License-Identifier: MIT */
/*
 * What is in each directory with all below, summed up while the entries are
 * listed: in memory for one path, however many directories there are.
 */
#ifndef CUBBY_TOOL_SUMS_H
#define CUBBY_TOOL_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"

struct tool_sum {
	uint64_t entries;
	uint64_t raw_bytes;
	uint64_t stored_bytes;
	uint64_t hits;
	int64_t used_ns; /* the last use of any */
	uint64_t direct; /* entries that are in it, not below */
	uint64_t below;	 /* directories in it that have entries */
};

/* Called for each directory that has entries, when they have all been seen;
 * "" is all of it. Anything but 0 ends it and is given back. */
typedef int tool_sum_fn(void *cookie, const char *path,
			const struct tool_sum *sum);

struct tool_sums {
	tool_sum_fn *fn;
	void *cookie;
	char path[CUBBY_PATH_MAX + 1]; /* of the directory where it is */
	struct tool_sums_level *levels;
	size_t count;
	size_t room;
};

/* Add an entry, in the order of cubby_list(). Returns 0, -ENOMEM, or what `fn`
 * returned. */
int tool_sums_add(struct tool_sums *sums, const char *path,
		  const struct cubby_attr *attr);

/* Give the directories that are still open, and free what `sums` holds. With
 * `r` other than 0 it frees only, and returns that. */
int tool_sums_done(struct tool_sums *sums, int r);

#endif
