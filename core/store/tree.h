/* SPDX-License-Identifier: MIT */
#ifndef CUBBY_STORE_TREE_H
#define CUBBY_STORE_TREE_H

#include <stdint.h>

#include "cubby/cubby.h"
#include "format/record.h"
#include "store/store.h"

/* The attributes of a node; those of a plain file are of its file now. */
void tree_attr(struct cubby *store, uint64_t id, const struct record *record,
	       struct cubby_attr *ret_attr);

#endif
