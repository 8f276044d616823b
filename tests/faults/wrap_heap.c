/* SPDX-License-Identifier: MIT */
/*
 * The allocations of the core and of the libraries below it, in front of those
 * of AddressSanitizer, to which they go on. This file must not call a function
 * of the C library that allocates.
 *
 * But for large blocks: LMDB takes 3 MiB for each environment and hardly
 * touches them, while AddressSanitizer marks every byte, which took two thirds
 * of the time of a trial. They come from the kernel, and are counted here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

/* Of AddressSanitizer. (dlsym() cannot be used: it frees.) */
void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *old, size_t size);
void __interceptor_free(void *old);
size_t __sanitizer_get_current_allocated_bytes(void);

static bool fails(const char *name, const void *caller)
{
	int error;

	if (!fault_hits(FAULT_HEAP, name, caller, false, &error))
		return false;
	errno = ENOMEM;
	return true;
}

enum { LARGE = 1 << 20, LARGE_MAX = 16 };

static struct {
	void *at;
	size_t size;
} large[LARGE_MAX];

static size_t large_bytes;

size_t fault_heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes() + large_bytes;
}

/* Zeroes; NULL when there are too many. Not through mmap(), which is counted as
 * a system call. */
static void *large_new(size_t size)
{
	for (int i = 0; i < LARGE_MAX; i++) {
		long at;

		if (large[i].at)
			continue;
		at = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == -1)
			return NULL;
		large[i].at = (void *)at;
		large[i].size = size;
		large_bytes += size;
		return large[i].at;
	}
	return NULL;
}

static int large_find(const void *at)
{
	for (int i = 0; at && i < LARGE_MAX; i++)
		if (large[i].at == at)
			return i;
	return -1;
}

EXPORT void free(void *old)
{
	const int i = large_find(old);

	if (i < 0) {
		__interceptor_free(old);
		return;
	}
	(void)syscall(SYS_munmap, old, large[i].size);
	large_bytes -= large[i].size;
	large[i].at = NULL;
}

EXPORT void *malloc(size_t size)
{
	if (fails("malloc", CALLER))
		return NULL;
	return size >= LARGE ? large_new(size) : __interceptor_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (fails("calloc", CALLER))
		return NULL;
	if (size > 0 && count >= LARGE / size && count < SIZE_MAX / size)
		return large_new(count * size);
	return __interceptor_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	const int i = large_find(old);
	void *moved;

	if (fails("realloc", CALLER))
		return NULL;
	if (i < 0)
		return __interceptor_realloc(old, size);
	moved = large_new(size);
	if (moved) {
		memcpy(moved, old, size < large[i].size ? size : large[i].size);
		free(old);
	}
	return moved;
}

EXPORT char *strdup(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}
