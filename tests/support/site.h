/* SPDX-License-Identifier: MIT */
/* A store that is open in the test and mounted at the same time. */
#ifndef TESTS_SITE_H
#define TESTS_SITE_H

#include <criterion/criterion.h>

#include "box.h"
#include "mounted.h"

/* How late the mount may learn of what others do, and others of a direct
 * write: a second at the most, and something for a machine under load. */
enum { LAG_MS = 1500 };

struct site {
	struct box box;
	struct mounted mount;
};

/* A new store, open with the namespace "" and mounted. */
void site_new(struct site *site);

/* The same with options for the mount, as they stand behind -o. */
void site_new_with(struct site *site, const char *options);

/* Unmount it, see that the daemon ends well, and close the store. */
void site_end(struct site *site);

/* The path of `name` on the mount; eight static texts. */
const char *site_path(const struct site *site, const char *name);

/* Write a file under a temporary name and rename it: how most tools add. */
void site_put(const struct site *site, const char *name, const void *data,
	      size_t size);

/* Has the mount no such name? */
bool site_misses(const struct site *site, const char *name);

/* A test that needs a mount skips here, and says why. */
#define MOUNT_OR_SKIP()                                                        \
	do {                                                                   \
		const char *mount_refusal = mounted_refusal();                 \
		if (mount_refusal)                                             \
			cr_skip_test("%s", mount_refusal);                     \
	} while (0)

#endif
