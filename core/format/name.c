/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"

enum {
	DIGITS_MIN = 32,
	DIGITS_MAX = 128,
	SUFFIX_MAX = 8,
	/* In a key of the index; no name begins with the mark. */
	PACKED_DIGITS = 64,
	PACKED_SIZE = PACKED_DIGITS / 2,
	PACKED_MARK = 0,
};

static const char digits[] = "0123456789abcdef";
static const char suffix_letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";

bool name_is_entry(const char *name)
{
	size_t size = strspn(name, digits);

	if (size < DIGITS_MIN || size > DIGITS_MAX)
		return false;
	name += size;
	if (*name == '\0')
		return true;
	if (*name++ != '-')
		return false;
	size = strspn(name, suffix_letters);
	return size >= 1 && size <= SUFFIX_MAX && name[size] == '\0';
}

bool cubby_name_is_entry(const char *name)
{
	return name_is_entry(name);
}

bool name_take_digest(const char *name, struct cubby_key *ret_digest)
{
	char text[CUBBY_KEY_TEXT_SIZE];

	if (strspn(name, digits) != CUBBY_KEY_TEXT_SIZE - 1)
		return false;
	memcpy(text, name, CUBBY_KEY_TEXT_SIZE - 1);
	name += CUBBY_KEY_TEXT_SIZE - 1;
	if (*name != '\0' && strcmp(name, "-d") != 0)
		return false;
	text[CUBBY_KEY_TEXT_SIZE - 1] = '\0';
	return cubby_key_parse(text, ret_digest) == 0;
}

int name_verify(const char *name, size_t size)
{
	if (size > CUBBY_NAME_MAX)
		return -ENAMETOOLONG;
	if (size == 0 || memchr(name, '/', size) || memchr(name, '\0', size))
		return -EINVAL;
	if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
		return -EINVAL;
	return 0;
}

/* Above 15 when it is not a digit. A table: a digit is one or the other by
 * chance, and a branch would be taken wrongly for half of them. */
static unsigned digit_value(char digit)
{
	static const uint8_t values[UINT8_MAX + 1] = {
		['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,
		['4'] = 5,  ['5'] = 6,	['6'] = 7,  ['7'] = 8,
		['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	};

	return values[(uint8_t)digit] - 1U;
}

size_t name_pack(const char *name, size_t size,
		 uint8_t ret_packed[NAME_PACKED_MAX])
{
	uint8_t *to = ret_packed;

	CHECK(size <= CUBBY_NAME_MAX);
	*to++ = PACKED_MARK;
	for (size_t i = 0; size >= PACKED_DIGITS && i < PACKED_DIGITS; i += 2) {
		unsigned high = digit_value(name[i]);
		unsigned low = digit_value(name[i + 1]);

		if (high > 15 || low > 15)
			break;
		*to++ = (uint8_t)(high << 4 | low);
	}
	if (to != ret_packed + 1 + PACKED_SIZE) {
		memcpy(ret_packed, name, size);
		return size;
	}
	memcpy(to, name + PACKED_DIGITS, size - PACKED_DIGITS);
	return 1 + PACKED_SIZE + size - PACKED_DIGITS;
}

ssize_t name_unpack(const void *packed, size_t size,
		    char ret_name[CUBBY_NAME_MAX])
{
	const uint8_t *from = packed;
	size_t rest;

	if (size == 0 || size > CUBBY_NAME_MAX)
		return -EBADMSG;
	if (*from != PACKED_MARK) {
		memcpy(ret_name, packed, size);
		return (ssize_t)size;
	}
	if (size < 1 + PACKED_SIZE)
		return -EBADMSG;
	rest = size - 1 - PACKED_SIZE;
	if (rest > CUBBY_NAME_MAX - PACKED_DIGITS)
		return -EBADMSG;
	from++;
	for (size_t i = 0; i < PACKED_SIZE; i++) {
		ret_name[2 * i] = digits[from[i] >> 4];
		ret_name[2 * i + 1] = digits[from[i] & 15];
	}
	memcpy(ret_name + PACKED_DIGITS, from + PACKED_SIZE, rest);
	return (ssize_t)(PACKED_DIGITS + rest);
}

long name_next(const char **path, const char **ret_name)
{
	const char *name = *path;
	size_t size = strcspn(name, "/");
	int r;

	if (*name == '\0')
		return 0;
	r = name_verify(name, size);
	if (r < 0)
		return r;
	if (name[size] == '/' && name[size + 1] == '\0')
		return -EINVAL; /* a slash at the end names nothing */
	*path = name + size + (name[size] == '/');
	*ret_name = name;
	return (long)size;
}
