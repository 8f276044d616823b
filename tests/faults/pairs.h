/* SPDX-License-Identifier: MIT */
/*
 * Two faults at once, at random.
 */
#ifndef FAULTS_PAIRS_H
#define FAULTS_PAIRS_H

/* Try about so many, in jobs; say what came of it. Returns 0 if all was right,
 * or 1. */
int pairs_run(unsigned count);

#endif
