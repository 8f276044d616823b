/* SPDX-License-Identifier: MIT */
/*
 * A listing gives all that is below a directory in one run. So the directories
 * above the present entry are all that has to be remembered, a level for each;
 * a level that the next entry is not below is complete, and is added to the one
 * above it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool_sums.h"

struct tool_sums_level {
	size_t end; /* of its path in `sums->path` */
	struct tool_sum sum;
};

static int level_push(struct tool_sums *sums, size_t end)
{
	if (sums->count == sums->room) {
		size_t room = sums->room * 2 + 16;
		struct tool_sums_level *levels =
			realloc(sums->levels, room * sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		sums->levels = levels;
		sums->room = room;
	}
	sums->levels[sums->count++] = (struct tool_sums_level){.end = end};
	return 0;
}

static int level_pop(struct tool_sums *sums)
{
	const struct tool_sums_level *level = &sums->levels[--sums->count];

	sums->path[level->end] = '\0';
	if (sums->count > 0) {
		struct tool_sum *above = &sums->levels[sums->count - 1].sum;

		above->entries += level->sum.entries;
		above->raw_bytes += level->sum.raw_bytes;
		above->stored_bytes += level->sum.stored_bytes;
		above->hits += level->sum.hits;
		if (level->sum.used_ns > above->used_ns)
			above->used_ns = level->sum.used_ns;
		above->below++;
	}
	return sums->fn(sums->cookie, sums->path, &level->sum);
}

/* Is the directory of the last level that of `path`, or above it? */
static int level_is_above(const struct tool_sums *sums, const char *path,
			  size_t size)
{
	size_t end = sums->levels[sums->count - 1].end;

	if (end == 0)
		return 1;
	return end <= size && memcmp(sums->path, path, end) == 0 &&
	       (end == size || path[end] == '/');
}

/* Go to the directory that is the first `size` bytes of `path`. */
static int move(struct tool_sums *sums, const char *path, size_t size)
{
	size_t end;
	int r = 0;

	if (sums->count == 0)
		r = level_push(sums, 0);
	while (r == 0 && !level_is_above(sums, path, size))
		r = level_pop(sums);
	while (r == 0) {
		end = sums->levels[sums->count - 1].end;
		if (end == size)
			break;
		if (end > 0)
			end++;
		end += strcspn(path + end, "/");
		memcpy(sums->path, path, end);
		r = level_push(sums, end);
	}
	return r;
}

int tool_sums_add(struct tool_sums *sums, const char *path,
		  const struct cubby_attr *attr)
{
	const char *slash = strrchr(path, '/');
	struct tool_sum *sum;
	int r = move(sums, path, slash ? (size_t)(slash - path) : 0);

	if (r != 0)
		return r;
	sum = &sums->levels[sums->count - 1].sum;
	sum->entries++;
	sum->direct++;
	sum->raw_bytes += attr->size;
	sum->stored_bytes += attr->stored_size;
	sum->hits += attr->hits;
	if (attr->used_ns > sum->used_ns)
		sum->used_ns = attr->used_ns;
	return 0;
}

int tool_sums_done(struct tool_sums *sums, int r)
{
	while (r == 0 && sums->count > 0)
		r = level_pop(sums);
	free(sums->levels);
	sums->levels = NULL;
	sums->count = 0;
	sums->room = 0;
	return r;
}
