/* SPDX-License-Identifier: MIT */
/*
 * The two buffers of an encoder, which are kept for the next one: they are just
 * large enough that malloc would give them back to the kernel each time, and
 * taking them anew costs more than encoding a small entry.
 *
 * Any thread may call these at once.
 */
#ifndef CUBBY_SCRATCH_H
#define CUBBY_SCRATCH_H

#include <stdint.h>

#include "format/codec.h"
#include "format/footer.h"

struct scratch {
	uint8_t raw[FRAME_SIZE];
	uint8_t stored[]; /* codec_bound(FRAME_SIZE) */
};

/* Returns NULL without memory. The caller ends with scratch_put(). */
struct scratch *scratch_get(void);
void scratch_put(struct scratch *scratch);

#endif
