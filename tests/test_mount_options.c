/* SPDX-License-Identifier: MIT */
/* The options of a mount: bad ones, and those that set limits. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cubby/manage.h"
#include "guardian.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
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
		"min_free=",
		"min_free=100%",
		"min_free=5.5%",
		"min_free=5%%",
		"min_free=-1",
		"max_entry=16MiBytes",
		"max_entry=much",
		"max_age=30",
		"max_age=30y",
		"max_age=1d1h",
		"max_age=99999999w",
		"max_age=-1d",
		"policy=fifo",
		"policy=gdsf,max_age=30d",
		"ro,max_size=1G",
		"ro,min_free=5%",
		"ro,max_entry=1G",
		"ro,max_age=30d",
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

Test(mount_options, the_other_limits_are_set_by_options)
{
	struct cubby_limits limits;
	struct mounted mounted;
	struct box box;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	mounted_start(&mounted, box.path,
		      "min_free=5%,max_entry=512m,max_age=2w");
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST_BE(limits.max_size, 0);
	MUST_BE(limits.min_free_percent, 5);
	MUST_BE(limits.min_free, 0);
	MUST_BE(limits.max_entry, 512 << 20);
	MUST_BE(limits.max_age_s, 14 * 86400);
	mounted_stop(&mounted);
	mounted_start(&mounted, box.path, "min_free=1M,max_age=90s");
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST_BE(limits.min_free_percent, 0);
	MUST_BE(limits.min_free, 1 << 20);
	MUST_BE(limits.max_entry, 512 << 20);
	MUST_BE(limits.max_age_s, 90);
	mounted_stop(&mounted);
	mounted_start(&mounted, box.path,
		      "min_free=none,max_entry=none,max_age=none,policy=gdsf");
	MUST_DO(cubby_get_limits(box.store, &limits));
	MUST_BE(limits.min_free, 0);
	MUST_BE(limits.max_entry, 0);
	MUST_BE(limits.max_age_s, 0);
	mounted_stop(&mounted);
	box_close(&box);
}

Test(mount_options, a_limit_that_does_not_fit_the_store_is_one_clear_line)
{
	char *at = scratch_dir("at");
	struct cubby_limits limits;
	struct box box;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	MUST_DO(cubby_get_limits(box.store, &limits));
	limits.policy = CUBBY_GDSF;
	MUST_DO(cubby_set_limits(box.store, &limits));
	is_refused(1, box.path, at, "max_age=30d", "needs the policy lru");
	limits.policy = CUBBY_LRU;
	limits.max_age_s = 86400;
	MUST_DO(cubby_set_limits(box.store, &limits));
	is_refused(1, box.path, at, "policy=gdsf", "has a max-age");
	MUST_DO(cubby_mkdir(box.store, CUBBY_ROOT_ID, "d",
			    &(struct cubby_owner){.mode = 0755},
			    &(struct cubby_attr){0}));
	MUST_DO(cubby_set_quota(box.store, "d",
				&(struct cubby_quota){.quota = 1 << 30}));
	is_refused(1, box.path, at, "max_size=16M", "a quota is larger");
	box_close(&box);
	free(at);
}

Test(mount_options,
     a_limit_that_is_passed_already_keeps_no_other_from_being_set)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, 20 << 20);
	char *at = scratch_dir("at");
	struct mounted mounted;
	struct box box;
	char *path;

	MOUNT_OR_SKIP();
	box_new(&box, "");
	mounted_start(&mounted, box.path, NULL);
	path = text_new("%s/plain", mounted.at);
	file_write(path, data, 20 << 20);
	mounted_stop(&mounted);
	is_refused(1, box.path, at, "max_size=16M", "cannot be evicted");
	mounted_start(&mounted, box.path, "max_age=30d");
	mounted_stop(&mounted);
	free(path);
	free(data);
	free(at);
	box_close(&box);
}
