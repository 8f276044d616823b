/* SPDX-License-Identifier: MIT */
/*
 * What somebody puts into the directory of a store: something else in the
 * place of one of its files. Outside the store lies a canary, which nobody may
 * open or change.
 */
#ifndef TESTS_PLANT_H
#define TESTS_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plant {
	PLANT_SYMLINK, /* to the canary, or to a directory with canaries */
	PLANT_DANGLING,
	PLANT_FIFO,
	PLANT_DEVICE,
	PLANT_HARD_LINK, /* to the canary */
	PLANT_DIRECTORY,
	PLANT_SPARSE,  /* a file of 1 TB */
	PLANT_GARBAGE, /* a file of the right size, with other bytes */
	PLANT_SHORT,   /* the beginning of the right file */
	PLANT_FOREIGN, /* the right file, of root, in a store of another */
	PLANT_CLOSED,  /* the right file, mode 0 */
	PLANT_LOOSE,   /* the right file, set-id and writable for all */
	PLANT_COUNT,
};

const char *plant_name(enum plant plant);

/* May the store be used with the right bytes, since it is its own file? */
bool plant_is_its_own(enum plant plant);

/* Put `plant` in the place of `path`, which may not exist. `outside` is the
 * directory of the canaries. */
void plant_put(enum plant plant, const char *path, bool is_directory,
	       const char *outside);

/* A directory with canaries and a watch on them. `names`, ended by NULL, are
 * files of the store which a symlink to the directory would lead to. */
struct canary {
	char *outside;
	int fd; /* inotify */
};

void canary_new(struct canary *canary, const char *outside,
		const char *const names[]);

/* Forget what has been seen: whatever happened until now was the test. */
void canary_settle(struct canary *canary);

/* What has happened to the canaries: a static text, or NULL for nothing.
 * `may_be_read`: they have been linked into the store. */
const char *canary_finding(struct canary *canary, bool may_be_read);

void canary_free(struct canary *canary);

#endif
