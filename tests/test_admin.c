/* SPDX-License-Identifier: MIT */
/* The program `cubby` for who looks after a store: limits and figures. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "command.h"
#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"

TestSuite(admin, .fini = scratch_end, .timeout = 120);

enum { MIB = 1024 * 1024 };

static struct cubby_limits limits_of(const struct box *box)
{
	struct cubby_limits limits;

	MUST_DO(cubby_get_limits(box->store, &limits));
	return limits;
}

/* ------------------------------------------------------------------ limits */

Test(admin, limits_are_set_one_by_one_and_taken_away)
{
	struct box box;

	box_new(&box, "a");
	DO("limit", box.path, "--max-size", "1.5G", "--min-free=5%");
	DO("limit", box.path, "--max-age", "30d", "--max-entry", "512M");
	DO("limit", box.path, "--protect", "90s", "--resolution", "0");
	MUST_BE(limits_of(&box).max_size, UINT64_C(1536) * MIB);
	MUST_BE(limits_of(&box).min_free_percent, 5);
	MUST_BE(limits_of(&box).min_free, 0);
	MUST_BE(limits_of(&box).max_age_s, 30 * 86400);
	MUST_BE(limits_of(&box).max_entry, UINT64_C(512) * MIB);
	MUST_BE(limits_of(&box).protect_s, 90);
	MUST_BE(limits_of(&box).resolution_s, 0);
	PRINTS("1.50 GiB", "limit", box.path);
	DO("limit", box.path, "--max-size", "none", "--max-age", "0");
	DO("limit", box.path, "--min-free", "2GiB", "--policy", "gdsf");
	MUST_BE(limits_of(&box).max_size, 0);
	MUST_BE(limits_of(&box).max_age_s, 0);
	MUST_BE(limits_of(&box).min_free, UINT64_C(2048) * MIB);
	MUST_BE(limits_of(&box).min_free_percent, 0);
	MUST_BE(limits_of(&box).policy, CUBBY_GDSF);
	box_close(&box);
}

Test(admin, bad_limits_are_one_error_each_and_change_nothing)
{
	struct cubby_limits before;
	struct cubby_limits after;
	struct box box;

	box_new(&box, "a");
	DO("limit", box.path, "--max-size", "100M");
	before = limits_of(&box);
	REFUSED("at least 16M", "limit", box.path, "--max-size", "1M");
	REFUSED("negative", "limit", box.path, "--max-size", "-5G");
	REFUSED("unknown unit", "limit", box.path, "--max-size", "10GB");
	REFUSED("unknown unit", "limit", box.path, "--max-age", "3y");
	REFUSED("no unit", "limit", box.path, "--max-age", "30");
	REFUSED("no number", "limit", box.path, "--max-size", "much");
	REFUSED("too large", "limit", box.path, "--max-size", "9999999P");
	REFUSED("empty", "limit", box.path, "--max-size=");
	REFUSED("missing", "limit", box.path, "--max-size");
	REFUSED("twice", "limit", box.path, "--max-size", "1G",
		"--max-size=1G");
	REFUSED("no share", "limit", box.path, "--min-free", "100%");
	REFUSED("no policy", "limit", box.path, "--policy", "fifo");
	REFUSED("needs --policy", "limit", box.path, "--policy", "gdsf",
		"--max-age", "1d");
	REFUSED("name it", "limit", box.path, "--quota", "20M");
	REFUSED("no option", "limit", box.path, "--frobnicate");
	REFUSED("no value", "limit", box.path, "a", "--pin=yes");
	after = limits_of(&box);
	MUST_BE(after.max_size, before.max_size);
	MUST_BE(after.min_free_percent, before.min_free_percent);
	MUST_BE(after.max_age_s, before.max_age_s);
	MUST_BE(after.policy, before.policy);
	box_close(&box);
}

Test(admin, a_directory_gets_a_quota_and_a_pin)
{
	struct cubby_quota quota;
	struct box box;

	box_new(&box, "a/b");
	fill(&box, 0, 2);
	DO("limit", box.path, "--max-size", "100M");
	DO("limit", box.path, "a", "--quota", "50M", "--pin");
	MUST_DO(cubby_get_quota(box.store, "a", &quota));
	MUST_BE(quota.quota, 50 * MIB);
	MUST(quota.is_pinned);
	PRINTS("50.0 MiB", "limit", box.path);
	PRINTS("50.0 MiB", "limit", box.path, "a");
	DO("limit", box.path, "a", "--unpin");
	MUST_DO(cubby_get_quota(box.store, "a", &quota));
	MUST_BE(quota.quota, 50 * MIB);
	MUST(!quota.is_pinned);
	DO("limit", box.path, "a", "--quota", "none");
	MUST_DO(cubby_get_quota(box.store, "a", &quota));
	MUST_BE(quota.quota, 0);
	box_close(&box);
}

Test(admin, a_bad_quota_is_one_error)
{
	char *file = text_new("a/b/%s", name_of(0));
	struct box box;

	box_new(&box, "a/b");
	fill(&box, 0, 1);
	DO("limit", box.path, "--max-size", "100M");
	REFUSED("more than the limit", "limit", box.path, "a", "--quota", "1G");
	REFUSED("no directory 'x'", "limit", box.path, "x", "--quota", "20M");
	REFUSED("is a file", "limit", box.path, file, "--quota", "20M");
	REFUSED("slash", "limit", box.path, "/a", "--quota", "20M");
	REFUSED("top of the store", "limit", box.path, "", "--quota", "20M");
	REFUSED("exclude", "limit", box.path, "a", "--pin", "--unpin");
	REFUSED("leave 'a' out", "limit", box.path, "a", "--max-size", "1G");
	DO("limit", box.path, "a", "--quota", "50M");
	REFUSED("above or below", "limit", box.path, "a/b", "--quota", "20M");
	REFUSED("lower that first", "limit", box.path, "--max-size", "20M");
	free(file);
	box_close(&box);
}

Test(admin, limits_and_quotas_are_printed_as_json)
{
	struct box box;

	NEED_PYTHON();
	box_new(&box, "a");
	fill(&box, 0, 1);
	json_holds(cubby(0, "limit", box.path, "--json", NULL),
		   "d[\"max_size\"]==0 and d[\"quotas\"]==[]");
	DO("limit", box.path, "a", "--quota", "50M");
	json_holds(cubby(0, "limit", box.path, "--max-size=1G", "--json", NULL),
		   "d[\"max_size\"]==2**30 and d[\"policy\"]==\"lru\" and "
		   "d[\"quotas\"][0][\"directory\"]==\"a\" and "
		   "d[\"quotas\"][0][\"quota\"]==50<<20");
	json_holds(cubby(0, "limit", box.path, "a", "--json", NULL),
		   "d[\"entries\"]==1 and d[\"pinned\"]==False");
	box_close(&box);
}

Test(admin, a_limit_that_cannot_be_kept_is_set_and_said)
{
	struct box box;

	box_new(&box, "a");
	fill(&box, 0, 250);
	DO("limit", box.path, "a", "--pin");
	REFUSED("cannot be evicted", "limit", box.path, "--max-size", "16M");
	MUST_BE(limits_of(&box).max_size, 16 * MIB);
	REFUSED("cannot be evicted", "trim", box.path);
	box_close(&box);
}

/* ----------------------------------------------------------------- figures */

Test(admin, stats_say_what_happened_by_directory_with_all_below)
{
	struct box box;

	NEED_PYTHON();
	make_busy(&box);
	PRINTS("of the limit, 16.0 MiB", "stats", box.path);
	PRINTS("83.3 %  of 12 requests", "stats", box.path);
	PRINTS("would have saved 1 misses, 50.0 %", "stats", box.path);
	PRINTS("83.3 %  of 12 requests", "stats", box.path, "a");
	json_holds(cubby(0, "stats", box.path, "--json", NULL),
		   "d[\"figures\"][\"hits\"]==10 and "
		   "d[\"figures\"][\"misses\"]==2 and "
		   "d[\"figures\"][\"adds\"]==200 and "
		   "d[\"figures\"][\"evictions\"]+d[\"entries\"]==200 and "
		   "d[\"ghost_hits\"][-1][\"hits\"]==1 and "
		   "sum(a[\"evictions\"] for a in "
		   "d[\"eviction_ages\"])=="
		   "d[\"figures\"][\"evictions\"] and "
		   "d[\"by_directory\"][0][\"directory\"]==\"a\" and "
		   "d[\"by_directory\"][0][\"hits\"]==10 and "
		   "d[\"limit_bytes\"]==16<<20>=d[\"disk_bytes\"]");
	json_holds(cubby(0, "stats", box.path, "a", "--json", NULL),
		   "d[\"directory\"]==\"a\" and d[\"entries\"]>100 and "
		   "d[\"raw_bytes\"]==d[\"entries\"]*100000 and "
		   "d[\"by_directory\"][0][\"directory\"]==\"b\" and "
		   "d[\"by_directory\"][0][\"adds\"]==200");
	REFUSED("no directory", "stats", box.path, "x");
	REFUSED("exclude", "stats", box.path, "--watch", "--json");
	REFUSED("leave out 'a'", "stats", box.path, "a", "--prometheus");
	box_close(&box);
}

/* The grammar of the text format 0.0.4, as far as it is used. */
static const char prometheus_parser[] =
	"import re,sys\n"
	"seen=set(); kinds={}\n"
	"for line in sys.stdin:\n"
	"    m=re.fullmatch(r\"# (HELP|TYPE) ([a-z_]+) (.+)\\n\",line)\n"
	"    if m:\n"
	"        assert (m[1],m[2]) not in seen, line\n"
	"        seen.add((m[1],m[2])); name=m[2]\n"
	"        if m[1]==\"TYPE\": kinds[m[2]]=m[3]\n"
	"        continue\n"
	"    m=re.fullmatch(r'([a-z_]+)(\\{[a-z_]+=\"(?:[^\"\\\\]|"
	"\\\\[n\"\\\\])*\"\\})? ([0-9]+)\\n',line)\n"
	"    assert m and m[1]==name, line\n"
	"    assert (kinds[name]==\"counter\")==name.endswith(\"_total\"), "
	"line\n"
	"    assert line not in seen, line\n"
	"    seen.add(line)\n"
	"assert \"cubby_hits_total 0\\n\" in seen\n"
	"assert \"cubby_adds_total 1\\n\" in seen\n"
	"assert any(\"odd\" in str(line) for line in seen)\n";

Test(admin, prometheus_gets_its_format_whatever_the_names)
{
	struct outcome got;
	struct box box;
	char *parser;
	char *file;

	NEED_PYTHON();
	box_new(&box, "odd \"name\"\n\\ \xff");
	box_add(&box, name_of(1), "x", 1);
	DO("limit", box.path, "--max-size", "16M");
	DO("limit", box.path, box.space, "--quota", "16M");
	got = cubby(0, "stats", box.path, "--prometheus", NULL);
	parser = scratch_path("parser.py");
	file = scratch_path("metrics");
	file_write(parser, prometheus_parser, strlen(prometheus_parser));
	file_write(file, got.out, got.out_size);
	shell_do("python3 '%s' <'%s'", parser, file);
	MUST(strstr((char *)got.out, "cubby_limit_bytes 16777216\n") != NULL);
	outcome_free(&got);
	free(parser);
	free(file);
	box_close(&box);
}

Test(admin, watch_prints_a_line_each_second)
{
	struct box box;
	char *lines;

	box_new(&box, "a");
	box_add(&box, name_of(1), "x", 1);
	lines = shell_text("timeout 3 '%s' stats '%s' --watch >'%s/w'; "
			   "grep -c 'entries 1 .* hits 0 ' '%s/w'",
			   program("CUBBY"), box.path, scratch(), scratch());
	MUST(atoi(lines) >= 1 && atoi(lines) <= 3);
	free(lines);
	box_close(&box);
}

Test(admin, a_store_that_cannot_be_written_has_no_figures)
{
	struct box box;

	NEED_PYTHON();
	if (geteuid() != 0 || shell("command -v unshare") != 0)
		cr_skip_test("needs root and unshare, for a read-only mount");
	box_new(&box, "a");
	fill(&box, 0, 1);
	box_close(&box);
	box_new(&box, "a");
	box_add(&box, name_of(1), "x", 1);
	cubby_ns_close(box.ns);
	cubby_close(box.store);
	box.ns = NULL;
	box.store = NULL;
	shell_do("unshare -m sh -c 'mount --bind \"%s\" \"%s\" && "
		 "mount -o remount,bind,ro \"%s\" && "
		 "\"%s\" stats \"%s\" --json >%s/ro.json && "
		 "! \"%s\" stats \"%s\" --watch'",
		 box.path, box.path, box.path, program("CUBBY"), box.path,
		 scratch(), program("CUBBY"), box.path);
	shell_do("python3 -c 'import json; d=json.load(open(\"%s/ro.json\"));"
		 "assert d[\"entries\"]==1 and d[\"figures\"] is None, d'",
		 scratch());
	box_close(&box);
}
