/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a thread that takes checkpoints, so that commits do not wait for
 * the disk, and that ends when there is nothing left to do. Each process that
 * writes has one; that of who has the pin takes them for all: see pace.c.
 */
#ifndef CUBBY_KEEPER_H
#define CUBBY_KEEPER_H

#include "index/lmdb_index.h"

void keeper_init(struct index *index);
/* End the thread and wait for it. Nobody else uses the index any more. */
void keeper_done(struct index *index);

/* There is something to do some time: start the thread, if it does not run.
 * After what is to be found by it has been stored. */
void keeper_need(struct index *index);

/* There is something to do now. */
void keeper_call(struct index *index);

#endif
