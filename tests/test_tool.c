/* SPDX-License-Identifier: MIT */
/* The program `cubby`: its commands, its exit status, its one line. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(tool, .fini = scratch_end, .timeout = 60);

/* A command must end so, and say a line exactly when it is an error. */
static struct outcome expect(int status, struct outcome outcome)
{
	if (outcome.status != status)
		must_fail(__FILE__, __LINE__, "exit status %d, expected %d: %s",
			  outcome.status, status, outcome.err);
	MUST_BE(outcome_error_lines(&outcome), status == 2 ? 1 : 0);
	return outcome;
}

static void expect_only(int status, struct outcome outcome)
{
	outcome = expect(status, outcome);
	outcome_free(&outcome);
}

Test(tool, add_get_and_delete_work_on_a_path_of_the_mount)
{
	static const size_t sizes[] = {0, 1, 1000, 131072, 700000};
	char *store = scratch_path("store");

	for (unsigned i = 0; i < 5; i++) {
		uint8_t *data = sample_new(SAMPLE_TEXT, i, sizes[i]);
		char *path = text_new("a/b/%s", name_of(i));
		struct outcome got;

		expect_only(0, tool("add", store, path, data, sizes[i]));
		got = expect(0, tool("get", store, path, NULL, 0));
		MUST_BE(got.out_size, sizes[i]);
		MUST(memcmp(got.out, data, sizes[i]) == 0);
		outcome_free(&got);
		expect_only(0, tool("delete", store, path, NULL, 0));
		got = expect(1, tool("get", store, path, NULL, 0));
		MUST_BE(got.out_size, 0);
		outcome_free(&got);
		expect_only(0, tool("delete", store, path, NULL, 0));
		free(path);
		free(data);
	}
	free(store);
}

Test(tool, an_entry_of_the_tool_is_an_entry_of_the_library_and_back)
{
	struct outcome got;
	struct box box;
	char *path;

	box_new(&box, "a/b");
	path = text_new("a/b/%s", name_of(1));
	expect_only(0, tool("add", box.path, path, "tool", 4));
	MUST(box_has(&box, name_of(1), "tool", 4));
	box_add(&box, name_of(1), "library", 7);
	got = expect(0, tool("get", box.path, path, NULL, 0));
	MUST_BE(got.out_size, 7);
	MUST(memcmp(got.out, "library", 7) == 0);
	outcome_free(&got);
	expect_only(0, tool("delete", box.path, path, NULL, 0));
	MUST(box_misses(&box, name_of(1)));
	expect_only(0, tool("add", box.path, name_of(2), "root", 4));
	got = expect(0, tool("get", box.path, name_of(2), NULL, 0));
	outcome_free(&got);
	free(path);
	box_close(&box);
}

Test(tool, a_name_that_is_no_entry_name_is_one_error)
{
	static const char *const paths[] = {
		"",
		"short",
		"..",
		"a/../0123456789abcdef0123456789abcdef",
		"/0123456789abcdef0123456789abcdef",
		"a//0123456789abcdef0123456789abcdef",
		"a/",
		"0123456789ABCDEF0123456789ABCDEF",
		"a\nb",
		"0123456789abcdef0123456789abcdef/",
		"0123456789abcdef0123456789abcde",
	};
	struct box box;

	box_new(&box, "");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		expect_only(2, tool("add", box.path, paths[i], "x", 1));
		expect_only(2, tool("get", box.path, paths[i], NULL, 0));
		expect_only(2, tool("delete", box.path, paths[i], NULL, 0));
	}
	MUST_BE(box_stats(&box).entries, 0);
	box_close(&box);
}

Test(tool, wrong_arguments_are_one_error)
{
	struct box box;

	box_new(&box, "");
	expect_only(2, tool(NULL, NULL, NULL, NULL, 0));
	expect_only(2, tool("frobnicate", box.path, NULL, NULL, 0));
	expect_only(2, tool("get", NULL, NULL, NULL, 0));
	expect_only(2, tool("get", box.path, NULL, NULL, 0));
	expect_only(2, tool("--frobnicate", box.path, NULL, NULL, 0));
	expect_only(2, tool("stats", box.path, "more", NULL, 0));
	expect_only(2, tool("key", "/nonexistent/file", NULL, NULL, 0));
	box_close(&box);
}

Test(tool, get_from_a_missing_store_is_one_error_and_makes_nothing)
{
	char *store = scratch_path("missing");

	expect_only(2, tool("get", store, name_of(1), NULL, 0));
	expect_only(2, tool("delete", store, name_of(1), NULL, 0));
	expect_only(2, tool("list", store, NULL, NULL, 0));
	expect_only(2, tool("stats", store, NULL, NULL, 0));
	MUST(access(store, F_OK) != 0);
	free(store);
}

Test(tool, key_prints_what_sha256sum_prints)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 3000001);
	char *file = scratch_path("file");
	struct outcome got;
	char *want;

	file_write(file, data, 3000001);
	got = expect(0, tool("key", file, NULL, NULL, 0));
	want = shell_text("sha256sum <'%s' | cut -c -64", file);
	MUST(strcmp((char *)got.out, want) == 0);
	outcome_free(&got);
	free(want);
	got = expect(0, tool("key", "-", NULL, "abc", 3));
	MUST(strncmp((char *)got.out,
		     "ba7816bf8f01cfea414140de5dae2223"
		     "b00361a396177a9cb410ff61f20015ad\n",
		     65) == 0);
	outcome_free(&got);
	free(file);
	free(data);
}

static size_t line_count(const uint8_t *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

Test(tool, list_prints_one_line_for_each_entry)
{
	struct outcome got;
	struct box box;
	char *path;

	box_new(&box, "a/b");
	for (unsigned i = 0; i < 10; i++)
		box_add(&box, name_of(i), "x", 1);
	got = expect(0, tool("list", box.path, NULL, NULL, 0));
	MUST_BE(line_count(got.out), 10);
	for (unsigned i = 0; i < 10; i++) {
		path = text_new("a/b/%s", name_of(i));
		MUST(strstr((char *)got.out, path) != NULL);
		free(path);
	}
	outcome_free(&got);
	got = expect(0, tool("list", box.path, "a/b", NULL, 0));
	MUST_BE(line_count(got.out), 10);
	outcome_free(&got);
	box_close(&box);
}

Test(tool, list_tells_no_entries_from_no_directory)
{
	struct outcome got;
	struct box box;

	box_new(&box, "a/b");
	box_add(&box, name_of(0), "x", 1);
	expect_only(2, tool("list", box.path, "a/c", NULL, 0));
	expect_only(2, tool("list", box.path, "a/c", "--json", 0));
	MUST_DO(cubby_delete_name(box.ns, name_of(0)));
	got = expect(0, tool("list", box.path, "a/b", NULL, 0));
	MUST_BE(got.out_size, 0);
	outcome_free(&got);
	box_close(&box);
}

Test(tool, json_is_json)
{
	struct outcome got;
	struct box box;
	char *file;

	if (shell("command -v python3") != 0)
		cr_skip_test("python3 is missing, which reads the JSON");
	box_new(&box, "a \"quoted\"\n\\ name");
	box_add(&box, name_of(1), "hello", 5);
	file = scratch_path("out.json");

	got = expect(0, tool("list", box.path, "--json", NULL, 0));
	file_write(file, got.out, got.out_size);
	outcome_free(&got);
	shell_do("python3 -c 'import json,sys\n"
		 "d=json.load(open(sys.argv[1]))\n"
		 "assert len(d)==1, d\n"
		 "assert d[0][\"path\"]==sys.argv[2]+\"/\"+sys.argv[3], d\n"
		 "assert d[0][\"size\"]==5, d\n"
		 "' '%s' '%s' '%s'",
		 file, box.space, name_of(1));

	got = expect(0, tool("stats", box.path, "--json", NULL, 0));
	file_write(file, got.out, got.out_size);
	outcome_free(&got);
	shell_do("python3 -c 'import json,sys\n"
		 "d=json.load(open(sys.argv[1]))\n"
		 "assert d[\"entries\"]==1, d\n"
		 "assert d[\"raw_bytes\"]==5, d\n"
		 "' '%s'",
		 file);

	got = expect(0, tool("key", "-", "--json", "abc", 3));
	file_write(file, got.out, got.out_size);
	outcome_free(&got);
	shell_do("python3 -c 'import json,sys\n"
		 "d=json.load(open(sys.argv[1]))\n"
		 "assert d[\"key\"].startswith(\"ba7816bf\"), d\n"
		 "' '%s'",
		 file);
	free(file);
	box_close(&box);
}

Test(tool, a_listing_stays_one_line_for_each_entry_whatever_the_names)
{
	struct outcome got;
	struct box box;

	box_new(&box, "line\nfeed/\x1b[31m");
	box_add(&box, name_of(1), "x", 1);
	box_add(&box, name_of(2), "x", 1);
	got = expect(0, tool("list", box.path, NULL, NULL, 0));
	MUST_BE(line_count(got.out), 2);
	MUST(strchr((char *)got.out, '\x1b') == NULL);
	outcome_free(&got);
	box_close(&box);
}

Test(tool, stats_prints_the_totals)
{
	struct outcome got;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(1), "hello", 5);
	box_add(&box, name_of(2), "hello world", 11);
	got = expect(0, tool("stats", box.path, NULL, NULL, 0));
	MUST(strstr((char *)got.out, "2") != NULL);
	MUST(strstr((char *)got.out, "16") != NULL);
	outcome_free(&got);
	box_close(&box);
}

Test(tool, a_writer_that_is_killed_adds_nothing)
{
	enum { SIZE = 3000000 };
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, SIZE);
	struct box box;
	int feed[2];
	pid_t pid;

	box_new(&box, "");
	MUST(pipe2(feed, O_CLOEXEC) == 0);
	pid = fork_child();
	if (pid == 0) {
		if (dup2(feed[0], 0) == 0)
			(void)execl(program("CUBBY"), "cubby", "add", box.path,
				    name_of(1), (char *)NULL);
		_exit(127);
	}
	/* Its end has not come when it is killed, and it has taken all but what
	 * the pipe holds. */
	for (size_t at = 0; at < SIZE;) {
		ssize_t n = write(feed[1], data + at, SIZE - at);

		MUST(n > 0);
		at += (size_t)n;
	}
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, NULL, 0) == pid);
	MUST(close(feed[0]) == 0 && close(feed[1]) == 0);
	MUST(box_misses(&box, name_of(1)));
	MUST_BE(box_stats(&box).entries, 0);
	box_add(&box, name_of(1), "after", 5);
	MUST(box_has(&box, name_of(1), "after", 5));
	free(data);
	box_close(&box);
}

Test(tool, output_that_cannot_be_written_is_an_error)
{
	struct box box;
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 1000000);

	if (access("/dev/full", W_OK) != 0)
		cr_skip_test("/dev/full is missing");
	box_new(&box, "");
	box_add(&box, name_of(1), data, 1000000);
	MUST_BE(shell("'%s' get '%s' %s >/dev/full", program("CUBBY"), box.path,
		      name_of(1)),
		2);
	MUST_BE(shell("'%s' list '%s' >/dev/full", program("CUBBY"), box.path),
		2);
	free(data);
	box_close(&box);
}

Test(tool, help_and_version_are_printed)
{
	struct outcome got = expect(0, tool("--help", NULL, NULL, NULL, 0));

	MUST(strstr((char *)got.out, "add") != NULL);
	outcome_free(&got);
	got = expect(0, tool("--version", NULL, NULL, NULL, 0));
	MUST(strstr((char *)got.out, "cubby") != NULL);
	outcome_free(&got);
}
