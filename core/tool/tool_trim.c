/* SPDX-License-Identifier: MIT */
/*
 * cubby trim: what is over a limit goes now, not with the next add.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cubby/manage.h"
#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_scan.h"
#include "tool/tool_text.h"

static const struct tool_option options[] = {
	{"--dry-run", TOOL_FLAG, NULL,
	 "evict nothing; print what would go, the first to go first,\n"
	 "up to 16384 entries, and what is over the limits"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_trim_manual = {
	.options = options,
	.text = "Evicts what is over the limits of the store, or not used for "
		"its --max-age, and\n"
		"writes down the uses that wait. Every add does this anyway, "
		"and a mount from\n"
		"time to time; without adds and mounts it is for a timer.\n",
};

struct listing {
	uint64_t count;
	uint64_t stored_bytes;
	bool json;
};

/* What a trim would have to do. */
struct excess {
	int64_t oldest_ns; /* what was used last before it is too old */
	uint64_t entries;
	uint64_t stored_bytes;
};

static int fail(const struct tool_call *call, int r)
{
	if (r == -EFBIG)
		return tool_fail("what cannot be evicted from '%s' is larger "
				 "than its limit: files with other than entry "
				 "names, pinned directories, the index; remove "
				 "some of it, or raise the limit",
				 call->store_path);
	if (r == -EROFS)
		return tool_fail("the store '%s' is read-only; nothing can be "
				 "evicted there",
				 call->store_path);
	return tool_fail("cannot trim '%s': %s", call->store_path,
			 cubby_strerror(r));
}

static int count_entry(void *cookie, const char *path,
		       const struct cubby_attr *attr)
{
	struct excess *excess = cookie;

	(void)path;
	if (attr->used_ns <= excess->oldest_ns) {
		excess->entries++;
		excess->stored_bytes += attr->stored_size;
	}
	return 0;
}

static void print_plain(const char *path, const struct cubby_attr *attr)
{
	int64_t age_s = (int64_t)time(NULL) - attr->used_ns / 1000000000;

	printf("%10s %10s  ", tool_format_size(attr->stored_size).text,
	       tool_format_time(age_s > 0 ? (uint64_t)age_s : 0).text);
	tool_text_plain(stdout, path);
	putchar('\n');
}

static int print_entry(void *cookie, const char *path,
		       const struct cubby_attr *attr)
{
	struct listing *listing = cookie;

	listing->stored_bytes += attr->stored_size;
	if (listing->count++ == 0 && !listing->json)
		printf("%10s %10s  %s\n", "stored", "unused for", "path");
	if (!listing->json) {
		print_plain(path, attr);
		return 0;
	}
	fputs(listing->count > 1 ? ",\n{\"path\":" : "\n{\"path\":", stdout);
	tool_text_json(stdout, path);
	printf(",\"stored_size\":%" PRIu64 ",\"used\":%" PRId64 "}",
	       attr->stored_size, attr->used_ns / 1000000000);
	return 0;
}

/* What would go, in its order. */
static int print_entries(const struct tool_call *call)
{
	struct listing listing = {.json = call->json};
	bool is_all;
	int r;

	if (call->json)
		fputs(",\n\"entries\":[", stdout);
	r = cubby_list_trim(call->store, print_entry, &listing);
	is_all = listing.count < CUBBY_TRIM_LIST_MAX;
	if (call->json)
		printf("%s],\"is_all\":%s}\n", listing.count > 0 ? "\n" : "",
		       is_all ? "true" : "false");
	else if (r == 0)
		printf("%s entries (%s)%s would go\n",
		       tool_format_count(listing.count).text,
		       tool_format_size(listing.stored_bytes).text,
		       is_all ? "" : " and more");
	return r;
}

static int trim_dry(const struct tool_call *call)
{
	struct excess excess = {0};
	struct cubby_limits limits;
	struct cubby_stats stats;
	uint64_t over = 0;
	int r = cubby_get_limits(call->store, &limits);

	if (r == 0)
		r = cubby_get_stats(call->store, &stats);
	if (r == 0 && limits.max_age_s > 0) {
		excess.oldest_ns =
			((int64_t)time(NULL) - (int64_t)limits.max_age_s) *
			1000000000;
		r = tool_scan(call, "", "trim", count_entry, &excess);
	}
	if (r < 0)
		return fail(call, r);
	if (limits.max_size > 0 && stats.disk_bytes > limits.max_size)
		over = stats.disk_bytes - limits.max_size;
	if (call->json)
		printf("{\"dry_run\":true,\"over_bytes\":%" PRIu64
		       ",\"too_old\":%" PRIu64 ",\"too_old_bytes\":%" PRIu64,
		       over, excess.entries, excess.stored_bytes);
	else
		printf("%s of disk are over the limit, and %s entries (%s) "
		       "are too old\n",
		       tool_format_size(over).text,
		       tool_format_count(excess.entries).text,
		       tool_format_size(excess.stored_bytes).text);
	r = print_entries(call);
	return r < 0 ? fail(call, r) : TOOL_OK;
}

int tool_trim(const struct tool_call *call)
{
	uint64_t evicted;
	int r;

	if (tool_option_value(call->given, "--dry-run"))
		return trim_dry(call);
	r = cubby_trim(call->store, &evicted);
	if (r < 0)
		return fail(call, r);
	if (call->json)
		printf("{\"dry_run\":false,\"evicted\":%" PRIu64 "}\n",
		       evicted);
	else
		printf("evicted %s entries\n", tool_format_count(evicted).text);
	return TOOL_OK;
}
