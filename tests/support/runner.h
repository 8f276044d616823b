/* SPDX-License-Identifier: MIT */
/* Running programs: real ones through the shell, and those of this project. */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a program did. `out` and `err` end with a 0 that is not counted. */
struct outcome {
	int status; /* the exit status, or 128 + the signal that ended it */
	uint8_t *out;
	size_t out_size;
	char *err;
};

/* Run `argv[0]` (a path or a name on $PATH) with `input`, and wait. */
struct outcome run(const char *const argv[], const void *input, size_t size);

void outcome_free(struct outcome *outcome);

/* Lines on stderr; one that does not end counts. */
size_t outcome_error_lines(const struct outcome *outcome);

/* Run the program `cubby` with up to five arguments, NULL for none. */
struct outcome tool(const char *command, const char *store, const char *path,
		    const void *input, size_t size);

/* Run a shell command: its exit status. */
int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, which must succeed. */
void shell_do(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a shell command prints, which must succeed; to be freed. */
char *shell_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The path of a program of this project out of the environment; it fails the
 * test when the variable is not set. */
const char *program(const char *variable);

/* Wait for a child that must end by itself with exit status 0. */
void child_must_succeed(pid_t pid);

/* Why a mount cannot know here that a writer was killed, or NULL when it can:
 * the kernel must tell how a process ended that has been reaped. */
const char *end_refusal(void);

/* fork() whose child ends when the test does. */
pid_t fork_child(void);

#endif
