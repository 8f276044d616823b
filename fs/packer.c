/* SPDX-License-Identifier: MIT */
/*
 * The thread that compresses what has been published.
 *
 * It is nice to all others, as who adds is often a compiler that wants the
 * processors for itself; but not idle: in its short transactions it holds the
 * lock of all writers, and must not be kept from leaving it.
 */
#include "packer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Beyond so many bytes who adds compresses himself: about a quarter of a
 * second of work, which an unmount may have to wait for. */
#define QUEUE_BYTES (UINT64_C(64) * 1024 * 1024)
#define NICENESS 10

struct packer {
	pthread_t thread;
};

static void *packer_run(void *arg)
{
	struct mount *m = arg;

	/* Of this thread alone. Without it the work is done all the same. */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	while (cubby_later_run(m->store) > 0)
		continue;
	return NULL;
}

int packer_start(struct mount *m)
{
	struct packer *packer;
	int r = cubby_later_begin(m->store, QUEUE_BYTES);

	if (r < 0)
		return r;
	packer = calloc(1, sizeof(*packer));
	if (!packer)
		return -ENOMEM;
	r = pthread_create(&packer->thread, NULL, packer_run, m);
	if (r != 0) {
		cubby_later_end(m->store);
		free(packer);
		return -r;
	}
	m->packer = packer;
	return 0;
}

void packer_stop(struct mount *m)
{
	if (!m->packer)
		return;
	cubby_later_end(m->store);
	pthread_join(m->packer->thread, NULL);
	free(m->packer);
	m->packer = NULL;
}
