/* SPDX-License-Identifier: MIT */
/*
 * Which nodes somebody has open, or may open at any moment without asking: what
 * the kernels of the mounts know. Each watch counts its nodes in a region of
 * the file `held`, which all processes map. A node is counted in a cell that it
 * shares with others, so "held" may be wrong, "not held" never is.
 *
 * Who takes a node away looks here within his write transaction. Who begins to
 * hold a node counts it first, and then looks whether it is still there; when a
 * write transaction may have looked just before, he waits for its end first.
 */
#ifndef CUBBY_HELD_H
#define CUBBY_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "index/index.h"

struct held;

/* What all processes that have the index open share. */
struct shared {
	_Atomic(uint64_t) work;	       /* of all commits ever: see pace.c */
	_Atomic(uint64_t) steady_work; /* of those before the oldest pin */
};

/* The region of the watch `slot`, empty. Within a write transaction. The caller
 * ends it with held_close(). */
CUBBY_MUST_CHECK int held_open(struct index_txn *txn, uint32_t slot,
			       struct held **ret_held);
void held_close(struct held *held);

/* From any thread. The id 0 stands for all nodes. */
void held_add(struct held *held, uint64_t id);
void held_drop(struct held *held, uint64_t id);
/* Is it held through this one? May be wrong, see above. */
bool held_has(const struct held *held, uint64_t id);
/* Bytes that the watch's files take beyond what the index says. */
void held_set_pending(struct held *held, uint64_t bytes);

/* After held_add(): wait for the end of a write transaction that may have
 * looked before. What is read from the index then is true as long as the node
 * is held. */
CUBBY_MUST_CHECK int held_settle(struct held *held, struct index *index);

/* Does a watch hold the node? Within a write transaction, which the watches
 * wait for from now on. Returns 1, 0, or a negative errno. */
CUBBY_MUST_CHECK int held_find(struct index_txn *txn, uint64_t id);

/* The sum of what held_set_pending() was told by the living. */
CUBBY_MUST_CHECK int held_pending(struct index_txn *txn, uint64_t *ret_bytes);

/* Open and map the file, before anything else here. */
CUBBY_MUST_CHECK int held_begin(struct index *index, const char *path);

/* Unmap all, before the environment is closed. */
void held_done(struct index *index);

#endif
