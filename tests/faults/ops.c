/* SPDX-License-Identifier: MIT */
#include "ops.h"

size_t op_count(void)
{
	return cache_ops_count + limit_ops_count + tree_ops_count;
}

const struct op *op_at(size_t index)
{
	if (index < cache_ops_count)
		return &cache_ops[index];
	index -= cache_ops_count;
	return index < limit_ops_count ? &limit_ops[index]
				       : &tree_ops[index - limit_ops_count];
}
