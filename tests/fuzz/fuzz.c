/* SPDX-License-Identifier: MIT */
/* What targets share: see fuzz.h. */
#include <ftw.h>
#include <unistd.h>

#include "fuzz.h"

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_directory(void)
{
	(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
	if (directory[0])
		return directory;
	(void)snprintf(directory, sizeof(directory), "%s/cubby-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	HOLDS(mkdtemp(directory) != NULL);
	HOLDS(atexit(remove_directory) == 0);
	return directory;
}
