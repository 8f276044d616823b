/* SPDX-License-Identifier: MIT */
#include "store/scratch.h"

#include <stdatomic.h>

#include "base/base.h"

/* The most that is kept: 1 MiB a process. */
enum { POOL_SIZE = 4 };

/* Without a lock: a child after fork(2) might find it held by a thread that is
 * only in the parent. */
static _Atomic(struct scratch *) pool[POOL_SIZE];

struct scratch *scratch_get(void)
{
	for (size_t i = 0; i < POOL_SIZE; i++) {
		struct scratch *scratch = atomic_exchange(&pool[i], NULL);

		if (scratch)
			return scratch;
	}
	return malloc(sizeof(struct scratch) + codec_bound(FRAME_SIZE));
}

void scratch_put(struct scratch *scratch)
{
	for (size_t i = 0; i < POOL_SIZE; i++) {
		struct scratch *none = NULL;

		if (atomic_compare_exchange_strong(&pool[i], &none, scratch))
			return;
	}
	free(scratch);
}
