/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/base.h"
#include "sys/sys.h"

enum { PIECE = 1 << 20 };

int sys_write_again(int fd)
{
	SCOPED_FREE uint8_t *bytes = malloc(PIECE);
	struct stat file;
	int r = sys_fstat(fd, &file);

	if (!bytes)
		return -ENOMEM;
	for (uint64_t at = 0; r == 0 && at < (uint64_t)file.st_size;
	     at += PIECE) {
		ssize_t n = sys_pread(fd, bytes, PIECE, at);

		r = n < 0 ? (int)n : sys_pwrite(fd, bytes, (size_t)n, at);
	}
	return r;
}
