/* SPDX-License-Identifier: MIT */
#include "store/scratch.h"

#include <pthread.h>

#include "base/base.h"

/* The most that is kept: 1 MiB a process. */
enum { SCRATCH_POOL_SIZE = 4 };

static pthread_mutex_t scratch_lock = PTHREAD_MUTEX_INITIALIZER;
static struct scratch *scratch_pool[SCRATCH_POOL_SIZE]; /* scratch_lock */
static unsigned scratch_count;				/* scratch_lock */

/* Nobody waits for the lock: in a child after fork(2) it may be that of a
 * thread which is only in the parent. */
struct scratch *scratch_get(void)
{
	struct scratch *scratch = NULL;

	if (pthread_mutex_trylock(&scratch_lock) == 0) {
		if (scratch_count > 0)
			scratch = scratch_pool[--scratch_count];
		pthread_mutex_unlock(&scratch_lock);
	}
	if (scratch)
		return scratch;
	return malloc(sizeof(*scratch) + codec_bound(FRAME_SIZE));
}

void scratch_put(struct scratch *scratch)
{
	if (pthread_mutex_trylock(&scratch_lock) == 0) {
		if (scratch_count < SCRATCH_POOL_SIZE) {
			scratch_pool[scratch_count++] = scratch;
			scratch = NULL;
		}
		pthread_mutex_unlock(&scratch_lock);
	}
	free(scratch);
}
