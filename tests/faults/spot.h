/* SPDX-License-Identifier: MIT */
/* An index alone, without a store around it. */
#ifndef FAULTS_SPOT_H
#define FAULTS_SPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "index/index.h"

struct spot {
	char *path;
	char *data; /* the file of LMDB */
	struct index *index;
};

/* A new one in the scratch directory. */
void spot_new(struct spot *spot, const char *name);
void spot_free(struct spot *spot);

/* Let a name of the root lead to `id`. Returns 0 or an error. */
int spot_add(struct index *index, const char *name, uint64_t id);
bool spot_has(struct index *index, const char *name);

/* The version that a power cut now would leave. */
uint64_t spot_steady_version(const struct spot *spot);

#endif
