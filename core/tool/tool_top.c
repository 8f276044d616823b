/* SPDX-License-Identifier: MIT */
/*
 * cubby top: what is largest, coldest, or most used.
 *
 * All entries are looked at, and the N of most weight kept; what makes weight
 * is the one difference between the orders.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_heap.h"
#include "tool/tool_scan.h"
#include "tool/tool_text.h"

enum { ROWS_DEFAULT = 10, ROWS_MAX = 1000000 };

static const struct tool_option options[] = {
	{"--by", TOOL_TEXT, "ORDER",
	 "size       the largest entries, as stored (the default)\n"
	 "used       those not used for the longest time\n"
	 "hits       those used most often\n"
	 "directory  the largest directories, with all below"},
	{"-n", TOOL_COUNT, "N", "print so many; 10 if not given"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_top_manual = {
	.options = options,
	.text = "Looks at all entries and prints those that matter most: bytes "
		"as stored, bytes\n"
		"of content, hits, the time since the last use, and the path. "
		"Hits and uses are\n"
		"noted at most once in the --resolution of `cubby limit`.\n"
		"\n"
		"A directory whose entries are all in one directory below it "
		"is left out.\n",
};

enum order {
	BY_SIZE,
	BY_USED,
	BY_HITS,
	BY_DIRECTORY,
	ORDER_COUNT,
};

static const char *const order_names[ORDER_COUNT] = {"size", "used", "hits",
						     "directory"};

struct top {
	enum order order;
	struct tool_heap heap;
	struct tool_sums sums;
};

/* ---------------------------------------------------------------- scanning */

static int64_t weight_of(enum order order, const struct cubby_attr *attr)
{
	switch (order) {
	case BY_USED:
		return -attr->used_ns;
	case BY_HITS:
		return attr->hits;
	case BY_SIZE:
	case BY_DIRECTORY:
	case ORDER_COUNT:
		break;
	}
	return (int64_t)attr->stored_size;
}

/* A row borrows its path while it is offered. */
static char *borrow(const char *path)
{
	union {
		const char *given;
		char *borrowed;
	} text = {.given = path};

	return text.borrowed;
}

static int take_entry(void *cookie, const char *path,
		      const struct cubby_attr *attr)
{
	struct top *top = cookie;
	const struct tool_heap_row row = {
		.weight = weight_of(top->order, attr),
		.path = borrow(path),
		.attr = *attr,
	};

	if (top->order == BY_DIRECTORY)
		return tool_sums_add(&top->sums, path, attr);
	return tool_heap_offer(&top->heap, &row);
}

static int take_directory(void *cookie, const char *path,
			  const struct tool_sum *sum)
{
	struct top *top = cookie;
	const struct tool_heap_row row = {
		.weight = (int64_t)sum->stored_bytes,
		.path = borrow(path),
		.sum = *sum,
	};

	if (*path == '\0' || (sum->direct == 0 && sum->below == 1))
		return 0;
	return tool_heap_offer(&top->heap, &row);
}

/* ---------------------------------------------------------------- printing */

static struct tool_words age_words(int64_t used_ns)
{
	int64_t age_s = (int64_t)time(NULL) - used_ns / 1000000000;

	return tool_format_time(age_s > 0 ? (uint64_t)age_s : 0);
}

static void print_plain(const struct top *top)
{
	const bool directories = top->order == BY_DIRECTORY;

	printf("%10s %10s %10s %10s  %s\n", "stored", "content",
	       directories ? "entries" : "hits", "unused for",
	       directories ? "directory" : "path");
	for (size_t i = 0; i < top->heap.count; i++) {
		const struct tool_heap_row *row = &top->heap.rows[i];
		uint64_t stored = directories ? row->sum.stored_bytes
					      : row->attr.stored_size;
		uint64_t raw =
			directories ? row->sum.raw_bytes : row->attr.size;
		uint64_t count =
			directories ? row->sum.entries : row->attr.hits;

		printf("%10s %10s %10s %10s  ", tool_format_size(stored).text,
		       tool_format_size(raw).text,
		       tool_format_count(count).text,
		       age_words(directories ? row->sum.used_ns
					     : row->attr.used_ns)
			       .text);
		tool_text_plain(stdout, row->path);
		putchar('\n');
	}
}

static void print_json(const struct top *top)
{
	putchar('[');
	for (size_t i = 0; i < top->heap.count; i++) {
		const struct tool_heap_row *row = &top->heap.rows[i];

		fputs(i ? ",\n" : "\n", stdout);
		if (top->order == BY_DIRECTORY) {
			fputs("{\"directory\":", stdout);
			tool_text_json(stdout, row->path);
			printf(",\"entries\":%" PRIu64 ",\"size\":%" PRIu64
			       ",\"stored_size\":%" PRIu64 ",\"hits\":%" PRIu64
			       ",\"used\":%" PRId64 "}",
			       row->sum.entries, row->sum.raw_bytes,
			       row->sum.stored_bytes, row->sum.hits,
			       row->sum.used_ns / 1000000000);
			continue;
		}
		fputs("{\"path\":", stdout);
		tool_text_json(stdout, row->path);
		printf(",\"size\":%" PRIu64 ",\"stored_size\":%" PRIu64
		       ",\"hits\":%" PRIu32 ",\"used\":%" PRId64
		       ",\"added\":%" PRId64 "}",
		       row->attr.size, row->attr.stored_size, row->attr.hits,
		       row->attr.used_ns / 1000000000,
		       row->attr.added_ns / 1000000000);
	}
	puts(top->heap.count ? "\n]" : "]");
}

/* ----------------------------------------------------------------- command */

static int options_take(const struct tool_call *call, struct top *top)
{
	const struct tool_value *by = tool_option_value(call->given, "--by");
	const struct tool_value *count = tool_option_value(call->given, "-n");

	top->heap.max = ROWS_DEFAULT;
	if (count && count->number > ROWS_MAX)
		return tool_fail("-n: '%s' is too many; write at most %d, or "
				 "use `cubby list`",
				 count->text, ROWS_MAX);
	if (count)
		top->heap.max = (size_t)count->number;
	if (!by)
		return TOOL_OK;
	while (top->order < ORDER_COUNT &&
	       strcmp(by->text, order_names[top->order]) != 0)
		top->order++;
	if (top->order == ORDER_COUNT)
		return tool_fail("--by: there is no order '%s'; write size, "
				 "used, hits or directory",
				 by->text);
	return TOOL_OK;
}

int tool_top(const struct tool_call *call)
{
	struct top top = {
		.order = BY_SIZE,
		.sums = {.fn = take_directory, .cookie = &top},
	};
	int status = options_take(call, &top);
	int r;

	if (status != TOOL_OK)
		return status;
	r = tool_scan(call, "", "top", take_entry, &top);
	r = tool_sums_done(&top.sums, r);
	if (r < 0) {
		tool_heap_done(&top.heap);
		return tool_fail_entry(call, "cannot list", r);
	}
	tool_heap_sort(&top.heap);
	if (call->json)
		print_json(&top);
	else
		print_plain(&top);
	tool_heap_done(&top.heap);
	return TOOL_OK;
}
