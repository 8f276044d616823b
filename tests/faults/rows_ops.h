/* SPDX-License-Identifier: MIT */
/* More operations, for fault_rows.c alone; all on SCENE_USUAL. */
#ifndef FAULTS_ROWS_OPS_H
#define FAULTS_ROWS_OPS_H

#include "ops.h"

extern const struct op rows_ops[];
extern const size_t rows_ops_count;

#endif
