/* SPDX-License-Identifier: MIT */
#include "bounds.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool bounds_take_size(const char *text, uint64_t *ret_size)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift = 0;
	unsigned long long n;
	char *end;

	if (strcmp(text, "none") == 0) {
		*ret_size = 0;
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (errno || *end || n > UINT64_MAX >> shift)
		return false;
	*ret_size = (uint64_t)n << shift;
	return true;
}

bool bounds_take_policy(const char *text, enum cubby_policy *ret_policy)
{
	if (strcmp(text, "lru") == 0)
		*ret_policy = CUBBY_LRU;
	else if (strcmp(text, "gdsf") == 0)
		*ret_policy = CUBBY_GDSF;
	else
		return false;
	return true;
}

int bounds_apply(const struct bounds *bounds, struct cubby *store)
{
	struct cubby_limits limits;
	int r;

	if (!bounds->has_max_size && !bounds->has_policy)
		return 0;
	r = cubby_get_limits(store, &limits);
	if (r < 0)
		return r;
	if (bounds->has_max_size)
		limits.max_size = bounds->max_size;
	if (bounds->has_policy)
		limits.policy = bounds->policy;
	return cubby_set_limits(store, &limits);
}
