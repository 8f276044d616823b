/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void message(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	fputs("cubbyfs: ", stderr);
	for (const char *c = text ? text : "no memory"; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			fprintf(stderr, "\\x%02X", (unsigned)*c);
		else
			fputc(*c, stderr);
	}
	fputc('\n', stderr);
	free(text);
}

int message_init(void)
{
	/* The wrong way round, so that using one fails as it should. */
	static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", flags[fd]) != fd)
			return -errno;
	return 0;
}
