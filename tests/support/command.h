/* SPDX-License-Identifier: MIT */
/* The program `cubby` in tests: run it, and look at what it says. */
#ifndef TESTS_COMMAND_H
#define TESTS_COMMAND_H

#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "must.h"
#include "runner.h"

/* Run cubby with these words, the last NULL; it must end so, and say a line
 * exactly when it is an error. */
struct outcome cubby(int status, const char *word, ...);

#define DO(...)                                                                \
	do {                                                                   \
		struct outcome done = cubby(0, __VA_ARGS__, NULL);             \
		outcome_free(&done);                                           \
	} while (0)

/* It is an error whose line has this in it, and nothing is printed. */
#define REFUSED(text, ...)                                                     \
	do {                                                                   \
		struct outcome done = cubby(2, __VA_ARGS__, NULL);             \
		if (!strstr(done.err, text) || done.out_size > 0)              \
			must_fail(__FILE__, __LINE__, "no '%s' in: %s", text,  \
				  done.err);                                   \
		outcome_free(&done);                                           \
	} while (0)

/* It prints something with this in it. */
#define PRINTS(text, ...)                                                      \
	do {                                                                   \
		struct outcome done = cubby(0, __VA_ARGS__, NULL);             \
		if (!strstr((char *)done.out, text))                           \
			must_fail(__FILE__, __LINE__, "no '%s' in: %s", text,  \
				  (char *)done.out);                           \
		outcome_free(&done);                                           \
	} while (0)

/* Python reads the output as `d`, and the assertion holds. */
void json_holds(struct outcome got, const char *assertion);

#define NEED_PYTHON()                                                          \
	do {                                                                   \
		if (shell("command -v python3") != 0)                          \
			cr_skip_test("python3 is missing");                    \
	} while (0)

/* Entries in a directory; those of noise of 100,000 bytes. */
void fill(const struct box *box, unsigned from, unsigned count);

/* A store where there were hits, misses and evictions. */
void make_busy(struct box *box);

#endif
