/* SPDX-License-Identifier: MIT */
/*
 * The command line.
 */
#ifndef CUBBYFS_OPTIONS_H
#define CUBBYFS_OPTIONS_H

#include "bounds.h"
#include "mount.h"

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_action action;
	char *store;
	char *mountpoint;
	bool foreground;
	unsigned max_threads;
	bool allow_other;
	char *writers, *uid, *gid, *umask; /* as they were given, or NULL */
	char *max_size, *min_free, *max_entry, *max_age, *policy;
	char *scrub;
	struct bounds bounds;
	struct mount_settings settings;
	struct fuse_args args; /* what is left for libfuse */
};

/*
 * Read the command line. The caller ends `ret_options` with options_done(),
 * also after an error. Returns 0, or -EINVAL when it is wrong, of which a
 * line has been printed, or -ENOMEM.
 */
CUBBY_MUST_CHECK int options_parse(int argc, char **argv,
				   struct options *ret_options);
void options_done(struct options *options);

void options_print_help(void);
void options_print_version(void);

#endif
