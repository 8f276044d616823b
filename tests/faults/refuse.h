/* SPDX-License-Identifier: MIT */
/*
 * Calls that fail by their names, for a test of one situation: in the place of
 * fault.c, which counts calls to try them all.
 */
#ifndef FAULTS_REFUSE_H
#define FAULTS_REFUSE_H

#include <stdbool.h>

/* As the name: any allocation. */
#define REFUSE_HEAP "heap"

struct refusal {
	const char *name;   /* as wrap_*.c and refuse.c have it */
	unsigned at;	    /* the first call of the core that fails, from 1 */
	unsigned times;	    /* 0: all from there on */
	bool every_other;   /* of those, the first, the third, and so on */
	bool is_of_library; /* calls that LMDB makes, not those of the core */
	int error;
	/* Instead of failing: what somebody else does before the call. */
	void (*meanwhile)(void);
};

enum { REFUSALS_MAX = 2 };

/* From now on. Others that were set stay. */
void refuse(const struct refusal *refusal);
/* From now on nothing fails. Returns how many calls did. */
unsigned refuse_end(void);

#endif
