/* SPDX-License-Identifier: MIT */
/* How a plain program fails: it says so and ends. */
#include <stdio.h>
#include <unistd.h>

#include "must.h"

void verdict_fail(const char *message)
{
	(void)printf("not ok - %s\n", message);
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s\n", message);
	_exit(1);
}
