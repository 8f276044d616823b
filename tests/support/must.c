/* SPDX-License-Identifier: MIT */
/* Assertions: see must.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "must.h"

/* The process that the test began in: a forked child must not speak to the
 * test framework, it would be taken for its parent. */
static pid_t home;

__attribute__((constructor)) static void home_init(void)
{
	home = getpid();
}

const char *must_show(long long value)
{
	static char texts[4][64];
	static unsigned next;
	char *text = texts[next++ % 4];
	const char *name = NULL;

	if (value < 0 && value > -4096)
		name = strerrorname_np((int)-value);
	if (name)
		(void)snprintf(text, sizeof(texts[0]), "%lld (%s)", value,
			       name);
	else
		(void)snprintf(text, sizeof(texts[0]), "%lld", value);
	return text;
}

void must_fail(const char *file, int line, const char *format, ...)
{
	char what[1024];
	char message[1400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)snprintf(message, sizeof(message), "%s:%d: %s", file, line, what);
	if (getpid() == home)
		verdict_fail(message);
	(void)fprintf(stderr, "%s\n", message);
	_exit(1);
}
