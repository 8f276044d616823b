/* SPDX-License-Identifier: MIT */
/*
 * cubby: keeping a store in bounds, and seeing what it does. Programs that only
 * get and add do not need this.
 *
 * What counts against the limit is what the disk gives up: blocks of the blobs,
 * of plain files and of files being written, the index with its free pages, and
 * 2 MiB for directories and the small files beside the index. An add that makes
 * this more than the limit evicts, in its own transaction, the entries that
 * were used the longest time ago (or what the policy says), until it fits
 * again.
 *
 * An entry is used when it is got, when it is looked up through a mount, and
 * when somebody sets its times, which then are the time of its use, unless they
 * lie ahead. Uses are noted at most once in `resolution_s`, and written in
 * batches: a process that is killed may lose those of the last seconds.
 *
 * Not evicted are, unless nothing else is left: what a mount has open, and what
 * was used within the last `protect_s`. Never evicted are plain files, and
 * entries below a pinned directory.
 *
 * Errors, threads, processes and durability are those of cubby.h.
 */
#ifndef CUBBY_MANAGE_H
#define CUBBY_MANAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- limits */

#define CUBBY_LIMIT_MIN (UINT64_C(16) << 20) /* of max_size, in bytes */
#define CUBBY_PROTECT_S 300		     /* the default of protect_s */
#define CUBBY_RESOLUTION_S 60		     /* the default of resolution_s */
#define CUBBY_QUOTAS_MAX 64 /* directories with a quota or a pin */

/*
 * Which entries go first. CUBBY_GDSF ("greedy dual size, frequency") also looks
 * at sizes: of what was used at about the same time large entries go before
 * small ones, and what was used again stays longer. tests/sim compares them.
 */
enum cubby_policy {
	CUBBY_LRU = 0, /* what was used the longest time ago */
	CUBBY_GDSF = 1,
};

/* The limits of a store; 0 is no limit. They are kept in the store and hold for
 * all who use it. */
struct cubby_limits {
	uint64_t max_size;	   /* bytes of disk */
	uint64_t min_free;	   /* bytes to leave free on the disk */
	uint32_t min_free_percent; /* the same in percent of the disk */
	uint64_t max_entry;	   /* bytes of content of one entry */
	uint64_t max_age_s;	   /* seconds without use */
	uint32_t protect_s;	   /* see above */
	uint32_t resolution_s;	   /* see above; 0 notes every use */
	enum cubby_policy policy;
};

CUBBY_API CUBBY_MUST_CHECK int
cubby_get_limits(struct cubby *store, struct cubby_limits *ret_limits);

/*
 * Set all limits, and evict what they do not leave room for.
 *
 * Another policy takes time in proportion to the entries.
 *
 * Returns 0, or -EINVAL for a max_size that is not 0 and below
 * CUBBY_LIMIT_MIN, more than 99 percent, an unknown policy, or a max_age_s with
 * another policy than CUBBY_LRU; -EDOM when a quota is larger than
 * max_size; -EFBIG when what cannot be evicted (plain files, pinned
 * directories, the index itself) is larger than max_size: the limit is set all
 * the same; or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_set_limits(struct cubby *store, const struct cubby_limits *limits);

/*
 * Directories with bounds of their own. A quota counts the entries at any depth
 * below: their blocks, or their stored bytes where they are in the index, and
 * 256 bytes for each. They are evicted among themselves when they are more than
 * the quota; one that is larger alone is not added (-EFBIG). Directories with a
 * quota or a pin are never inside one another.
 */
struct cubby_quota {
	uint64_t quota; /* bytes, or 0 */
	bool is_pinned; /* nothing is evicted for the limits of the store */
	uint64_t bytes; /* what its entries take now: not set, only got */
	uint64_t entries;
};

/*
 * Set the quota and the pin of a directory, given by its path; zeroes make it
 * an ordinary one again. Takes time in proportion to the entries below.
 *
 * Returns 0, -ENOENT or -ENOTDIR for what is no directory, -EINVAL for the root
 * of the store, -EDOM for a quota larger than max_size, -EBUSY when a directory
 * above or below has a quota or a pin, -ENOSPC when CUBBY_QUOTAS_MAX have one,
 * or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_set_quota(struct cubby *store,
					       const char *path,
					       const struct cubby_quota *quota);

/* Returns 0, or as cubby_set_quota(); zeroes for an ordinary directory. */
CUBBY_API CUBBY_MUST_CHECK int cubby_get_quota(struct cubby *store,
					       const char *path,
					       struct cubby_quota *ret_quota);

typedef int cubby_quota_fn(void *cookie, const char *path,
			   const struct cubby_quota *quota);

/* Visit all directories that have one. Returns 0, what `fn` returned, or a
 * common error. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_list_quotas(struct cubby *store, cubby_quota_fn *fn, void *cookie);

/*
 * Do now what waits for an add: note the uses, evict what is over a limit or
 * too old. `*ret_evicted` is how many entries went. Returns 0, -EFBIG as
 * cubby_set_limits(), or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_trim(struct cubby *store,
					  uint64_t *ret_evicted);

/*
 * List what cubby_trim() would evict now, in its order, and evict nothing: the
 * same choice is made, in a transaction that is dropped. At most the first
 * CUBBY_TRIM_LIST_MAX are given.
 *
 * Returns 0, what `fn` returned, or a common error; -EROFS for a store opened
 * for reading only.
 *
 * Threads: who writes waits while the choice is made, as for cubby_trim(), but
 * not while `fn` is called. An entry that others delete meanwhile is not given.
 */
#define CUBBY_TRIM_LIST_MAX 16384
CUBBY_API CUBBY_MUST_CHECK int cubby_list_trim(struct cubby *store,
					       cubby_list_fn *fn, void *cookie);

/*
 * A write of `bytes` into the store has failed because the disk, or the quota
 * of its user, is full: evict to give back about twice that and a mebibyte, not
 * more, also in a store without limits. The library does so for what it writes
 * itself, and tries again once. Returns 1 when something was evicted (what a
 * mount holds goes from the disk a moment later), 0 when there is nothing that
 * may be, or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_make_room(struct cubby *store,
					       uint64_t bytes);

/* --------------------------------------------------------------- content */

#define CUBBY_CONTENTS_MAX 64 /* directories with a setting of their own */

/* What the entries of a directory are named by. */
enum cubby_content {
	CUBBY_CONTENT_NONE = 0, /* anything: nothing is checked */
	CUBBY_CONTENT_SHA256 = 1,
};

/*
 * Say that entries in the directory, given by its path ("" is the root), and
 * below it are named by a digest of their content, as in the `cas/` of Bazel,
 * the `objects/` of Git LFS and the outputs of Go. With CUBBY_CONTENT_SHA256 an
 * entry whose name is 64 hex digits, or these and "-d", must hash to these
 * digits. Other names, as the "<digits>-a" of Go, are not checked.
 *
 * What does not hash to its name is not added, or renamed to that name: that
 * gives -EBADMSG and is counted (struct cubby_checks). A directory is not moved
 * to a place where this would begin to hold for it: -EXDEV. What is there
 * already stays; cubby_verify() finds what does not match. An add that was
 * begun before the setting was made may still go through.
 *
 * The nearest setting holds: that of the directory itself, else of the one
 * above, and so on up to the root, which has none at first. It belongs to the
 * directory, whatever that is renamed to, and ends with it.
 *
 * Returns 0, -ENOENT or -ENOTDIR for what is no directory, -EINVAL for a
 * malformed path or an unknown content, -ENOSPC when CUBBY_CONTENTS_MAX have a
 * setting, or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_set_content(struct cubby *store,
						 const char *path,
						 enum cubby_content content);

/* What holds for a directory, whoever says so. Returns as above. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_get_content(struct cubby *store, const char *path,
		  enum cubby_content *ret_content);

typedef int cubby_content_fn(void *cookie, const char *path,
			     enum cubby_content content);

/* Visit the directories that have a setting of their own; the call must not use
 * the library. Returns 0, what `fn` returned, or a common error. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_list_contents(struct cubby *store, cubby_content_fn *fn, void *cookie);

/* --------------------------------------------------------------- figures */

/*
 * What happened in a store since it was made. Counted by all processes without
 * a lock; a process that is killed between an act and its count may miss one. A
 * mount sees a hit when it is asked for the name, which it is at most once in
 * a minute as long as its kernel knows it. A store that is opened for reading
 * only has none: all functions here then give -EROFS.
 */
struct cubby_figures {
	uint64_t hits;
	uint64_t misses;
	uint64_t adds;
	uint64_t deletes; /* without evictions */
	uint64_t evictions;
	uint64_t corrupt;   /* found damaged, and put aside */
	uint64_t bytes_in;  /* content of what was added */
	uint64_t bytes_out; /* content of what was got */
};

enum {
	CUBBY_GHOST_STEPS = 16, /* each a quarter of max_size */
	CUBBY_AGE_STEPS = 32,
};

/*
 * What was checked in the store, counted as the figures are. A round of the
 * scrub (see cubby_scrub()) looks at all entries.
 */
struct cubby_checks {
	uint64_t refused;	      /* adds: see cubby_set_content() */
	uint64_t scrub_rounds;	      /* that were ended */
	int64_t scrub_begun_s;	      /* the round now, since 1970; 0: never */
	int64_t scrub_ended_s;	      /* the last that was ended; 0: none */
	uint64_t scrub_round_checked; /* entries, in the round now */
	uint64_t scrub_checked;	      /* in all rounds */
	uint64_t scrub_damaged;	      /* of these: put into quarantine */
	uint64_t
		scrub_misnamed; /* not what their names say; left as they are */
	uint64_t scrub_unreadable; /* that could not be read: not damaged */
};

CUBBY_API CUBBY_MUST_CHECK int
cubby_get_checks(struct cubby *store, struct cubby_checks *ret_checks);

/* Would a larger limit help? */
struct cubby_what_if {
	/* Misses that would have been hits, had the limit been larger by at
	 * most (i + 1) quarters of it. An estimate from a sample of the
	 * evicted keys. */
	uint64_t ghost_hits[CUBBY_GHOST_STEPS];
	/* Evictions of what had not been used for 2^i to 2^(i+1) seconds. */
	uint64_t eviction_ages[CUBBY_AGE_STEPS];
};

/* The figures of the whole store. `ret_what_if` may be NULL. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_get_figures(struct cubby *store, struct cubby_figures *ret_figures,
		  struct cubby_what_if *ret_what_if);

/* Those of the entries directly in one directory. The path is "" for the root,
 * and NULL for what had no place in the table any more, which has 1,024. */
typedef int cubby_figures_fn(void *cookie, const char *path,
			     const struct cubby_figures *figures);

/* Visit the directories that have any. Returns 0, what `fn` returned, or a
 * common error. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_list_figures(struct cubby *store, cubby_figures_fn *fn, void *cookie);

/* One moment of the past. */
struct cubby_sample {
	int64_t time_s; /* since 1970 */
	uint64_t disk_bytes;
	uint64_t entries;
	struct cubby_figures figures;
};

typedef int cubby_sample_fn(void *cookie, const struct cubby_sample *sample);

/* Visit the samples, of which one is taken every ten minutes in which something
 * changes and the last 1,008 are kept, the oldest first. Returns as above. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_list_samples(struct cubby *store, cubby_sample_fn *fn, void *cookie);

#ifdef __cplusplus
}
#endif

#endif
