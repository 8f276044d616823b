/* SPDX-License-Identifier: MIT */
/*
 * What wrap_heap.c does, in front of the C library's own allocations: for a
 * program without AddressSanitizer. One thread, as pthread_create() fails.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

/* Of the C library, for who puts something in front of it. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

static size_t heap_bytes;

size_t fault_heap_bytes(void)
{
	return heap_bytes;
}

static bool fails(const char *name, const void *caller)
{
	int error;

	if (!fault_hits(FAULT_HEAP, name, caller, false, &error))
		return false;
	errno = ENOMEM;
	return true;
}

static void *counted(void *at)
{
	heap_bytes += malloc_usable_size(at); /* 0 of NULL */
	return at;
}

EXPORT void free(void *old)
{
	heap_bytes -= malloc_usable_size(old);
	__libc_free(old);
}

EXPORT void *malloc(size_t size)
{
	return fails("malloc", CALLER) ? NULL : counted(__libc_malloc(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
	return fails("calloc", CALLER) ? NULL
				       : counted(__libc_calloc(count, size));
}

EXPORT void *realloc(void *old, size_t size)
{
	const size_t before = malloc_usable_size(old);
	void *moved;

	if (fails("realloc", CALLER))
		return NULL;
	moved = counted(__libc_realloc(old, size));
	if (moved)
		heap_bytes -= before;
	return moved;
}

EXPORT char *strdup(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}
