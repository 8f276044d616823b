/* SPDX-License-Identifier: MIT */
#include "bounds.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is beyond is an error of typing: the tool's bound, too. */
#define SECONDS_MAX (UINT64_C(100) * 366 * 86400)

/* The number that a text begins with, and what follows it. */
static bool take_digits(const char *text, uint64_t *ret_number,
			const char **ret_rest)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	*ret_number = n;
	*ret_rest = end;
	return true;
}

bool bounds_take_size(const char *text, uint64_t *ret_size)
{
	static const char units[] = "KMGT";
	const char *unit, *rest;
	unsigned shift = 0;
	uint64_t n;

	if (strcmp(text, "none") == 0) {
		*ret_size = 0;
		return true;
	}
	if (!take_digits(text, &n, &rest))
		return false;
	unit = *rest ? strchr(units, toupper((unsigned char)*rest)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		rest++;
	}
	if (*rest || n > UINT64_MAX >> shift)
		return false;
	*ret_size = n << shift;
	return true;
}

bool bounds_take_share(const char *text, uint64_t *ret_size,
		       uint32_t *ret_percent)
{
	const char *rest;
	uint64_t n;

	if (!take_digits(text, &n, &rest) || strcmp(rest, "%") != 0) {
		*ret_percent = 0;
		return bounds_take_size(text, ret_size);
	}
	*ret_size = 0;
	*ret_percent = (uint32_t)n;
	return n <= 99;
}

static uint64_t seconds_of(const char *unit)
{
	if (!*unit || unit[1])
		return 0;
	switch (*unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	default:
		return 0;
	}
}

bool bounds_take_time(const char *text, uint64_t *ret_seconds)
{
	uint64_t n, factor;
	const char *rest;

	if (strcmp(text, "none") == 0 || strcmp(text, "0") == 0) {
		*ret_seconds = 0;
		return true;
	}
	if (!take_digits(text, &n, &rest))
		return false;
	factor = seconds_of(rest);
	if (factor == 0 || n > SECONDS_MAX / factor)
		return false;
	*ret_seconds = n * factor;
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

bool bounds_are_given(const struct bounds *bounds)
{
	return bounds->has_max_size || bounds->has_min_free ||
	       bounds->has_max_entry || bounds->has_max_age ||
	       bounds->has_policy;
}

int bounds_apply(const struct bounds *bounds, struct cubby *store)
{
	const struct cubby_limits *given = &bounds->limits;
	struct cubby_limits limits;
	int r;

	if (!bounds_are_given(bounds))
		return 0;
	r = cubby_get_limits(store, &limits);
	if (r < 0)
		return r;
	if (bounds->has_max_size)
		limits.max_size = given->max_size;
	if (bounds->has_min_free) {
		limits.min_free = given->min_free;
		limits.min_free_percent = given->min_free_percent;
	}
	if (bounds->has_max_entry)
		limits.max_entry = given->max_entry;
	if (bounds->has_max_age)
		limits.max_age_s = given->max_age_s;
	if (bounds->has_policy)
		limits.policy = given->policy;
	r = cubby_set_limits(store, &limits);
	/* Whose limit was too low before has not asked for it now. */
	return r == -EFBIG && !bounds->has_max_size ? 0 : r;
}
