/* SPDX-License-Identifier: MIT */
/* Names, paths and keys, as clients give them. */
#include <errno.h>
#include <string.h>

#include "cubby/cubby.h"
#include "format/name.h"
#include "fuzz.h"

static void walk(const char *text)
{
	const char *path = text;
	const char *name;
	long size;

	while ((size = name_next(&path, &name)) > 0) {
		HOLDS(size <= CUBBY_NAME_MAX && path > name);
		HOLDS(name_verify(name, (size_t)size) == 0);
		HOLDS(memchr(name, '/', (size_t)size) == NULL);
	}
	HOLDS(size == 0 || size == -EINVAL || size == -ENAMETOOLONG);
	HOLDS(size < 0 || path == text + strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char again[CUBBY_KEY_TEXT_SIZE];
	struct cubby_key key;
	int r;

	HOLDS(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	r = name_verify(text, size);
	HOLDS(r == 0 || r == -EINVAL || r == -ENAMETOOLONG);
	if (r == 0)
		HOLDS(size >= 1 && size <= CUBBY_NAME_MAX &&
		      !memchr(text, '/', size) && !memchr(text, 0, size));
	/* An entry's name is a name, and says nothing about paths. */
	if (name_is_entry(text))
		HOLDS(name_verify(text, strlen(text)) == 0 &&
		      strlen(text) >= 32 && !strpbrk(text, "/. "));
	if (cubby_key_parse(text, &key) == 0) {
		cubby_key_format(&key, again);
		HOLDS(strcmp(text, again) == 0 && name_is_entry(text));
	}
	walk(text);
	free(text);
	return 0;
}
