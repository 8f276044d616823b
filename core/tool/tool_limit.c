/* SPDX-License-Identifier: MIT */
/*
 * cubby limit: how large a store may be, and parts of it.
 *
 * What the library would refuse with an errno that has several meanings is
 * looked at before, so that the sentence can say which it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cubby/manage.h"
#include "tool/tool_fail.h"
#include "tool/tool_format.h"
#include "tool/tool_text.h"

static const struct tool_option options[] = {
	{"--max-size", TOOL_SIZE, "N",
	 "disk that the store may take; at least 16M; 0: no limit"},
	{"--min-free", TOOL_SIZE_OR_PERCENT, "N|P%",
	 "disk to leave free, in bytes or as a share of it"},
	{"--max-entry", TOOL_SIZE, "N", "content that one entry may have"},
	{"--max-age", TOOL_TIME, "T", "evict what was not used for so long"},
	{"--protect", TOOL_TIME, "T",
	 "evict what was used within this time last; 5m if never set"},
	{"--resolution", TOOL_TIME, "T",
	 "note a use of an entry at most once in this time; 60s if\n"
	 "never set; 0 notes every use"},
	{"--policy", TOOL_TEXT, "lru|gdsf",
	 "what goes first: what was used the longest time ago (lru),\n"
	 "or of that the large before the small (gdsf)"},
	{"--quota", TOOL_SIZE, "N",
	 "of DIRECTORY: what the entries in it and below may take"},
	{"--pin", TOOL_FLAG, NULL,
	 "of DIRECTORY: never evict from it for the limits of the\n"
	 "store"},
	{"--unpin", TOOL_FLAG, NULL, "of DIRECTORY: undo --pin"},
	{NULL, TOOL_FLAG, NULL, NULL},
};

const struct tool_manual tool_limit_manual = {
	.options = options,
	.text = "Sets what is given and leaves the rest as it was; without "
		"options it prints\n"
		"all limits and quotas, or those of DIRECTORY. \"none\" or 0 "
		"takes one away.\n"
		"\n"
		"Limits are kept in the store and hold for everybody who uses "
		"it, from then\n"
		"on. What they do not leave room for is evicted at once, the "
		"entries that were\n"
		"used the longest time ago first. Files with other than entry "
		"names are never\n"
		"evicted, and count.\n"
		"\n"
		"A quota counts the entries in the directory and below, which "
		"then are evicted\n"
		"among themselves. Directories with a quota or a pin are never "
		"inside one\n"
		"another, and at most 64.\n"
		"\n"
		"Examples: cubby limit ~/.cache/cubby --max-size 10G "
		"--max-age 30d\n"
		"          cubby limit ~/.cache/cubby go-build --quota 2G\n",
};

static const struct tool_value *value_of(const struct tool_call *call,
					 const char *name)
{
	return tool_option_value(call->given, name);
}

static bool any_is_given(const struct tool_call *call, int from, int to)
{
	for (int i = from; i < to; i++)
		if (call->given->is_given[i])
			return true;
	return false;
}

/* Those of the store come first in the array. */
enum { OF_STORE = 7, OF_ALL = 10 };

/* --------------------------------------------------------------- printing */

static const char *policy_name(enum cubby_policy policy)
{
	switch (policy) {
	case CUBBY_LRU:
		return "lru";
	case CUBBY_GDSF:
		return "gdsf";
	}
	return "unknown";
}

static void limit_line(const char *name, struct tool_words words, bool is_set,
		       const char *about)
{
	printf("%-12s %12s  %s\n", name, is_set ? words.text : "none", about);
}

static void limits_plain(const struct cubby_limits *limits, uint64_t disk)
{
	char used[128];
	struct tool_words free_words = tool_format_size(limits->min_free);

	(void)snprintf(used, sizeof(used), "of disk; %s are used%s%s",
		       tool_format_size(disk).text,
		       limits->max_size ? ", " : "",
		       limits->max_size
			       ? tool_format_share(disk, limits->max_size).text
			       : "");
	limit_line("max size", tool_format_size(limits->max_size),
		   limits->max_size > 0, used);
	if (limits->min_free_percent > 0 && limits->min_free > 0)
		(void)snprintf(used, sizeof(used),
			       "and %" PRIu32 " %% of the disk, to leave free",
			       limits->min_free_percent);
	else
		(void)snprintf(used, sizeof(used), "of the disk to leave free");
	if (limits->min_free == 0)
		(void)snprintf(free_words.text, sizeof(free_words.text),
			       "%" PRIu32 " %%", limits->min_free_percent);
	limit_line("min free", free_words,
		   limits->min_free > 0 || limits->min_free_percent > 0, used);
	limit_line("max entry", tool_format_size(limits->max_entry),
		   limits->max_entry > 0, "of content in one entry");
	limit_line("max age", tool_format_time(limits->max_age_s),
		   limits->max_age_s > 0, "without use");
	limit_line("protect", tool_format_time(limits->protect_s),
		   limits->protect_s > 0, "what was used within it goes last");
	limit_line("resolution", tool_format_time(limits->resolution_s), true,
		   "in which a use is noted at most once");
	printf("%-12s %12s  what goes first\n", "policy",
	       policy_name(limits->policy));
}

static void limits_json(const struct cubby_limits *limits, uint64_t disk)
{
	printf("{\"max_size\":%" PRIu64 ",\"min_free\":%" PRIu64
	       ",\"min_free_percent\":%" PRIu32 ",\"max_entry\":%" PRIu64
	       ",\n\"max_age_s\":%" PRIu64 ",\"protect_s\":%" PRIu32
	       ",\"resolution_s\":%" PRIu32
	       ",\"policy\":\"%s\",\"disk_bytes\":%" PRIu64 ",\n\"quotas\":[",
	       limits->max_size, limits->min_free, limits->min_free_percent,
	       limits->max_entry, limits->max_age_s, limits->protect_s,
	       limits->resolution_s, policy_name(limits->policy), disk);
}

static void quota_plain(const char *path, const struct cubby_quota *quota)
{
	printf("%12s %12s %8s %12s %-6s  ",
	       quota->quota ? tool_format_size(quota->quota).text : "none",
	       tool_format_size(quota->bytes).text,
	       tool_format_share(quota->bytes, quota->quota).text,
	       tool_format_count(quota->entries).text,
	       quota->is_pinned ? "yes" : "no");
	tool_text_plain(stdout, path);
	putchar('\n');
}

static void quota_json(const char *path, const struct cubby_quota *quota)
{
	fputs("{\"directory\":", stdout);
	tool_text_json(stdout, path);
	printf(",\"quota\":%" PRIu64 ",\"pinned\":%s,\"bytes\":%" PRIu64
	       ",\"entries\":%" PRIu64 "}",
	       quota->quota, quota->is_pinned ? "true" : "false", quota->bytes,
	       quota->entries);
}

static void quota_heading(void)
{
	printf("%12s %12s %8s %12s %-6s  %s\n", "quota", "used", "", "entries",
	       "pinned", "directory");
}

struct printing {
	bool json;
	bool begun; /* one was printed */
};

static int print_quota(void *cookie, const char *path,
		       const struct cubby_quota *quota)
{
	struct printing *printing = cookie;

	if (printing->json) {
		fputs(printing->begun ? ",\n" : "\n", stdout);
		quota_json(path, quota);
	} else {
		if (!printing->begun) {
			putchar('\n');
			quota_heading();
		}
		quota_plain(path, quota);
	}
	printing->begun = true;
	return 0;
}

/* ----------------------------------------------------------------- errors */

static int fail(const struct tool_call *call, const char *what, int r)
{
	return tool_fail("cannot %s the limits of '%s': %s", what,
			 call->store_path, cubby_strerror(r));
}

static int fail_directory(const struct tool_call *call, int r)
{
	const char *path = call->operand;

	switch (r) {
	case -ENOENT:
		return tool_fail("there is no directory '%s' in the store; it "
				 "comes with its first entry",
				 path);
	case -ENOTDIR:
		return tool_fail("'%s' is a file; name a directory of the "
				 "store",
				 path);
	case -EINVAL:
		if (*path == '\0')
			return tool_fail("the top of the store has no quota; "
					 "set --max-size instead");
		return tool_fail_entry(call, "cannot limit", r);
	case -EBUSY:
		return tool_fail("a directory above or below '%s' has a quota "
				 "or a pin; take that away first (see `cubby "
				 "limit %s`)",
				 path, call->store_path);
	case -ENOSPC:
		return tool_fail("cannot limit '%s': %d directories have a "
				 "quota or a pin, or the disk is full; take "
				 "one away, or free space",
				 path, CUBBY_QUOTAS_MAX);
	default:
		return tool_fail_entry(call, "cannot limit", r);
	}
}

/* -------------------------------------------------------------- directory */

static int directory_print(const struct tool_call *call,
			   const struct cubby_quota *quota)
{
	if (call->json) {
		quota_json(call->operand, quota);
		putchar('\n');
		return TOOL_OK;
	}
	quota_heading();
	quota_plain(call->operand, quota);
	return TOOL_OK;
}

static int directory_set(const struct tool_call *call,
			 struct cubby_quota *quota)
{
	const struct tool_value *size = value_of(call, "--quota");
	struct cubby_limits limits;
	int r;

	if (size)
		quota->quota = size->number;
	if (value_of(call, "--pin"))
		quota->is_pinned = true;
	if (value_of(call, "--unpin"))
		quota->is_pinned = false;
	r = cubby_set_quota(call->store, call->operand, quota);
	if (r != -EDOM)
		return r < 0 ? fail_directory(call, r) : TOOL_OK;
	r = cubby_get_limits(call->store, &limits);
	if (r < 0)
		return fail(call, "read", r);
	return tool_fail("--quota: %s is more than the limit of the store, %s; "
			 "write less, or set --max-size first",
			 tool_format_size(quota->quota).text,
			 tool_format_size(limits.max_size).text);
}

static int limit_directory(const struct tool_call *call)
{
	struct cubby_quota quota;
	int r;

	if (any_is_given(call, 0, OF_STORE))
		return tool_fail("a directory has a --quota, a --pin or an "
				 "--unpin; leave '%s' out to limit the store",
				 call->operand);
	if (value_of(call, "--pin") && value_of(call, "--unpin"))
		return tool_fail("--pin and --unpin exclude each other; leave "
				 "one out");
	r = cubby_get_quota(call->store, call->operand, &quota);
	if (r < 0)
		return fail_directory(call, r);
	if (any_is_given(call, OF_STORE, OF_ALL)) {
		int status = directory_set(call, &quota);

		if (status != TOOL_OK || !call->json)
			return status;
	}
	return directory_print(call, &quota);
}

/* ------------------------------------------------------------------ store */

static int seconds_take(const struct tool_call *call, const char *name,
			uint32_t *seconds)
{
	const struct tool_value *value = value_of(call, name);

	if (value && value->number > UINT32_MAX)
		return tool_fail("%s: '%s' is too large; write a time, as 5m",
				 name, value->text);
	if (value)
		*seconds = (uint32_t)value->number;
	return TOOL_OK;
}

static int policy_take(const struct tool_call *call,
		       struct cubby_limits *limits)
{
	const struct tool_value *value = value_of(call, "--policy");

	if (value && strcmp(value->text, "lru") == 0)
		limits->policy = CUBBY_LRU;
	else if (value && strcmp(value->text, "gdsf") == 0)
		limits->policy = CUBBY_GDSF;
	else if (value)
		return tool_fail("--policy: there is no policy '%s'; write lru "
				 "or gdsf",
				 value->text);
	if (limits->policy != CUBBY_LRU && limits->max_age_s > 0)
		return tool_fail("a --max-age needs --policy lru; set that, or "
				 "--max-age none");
	return TOOL_OK;
}

/* Put what is given into `limits`. Returns an exit status. */
static int limits_take(const struct tool_call *call,
		       struct cubby_limits *limits)
{
	const struct tool_value *max_size = value_of(call, "--max-size");
	const struct tool_value *min_free = value_of(call, "--min-free");
	const struct tool_value *max_entry = value_of(call, "--max-entry");
	const struct tool_value *max_age = value_of(call, "--max-age");
	int status;

	if (max_size && max_size->number > 0 &&
	    max_size->number < CUBBY_LIMIT_MIN)
		return tool_fail("--max-size: '%s' is too small; write at "
				 "least 16M, or none",
				 max_size->text);
	if (max_size)
		limits->max_size = max_size->number;
	if (min_free) {
		bool is_percent = min_free->is_percent;

		limits->min_free = is_percent ? 0 : min_free->number;
		limits->min_free_percent =
			is_percent ? (uint32_t)min_free->number : 0;
	}
	if (max_entry)
		limits->max_entry = max_entry->number;
	if (max_age)
		limits->max_age_s = max_age->number;
	status = seconds_take(call, "--protect", &limits->protect_s);
	if (status == TOOL_OK)
		status = seconds_take(call, "--resolution",
				      &limits->resolution_s);
	return status == TOOL_OK ? policy_take(call, limits) : status;
}

static int store_set(const struct tool_call *call, struct cubby_limits *limits)
{
	int status = limits_take(call, limits);
	int r;

	if (status != TOOL_OK)
		return status;
	r = cubby_set_limits(call->store, limits);
	if (r == -EDOM)
		return tool_fail("--max-size: a directory has a quota that is "
				 "larger than %s; lower that first (see `cubby "
				 "limit %s`)",
				 tool_format_size(limits->max_size).text,
				 call->store_path);
	if (r == -EFBIG)
		return tool_fail("the limit is set, but what cannot be evicted "
				 "is larger than %s: files with other than "
				 "entry names, pinned directories, the index; "
				 "remove some of it, or raise the limit",
				 tool_format_size(limits->max_size).text);
	return r < 0 ? fail(call, "set", r) : TOOL_OK;
}

static int store_print(const struct tool_call *call,
		       const struct cubby_limits *limits)
{
	struct printing printing = {.json = call->json};
	struct cubby_stats stats;
	int r = cubby_get_stats(call->store, &stats);

	if (r < 0)
		return fail(call, "read", r);
	if (call->json)
		limits_json(limits, stats.disk_bytes);
	else
		limits_plain(limits, stats.disk_bytes);
	r = cubby_list_quotas(call->store, print_quota, &printing);
	if (call->json)
		puts("]}");
	return r < 0 ? fail(call, "read", r) : TOOL_OK;
}

int tool_limit(const struct tool_call *call)
{
	struct cubby_limits limits;
	int r;

	if (call->operand)
		return limit_directory(call);
	if (any_is_given(call, OF_STORE, OF_ALL))
		return tool_fail("--quota, --pin and --unpin are of a "
				 "directory; name it after the store");
	r = cubby_get_limits(call->store, &limits);
	if (r < 0)
		return fail(call, "read", r);
	if (any_is_given(call, 0, OF_STORE)) {
		int status = store_set(call, &limits);

		if (status != TOOL_OK || !call->json)
			return status;
	}
	return store_print(call, &limits);
}
