/* SPDX-License-Identifier: MIT */
/*
 * Entries whose stored bytes are damaged behind the back of the library, in
 * all the forms in which an entry is stored.
 *
 * The store is opened for reading only, over an index that is open for writing
 * by its internal interface: so that damage is found anew at every get, and
 * nothing is put into quarantine.
 */
#ifndef TESTS_VICTIM_H
#define TESTS_VICTIM_H

#include "box.h"
#include "format/codec.h"
#include "index/index.h"

enum shape {
	SHAPE_SMALL_RAW,    /* in the index, as it is */
	SHAPE_SMALL_ZSTD,   /* in the index, compressed */
	SHAPE_BLOB_RAW,	    /* a file, one frame */
	SHAPE_BLOB_ZSTD,    /* a file, one frame */
	SHAPE_FRAMES_ZSTD,  /* a file, several frames */
	SHAPE_FRAMES_RAW,   /* a file, several frames */
	SHAPE_LARGE,	    /* a file that is checked by the frame */
	SHAPE_RECORD_SMALL, /* the record of what is in the index */
	SHAPE_RECORD_BLOB,  /* the record of a file */
	SHAPE_COUNT,
};

struct victim {
	enum shape shape;
	char name[CUBBY_KEY_TEXT_SIZE];
	uint8_t *content;
	size_t size;
	uint64_t id;
	uint8_t *stored; /* the bytes that are mutated, as they were */
	size_t stored_size;
	int fd; /* of the blob file, or -1 */
};

struct crime_scene {
	struct box box; /* its store is for reading only */
	struct index *index;
	struct victim victims[SHAPE_COUNT];
};

/* Make the store, with one victim of each shape. */
void crime_scene_new(struct crime_scene *scene);
void crime_scene_free(struct crime_scene *scene);

const char *shape_name(enum shape shape);

/* What the name of its blob file says. */
enum codec shape_codec(enum shape shape);

/* Content for an entry that is stored in that shape; to be freed. */
uint8_t *shape_content(enum shape shape, unsigned seed, size_t *ret_size);

/* Put other bytes in the place of the stored ones. */
void victim_put(struct crime_scene *scene, const struct victim *victim,
		const uint8_t *bytes, size_t size);

/*
 * Get it by the public interface: 1 for exactly its bytes, or the negative
 * errno of the get or the read. Wrong bytes fail the test, with `seed`.
 */
int victim_get(struct crime_scene *scene, const struct victim *victim,
	       uint64_t seed);

#endif
