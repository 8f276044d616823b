/* SPDX-License-Identifier: MIT */
/*
 * What is around an operation in any trial: the store that it begins with, and
 * what must be there afterwards.
 */
#ifndef FAULTS_SETTING_H
#define FAULTS_SETTING_H

#include "fault.h"
#include "ops.h"

/* Where the store of this process is. */
void setting_at(const char *path);

/* Put the store of the operation in its place. What is said from now on is of
 * this trial. */
void setting_prepare(const struct op *op, const struct fault_plan *plan);
/* Delete what is there. */
void setting_clear(void);
/* Say where it is, in an empty stage. */
void setting_place(struct stage *stage);
/* Make an empty stage ready for the operation. */
void setting_begin(const struct op *op, struct stage *stage);

/* Did the disk say that it is full? Then entries may have gone to make room. */
bool setting_was_full(void);
/* What is there when the operation has been done, or not. */
struct facts setting_facts(const struct op *op, bool success);
/* What the operation left open is ended, and the store is open. Returns 0 or an
 * error. */
int setting_settle(struct stage *stage, const struct op *op);
/* The next adds: into `facts`, too. Returns 0 or an error. */
int setting_add_more(struct stage *stage, struct facts *facts);

/* Say what is being tried, and what came of it. */
void setting_describe(const char *call, const char *what);
/* Do not. */
extern bool setting_is_silent;

#endif
