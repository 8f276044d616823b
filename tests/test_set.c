/* SPDX-License-Identifier: MIT */
/* The program `cubby` for who says what names stand for. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "command.h"
#include "cubby/manage.h"
#include "must.h"
#include "scratch.h"

TestSuite(set, .fini = scratch_end, .timeout = 120);

static enum cubby_content content_of(const struct box *box, const char *path)
{
	enum cubby_content content = 99;

	MUST_DO(cubby_get_content(box->store, path, &content));
	return content;
}

Test(set, the_tool_sets_it_and_says_what_was_refused)
{
	char *wrong = text_new("go/%s-d", name_of(1));
	char *path;
	struct outcome got;
	struct box box;

	box_new(&box, "go");
	box_add(&box, name_of(7), "x", 1);
	path = text_new("%s", box.path);
	PRINTS("content=none", "set", path, "go");
	DO("set", path, "go", "content=sha256");
	MUST_BE(content_of(&box, "go"), CUBBY_CONTENT_SHA256);
	PRINTS("content=sha256    go", "set", path);
	PRINTS("content=sha256", "set", path, "go");
	got = cubby(2, "add", path, wrong, NULL);
	MUST(strstr(got.err, "does not hash to its name"));
	outcome_free(&got);
	PRINTS("refused", "stats", path);
	PRINTS("cubby_refused_total 1\n", "stats", path, "--prometheus");
	got = cubby(1, "verify", path, NULL);
	MUST(strstr((char *)got.out, "not what its name says: go/"));
	outcome_free(&got);
	DO("set", path, "go", "content=none");
	MUST_BE(content_of(&box, "go"), CUBBY_CONTENT_NONE);
	free(path);
	free(wrong);
	box_close(&box);
}

Test(set, the_tool_prints_it_as_json)
{
	struct box box;

	NEED_PYTHON();
	box_new(&box, "cas");
	box_add(&box, name_of(0), "x", 1);
	DO("set", box.path, "cas", "content=sha256");
	MUST_BE(box_try_add(&box, name_of(1), "x", 1), -EBADMSG);
	json_holds(cubby(0, "set", box.path, "--json", NULL),
		   "d == {\"settings\": [{\"directory\": \"cas\", "
		   "\"content\": \"sha256\"}]}");
	json_holds(cubby(0, "set", box.path, "cas", "--json", NULL),
		   "d[\"directory\"] == \"cas\" and "
		   "d[\"content\"] == \"sha256\"");
	json_holds(cubby(0, "stats", box.path, "--json", NULL),
		   "d[\"refused\"] == 1 and d[\"scrub\"][\"rounds\"] == 0");
	box_close(&box);
}

Test(set, the_tool_says_what_it_does_not_take)
{
	char *file = text_new("a/%s", name_of(0));
	struct box box;

	box_new(&box, "a");
	box_add(&box, name_of(0), "x", 1);
	REFUSED("no digest 'md5'", "set", box.path, "a", "content=md5");
	REFUSED("no digest ''", "set", box.path, "a", "content=");
	REFUSED("no setting 'color=red'", "set", box.path, "a", "color=red");
	REFUSED("no directory 'b'", "set", box.path, "b", "content=sha256");
	REFUSED("is a file", "set", box.path, file, "content=sha256");
	REFUSED("slash", "set", box.path, "/a", "content=sha256");
	REFUSED("too many", "set", box.path, "a", "content=none", "more");
	MUST_BE(content_of(&box, "a"), CUBBY_CONTENT_NONE);
	free(file);
	box_close(&box);
}
