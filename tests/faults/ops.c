/* SPDX-License-Identifier: MIT */
#include "ops.h"
#include "base/base.h"

static const struct {
	const struct op *ops;
	const size_t *count;
} all[] = {
	{cache_ops, &cache_ops_count},	 {limit_ops, &limit_ops_count},
	{later_ops, &later_ops_count},	 {tree_ops, &tree_ops_count},
	{upkeep_ops, &upkeep_ops_count}, {report_ops, &report_ops_count},
};

size_t op_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		count += *all[i].count;
	return count;
}

const struct op *op_at(size_t index)
{
	size_t i = 0;

	for (; index >= *all[i].count; i++)
		index -= *all[i].count;
	return &all[i].ops[index];
}
