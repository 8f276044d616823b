/* SPDX-License-Identifier: MIT */
#ifndef CUBBY_NAMESPACE_H
#define CUBBY_NAMESPACE_H

#include "store/encoder.h"
#include "store/hot.h"
#include "store/store.h"

struct cubby_ns {
	struct cubby *store;
	char *path; /* resolved anew when anything has changed: it may come
		       and go */
	struct hot_place place;
};

/* May the handle be used, and is `name` an entry name? Returns 0, -ECHILD,
 * -EINVAL. */
CUBBY_MUST_CHECK int namespace_verify(const struct cubby_ns *ns,
				      const char *name);

/* Begin the digest of an entry to be added as `name`. */
CUBBY_MUST_CHECK int namespace_begin_digest(struct cubby_ns *ns,
					    const char *name,
					    struct digest *digest);

/* Finish an encoder and publish what it made as `name`. */
CUBBY_MUST_CHECK int namespace_publish(struct cubby_ns *ns, const char *name,
				       struct encoder *encoder);

#endif
