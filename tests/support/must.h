/* SPDX-License-Identifier: MIT */
/*
 * Assertions of the tests: they say what was expected and what came, and end
 * the test. They work in criterion tests, in the plain programs, and in the
 * children that either forks (there they end the child with status 1).
 *
 * Threads: in a thread other than the first of a criterion test, return the
 * finding and assert after the join.
 */
#ifndef TESTS_MUST_H
#define TESTS_MUST_H

#include <errno.h>
#include <string.h>

/* End the test as failed. */
_Noreturn void must_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The other half of must_fail(), one for each kind of program: end the test
 * with a message. Called in the process that the test began in only. */
_Noreturn void verdict_fail(const char *message);

/* "-2 (ENOENT)" for results and plain numbers alike; static storage. */
const char *must_show(long long value);

/* clang-format off */
#define MUST(condition)                                                        \
	do {                                                                   \
		errno = 0;                                                     \
		if (!(condition))                                              \
			must_fail(__FILE__, __LINE__, "not so: %s (errno: %s)",\
				  #condition, strerror(errno));                \
	} while (0)

/* A number is the wanted one; for results of the library and for sizes. */
#define MUST_BE(got, want)                                                     \
	do {                                                                   \
		long long must_got = (long long)(got);                         \
		long long must_want = (long long)(want);                       \
		if (must_got != must_want)                                     \
			must_fail(__FILE__, __LINE__,                          \
				  "%s is %s, expected %s", #got,               \
				  must_show(must_got), must_show(must_want));  \
	} while (0)

/* A function of the library succeeds. */
#define MUST_DO(call) MUST_BE(call, 0)

/* A system call fails, and with this error. */
#define MUST_FAIL(call, error)                                                 \
	do {                                                                   \
		errno = 0;                                                     \
		if ((call) != -1 || errno != (error))                          \
			must_fail(__FILE__, __LINE__, "%s: %s, expected %s",   \
				  #call, strerror(errno), strerror(error));    \
	} while (0)
/* clang-format on */

#endif
