/* SPDX-License-Identifier: MIT */
/* What is done with a store that somebody else had his hands in. */
#ifndef TESTS_DEEDS_H
#define TESTS_DEEDS_H

#include <stdbool.h>
#include <stdint.h>

enum deed {
	DEED_GET,
	DEED_ADD,
	DEED_DELETE,
	DEED_OPEN,
	DEED_LIST,
	DEED_MOUNT,
	DEED_COUNT,
};

enum entry {
	ENTRY_SMALL,
	ENTRY_BLOB,   /* the one that is made to suffer */
	ENTRY_FRAMES, /* another blob */
	ENTRY_PLAIN,
	ENTRY_COUNT,
};

/* What must be so, whatever lies in the place. */
struct hope {
	bool opens;	       /* the store can be opened */
	bool has_small;	       /* this entry is not concerned */
	bool has_frames;       /* nor this one */
	bool loses_blob;       /* a get of the blob is damage, then a miss, then
				* it can be added again */
	bool plain_is_foreign; /* the plain file cannot be opened */
};

/* Shared with the process that does it. */
struct report {
	unsigned right;
	unsigned misses;
	unsigned errors;
	char finding[256];
};

const char *deed_name(enum deed deed);

/* Make a store with the four entries; their ids. */
void deeds_store(const char *path, uint64_t ret_ids[ENTRY_COUNT]);

/* Do it. What must not be ends the process with a finding in the report. */
void deed_do(enum deed deed, const char *path, const struct hope *hope,
	     struct report *report);

#endif
