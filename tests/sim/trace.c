/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"

/*
 * Up to this many stored bytes an entry is in the index, beside a record and
 * two keys; a larger one is a file, which takes whole blocks.
 */
enum { SMALL_MAX = 16320, RECORD = 150, BLOCK = 4096 };

uint64_t trace_cost(uint64_t stored)
{
	if (stored <= SMALL_MAX)
		return stored + RECORD;
	return (stored + BLOCK - 1) / BLOCK * BLOCK + RECORD;
}

struct trace *trace_new(const char *name)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	MUST(trace);
	(void)snprintf(trace->name, sizeof(trace->name), "%s", name);
	return trace;
}

void trace_add(struct trace *trace, struct event event)
{
	if (trace->count == trace->space) {
		trace->space = trace->space ? trace->space * 2 : 1024;
		trace->events = realloc(trace->events,
					trace->space * sizeof(*trace->events));
		MUST(trace->events);
	}
	trace->events[trace->count++] = event;
	if (event.key >= trace->keys)
		trace->keys = event.key + 1;
	if (event.needs != KEY_NONE && event.needs >= trace->keys)
		trace->keys = event.needs + 1;
}

void trace_end(struct trace *trace)
{
	uint64_t *largest = calloc(trace->keys + 1, sizeof(*largest));
	uint32_t *next = malloc((trace->keys + 1) * sizeof(*next));

	MUST(largest && next);
	memset(next, 0xff, (trace->keys + 1) * sizeof(*next));
	trace->footprint = 0;
	for (size_t i = trace->count; i-- > 0;) {
		struct event *event = &trace->events[i];

		event->next = next[event->key];
		if (event->op == OP_GET)
			next[event->key] = (uint32_t)i;
		if (event->cost > largest[event->key]) {
			trace->footprint += event->cost - largest[event->key];
			largest[event->key] = event->cost;
		}
	}
	free(largest);
	free(next);
}

/* The file, or what zstd makes of it, on a descriptor. */
static FILE *content_open(const char *path, pid_t *ret_child)
{
	size_t length = strlen(path);
	FILE *file;
	int ends[2];

	*ret_child = 0;
	if (length < 4 || strcmp(path + length - 4, ".zst") != 0)
		return fopen(path, "r");
	MUST(pipe(ends) == 0);
	*ret_child = fork();
	MUST(*ret_child >= 0);
	if (*ret_child == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execlp("zstd", "zstd", "-qdc", "--long=27", "--", path,
			     (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	file = fdopen(ends[0], "r");
	MUST(file);
	return file;
}

_Noreturn static void bad(const char *path, size_t line, const char *why)
{
	(void)fprintf(stderr, "cubby_sim: %s:%zu: %s\n", path, line, why);
	exit(1);
}

static struct event event_parse(const char *path, size_t line, const char *text)
{
	static const char *const names[] = {"get", "add", "touch", "delete"};
	struct event event = {.needs = KEY_NONE, .next = EVENT_NONE};
	uint64_t size;
	char op[8];

	if (sscanf(text, "%" SCNu64 " %" SCNu32 " %" SCNu64 " %7s %" SCNu32,
		   &event.time_ms, &event.key, &size, op, &event.needs) < 4 ||
	    event.key == KEY_NONE)
		bad(path, line, "not `time_ms key size op [needs]`");
	event.cost = trace_cost(size);
	for (unsigned i = 0; i < 4; i++) {
		if (strcmp(op, names[i]) == 0) {
			event.op = (enum op)i;
			return event;
		}
	}
	bad(path, line, "no such op");
}

/* "DIR/go.zst" is the trace "go". */
static void name_of_path(char *name, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strcspn(base, ".");

	if (length > size - 1)
		length = size - 1;
	memcpy(name, base, length);
	name[length] = '\0';
}

struct trace *trace_read(const char *path)
{
	char line[128], name[32];
	struct trace *trace;
	uint64_t before = 0;
	int status = 0;
	FILE *file;
	pid_t child;

	name_of_path(name, sizeof(name), path);
	trace = trace_new(name);
	file = content_open(path, &child);
	if (!file)
		bad(path, 0, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		struct event event = event_parse(path, trace->count + 1, line);

		if (event.time_ms < before)
			bad(path, trace->count + 1, "goes back in time");
		before = event.time_ms;
		trace_add(trace, event);
	}
	(void)fclose(file);
	if (child && (waitpid(child, &status, 0) < 0 || status != 0))
		bad(path, 0, "zstd cannot read it");
	if (trace->count == 0)
		bad(path, 0, "is empty");
	trace_end(trace);
	return trace;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	free(trace->events);
	free(trace);
}
