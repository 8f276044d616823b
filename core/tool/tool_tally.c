/* SPDX-License-Identifier: MIT */
/*
 * Summing figures up along the path. There are at most about a thousand
 * directories that have any, so each is looked for among those before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool_tally.h"

struct tallying {
	struct tool_tally *tally;
	const char *base;
	size_t base_size;
};

static void add(struct cubby_figures *to, const struct cubby_figures *from)
{
	to->hits += from->hits;
	to->misses += from->misses;
	to->adds += from->adds;
	to->deletes += from->deletes;
	to->evictions += from->evictions;
	to->corrupt += from->corrupt;
	to->bytes_in += from->bytes_in;
	to->bytes_out += from->bytes_out;
}

/* What of `path` is below the base, or NULL when it is not. */
static const char *below(const struct tallying *tallying, const char *path)
{
	size_t size = tallying->base_size;

	if (size == 0)
		return path;
	if (strncmp(path, tallying->base, size) != 0)
		return NULL;
	if (path[size] == '/')
		return path + size + 1;
	return path[size] == '\0' ? path + size : NULL;
}

static bool is_name(const char *name, const char *text, size_t size)
{
	if (!name || !text)
		return name == text;
	return strncmp(name, text, size) == 0 && name[size] == '\0';
}

/* The row of the first `size` bytes of `text`, made when it is missing. */
static int row_get(struct tool_tally *tally, const char *text, size_t size,
		   struct tool_tally_row **ret_row)
{
	struct tool_tally_row *rows;
	char *name = NULL;

	for (size_t i = 0; i < tally->count; i++) {
		if (is_name(tally->rows[i].name, text, size)) {
			*ret_row = &tally->rows[i];
			return 0;
		}
	}
	rows = realloc(tally->rows, (tally->count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	tally->rows = rows;
	if (text) {
		name = strndup(text, size);
		if (!name)
			return -ENOMEM;
	}
	rows[tally->count] = (struct tool_tally_row){.name = name};
	*ret_row = &rows[tally->count++];
	return 0;
}

static int take(void *cookie, const char *path,
		const struct cubby_figures *figures)
{
	struct tallying *tallying = cookie;
	struct tool_tally_row *row;
	int r;

	if (!path && tallying->base_size > 0)
		return 0;
	if (path) {
		path = below(tallying, path);
		if (!path)
			return 0;
	}
	r = row_get(tallying->tally, path, path ? strcspn(path, "/") : 0, &row);
	if (r < 0)
		return r;
	add(&row->figures, figures);
	add(&tallying->tally->sum, figures);
	return 0;
}

static uint64_t weight(const struct tool_tally_row *row)
{
	return row->figures.hits + row->figures.misses + row->figures.adds;
}

static int compare(const void *a, const void *b)
{
	const struct tool_tally_row *left = a;
	const struct tool_tally_row *right = b;

	if (weight(left) != weight(right))
		return weight(left) < weight(right) ? 1 : -1;
	return strcmp(left->name ? left->name : "",
		      right->name ? right->name : "");
}

int tool_tally_init(struct cubby *store, const char *base,
		    struct tool_tally *ret_tally)
{
	struct tool_tally tally = {0};
	struct tallying tallying = {&tally, base, strlen(base)};
	int r = cubby_list_figures(store, take, &tallying);

	if (r == -EROFS) /* who may only read has no figures */
		r = 0;
	if (r != 0) {
		tool_tally_done(&tally);
		return r;
	}
	if (tally.count > 0)
		qsort(tally.rows, tally.count, sizeof(*tally.rows), compare);
	*ret_tally = tally;
	return 0;
}

void tool_tally_done(struct tool_tally *tally)
{
	for (size_t i = 0; i < tally->count; i++)
		free(tally->rows[i].name);
	free(tally->rows);
	*tally = (struct tool_tally){0};
}
