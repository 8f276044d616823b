/* SPDX-License-Identifier: MIT */
/*
 * The index: everything that has a name, in one LMDB environment. This header
 * is the transactions; the tables are in nodes.h, meta.h and displaced.h. How
 * it survives a power cut is told in steady.h, and a full disk in extent.h.
 *
 * A read transaction sees one instant and waits for nobody. Write transactions
 * are one at a time across all processes; a process that dies in one leaves
 * nothing. Pointers into the index end with the transaction.
 *
 * Errors are those of cubby.h: -ENOENT for what is not there, -ENOSPC also when
 * the index has reached its size limit, -EBADMSG for damage.
 */
#ifndef CUBBY_INDEX_H
#define CUBBY_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "cubby/cubby.h"

struct index;
struct index_txn;

/*
 * Open the index in `path`, an existing directory, as a shared handle: the
 * same directory opened twice in one process is one environment, as LMDB
 * demands. `format` says to make the tables when they are missing.
 *
 * Returns 0, -ENOENT when there is no index, -EPROTONOSUPPORT, -EBADMSG,
 * -EBUSY when this process has it open for reading only, or an error of
 * open(2).
 */
CUBBY_MUST_CHECK int index_open(const char *path, bool read_only, bool format,
				struct index **ret_index);
/* Accepts NULL. The last handle syncs what was not yet, and ends the thread
 * that the first commit starts. */
void index_close(struct index *index);

/* Put everything that is committed on the disk: it survives a power cut. */
CUBBY_MUST_CHECK int index_sync(struct index *index);

/*
 * From now on every commit of this process waits until it is on the disk.
 * Those of several threads wait for one checkpoint. A commit that is done stays
 * done when the disk refuses it, and index_commit() gives 0, since who named a
 * file must not delete it then: index_verify_durable() gives the error, until a
 * later checkpoint has put all of it on the disk.
 */
void index_set_durable(struct index *index);
CUBBY_MUST_CHECK int index_verify_durable(struct index *index);

/*
 * After how many commits a checkpoint is due, 1 to INDEX_PACE_MAX, which is the
 * default: pages that they free cannot be used again before it. Meant are adds
 * with an eviction at their worst: of commits that free less it is more, but
 * INDEX_PACE_MAX in any case.
 * Returns by how many bytes the data file may be longer then than what it
 * holds, about.
 */
enum { INDEX_PACE_MAX = 512 };
uint64_t index_set_pace(struct index *index, unsigned commits);

/* The id of the last committed write transaction, of any process; costs no
 * system call. */
uint64_t index_version(struct index *index);

/* The id of the last write transaction that a read transaction sees. */
uint64_t index_seen_version(struct index_txn *txn);

/* Bytes of all pages, of which some may be free; the file is a little longer.
 */
uint64_t index_bytes(struct index *index);

/* Bytes of disk that the data file takes; it never becomes shorter. */
uint64_t index_file_bytes(struct index *index);

/* Bytes of the pages that hold something, as the transaction sees them. */
CUBBY_MUST_CHECK int index_live_bytes(struct index_txn *txn,
				      uint64_t *ret_bytes);

CUBBY_MUST_CHECK int index_read(struct index *index,
				struct index_txn **ret_txn);
CUBBY_MUST_CHECK int index_write(struct index *index,
				 struct index_txn **ret_txn);

/* Is the disk so full that a write transaction can delete, but not add? */
bool index_is_full(struct index_txn *txn);

/* Commit a write transaction. The transaction is freed whatever the result. */
CUBBY_MUST_CHECK int index_commit(struct index_txn *txn);
/* End a read transaction, or drop a write transaction. Accepts NULL. */
void index_end(struct index_txn *txn);

static inline void index_end_scoped(struct index_txn **txn)
{
	index_end(*txn);
}
#define SCOPED_TXN __attribute__((cleanup(index_end_scoped)))

/*
 * Has this process been forked since `generation` was taken? Handles of the
 * parent must not be used then.
 */
unsigned index_fork_generation(void);

#endif
