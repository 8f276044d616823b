/* SPDX-License-Identifier: MIT */
/*
 * The operations that are tested: each a short piece of what users do, with
 * what it changes if it succeeds. If it fails, nothing is changed.
 */
#ifndef FAULTS_OPS_H
#define FAULTS_OPS_H

#include "stage.h"

enum { CHANGES_MAX = 4 };

struct op {
	const char *name;
	enum scene scene;
	bool opens_itself; /* otherwise it begins with an open store */
	bool moves_mount;  /* the machine has been down since */
	bool watches;	   /* it may leave displaced nodes to the next watch */
	bool is_refused;   /* the scene is no store, and becomes none */
	bool keeps_memory; /* a library does; what is lost is found at the end
			    */
	bool names_early;  /* a file has its name before the commit: who cannot
			    * look again after it leaves the file */
	bool may_stay;	   /* the change, when more than one call fails */
	bool keeps_blob; /* gc leaves a blob beside a draft of the same id, and
			  * compressed bytes beside raw ones: see
			  * core/store/gc.c */
	int also;	 /* an error that it may give for another one */
	bool finds_damage; /* and puts it into quarantine */
	bool is_repeated;  /* once more when nothing fails any more, and only
			    * then all must be right */
	unsigned leavings; /* files that may be left over in any case */
	/* May be NULL. Without faults; it must succeed. */
	void (*prepare)(struct stage *stage);
	/* Returns 0 or a negative errno, and gives back what it took but for
	 * what `stage` holds. */
	int (*run)(struct stage *stage);
	struct fact prepared[CHANGES_MAX]; /* in any case */
	struct fact changed[CHANGES_MAX];  /* by success */
};

extern const struct op cache_ops[];
extern const size_t cache_ops_count;
extern const struct op limit_ops[];
extern const size_t limit_ops_count;
extern const struct op later_ops[];
extern const size_t later_ops_count;
extern const struct op tree_ops[]; /* all on SCENE_USUAL */
extern const size_t tree_ops_count;
extern const struct op upkeep_ops[]; /* the same */
extern const size_t upkeep_ops_count;
extern const struct op report_ops[]; /* the same */
extern const size_t report_ops_count;

/* All of them. */
size_t op_count(void);
const struct op *op_at(size_t index);

#endif
