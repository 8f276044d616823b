/* SPDX-License-Identifier: MIT */
/* The options of a mount: bad ones, and those that set limits. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cubby/manage.h"
#include "guardian.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_options, .fini = scratch_end, .timeout = 90);

/* The program must end by itself with this status and one line that has `text`
 * in it, and mount nothing. */
static void is_refused(int status, const char *store, const char *at,
		       const char *options, const char *text)
{
	const char *argv[] = {"timeout", "20",	  program("CUBBYFS"),
			      store,	 at,	  "-f",
			      "-o",	 options, NULL};
	struct outcome outcome;

	guardian_mount(at);
	outcome = run(argv, NULL, 0);
	if (outcome.status != status || outcome_error_lines(&outcome) != 1 ||
	    !strstr(outcome.err, text) || mounted_is(at))
		must_fail(__FILE__, __LINE__, "%s: status %d: %s", options,
			  outcome.status, outcome.err);
	outcome_free(&outcome);
}

Test(mount_options, a_bad_option_is_one_clear_line)
{
	static const char *const bad[] = {
		"allow_other,writers=no-such-group",
		"allow_other,writers=-1",
		"allow_other,writers=4294967295",
		"writers=0",
		"uid=root",
		"uid=4294967295",
		"gid=",
		"umask=0788",
		"umask=1777",
		"max_size=1M",
		"max_size=-1",
		"max_size=10X",
		"max_size=99999999T",
		"policy=fifo",
		"ro,max_size=1G",
	};
	char *store = scratch_path("store");
	char *at = scratch_dir("at");

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *comma = strrchr(bad[i], ',');
		char *name = text_new("%s", comma ? comma + 1 : bad[i]);

		name[strcspn(name, "=")] = '\0';
		is_refused(2, store, at, bad[i], name);
		free(name);
	}
	free(store);
	free(at);
}

Test(mount_options, a_limit_is_set_by_an_option)
{
	struct cubby_limits limits;
	struct mounted mounted;
	struct box box;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	mounted_start(&mounted, box.path, "max_size=2g,policy=gdsf");
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST_BE(limits.max_size, UINT64_C(2) << 30);
	MUST_BE(limits.policy, CUBBY_GDSF);
	mounted_stop(&mounted);
	mounted_start(&mounted, box.path, "max_size=none");
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST_BE(limits.max_size, 0);
	MUST_BE(limits.policy, CUBBY_GDSF);
	mounted_stop(&mounted);
	box_close(&box);
}
