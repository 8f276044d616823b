/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cubby/tree.h"
#include "format/name.h"

enum {
	DIGITS_MIN = 32,
	DIGITS_MAX = 128,
	SUFFIX_MAX = 8,
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
