/* SPDX-License-Identifier: MIT */
/* Tests that only differ in how often they try: see scripts/test --deep. */
#ifndef TESTS_DEEP_H
#define TESTS_DEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "scratch.h"

/* How long the quick and the deep form of a storm may take, however slow the
 * machine is. It says how far it came. */
enum { STORM_MS = 55000, STORM_DEEP_MS = 10800000 };

static inline bool is_deep(void)
{
	const char *value = getenv("DEEP");

	return value && *value;
}

/* How often: `quick`, or with DEEP=1 in the environment `deep`. */
static inline unsigned often(unsigned quick, unsigned deep)
{
	return is_deep() ? deep : quick;
}

/* Is it to go on, after `done` of `number`? */
static inline bool storm_goes_on(unsigned done, unsigned number,
				 int64_t begin_ms)
{
	const int limit_ms = is_deep() ? STORM_DEEP_MS : STORM_MS;

	return done < number && (done == 0 || now_ms() - begin_ms < limit_ms);
}

#endif
