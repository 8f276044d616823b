/* SPDX-License-Identifier: MIT */
#include "spare.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUNNING_FIELD = 4 };

void spare_init(struct spare *spare)
{
	cpu_set_t set;

	spare->processors = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		spare->processors = (unsigned)CPU_COUNT(&set);
	spare->fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

void spare_done(struct spare *spare)
{
	if (spare->fd >= 0)
		close(spare->fd);
}

bool spare_look(const struct spare *spare)
{
	char text[128];
	const char *field = text;
	ssize_t n;

	if (spare->fd < 0 || spare->processors < 2)
		return false;
	n = pread(spare->fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	for (int i = 1; field && i < RUNNING_FIELD; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	return field &&
	       strtoul(field, NULL, 10) <= (unsigned long)spare->processors + 1;
}
