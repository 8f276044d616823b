/* SPDX-License-Identifier: MIT */
/*
 * Jobs run in processes of their own, as many at a time as there are
 * processors, each with a store of its own. One that is ended takes only itself
 * along.
 */
#ifndef FAULTS_JOBS_H
#define FAULTS_JOBS_H

/* Make the scenes and a place for the stores, that of this process too: in
 * memory if there is such a place, as no test is about the disk. */
void jobs_begin(void);
/* Delete it. Does nothing in a job. */
void jobs_end(void);

/* Run the jobs `first` to `end` - 1; `run` returns what went wrong in one.
 * Returns how many jobs went wrong; after some that did, no more are begun. */
unsigned jobs_run(unsigned first, unsigned end, unsigned (*run)(unsigned job));

#endif
