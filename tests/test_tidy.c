/* SPDX-License-Identifier: MIT */
/* The program `cubby` for who tidies a store up: top, delete, trim, report. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "command.h"
#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"

TestSuite(tidy, .fini = scratch_end, .timeout = 120);

/* --------------------------------------------------------------------- top */

Test(tidy, top_finds_what_is_largest_coldest_and_most_used)
{
	struct box box;
	struct cubby_reader *reader;
	char assertion[256];

	NEED_PYTHON();
	box_new(&box, "a/b");
	DO("limit", box.path, "--resolution", "0");
	box_reopen(&box);
	fill(&box, 0, 1);
	for (unsigned i = 1; i < 30; i++)
		box_add(&box, name_of(i), "small", 5);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 30; i++) {
			if (i == 7 || (i != 9 && round > 0))
				continue;
			MUST_DO(cubby_get_name(box.ns, name_of(i), &reader));
			cubby_reader_close(reader);
		}
		box_reopen(&box); /* and so the uses are written */
	}
	(void)snprintf(assertion, sizeof(assertion),
		       "len(d)==10 and d[0][\"path\"]==\"a/b/%s\" and "
		       "d[0][\"size\"]==100000",
		       name_of(0));
	json_holds(cubby(0, "top", box.path, "--json", NULL), assertion);
	(void)snprintf(assertion, sizeof(assertion),
		       "len(d)==1 and d[0][\"path\"]==\"a/b/%s\"", name_of(7));
	json_holds(cubby(0, "top", box.path, "--by", "used", "-n1", "--json",
			 NULL),
		   assertion);
	(void)snprintf(assertion, sizeof(assertion),
		       "len(d)==30 and d[0][\"path\"]==\"a/b/%s\" and "
		       "d[0][\"hits\"]>d[1][\"hits\"]",
		       name_of(9));
	json_holds(cubby(0, "top", box.path, "--by=hits", "-n", "99", "--json",
			 NULL),
		   assertion);
	REFUSED("no order", "top", box.path, "--by", "beauty");
	REFUSED("whole number", "top", box.path, "-n", "0");
	REFUSED("negative", "top", box.path, "-n", "-1");
	box_close(&box);
}

Test(tidy, top_sums_directories_up_with_all_below)
{
	static const char *const spaces[] = {"a", "a/b", "a/bc", "x/y/z", "ab"};
	struct box box;
	struct box other;

	NEED_PYTHON();
	box_new(&box, "");
	for (unsigned i = 0; i < 5; i++) {
		box_open(&other, box.path, spaces[i]);
		fill(&other, i * 10, i + 1);
		box_close(&other);
	}
	json_holds(
		cubby(0, "top", box.path, "--by", "directory", "--json", NULL),
		"[(r[\"directory\"],r[\"entries\"]) for r in d]=="
		"[(\"a\",6),(\"ab\",5),(\"x/y/z\",4),(\"a/bc\",3),"
		"(\"a/b\",2)]");
	PRINTS("x/y/z\n", "top", box.path, "--by", "directory");
	box_close(&box);
}

/* --------------------------------------------------------- delete and trim */

Test(tidy, a_namespace_is_deleted_with_all_below_and_nothing_else)
{
	static const char *const spaces[] = {"a", "a/b", "ab", "a/b/c"};
	struct box box;
	struct box other;

	NEED_PYTHON();
	box_new(&box, "");
	fill(&box, 0, 1);
	for (unsigned i = 0; i < 4; i++) {
		box_open(&other, box.path, spaces[i]);
		fill(&other, 0, 70);
		box_close(&other);
	}
	PRINTS("would delete 210 entries", "delete", box.path, "--namespace",
	       "a", "--dry-run");
	MUST_BE(box_stats(&box).entries, 281);
	json_holds(cubby(0, "delete", box.path, "--namespace", "a", "--json",
			 NULL),
		   "d[\"entries\"]==210 and d[\"raw_bytes\"]==21000000 and "
		   "d[\"dry_run\"]==False");
	MUST_BE(box_stats(&box).entries, 71);
	box_open(&other, box.path, "ab");
	MUST(!box_misses(&other, name_of(3)));
	box_close(&other);
	PRINTS("deleted 0 entries", "delete", box.path, "--namespace", "none");
	PRINTS("deleted 71 entries", "delete", box.path, "--older-than", "0");
	MUST_BE(box_stats(&box).entries, 0);
	box_close(&box);
}

Test(tidy, what_was_not_used_for_long_is_deleted)
{
	struct cubby_attr attr = {0};
	struct cubby_attr now;
	struct box box;

	box_new(&box, "a");
	fill(&box, 0, 10);
	for (unsigned i = 0; i < 4; i++) {
		now = box_attr(&box, name_of(i));
		attr.used_ns = now.used_ns - INT64_C(86400000000000) * 10;
		MUST_DO(cubby_setattr(box.store, now.id, CUBBY_SET_USED, &attr,
				      &now));
	}
	PRINTS("would delete 4 entries", "delete", box.path, "--older-than",
	       "9d", "--dry-run");
	PRINTS("deleted 0 entries", "delete", box.path, "--older-than", "11d");
	PRINTS("deleted 0 entries", "delete", box.path, "--older-than", "9d",
	       "--namespace", "b");
	PRINTS("deleted 4 entries", "delete", box.path, "--older-than", "9d");
	for (unsigned i = 0; i < 10; i++)
		MUST(box_misses(&box, name_of(i)) == (i < 4));
	box_close(&box);
}

Test(tidy, a_deletion_that_is_not_clear_is_one_error)
{
	struct box box;

	box_new(&box, "a");
	fill(&box, 0, 1);
	REFUSED("name what", "delete", box.path);
	REFUSED("leave out", "delete", box.path, name_of(0), "--namespace",
		"a");
	REFUSED("go with", "delete", box.path, name_of(0), "--dry-run");
	REFUSED("no time", "delete", box.path, "--older-than", "none");
	REFUSED("empty", "delete", box.path, "--namespace", "");
	REFUSED("slash", "delete", box.path, "--namespace", "/a");
	MUST_BE(box_stats(&box).entries, 1);
	box_close(&box);
}

Test(tidy, trim_says_what_it_evicts)
{
	struct cubby_limits limits = {.max_age_s = 100};
	struct cubby_attr attr = {.used_ns = 1};
	struct cubby_attr now;
	char assertion[256];
	struct box box;

	NEED_PYTHON();
	box_new(&box, "a");
	fill(&box, 0, 5);
	MUST_DO(cubby_set_limits(box.store, &limits));
	now = box_attr(&box, name_of(0));
	MUST_DO(cubby_setattr(box.store, now.id, CUBBY_SET_USED, &attr, &now));
	(void)snprintf(assertion, sizeof(assertion),
		       "d[\"too_old\"]==1 and d[\"over_bytes\"]==0 and "
		       "d[\"is_all\"] and "
		       "[e[\"path\"] for e in d[\"entries\"]]==[\"a/%s\"]",
		       name_of(0));
	json_holds(cubby(0, "trim", box.path, "--dry-run", "--json", NULL),
		   assertion);
	PRINTS(name_of(0), "trim", box.path, "--dry-run");
	PRINTS("1 entries", "trim", box.path, "--dry-run");
	MUST_BE(box_stats(&box).entries, 5);
	json_holds(cubby(0, "trim", box.path, "--json", NULL),
		   "d[\"evicted\"]==1");
	MUST_BE(box_stats(&box).entries, 4);
	json_holds(cubby(0, "trim", box.path, "--dry-run", "--json", NULL),
		   "d[\"entries\"]==[]");
	PRINTS("evicted 0 entries", "trim", box.path);
	box_close(&box);
}

/* ------------------------------------------------------------------ report */

static const char page_parser[] =
	"import html.parser,re,sys\n"
	"text=open(sys.argv[1],encoding=\"utf-8\").read()\n"
	"class P(html.parser.HTMLParser):\n"
	"    def handle_starttag(self,tag,attrs):\n"
	"        assert tag not in (\"script\",\"link\",\"img\",\"odd\"), tag\n"
	"        for name,value in attrs:\n"
	"            assert name not in (\"src\",\"href\"), name\n"
	"            assert not name.startswith(\"on\"), name\n"
	"P().feed(text)\n"
	"assert text.count(\"<section\")==7==text.count(\"</section>\")\n"
	"assert \"nan\" not in text and \"inf\\\"\" not in text\n"
	"for svg in re.findall(r\"<svg.*?</svg>\",text,re.S):\n"
	"    import xml.dom.minidom; xml.dom.minidom.parseString(svg)\n"
	"assert text.count(\"<svg\")==int(sys.argv[2]), text.count(\"<svg\")\n";

static void page_is_good(const char *page, int charts)
{
	char *parser = scratch_path("page.py");

	file_write(parser, page_parser, strlen(page_parser));
	shell_do("python3 '%s' '%s' %d", parser, page, charts);
	free(parser);
}

static void ignore_displaced(void *cookie, uint64_t id, uint64_t parent,
			     const char *name)
{
	(void)cookie;
	(void)id;
	(void)parent;
	(void)name;
}

/* What a mount does some times a second, and what takes samples. */
static void poll_store(const struct box *box)
{
	struct cubby_watch *watch;

	MUST_DO(cubby_watch_new(box->store, &watch));
	MUST_DO(cubby_watch_poll(watch, ignore_displaced, NULL));
	cubby_watch_close(watch);
}

Test(tidy, a_report_is_one_page_with_charts_and_no_scripts)
{
	char *page = scratch_path("report.html");
	struct outcome got;
	struct box other;
	struct box box;

	NEED_PYTHON();
	make_busy(&box);
	box_open(&other, box.path, "<odd a=\"b\"> & \xff");
	fill(&other, 0, 2);
	box_close(&other);
	poll_store(&box);
	pause_ms(1100); /* a second point of the history: the present */
	DO("report", box.path, "-o", page);
	page_is_good(page, 4); /* two points, but one step between them */
	got = cubby(0, "report", box.path, "-o", "-", NULL);
	MUST(strstr((char *)got.out, "&#60;odd") != NULL);
	outcome_free(&got);
	free(page);
	box_close(&box);
}

Test(tidy, a_report_on_an_empty_store_says_what_is_missing)
{
	char *page = scratch_path("report.html");
	struct box box;

	NEED_PYTHON();
	box_new(&box, "");
	DO("report", box.path, "-o", page);
	page_is_good(page, 0);
	REFUSED("-o report.html", "report", box.path);
	REFUSED("cannot write", "report", box.path, "-o", "/nonexistent/x");
	if (access("/dev/full", W_OK) == 0)
		REFUSED("cannot write", "report", box.path, "-o", "/dev/full");
	free(page);
	box_close(&box);
}

/* -------------------------------------------------------------------- help */

Test(tidy, every_command_has_a_manual)
{
	char *list = shell_text(
		"'%s' help | sed -n 's/^  \\([a-z]*\\)  *[A-Z].*/\\1/p' | "
		"sort -u | grep -v '^$' | tr '\\n' ' '",
		program("CUBBY"));
	char *rest = list;
	unsigned count = 0;

	for (char *name; (name = strtok_r(rest, " ", &rest)); count++) {
		PRINTS("Usage: cubby ", name, "--help");
		PRINTS("Exit status: 0 done", "help", name);
	}
	MUST(count >= 10);
	MUST_BE(shell("'%s' help | awk 'length > 80 { exit 1 }'",
		      program("CUBBY")),
		0);
	REFUSED("unknown command", "help", "frobnicate");
	free(list);
}

/* What is deleted one by one takes long enough for a bar to be drawn. */
Test(tidy, a_progress_bar_is_for_terminals_only)
{
	enum { COUNT = 10000 };
	struct box box;

	if (shell("command -v script") != 0)
		cr_skip_test("script is missing, which gives a terminal");
	box_new(&box, "a");
	for (unsigned i = 0; i < COUNT; i++)
		box_add(&box, name_of(i), "x", 1);
	shell_do("TERM=xterm script -qec \"'%s' delete '%s' --older-than 0\" "
		 "'%s/t' </dev/null >/dev/null",
		 program("CUBBY"), box.path, scratch());
	MUST_BE(box_stats(&box).entries, 0);
	shell_do("grep -q 'delete  .*%%  [0-9]* of %d' '%s/t'", COUNT,
		 scratch());
	box_close(&box);
}
