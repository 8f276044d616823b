/* SPDX-License-Identifier: MIT */
/* Tests that only differ in how often they try: see scripts/test --deep. */
#ifndef TESTS_DEEP_H
#define TESTS_DEEP_H

#include <stdlib.h>

/* How often: `quick`, or with DEEP=1 in the environment `deep`. */
static inline unsigned often(unsigned quick, unsigned deep)
{
	const char *value = getenv("DEEP");

	return value && *value ? deep : quick;
}

#endif
