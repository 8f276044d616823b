/* SPDX-License-Identifier: MIT */
/*
 * cubby: the store as a tree of nodes, for who presents it as a file system.
 * Programs that want a cache need only cubby.h.
 *
 * Model
 *   Everything with a name is a node with a 64-bit id that is never used
 *   again: a directory, an entry, or a plain file. A name is found by its
 *   parent's id. Which of the two a file is, its name decides: a file that
 *   gets an entry name is published and becomes an entry; a file with any
 *   other name is plain, mutable, stored as it is.
 *   A draft is the content of an entry that is being written under its final
 *   name. It has an id but no name, and only the process that made it knows of
 *   it, until it is published.
 *
 * Names are 1 to 255 bytes, neither "." nor "..", without "/". Others give
 * -EINVAL, longer ones -ENAMETOOLONG.
 *
 * Errors, threads, processes and durability are those of cubby.h.
 */
#ifndef CUBBY_TREE_H
#define CUBBY_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubby/cubby.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CUBBY_ROOT_ID UINT64_C(1)

/* Whoever creates a node: what it gets as mode, owner and group. */
struct cubby_owner {
	uint32_t mode; /* permission bits; set-id and sticky bits are dropped */
	uint32_t uid;
	uint32_t gid;
};

/* Is `name` the name of an entry (see cubby.h)? Does not allocate. */
CUBBY_API bool cubby_name_is_entry(const char *name);

/* ------------------------------------------------------------------ look */

/*
 * Find `name` in the directory `parent`. Returns 0, -ENOENT, -ENOTDIR when
 * `parent` is a file, or a common error. Never waits for writers.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_lookup(struct cubby *store,
					    uint64_t parent, const char *name,
					    struct cubby_attr *ret_attr);

/*
 * The attributes of a node, also of one that has lost its name but is kept
 * (see cubby_watch_new()). The size and the time of a plain file are those of
 * its file at this moment. Returns 0, -ENOENT, or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_getattr(struct cubby *store, uint64_t id,
					     struct cubby_attr *ret_attr);

/* How the content of an entry is stored. */
struct cubby_storage {
	const char *codec; /* "raw" or "zstd"; not to be freed */
	/* XXH3-128, as core/FORMAT.md says: of the stored bytes of an entry
	 * that is in the index, of the footer of a larger one, which holds the
	 * checks of its frames. */
	uint8_t check[16];
};

/* What the record of the entry `id` says, without reading its content. Returns
 * 0, -ENOENT, -EISDIR or -EINVAL when `id` is no entry, or a common error. */
CUBBY_API CUBBY_MUST_CHECK int
cubby_get_storage(struct cubby *store, uint64_t id,
		  struct cubby_storage *ret_storage);

/* The id of the directory that `id` is in; the root is in itself. */
CUBBY_API CUBBY_MUST_CHECK int cubby_parent(struct cubby *store, uint64_t id,
					    uint64_t *ret_parent);

enum cubby_setattr_what {
	CUBBY_SET_MODE = 1,
	CUBBY_SET_UID = 2,
	CUBBY_SET_GID = 4,
	CUBBY_SET_MTIME = 8,
	CUBBY_SET_USED = 16, /* of an entry; nothing for others */
	CUBBY_SET_NOW = 32,  /* the times are the present one */
};

/*
 * Take from `attr` what `what` names, a sum of enum cubby_setattr_what, and
 * give back all attributes. Set-id and sticky bits are dropped. To set a time
 * of an entry is to use it at that time, unless that lies ahead. When nothing
 * is set but times to the present, that is noted and written later, see
 * manage.h. Returns 0, -ENOENT, or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_setattr(struct cubby *store, uint64_t id,
					     unsigned what,
					     const struct cubby_attr *attr,
					     struct cubby_attr *ret_attr);

/*
 * Called for one name of a directory; the name is valid during the call only,
 * and the call must not use the library. Return 0 to go on; anything else ends
 * the listing and becomes its result.
 */
typedef int cubby_readdir_fn(void *cookie, const char *name,
			     const struct cubby_attr *attr);

/*
 * List the directory `dir` in the order of names byte by byte, from the first
 * name greater than `after` ("" for all). `limit` is how many names at the
 * most (0: all). The whole call sees one instant. Names that lead to a damaged
 * node, or to one of a newer version, are left out.
 * Returns 0, -ENOENT, -ENOTDIR, what `fn` returned, or a common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_readdir(struct cubby *store, uint64_t dir,
					     const char *after, size_t limit,
					     cubby_readdir_fn *fn,
					     void *cookie);

/* ------------------------------------------------------------------ read */

/*
 * Open the entry `id` for reading, whether it still has its name or not.
 * Returns as cubby_get(); -EISDIR or -EINVAL when `id` is no entry.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_open_entry(struct cubby *store, uint64_t id,
		 struct cubby_reader **ret_reader);

/*
 * Open the file of the plain node `id` for reading and, in a store that is not
 * read-only, writing. The caller closes `*ret_fd`. The descriptor stays good
 * when the node is deleted. Returns 0, -ENOENT, -EISDIR, -EINVAL for an entry,
 * or an error of open(2).
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_open_plain(struct cubby *store,
						uint64_t id, int *ret_fd);

/* ---------------------------------------------------------------- change */

/*
 * Note in the store how much of the disk the files of these nodes take at this
 * moment: for who writes through a descriptor of cubby_open_plain(), when he is
 * done for a while. What has been deleted, or is no plain node, is passed by.
 * Returns 0 or a common error. Beginning to watch does so for all plain files.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_settle_plain(struct cubby *store, const uint64_t *ids, size_t count);

/* Make a directory. Returns 0, -EEXIST, -ENOENT when `parent` is gone,
 * -ENOTDIR, or a common error. */
CUBBY_API CUBBY_MUST_CHECK int cubby_mkdir(struct cubby *store, uint64_t parent,
					   const char *name,
					   const struct cubby_owner *owner,
					   struct cubby_attr *ret_attr);

/*
 * Make an empty plain file and open it, as cubby_open_plain(). `name` must not
 * be an entry name. Returns as cubby_mkdir(); -EINVAL for an entry name.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_create(struct cubby *store,
					    uint64_t parent, const char *name,
					    const struct cubby_owner *owner,
					    struct cubby_attr *ret_attr,
					    int *ret_fd);

/* Remove an empty directory, with damaged names that cubby_readdir() leaves
 * out. Returns 0, -ENOENT, -ENOTDIR, -ENOTEMPTY, or a common error. */
CUBBY_API CUBBY_MUST_CHECK int cubby_rmdir(struct cubby *store, uint64_t parent,
					   const char *name);

/* Remove an entry or a plain file. Returns 0, -ENOENT, -EISDIR, or a common
 * error. */
CUBBY_API CUBBY_MUST_CHECK int cubby_unlink(struct cubby *store,
					    uint64_t parent, const char *name);

/*
 * cubby_get_quota() and cubby_set_quota() of manage.h for the directory `id`.
 * Return as they do; -ENOTDIR for a file.
 */
struct cubby_quota;
CUBBY_API CUBBY_MUST_CHECK int
cubby_get_quota_of(struct cubby *store, uint64_t id,
		   struct cubby_quota *ret_quota);
CUBBY_API CUBBY_MUST_CHECK int
cubby_set_quota_of(struct cubby *store, uint64_t id,
		   const struct cubby_quota *quota);

enum cubby_rename_flags {
	CUBBY_RENAME_NOREPLACE = 1, /* -EEXIST when the new name exists */
};

/*
 * Give a node another name, in the same or another directory; a file or an
 * empty directory that has the new name is replaced in the same instant. The
 * node keeps its id.
 *
 * A plain file that gets an entry name is published with the content that it
 * has: this is how most tools add. An entry that gets another name becomes a
 * plain file.
 *
 * On success `*ret_attr` is what has the new name.
 *
 * Returns 0, -ENOENT, -EEXIST, -EISDIR, -ENOTDIR, -ENOTEMPTY (as rename(2)),
 * -EINVAL for a directory into itself or unknown flags, -EFBIG, -EBADMSG for
 * content that is not what the new name says, where that is asked for
 * (cubby_set_content()), -EXDEV for a directory to where other bounds hold or
 * that begins to be asked for, a common error, or one of write(2). On failure
 * the old name is as it was.
 *
 * Threads: the caller sees to it that a plain file is not written during the
 * call; the entry has the bytes that were read, whatever they are.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_rename(struct cubby *store, uint64_t parent, const char *name,
	     uint64_t new_parent, const char *new_name, unsigned flags,
	     struct cubby_attr *ret_attr);

/* ----------------------------------------------------------- compress later */

/*
 * CUBBY_COMPRESS_LATER for who has a thread for it: one that calls
 * cubby_later_run() again and again, since the library starts none. From now
 * on, content of more than a few KiB that is published through this handle, as
 * by cubby_add(), cubby_rename() and cubby_draft_publish(), is stored as it is
 * at first, and queued. As long as the queue holds `max_bytes`, content is
 * compressed at once, as it is without this call.
 *
 * A queued entry is an entry like any other. What is still queued when the
 * store is closed, or the process dies, stays as it is, and takes more room.
 * Returns 0, -EBUSY when that is so already, also by the flag, or a common
 * error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_later_begin(struct cubby *store,
						 uint64_t max_bytes);

/*
 * Wait for the next queued entry, and compress it. Its id, content, name and
 * times stay. Returns 1, 0 after cubby_later_end() when the queue is empty, or
 * a common error.
 *
 * Threads: any number may call this at once.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_later_run(struct cubby *store);

/* Queue nothing more. To be called before the store is closed. */
CUBBY_API void cubby_later_end(struct cubby *store);

/*
 * For fsync(2) of a plain file or a directory: put on the disk what names are
 * in the store and what they lead to. The bytes of plain files are the
 * caller's business, and those of entries as cubby.h says.
 * Returns 0, a common error, or one of fsync(2).
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_sync_names(struct cubby *store);

/* ---------------------------------------------------------------- drafts */

struct cubby_draft;

/*
 * Make a draft. When `base` is not 0, the draft starts with the content of the
 * entry of that id, otherwise empty.
 *
 * On success the caller ends `*ret_draft` with exactly one of
 * cubby_draft_publish() and cubby_draft_drop().
 * Returns 0, as cubby_open_entry(), a common error, or one of write(2).
 *
 * Threads: one draft is for one thread at a time; its descriptor is not bound.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_draft_new(struct cubby *store,
					       uint64_t base,
					       struct cubby_draft **ret_draft);

/* The id that the entry will have. */
CUBBY_API uint64_t cubby_draft_id(const struct cubby_draft *draft);

/* The file with the content, to read, write and truncate. It stays open until
 * the draft ends, and belongs to it. */
CUBBY_API int cubby_draft_fd(const struct cubby_draft *draft);

/*
 * A draft is in memory as long as it is small, and then in a file. Before it
 * gets longer than it was, to `size` bytes: must it grow, and let it. The
 * descriptor stays the same, but nobody may be writing to it meanwhile. Who
 * does not care loses nothing but memory.
 * Returns 0, a common error, or one of write(2), and the draft is as it was.
 */
CUBBY_API bool cubby_draft_must_grow(const struct cubby_draft *draft,
				     uint64_t size);
CUBBY_API CUBBY_MUST_CHECK int cubby_draft_grow(struct cubby_draft *draft,
						uint64_t size);

/*
 * Publish what the draft's file holds as `name` in `parent`, replacing a file
 * of that name. An entry name makes an entry, any other name a plain file.
 *
 * Returns 0, and the draft is freed; or -ENOENT when `parent` is gone,
 * -EISDIR when `name` is a directory, -EFBIG, -EBADMSG as cubby_rename(), a
 * common error, or one of write(2), and the draft is as it was.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_draft_publish(struct cubby_draft *draft, uint64_t parent,
		    const char *name, const struct cubby_owner *owner,
		    struct cubby_attr *ret_attr);

/* Delete a draft. Accepts NULL. */
CUBBY_API void cubby_draft_drop(struct cubby_draft *draft);

/* ----------------------------------------------------------------- watch */

/*
 * A watch is how a process that presents the tree learns what others take
 * away, and keeps what its own users still have open.
 *
 * A node that is held through any watch and is replaced, deleted or evicted by
 * anyone is displaced: it has no name, but cubby_getattr(), cubby_open_entry()
 * and cubby_open_plain() go on to work with its id. It is purged when every
 * watch has been told of it. So a watcher which is told of an id that its users
 * have open opens it then, and keeps that. What nobody holds is purged at once,
 * and nobody is told. What is held is evicted last.
 *
 * A watch ends with its process, however that ends.
 */
struct cubby_watch;

/* Begin to watch, once per handle of a store. The caller ends `*ret_watch`
 * with cubby_watch_close(), before the store is closed. Returns 0 or a common
 * error. */
CUBBY_API CUBBY_MUST_CHECK int cubby_watch_new(struct cubby *store,
					       struct cubby_watch **ret_watch);

/*
 * Hold a node, as often as one likes, and let go of it; with the id 0 all
 * nodes. A name that was looked up must be looked up again after its node was
 * held, by cubby_watch_confirm(): the node may have been purged in between. Who
 * lists a directory holds all before, calls cubby_watch_settle(), and lets go
 * of all when he holds those that he wants. Threads: from any, without waiting.
 */
CUBBY_API void cubby_watch_hold(struct cubby_watch *watch, uint64_t id);
CUBBY_API void cubby_watch_release(struct cubby_watch *watch, uint64_t id);

/* What is read from the store after this, and was held before, stays. May wait
 * for a writer. Returns 0 or a common error. */
CUBBY_API CUBBY_MUST_CHECK int cubby_watch_settle(struct cubby_watch *watch);

/* Does `name` in `parent` still lead to the node `id`, which is held? Returns
 * 0, -ESTALE when it leads to another or none, or as cubby_lookup(). May wait
 * for a writer. */
CUBBY_API CUBBY_MUST_CHECK int cubby_watch_confirm(struct cubby_watch *watch,
						   uint64_t parent,
						   const char *name,
						   uint64_t id);

/*
 * How many bytes of the disk the files of this watch's process take that the
 * store does not know of yet: drafts, and what plain files have grown since
 * they were created. They count against the limit.
 */
CUBBY_API void cubby_watch_set_pending(struct cubby_watch *watch,
				       uint64_t bytes);

/*
 * Tell of nodes that would be evicted next but are held through this watch, so
 * that their users can be asked to let go of what they do not use. `fn` may use
 * the library. Cheap as long as the store is not nearly full. Returns 0 or a
 * common error.
 */
typedef void cubby_cold_fn(void *cookie, uint64_t id, uint64_t parent,
			   const char *name);
CUBBY_API CUBBY_MUST_CHECK int
cubby_watch_cold(struct cubby_watch *watch, cubby_cold_fn *fn, void *cookie);

/*
 * One displaced node: its id, and the name that it had until then. With the id
 * 0, an entry or a directory of that name was renamed, and lives on. (A plain
 * file that is renamed is not told of.) The call may use the library.
 */
typedef void cubby_displaced_fn(void *cookie, uint64_t id, uint64_t parent,
				const char *name);

/*
 * Tell what was displaced since the last call, then let it be purged. Cheap
 * when nothing has changed in the store (no system call): made to be called
 * some times a second. Writes the uses that wait, and evicts what is over
 * a limit, so that no add has to. Returns 0 or a
 * common error, and then the next call tells the same again.
 *
 * Threads: one call at a time.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_watch_poll(struct cubby_watch *watch,
						cubby_displaced_fn *fn,
						void *cookie);

/* End a watch. Accepts NULL. */
CUBBY_API void cubby_watch_close(struct cubby_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
