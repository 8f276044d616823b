/* SPDX-License-Identifier: MIT */
/*
 * A directory for what a test makes: under $TMPDIR or /tmp, one per process,
 * removed by the guardian however the test ends. And what tests do with files.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_PATH = 512 };

/* The directory; made at the first call. */
const char *scratch(void);

/* Remove it; the next call makes another. For the end of a test. */
void scratch_end(void);

/* `format` filled in; to be freed. */
char *text_new(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A path in the scratch directory; to be freed. */
char *scratch_path(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Make a directory in the scratch directory; its path, to be freed. */
char *scratch_dir(const char *name);

/* Write a whole file, making or truncating it: open, write, close. */
void file_write(const char *path, const void *data, size_t size);

/* Read a whole file; `*ret_size` may be NULL. To be freed. The byte after the
 * content is 0. NULL with errno when it cannot be opened or read. */
uint8_t *file_read(const char *path, size_t *ret_size);

/* The file holds exactly these bytes. */
bool file_is(const char *path, const void *data, size_t size);

/* Change one byte of a file, keeping its size. */
void file_flip(const char *path, int64_t offset);

/* How many files are in `path` and below, and their paths in `ret_paths`,
 * which may be NULL, and which hold at most `max`; each to be freed. */
size_t files_below(const char *path, char **ret_paths, size_t max);

/* Milliseconds that only go forward. */
int64_t now_ms(void);

/* Let others run for a moment: for the body of a loop that polls. */
void pause_ms(int ms);

/*
 * Repeat until `condition` holds, for at most `ms`: the value is whether it
 * came to hold.
 */
#define WITHIN_MS(ms, condition)                                               \
	__extension__({                                                        \
		int64_t within_end = now_ms() + (ms);                          \
		bool within_done;                                              \
		while (!(within_done = (condition)) && now_ms() < within_end)  \
			pause_ms(2);                                           \
		within_done;                                                   \
	})

/* Look again and again for `ms`: the value is whether it held all the time. */
#define ALL_THE_WHILE_MS(ms, condition)                                        \
	__extension__({                                                        \
		int64_t while_end = now_ms() + (ms);                           \
		bool while_held;                                               \
		while ((while_held = (condition)) && now_ms() < while_end)     \
			pause_ms(5);                                           \
		while_held;                                                    \
	})

#endif
