/* SPDX-License-Identifier: MIT */
/*
 * A binary heap with the lightest row on top, which is the one to give way.
 * Memory grows with the rows that are there, not with those asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool_heap.h"

/* Does `a` come after `b` in the end? No two rows have the same path. */
static int is_lighter(const struct tool_heap_row *a,
		      const struct tool_heap_row *b)
{
	if (a->weight != b->weight)
		return a->weight < b->weight;
	return strcmp(a->path, b->path) > 0;
}

static void swap(struct tool_heap_row *a, struct tool_heap_row *b)
{
	struct tool_heap_row row = *a;

	*a = *b;
	*b = row;
}

static void sift_up(struct tool_heap *heap, size_t at)
{
	while (at > 0) {
		size_t above = (at - 1) / 2;

		if (!is_lighter(&heap->rows[at], &heap->rows[above]))
			return;
		swap(&heap->rows[at], &heap->rows[above]);
		at = above;
	}
}

static void sift_down(struct tool_heap *heap)
{
	size_t at = 0;

	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= heap->count)
			return;
		if (child + 1 < heap->count &&
		    is_lighter(&heap->rows[child + 1], &heap->rows[child]))
			child++;
		if (!is_lighter(&heap->rows[child], &heap->rows[at]))
			return;
		swap(&heap->rows[child], &heap->rows[at]);
		at = child;
	}
}

int tool_heap_offer(struct tool_heap *heap, const struct tool_heap_row *row)
{
	const int is_full = heap->count == heap->max;
	struct tool_heap_row *rows;
	char *path;

	if (is_full && (heap->max == 0 || is_lighter(row, &heap->rows[0])))
		return 0;
	path = strdup(row->path);
	if (!path)
		return -ENOMEM;
	if (is_full) {
		free(heap->rows[0].path);
		heap->rows[0] = *row;
		heap->rows[0].path = path;
		sift_down(heap);
		return 0;
	}
	rows = realloc(heap->rows, (heap->count + 1) * sizeof(*rows));
	if (!rows) {
		free(path);
		return -ENOMEM;
	}
	heap->rows = rows;
	rows[heap->count] = *row;
	rows[heap->count].path = path;
	sift_up(heap, heap->count++);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return is_lighter(a, b) ? 1 : -1;
}

void tool_heap_sort(struct tool_heap *heap)
{
	if (heap->count > 1)
		qsort(heap->rows, heap->count, sizeof(*heap->rows), compare);
}

void tool_heap_done(struct tool_heap *heap)
{
	for (size_t i = 0; i < heap->count; i++)
		free(heap->rows[i].path);
	free(heap->rows);
	*heap = (struct tool_heap){.max = heap->max};
}
