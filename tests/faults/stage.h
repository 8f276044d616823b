/* SPDX-License-Identifier: MIT */
/*
 * What an operation works on: a store with known content, one of several.
 */
#ifndef FAULTS_STAGE_H
#define FAULTS_STAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "cubby/tree.h"

/* Entry names of one digit, 64 times. */
#define X4(digit) digit digit digit digit
#define X64(digit) X4(X4(X4(digit)))
#define KEY1 X64("1") /* tiny */
#define KEY2 X64("2") /* text */
#define KEY3 X64("3") /* noise */
#define KEY4 X64("4") /* huge, or late */
#define KEY5 X64("5") /* for operations that add */
#define KEY7 X64("7") /* for the adds after the fault */
#define KEY8 X64("8")

enum content {
	NOTHING, /* no such name */
	FOLDER,
	EMPTY,
	TINY, /* stored in the index */
	TINY_TOO,
	TEXT, /* two frames that compress: a blob file */
	TEXT_TOO,
	NOISE, /* does not compress: a raw blob, or adopted */
	HUGE,  /* checked frame by frame, not when it is opened */
	CONTENT_COUNT,
};

const uint8_t *content_data(enum content content);
size_t content_size(enum content content);
/* Make the samples, before all else. */
void content_init(void);

/* The stores to begin with; see stage.c for what they hold. */
enum scene {
	SCENE_USUAL,  /* closed cleanly */
	SCENE_EMPTY,  /* an empty directory */
	SCENE_OTHER,  /* a directory with a file of somebody else */
	SCENE_HUGE,   /* the same with a huge entry */
	SCENE_KILLED, /* a process was killed after adding KEY4 */
	SCENE_COUNT,
};

struct stage {
	char path[PATH_MAX];
	struct cubby *store;
	struct cubby_ns *ns; /* "ns" */
	uint64_t dir;	     /* the directory "dir" */
	struct cubby_watch *watch;
	struct cubby_draft *draft;
	int fd;
	const char *wrong; /* what an operation found wrong with a success */
};

/* A name of the tree and what it leads to. */
struct fact {
	const char *path;
	enum content content;
	bool is_maybe; /* or to nothing */
};

enum { FACTS_MAX = 24 };

struct facts {
	bool has_damage; /* so that there may be something in quarantine */
	size_t count;
	struct fact facts[FACTS_MAX];
};

/* What a scene holds. */
struct facts facts_of(enum scene scene);
/* Let a name lead to something else; does nothing for the path NULL. */
void facts_set(struct facts *facts, const struct fact *fact);

/* Make all scenes below `root`. */
void scenes_make(const char *root);
/* Put the store of a scene at stage->path. */
void scene_put(enum scene scene, const char *path);

/* Open the store, the namespace, and find the directory. Returns 0 or the
 * first error; without a store in the last two cases. */
int stage_open(struct stage *stage, unsigned flags);
void stage_close(struct stage *stage);

enum { STAGE_PIECE_MAX = 2 * 131072 };

/* Read all in pieces and close the reader: 0 or an error. If the content is not
 * the wanted one, stage->wrong says so. */
int stage_check(struct stage *stage, struct cubby_reader *reader,
		enum content want, size_t piece);

/* Add through the namespace, with one write. */
int stage_add(struct stage *stage, const char *name, enum content content);

#endif
