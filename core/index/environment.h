/* SPDX-License-Identifier: MIT */
/*
 * The environment of LMDB: opened, and opened anew when it is lost.
 */
#ifndef CUBBY_ENVIRONMENT_H
#define CUBBY_ENVIRONMENT_H

#include "index/lmdb_index.h"

enum { ENVIRONMENT_READERS_MAX = 1024 };

/* Open the one in index->path. What a failure leaves open is the caller's. */
CUBBY_MUST_CHECK int environment_open(struct index *index, bool format);

/* Around every use of index->env, which may be NULL, but for those with
 * steady_lock held. May be nested. */
void environment_enter(struct index *index);
void environment_leave(struct index *index);

/* For who has entered. */
bool environment_is_there(const struct index *index);

/* After -EIO, by who has not entered: if the environment is lost and nobody
 * uses it, open it anew. Returns whether that was done. */
CUBBY_MUST_CHECK bool environment_reopen(struct index *index);

/* Free the transactions of the pool. Nobody else uses the index. */
void environment_drain(struct index *index);

#endif
