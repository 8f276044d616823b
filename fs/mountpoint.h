/* SPDX-License-Identifier: MIT */
/*
 * The place where a store is mounted: checks before, and how to get off it.
 */
#ifndef CUBBYFS_MOUNTPOINT_H
#define CUBBYFS_MOUNTPOINT_H

#include <stdbool.h>
#include <sys/types.h>

#include "cubby/cubby.h"

/*
 * The real, absolute path of a mountpoint, which the caller frees. A mount
 * whose daemon has died is removed from it first.
 *
 * Returns 0, -ENOENT or -ENOTDIR when it is no directory, -EBUSY when a store
 * is mounted there, or another error of stat(2) and umount(2).
 */
CUBBY_MUST_CHECK int mountpoint_prepare(const char *path, char **ret_real);

/* The real path of a store's directory, which need not exist, though its
 * parent must. The caller frees it. */
CUBBY_MUST_CHECK int mountpoint_store_path(const char *path, char **ret_real);

/* Is one of two real paths in the other, or are they the same? */
bool mountpoint_overlaps(const char *a, const char *b);

/*
 * One mount. The kernel gives the number of a device to the next mount as soon
 * as it is free, so that alone it does not tell ours from a later one, not even
 * at the same path.
 */
struct mountpoint_id {
	dev_t device;
	uint64_t mount; /* never used again since Linux 6.8 */
};

/* Which mount is at `path`, without asking its daemon. */
CUBBY_MUST_CHECK int mountpoint_identify(const char *path,
					 struct mountpoint_id *ret_id);

/* Is it still there? In doubt, it is not: what is there then is not ours. */
bool mountpoint_is_mounted(const char *path, const struct mountpoint_id *id);

/*
 * Unmount it from `path`, unless something else is mounted there now.
 * Returns 0, -EBUSY when somebody has a file of it open, or another error.
 */
CUBBY_MUST_CHECK int mountpoint_unmount(const char *path,
					const struct mountpoint_id *id);

/* The same whatever is open: open files give errors from then on. */
void mountpoint_detach(const char *path, const struct mountpoint_id *id);

/* End all its requests, those that wait and those to come, so that nothing
 * waits for an answer. It may stay mounted. */
void mountpoint_abort(const char *path, const struct mountpoint_id *id);

#endif
