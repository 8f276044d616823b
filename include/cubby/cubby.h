/* SPDX-License-Identifier: MIT */
/*
 * cubby: a compile cache. This is the cache itself: open a store, take a
 * namespace, get, add and delete entries.
 *
 * Model
 *   A store is a directory on a local disk. It holds entries, each a sequence
 *   of bytes that never changes, compressed and checked. An entry is found by
 *   its directory and its name; a namespace is such a directory, and the same
 *   entry is the file NAMESPACE/NAME of a mount of the store. The keys of this
 *   interface are 256 bits and their names are the 64 lower-case hex digits;
 *   the functions that end in _name take every entry name:
 *
 *     32 to 128 lower-case hex digits, and optionally "-" with 1 to 8
 *     characters of [a-z0-9]
 *
 * Promises
 *   An entry is visible whole or not at all, whoever adds it and however it
 *   ends. What is read is byte for byte what was added: every piece is checked
 *   before it is handed out, and a damaged entry becomes a miss. Who has an
 *   entry open keeps its bytes when it is replaced or deleted. A process that
 *   is killed loses nothing that was published. After a power cut or a crash
 *   of the kernel the last seconds may be lost, each entry as a miss.
 *
 * Errors
 *   Functions return 0 or a positive value, or a negative errno. On failure
 *   outputs are untouched and the object is as it was. In all functions
 *   -ENOENT is a miss, -EBADMSG is damage, -EPROTONOSUPPORT is a format of a
 *   newer version, -ENOSPC is a full disk or a full index, -EROFS is a store
 *   opened for reading only, -ECHILD is a handle that was opened before a
 *   fork(2) and is used in the child, and -ENOMEM is no memory. Other values
 *   come from the system calls. cubby_strerror() gives a sentence.
 *
 * Threads and processes
 *   All functions may be called from any thread at once on one handle, unless
 *   they say otherwise. Any number of processes may use one store at once, and
 *   one process may open it several times. Handles do not survive fork(2): the
 *   child opens the store again. A process that has written keeps one thread
 *   for each store, with all signals blocked, until some seconds after the last
 *   write; a handle with CUBBY_COMPRESS_LATER that has written, another one.
 *
 * Durability
 *   Adds do not wait for the disk, but for the first one of a process while no
 *   other writes, and those that are far ahead of the disk. The thread makes
 *   the index safe against a power cut up to that point after 512 changes or
 *   after 5 seconds, and closing the last handle does. What is in files of its
 *   own (stored sizes above 16 KiB) is safe when the kernel has written it, by
 *   default after about 30 seconds; until then it may be a miss.
 *
 *   Through a handle with CUBBY_DURABLE an add returns when the entry is on the
 *   disk: its bytes first, then the index. A power cut then loses no entry that
 *   was added, unless it was deleted, evicted or replaced since, the last two
 *   by a process that has the store open without the flag. Deleting waits, too.
 *   Threads that add at the same time share what they wait for; processes do
 *   not. Other handles of the same process on this store wait for the index as
 *   well. When the disk refuses, an add gives -EIO or the disk's error, and the
 *   entry is not there; what it was to replace may be gone. A deletion gives
 * the error as well, but then the entry is gone, and may come back after a
 * power cut. Nothing counts as written because a second try was told so: it is
 *   written again before that.
 */
#ifndef CUBBY_CUBBY_H
#define CUBBY_CUBBY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CUBBY_API __attribute__((visibility("default")))
#define CUBBY_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CUBBY_API
#define CUBBY_MUST_CHECK
#endif

/* Version of this interface. */
#define CUBBY_VERSION_MAJOR 0
#define CUBBY_VERSION_MINOR 1

/* Limits. */
#define CUBBY_NAME_MAX 255  /* bytes of one name, without the end mark */
#define CUBBY_PATH_MAX 4095 /* bytes of a path in the store */
#define CUBBY_SIZE_MAX (UINT64_C(1) << 37) /* bytes of one entry: 128 GiB */

struct cubby;	     /* an open store */
struct cubby_ns;     /* a namespace of a store */
struct cubby_reader; /* the content of one entry, open for reading */
struct cubby_writer; /* an entry that is being added */
struct cubby_key_builder;

/* ------------------------------------------------------------------ keys */

#define CUBBY_KEY_SIZE 32
#define CUBBY_KEY_TEXT_SIZE 65 /* 64 hex digits and the end mark */

struct cubby_key {
	uint8_t bytes[CUBBY_KEY_SIZE];
};

/*
 * Read a key from its text form: exactly 64 lower-case hex digits.
 *
 * Returns 0, or -EINVAL when `text` is anything else.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_key_parse(const char *text,
					       struct cubby_key *ret_key);

/* Write the text form of `key` into `ret_text`. */
CUBBY_API void cubby_key_format(const struct cubby_key *key,
				char ret_text[CUBBY_KEY_TEXT_SIZE]);

/*
 * Build a key: the SHA-256 of everything that decides an output.
 *
 * cubby_key_builder_part() adds one part, preceded by its length (8 bytes,
 * little-endian), so that the parts "ab", "c" and "a", "bc" give different
 * keys. cubby_key_builder_bytes() adds bytes as they are: a key built with it
 * alone is the plain SHA-256 of the content, in as many calls as one likes.
 * cubby_key_builder_finish() gives the key and starts the builder afresh.
 *
 * Ownership: cubby_key_builder_free() frees a builder and accepts NULL.
 * Returns 0, -ENOMEM, or -EIO when OpenSSL refuses SHA-256.
 * Threads: one builder is for one thread at a time.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_key_builder_new(struct cubby_key_builder **ret_builder);
CUBBY_API CUBBY_MUST_CHECK int
cubby_key_builder_part(struct cubby_key_builder *builder, const void *data,
		       size_t size);
CUBBY_API CUBBY_MUST_CHECK int
cubby_key_builder_bytes(struct cubby_key_builder *builder, const void *data,
			size_t size);
CUBBY_API CUBBY_MUST_CHECK int
cubby_key_builder_finish(struct cubby_key_builder *builder,
			 struct cubby_key *ret_key);
CUBBY_API void cubby_key_builder_free(struct cubby_key_builder *builder);

/* ----------------------------------------------------------------- store */

enum cubby_open_flags {
	/* Make the directory and the store in it when they are missing. The
	 * parent directory must exist; a directory that is not empty and not
	 * a store is refused. */
	CUBBY_CREATE = 1,
	/* Never write: works on a read-only disk. All changes give -EROFS. */
	CUBBY_READ_ONLY = 2,
	/* Changes wait for the disk: see "Durability". Whoever else adds to or
	 * deletes from the store should do so, too. */
	CUBBY_DURABLE = 4,
	/* Adds do not wait for the compressor. Content of more than a few KiB
	 * is stored as it is at first, and compressed a moment later by a
	 * thread of the library, which starts with the first of it, takes no
	 * signals and has a low priority. Until then it takes, and counts
	 * against limits, what it is long. While 64 MiB wait for the thread, or
	 * if it cannot be started, an add compresses at once. cubby_close()
	 * waits for all of it; what still waits when the process dies stays as
	 * it is. */
	CUBBY_COMPRESS_LATER = 8,
};

/*
 * Open the store in the directory `path`.
 *
 * `flags` is a sum of enum cubby_open_flags.
 *
 * On success `*ret_store` is a handle which the caller ends with
 * cubby_close(), after everything that was opened through it.
 *
 * Returns 0, or
 *   -ENOENT           there is no store at `path` (and no CUBBY_CREATE)
 *   -ENOTDIR          `path` is not a directory
 *   -ENOTEMPTY        the directory holds something else than a store
 *   -EPROTONOSUPPORT  the store was made by a newer version
 *   -EBADMSG          the index is damaged; or it has to go back to its last
 *                     safe state, which CUBBY_READ_ONLY does not allow
 *   -EACCES, -EPERM   no permission
 *   -EROFS            the disk is read-only (and no CUBBY_READ_ONLY)
 *   -EINVAL           unknown flags, or CUBBY_READ_ONLY with others
 *   -ENOSPC, -ENOMEM, or any error of open(2) and mkdir(2)
 *
 * Durability: a new store is on the disk when this returns.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_open(const char *path, unsigned flags,
					  struct cubby **ret_store);

/*
 * Close a store. Accepts NULL. In a child after fork(2) it frees memory and
 * leaves the store alone. With CUBBY_COMPRESS_LATER, what waits to be
 * compressed is compressed before it returns: up to 64 MiB, some tenths of a
 * second.
 *
 * Threads: nobody else may be using the handle.
 * Durability: the index is made safe when this is its last handle in this
 * process and the process has written to it.
 */
CUBBY_API void cubby_close(struct cubby *store);

/* A sentence for an error of this library, never NULL, not to be freed. */
CUBBY_API const char *cubby_strerror(int r);

struct cubby_stats {
	uint64_t entries;      /* published entries */
	uint64_t directories;  /* without the root */
	uint64_t plain_files;  /* files with other than entry names */
	uint64_t raw_bytes;    /* of all entries, before compression */
	uint64_t stored_bytes; /* of all entries, as stored */
	uint64_t plain_bytes;  /* blocks of the files with other names */
	uint64_t disk_bytes;   /* all that counts against the limit: manage.h */
	uint64_t displaced; /* replaced or deleted, kept for who has it open */
	uint64_t index_bytes; /* used pages of the index */
	uint64_t quarantined; /* damaged blobs that were put aside */
};

/* Totals of a store, exact at one instant. Returns 0 or a common error. */
CUBBY_API CUBBY_MUST_CHECK int cubby_get_stats(struct cubby *store,
					       struct cubby_stats *ret_stats);

/* ------------------------------------------------------------- namespace */

/*
 * A handle for the namespace `path`: names joined by "/", relative to the
 * root of the store, which is "". A name has 1 to 255 bytes and is neither
 * "." nor "..". The namespace need not exist: it comes into being with the
 * first entry that is added, and until then every get is a miss.
 *
 * On success the caller ends `*ret_ns` with cubby_ns_close(), before the store
 * is closed. Returns 0, or -EINVAL for a malformed path, -ENAMETOOLONG for a
 * name of more than 255 bytes, -ECHILD or -ENOMEM.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_ns_open(struct cubby *store, const char *path, struct cubby_ns **ret_ns);

/* End a handle. Accepts NULL. */
CUBBY_API void cubby_ns_close(struct cubby_ns *ns);

/*
 * Get the entry `key`.
 *
 * On success `*ret_reader` gives its content, which the caller ends with
 * cubby_reader_close(). An entry of up to 1 MiB as stored has been checked
 * whole by then; of a larger one every frame is checked when it is read.
 *
 * Entries of up to 4 KiB of content that are got more than once are remembered,
 * and given from memory unless they have been replaced or deleted since, by
 * whomever. A handle of a store uses 8 MiB for that at the most.
 *
 * Returns 0, or
 *   -ENOENT   there is no such entry: a plain miss
 *   -EBADMSG  the entry was damaged. It has been put into quarantine, so the
 *             next call is a plain miss
 *   -EINVAL   (cubby_get_name) `name` is not an entry name
 *   or a common error, or one of open(2) and read(2).
 *
 * Threads: does not wait for writers.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_get(struct cubby_ns *ns,
					 const struct cubby_key *key,
					 struct cubby_reader **ret_reader);
CUBBY_API CUBBY_MUST_CHECK int cubby_get_name(struct cubby_ns *ns,
					      const char *name,
					      struct cubby_reader **ret_reader);

/*
 * Where cubby_add() takes the content from: put up to `size` bytes into
 * `buffer` and return how many, 0 at the end, or a negative errno, which
 * ends the add without effect and becomes its result.
 */
typedef ssize_t cubby_read_fn(void *cookie, void *buffer, size_t size);

/*
 * Add the entry `key`. An entry that is there is replaced atomically: a get at
 * any moment gives the old content or the new one, whole.
 *
 * `read` is called in this thread, with `cookie`, until it returns 0.
 *
 * Returns 0, or -EFBIG for more than CUBBY_SIZE_MAX bytes, -ENOTDIR when a
 * part of the namespace's path is a file, -EISDIR when the name is a
 * directory, -EBADMSG for content that is not what its name says, where that is
 * asked for (cubby_set_content()), the error of `read`, -EINVAL when `read`
 * returned more than it was asked for, a common error, or one of write(2).
 *
 * Threads: one writer of the index at a time; the others wait, for some
 * microseconds, across all processes. Compression does not wait.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_add(struct cubby_ns *ns,
					 const struct cubby_key *key,
					 cubby_read_fn *read, void *cookie);

/* The same for content that is in memory; `data` may be NULL if `size` is 0. */
CUBBY_API CUBBY_MUST_CHECK int cubby_add_bytes(struct cubby_ns *ns,
					       const struct cubby_key *key,
					       const void *data, size_t size);

/*
 * Delete the entry `key`. Deleting what is not there is no error. Who has
 * it open keeps reading.
 *
 * Returns 0 or a common error; -EINVAL as in cubby_get_name().
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_delete(struct cubby_ns *ns,
					    const struct cubby_key *key);
CUBBY_API CUBBY_MUST_CHECK int cubby_delete_name(struct cubby_ns *ns,
						 const char *name);

/* ------------------------------------------------------------ attributes */

enum cubby_kind {
	CUBBY_DIRECTORY = 1,
	CUBBY_ENTRY = 2, /* published, immutable, compressed */
	CUBBY_PLAIN = 3, /* any other file, mutable, stored as it is */
};

struct cubby_attr {
	uint64_t id;   /* of this version; never used again for another */
	uint64_t size; /* bytes of content */
	uint64_t stored_size; /* bytes that they take in the store */
	int64_t mtime_ns;     /* since 1970; of an entry, when it was added,
				 until somebody sets it */
	int64_t used_ns;      /* of an entry: when it was used last, as exactly
				 as struct cubby_limits says */
	int64_t added_ns;     /* of an entry: when it was added */
	uint32_t hits;	      /* of an entry: uses that were noted, at most one
				 for each step of used_ns */
	enum cubby_kind kind;
	uint32_t mode; /* permission bits: & 07777 */
	uint32_t uid;
	uint32_t gid;
};

/* What is known of an entry, without opening it. Returns as cubby_get(). */
CUBBY_API CUBBY_MUST_CHECK int cubby_stat(struct cubby_ns *ns,
					  const struct cubby_key *key,
					  struct cubby_attr *ret_attr);
CUBBY_API CUBBY_MUST_CHECK int cubby_stat_name(struct cubby_ns *ns,
					       const char *name,
					       struct cubby_attr *ret_attr);

/*
 * Called for one entry with its path in the store, which is valid during the
 * call only. It may call this library. Return 0 to go on; anything else ends
 * the listing and becomes its result.
 */
typedef int cubby_list_fn(void *cookie, const char *path,
			  const struct cubby_attr *attr);

/*
 * List the entries of a namespace and of all namespaces below it, in the order
 * of their paths byte by byte within each directory. An entry that is there
 * during the whole listing is given exactly once.
 *
 * Returns 0 (also when the namespace does not exist), what `fn` returned, or a
 * common error.
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_list(struct cubby_ns *ns,
					  cubby_list_fn *fn, void *cookie);

/* ---------------------------------------------------------------- reader */

/* Bytes of content. */
CUBBY_API uint64_t cubby_reader_size(const struct cubby_reader *reader);

/*
 * Read on from where the last read ended. Fills `buffer` unless the content
 * ends before.
 *
 * Returns the bytes read, 0 at the end, or -EBADMSG for damage (the entry goes
 * into quarantine), -ECHILD, -ENOMEM, or any error of read(2).
 */
CUBBY_API CUBBY_MUST_CHECK ssize_t
cubby_reader_read(struct cubby_reader *reader, void *buffer, size_t size);

/* The same at `offset`, without moving the position. */
CUBBY_API CUBBY_MUST_CHECK ssize_t
cubby_reader_pread(struct cubby_reader *reader, void *buffer, size_t size,
		   uint64_t offset);

/* End reading. Accepts NULL. */
CUBBY_API void cubby_reader_close(struct cubby_reader *reader);

/* ---------------------------------------------------------------- writer */

/*
 * Add an entry in pieces. Nobody sees it before cubby_writer_commit().
 *
 * On success the caller ends `*ret_writer` with exactly one of
 * cubby_writer_commit() and cubby_writer_abort(), before the namespace is
 * closed. Returns 0 or a common error; -EINVAL as in cubby_get_name().
 *
 * Threads: one writer is for one thread at a time.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_writer_open(struct cubby_ns *ns, const struct cubby_key *key,
		  struct cubby_writer **ret_writer);
CUBBY_API CUBBY_MUST_CHECK int
cubby_writer_open_name(struct cubby_ns *ns, const char *name,
		       struct cubby_writer **ret_writer);

/*
 * Append `size` bytes, all of them. Returns 0, or an error as cubby_add();
 * after an error only abort is of use, and commit gives the same error.
 */
CUBBY_API CUBBY_MUST_CHECK int
cubby_writer_write(struct cubby_writer *writer, const void *data, size_t size);

/* Publish the entry, and free the writer whatever the result, as cubby_add().
 */
CUBBY_API CUBBY_MUST_CHECK int cubby_writer_commit(struct cubby_writer *writer);

/* Drop the entry and free the writer. Accepts NULL. */
CUBBY_API void cubby_writer_abort(struct cubby_writer *writer);

#ifdef __cplusplus
}
#endif

#endif
