/* SPDX-License-Identifier: MIT */
/*
 * Memory that a criterion test has lost. Criterion takes no notice of the check
 * that AddressSanitizer makes at the end of the process, nor of an assertion in
 * a .fini: so this is called there, and ends the test by a crash.
 */
#ifndef TESTS_LEAKS_H
#define TESTS_LEAKS_H

#include <stdlib.h>

/* Of the sanitizer, in a build that has it. */
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

static inline void leaks_check(void)
{
	if (__lsan_do_recoverable_leak_check &&
	    __lsan_do_recoverable_leak_check() != 0)
		abort();
}

#endif
