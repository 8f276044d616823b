/* SPDX-License-Identifier: MIT */
/*
 * cubby: upkeep of a store: verify it, delete what nobody needs, compress it
 * better. A store needs none of these to work. All of them may run while others
 * use the store, may be killed at any instant without a loss, and take one
 * entry after the other, so that their memory does not depend on its size.
 *
 * Errors, threads, processes and durability are those of cubby.h.
 */
#ifndef CUBBY_UPKEEP_H
#define CUBBY_UPKEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cubby_upkeep_flags {
	/* cubby_verify(): put right what is found. */
	CUBBY_VERIFY_REPAIR = 1,
	/* cubby_gc(), cubby_recompress(): change nothing, only tell. */
	CUBBY_DRY_RUN = 2,
};

/* ---------------------------------------------------------------- verify */

/* What can be wrong, and what CUBBY_VERIFY_REPAIR does about it. */
enum cubby_finding {
	/* Nothing is: so far has the work come. */
	CUBBY_FOUND_NOTHING,
	/* The bytes of an entry are damaged or gone: put into quarantine. */
	CUBBY_FOUND_ENTRY,
	/* The file of a plain file is gone: its name is deleted. */
	CUBBY_FOUND_PLAIN,
	/* A name leads to no node, to one of another name, or is in no
	 * directory: deleted. */
	CUBBY_FOUND_NAME,
	/* A node is damaged, or has no name, and is not displaced either:
	 * deleted with its bytes. */
	CUBBY_FOUND_NODE,
	/* The list of recent uses has a row too many, lacks one, or has one in
	 * the wrong place: put right. */
	CUBBY_FOUND_USE,
	/* The index holds bytes of no entry: deleted. */
	CUBBY_FOUND_BYTES,
	/* A quota of no directory is deleted; sums of one are put right. */
	CUBBY_FOUND_QUOTA,
	/* A total is not the sum of its parts: put right. */
	CUBBY_FOUND_TOTAL,
	/* The index cannot be read to its end. Not put right: save what can
	 * still be read into a new store. */
	CUBBY_FOUND_INDEX,
	/* An entry does not hash to its name, which its directory asks for
	 * (cubby_set_content()): put into quarantine. */
	CUBBY_FOUND_CONTENT,
	/* The list of the settings of content is damaged: deleted, they have to
	 * be made again. */
	CUBBY_FOUND_SETTINGS,
	CUBBY_FOUND_COUNT,
};

/* One step of the work: an entry has been looked at, or something found. */
struct cubby_verify_step {
	uint64_t done;	/* entries looked at */
	uint64_t total; /* entries that there were at the beginning */
	enum cubby_finding finding;
	/* The path of what is wrong, as far as it has one, else its id as "#"
	 * and digits; the name of a total, as in struct cubby_stats. NULL for
	 * no finding. Valid during the call. */
	const char *path;
	/* Of a total and of a quota: what is kept, and what was counted. */
	uint64_t kept;
	uint64_t counted;
};

/* The call may use the library. Return 0 to go on; anything else ends the work
 * and becomes its result. */
typedef int cubby_verify_fn(void *cookie, const struct cubby_verify_step *step);

struct cubby_verify_summary {
	uint64_t entries;		   /* read, checked and decoded */
	uint64_t bytes;			   /* of their content */
	uint64_t findings;		   /* all together */
	uint64_t found[CUBBY_FOUND_COUNT]; /* of each kind */
	uint64_t repaired;
	/* What cubby_gc() would delete: left by killed processes, no damage. */
	uint64_t unused_files;
	uint64_t unused_bytes;
};

/*
 * Read all entries and decode all their bytes, compare every table of the index
 * with the others, and count the totals anew.
 *
 * `flags` is 0 or CUBBY_VERIFY_REPAIR; without it nothing is changed. `fn` may
 * be NULL.
 *
 * Returns 0, also when something was found: `ret_summary` says so. Otherwise
 * -EINVAL for other flags, what `fn` returned, a common error, or one of
 * read(2): a disk that cannot be read (-EIO) is no finding, as the bytes may
 * still be right. What was repaired by then stays so.
 *
 * Threads: no writer waits, but for the repair of tables and totals, where they
 * wait as long as it takes to count all entries, a few times. The count sees
 * one instant, in one read transaction, so it is exact while others write.
 * Pages that they free cannot be used again until it ends: so the data file,
 * which never becomes shorter, may become longer by what they change during a
 * count. Memory grows with the number of findings.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_verify(struct cubby *store, unsigned flags, cubby_verify_fn *fn,
	     void *cookie, struct cubby_verify_summary *ret_summary);

/* ----------------------------------------------------------------- scrub */

/*
 * Verify the next entry of the store, as cubby_verify() would, and put it into
 * quarantine if it is damaged: for who goes on and on, at his own pace. It is
 * no use of the entry. One that does not hash to its name, or cannot be read,
 * is counted and left. Where the next call goes on, and the counts, are kept in
 * the store and shared by all processes: see cubby_get_checks().
 *
 * Returns 1 when it has looked at one; 0 when it has come to the end, and the
 * next call begins anew; -ENOTSUP for a store without figures; or a common
 * error, after which the next call tries again.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_scrub(struct cubby *store);

/* -------------------------------------------------------------------- gc */

struct cubby_gc_summary {
	uint64_t files;	 /* deleted, or to be deleted, of all kinds */
	uint64_t bytes;	 /* blocks that they take */
	uint64_t blobs;	 /* of these: stored bytes of no entry */
	uint64_t drafts; /* of dead processes */
	uint64_t
		quarantine_files; /* damaged bytes, kept for a look until now */
	uint64_t displaced; /* entries whose files are among these, or that
			     * had none: see cubby_stats */
};

/*
 * Delete what killed processes have left: entries that were replaced or deleted
 * while they had them open, and the files that no record refers to, which are
 * blobs that were not published any more and drafts. What is being written is
 * left: who writes holds a lock on the file, and files are left for
 * CUBBY_GC_AGE_S after their last change. Files that are not named as those of
 * a store are left too.
 *
 * `flags` is 0 or CUBBY_DRY_RUN. `quarantine_age_s` deletes what was put into
 * quarantine so long ago or earlier; 0 deletes nothing of that.
 *
 * Returns 0, -EINVAL for other flags, -EROFS also for a store opened for
 * reading only without CUBBY_DRY_RUN, a common error, or one of readdir(3) and
 * unlink(2). In a store opened for reading only, `displaced` is 0.
 *
 * Threads: where there are displaced entries it waits for who adds, and who
 * adds for it, for 256 of them at a time; otherwise for nobody.
 */
#define CUBBY_GC_AGE_S 300
CUBBY_API CUBBY_MUST_CHECK int cubby_gc(struct cubby *store, unsigned flags,
					uint64_t quarantine_age_s,
					struct cubby_gc_summary *ret_summary);

/* ------------------------------------------------------------- recompress */

#define CUBBY_LEVEL_MIN 1
#define CUBBY_LEVEL_MAX 19

struct cubby_recompress_summary {
	uint64_t entries;	/* looked at */
	uint64_t changed;	/* recompressed, and smaller now */
	uint64_t known;		/* already at this level or above: not tried */
	uint64_t damaged;	/* could not be read; put into quarantine */
	uint64_t stored_before; /* stored bytes of those that changed */
	uint64_t stored_after;
};

/* Called after each entry with the work so far. `total` is how many entries
 * there were at the beginning. As cubby_verify_fn. */
typedef int cubby_recompress_fn(void *cookie, uint64_t total,
				const struct cubby_recompress_summary *so_far);

/*
 * Compress the entries anew with zstd's `level`, CUBBY_LEVEL_MIN to
 * CUBBY_LEVEL_MAX. (Adds use level 1, and -1 for up to 4 KiB.) An entry
 * changes when it becomes smaller by a fiftieth at least; one that was stored
 * as it is may be compressed then, and a small one may move from its file into
 * the index.
 *
 * An entry that changes gets a new id, as if it was added, but keeps its times,
 * uses, mode and owner, and counts as no add; mounts are told, and who has it
 * open goes on with the old bytes. While it works, the disk holds one entry
 * twice. Reading is no use of an entry.
 *
 * The level is kept in blob files, so that a second run passes them by; entries
 * in the index, and those that did not become smaller, are tried again.
 *
 * `flags` is 0 or CUBBY_DRY_RUN, which compresses all the same, to tell what
 * would be gained. `fn` may be NULL.
 *
 * Returns 0, -EINVAL for another level or other flags, what `fn` returned, a
 * common error, or one of write(2). What was done by then stays so.
 *
 * Durability: a new blob file is on the disk before it replaces the old one;
 * the index follows as after an add.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_recompress(struct cubby *store, int level, unsigned flags,
		 cubby_recompress_fn *fn, void *cookie,
		 struct cubby_recompress_summary *ret_summary);

#ifdef __cplusplus
}
#endif

#endif
