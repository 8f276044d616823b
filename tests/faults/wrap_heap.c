/* SPDX-License-Identifier: MIT */
/*
 * The allocations of the core and of the libraries below it, in front of those
 * of AddressSanitizer, to which they go on. This file must not call a function
 * of the C library that allocates.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

static bool fails(const char *name, const void *caller)
{
	int error;

	if (!fault_hits(FAULT_HEAP, name, caller, false, &error))
		return false;
	errno = ENOMEM;
	return true;
}

EXPORT void *malloc(size_t size)
{
	static void *(*real)(size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "malloc");
	return fails("malloc", CALLER) ? NULL : real(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	static void *(*real)(size_t, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "calloc");
	return fails("calloc", CALLER) ? NULL : real(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	static void *(*real)(void *, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "realloc");
	return fails("realloc", CALLER) ? NULL : real(old, size);
}

EXPORT char *strdup(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}
