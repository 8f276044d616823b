/* SPDX-License-Identifier: MIT */
/* The file of the steady snapshot. Input: the seal, the file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "format/check.h"
#include "fuzz.h"
#include "index/snapshot.h"

enum { AT_CHECK = 56, MOST = 72 + SNAPSHOT_PAGE_MAX + 100 };

static void seal(uint8_t *bytes, size_t size, bool with_size)
{
	struct check check;

	if (size < AT_CHECK + CHECK_SIZE)
		return;
	memcpy(bytes, "cubbystd", 8);
	if (with_size)
		put_le(bytes + 52, size - 72, 4);
	memset(bytes + AT_CHECK, 0, CHECK_SIZE);
	check = check_footer(0, bytes, size);
	memcpy(bytes + AT_CHECK, check.bytes, CHECK_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct snapshot snapshot;
	static uint8_t bytes[MOST];
	static int fd = -1;
	char path[128];
	int r;

	if (fd < 0) {
		(void)snprintf(path, sizeof(path), "%s/steady",
			       fuzz_directory());
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		HOLDS(fd >= 0);
	}
	if (size < 1 || size > MOST)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & 1)
		seal(bytes, size - 1, !(data[0] & 2));
	HOLDS(pwrite(fd, bytes, size - 1, 0) == (ssize_t)size - 1);
	HOLDS(ftruncate(fd, (off_t)size - 1) == 0);
	r = snapshot_read(fuzz_directory(), &snapshot);
	HOLDS(r == 0 || r == -EBADMSG);
	if (r == 0)
		HOLDS(snapshot.page_size + 72 == size - 1 &&
		      memcmp(snapshot.page, bytes + 72, snapshot.page_size) ==
			      0);
	return 0;
}
