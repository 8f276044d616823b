/* SPDX-License-Identifier: MIT */
/*
 * What must hold after any fault: the tree is what is expected, every byte is
 * right, the totals are those of the tree, and the files are those that the
 * index names.
 */
#ifndef FAULTS_AUDIT_H
#define FAULTS_AUDIT_H

#include "fault.h"
#include "stage.h"

/*
 * What could not be deleted or cut, `tally` says: so many files may be left
 * over, and a plain file may have the footer of a publishing behind its content
 * (see core/store/publish.c).
 * Returns what is wrong (static storage), or NULL.
 */
const char *audit(struct stage *stage, const struct facts *facts,
		  const struct fault_tally *tally);

#endif
