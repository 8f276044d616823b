/* SPDX-License-Identifier: MIT */
/*
 * Is there a processor that nobody else wants at the moment?
 *
 * Asked is the kernel's number of threads that run or would like to, on the
 * whole machine: the fourth field of /proc/loadavg, see proc(5). It counts
 * those of other containers too, and such with a low priority; then the answer
 * is no rather than yes.
 */
#ifndef CUBBYFS_SPARE_H
#define CUBBYFS_SPARE_H

#include <stdbool.h>

struct spare {
	int fd; /* of /proc/loadavg, or -1 */
	unsigned processors;
};

void spare_init(struct spare *spare);
void spare_done(struct spare *spare);

/* Takes some microseconds. The thread that asks does not count. No if it cannot
 * be found out, or if there is one processor only. */
bool spare_look(const struct spare *spare);

#endif
