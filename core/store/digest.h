/* SPDX-License-Identifier: MIT */
/*
 * Content that must hash to its name, because a directory above says so
 * (cubby_set_content()). Whoever has the content hands it through a digest,
 * which costs nothing where nobody asks for it.
 *
 * What is asked for is looked up when the content begins: a setting holds for
 * the adds that begin after it.
 */
#ifndef CUBBY_DIGEST_H
#define CUBBY_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "cubby/manage.h"
#include "index/index.h"

struct digest {
	struct cubby_key_builder *builder; /* NULL: nothing is asked for */
	struct cubby_key expected;
};

/* What holds for entries directly in the directory `dir`: what the nearest
 * directory says, beginning with itself. */
CUBBY_MUST_CHECK int digest_rule(struct index_txn *txn, uint64_t dir,
				 enum cubby_content *ret_content);

/* Begin the content of the entry `name` in `dir`. The caller ends with
 * digest_done(), whatever the result. */
CUBBY_MUST_CHECK int digest_begin(struct digest *digest, struct index_txn *txn,
				  uint64_t dir, const char *name);
/* The next bytes. */
CUBBY_MUST_CHECK int digest_take(struct digest *digest, const void *data,
				 size_t size);
/* That was all. Returns 0, -EBADMSG when it is not what the name says, or -EIO
 * of OpenSSL. */
CUBBY_MUST_CHECK int digest_verify(struct digest *digest);

/* May be called again, and on zeroes. */
void digest_done(struct digest *digest);
#define SCOPED_DIGEST __attribute__((cleanup(digest_done)))

#endif
