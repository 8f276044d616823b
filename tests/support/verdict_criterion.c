/* SPDX-License-Identifier: MIT */
/* How a criterion test fails: by a fatal assertion of criterion. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "must.h"

void verdict_fail(const char *message)
{
	cr_assert_fail("%s", message);
	abort(); /* not reached */
}
