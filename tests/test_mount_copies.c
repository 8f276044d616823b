/* SPDX-License-Identifier: MIT */
/* Programs that copy extended attributes, from, to and within a mount. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_copies, .fini = scratch_end, .timeout = 120);

enum { SIZE = 100000 };

static const char quota_name[] = "user.cubby.quota";

/* A command that copies the tree in $from into $to says nothing and succeeds.
 */
static void copies(const char *command, const char *from, const char *to)
{
	char *said = shell_text("from='%s' to='%s'; mkdir -p \"$to\"; { %s; } "
				"2>&1 || echo failed",
				from, to, command);

	if (*said)
		must_fail(__FILE__, __LINE__, "%s: %s", command, said);
	free(said);
}

/* Copy a tree to a mount, within it, to another one, away, and back, twice: the
 * second time there is something to replace. */
static void copies_everywhere(const char *command)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, SIZE);
	char *from = scratch_dir("from");
	char *to = scratch_dir("to");
	char *store = scratch_path("other");
	char *file = text_new("%s/dir/%s", to, name_of(1));
	struct cubby_quota quota = {0};
	struct mounted other;
	struct site site;

	site_new_with(&site, "xattr");
	mounted_start(&other, store, "xattr");
	shell_do("cd '%s' && mkdir dir && echo plain >dir/plain", from);
	shell_do("head -c %d /dev/zero >'%s/dir/%s'", SIZE, from, name_of(2));
	site_put(&site, name_of(1), data, SIZE);
	shell_do("cp '%s' '%s/dir'", site_path(&site, name_of(1)), from);
	for (unsigned i = 0; i < 2; i++) {
		copies(command, from, site.mount.at);
		MUST(setxattr(site_path(&site, "dir"), quota_name, "1G", 2,
			      0) == 0);
		MUST(WITHIN_MS(LAG_MS, box_stats(&site.box).entries >= 3));
		copies(command, site.mount.at, other.at);
		copies(command, site_path(&site, "dir"),
		       site_path(&site, "copy"));
		copies(command, other.at, to);
		copies(command, to, site.mount.at);
		/* It is not copied, and not taken away. */
		MUST_DO(cubby_get_quota(site.box.store, "dir", &quota));
		MUST_BE(quota.quota, 1 << 30);
	}
	MUST(file_is(file, data, SIZE));
	shell_do("ls -lR '%s' >/dev/null", site.mount.at);
	mounted_stop(&other);
	site_end(&site);
	free(data);
	free(from);
	free(to);
	free(store);
	free(file);
}

Test(mount_copies, cp_says_nothing)
{
	MOUNT_OR_SKIP();
	copies_everywhere("cp -a \"$from\"/. \"$to\"");
}

Test(mount_copies, cp_that_insists_on_attributes_says_nothing)
{
	MOUNT_OR_SKIP();
	copies_everywhere("cp -r --preserve=all \"$from\"/. \"$to\"");
}

Test(mount_copies, tar_says_nothing)
{
	MOUNT_OR_SKIP();
	copies_everywhere("tar --xattrs -C \"$from\" -cf - . | tar --xattrs "
			  "--xattrs-include='*' -C \"$to\" -xf -");
}

Test(mount_copies, rsync_says_nothing)
{
	MOUNT_OR_SKIP();
	if (shell("command -v rsync >/dev/null") != 0)
		cr_skip_test("rsync is missing");
	copies_everywhere("rsync -aX \"$from\"/ \"$to\"");
}
