/* SPDX-License-Identifier: MIT */
/*
 * Small entries that were got more than once lately, decoded: to get one of
 * them again needs neither the index nor the decoder. One for each handle of a
 * store, with HOT_BYTES at the most.
 *
 * What a name leads to is known of one version of the index, and good as long
 * as that is the last one (index_version()). What a node holds never changes.
 */
#ifndef CUBBY_HOT_H
#define CUBBY_HOT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"
#include "format/check.h"

enum {
	HOT_BYTES = 8 * 1024 * 1024, /* names and content */
	HOT_SIZE_MAX = 4096,	     /* of the content of one entry */
};

struct hot_table;

struct hot {
	pthread_mutex_t lock;	 /* guards all, and every struct hot_place */
	struct hot_table *table; /* NULL before the first entry */
};

/* The directory that a path led to, in one version of the index. */
struct hot_place {
	uint64_t directory;
	uint64_t version; /* 0: not known */
};

struct hot_entry {
	uint64_t id;
	uint64_t directory;
	int64_t used_ns; /* as its record says */
	size_t size;
	struct check check; /* of the content, as of the first frame of `id` */
	uint8_t *content;   /* the caller's, who frees it */
};

void hot_init(struct hot *hot);
void hot_done(struct hot *hot);

/* The directory of the place, or 0 when it is not known of this version. */
uint64_t hot_find_place(struct hot *hot, const struct hot_place *place,
			uint64_t version);
void hot_put_place(struct hot *hot, struct hot_place *place, uint64_t directory,
		   uint64_t version);

/* What the name leads to at the place. False: not known of this version. */
CUBBY_MUST_CHECK bool hot_get(struct hot *hot, const struct hot_place *place,
			      uint64_t version, const char *name,
			      struct hot_entry *ret_entry);

/* The same of the node `entry->id` in `entry->directory`, to which the name
 * leads in this version, as the index says; its time of use is that of the
 * index as well. If it is here it is known of this version from now on. */
CUBBY_MUST_CHECK bool hot_get_node(struct hot *hot, uint64_t version,
				   const char *name, struct hot_entry *entry);

/* Is an entry of that name to be remembered? Not when it is got for the first
 * time, as far as is known: most are got once. And seldom when it was here and
 * had to go: if not all fits that is in use, what is here shall stay a while.
 */
CUBBY_MUST_CHECK bool hot_is_wanted(struct hot *hot, uint64_t directory,
				    const char *name);

/* Remember an entry of up to HOT_SIZE_MAX, of which the index says in this
 * version that the name leads to it. The content is copied. What there is no
 * memory for is not remembered. */
void hot_put(struct hot *hot, uint64_t version, const char *name,
	     const struct hot_entry *entry, const uint8_t *content);

#endif
