/* SPDX-License-Identifier: MIT */
/*
 * Content that tells which version of an entry it is, and whether it is whole:
 * the number of the version again and again, as often as the number says.
 */
#ifndef TESTS_VERSION_H
#define TESTS_VERSION_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes of a version. One in eight is that large, the others are of a
 * few pages. */
enum { VERSION_BYTES_MAX = 300000 };

/* Its content; to be freed. */
uint64_t *version_new(uint64_t version, size_t *ret_size);

/* Which version is this? Fails the test if it is not one, whole and alone. */
uint64_t version_check(const void *content, size_t size);

#endif
