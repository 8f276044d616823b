/* SPDX-License-Identifier: MIT */
/*
 * Each call of an operation fails: with each error, once and for ever.
 */
#ifndef FAULTS_SWEEP_H
#define FAULTS_SWEEP_H

/* The operations `first` to `end` - 1, each call in every `stride`-th way, and
 * in others at the next call; say what came of it. Returns 0 if all was right,
 * or 1. */
int sweep_run(unsigned first, unsigned end, unsigned stride);

#endif
