/* SPDX-License-Identifier: MIT */
/* Stores of the tests: see box.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

void box_open(struct box *box, const char *path, const char *space)
{
	box->path = text_new("%s", path);
	box->space = text_new("%s", space);
	MUST_DO(cubby_open(path, CUBBY_CREATE, &box->store));
	MUST_DO(cubby_ns_open(box->store, space, &box->ns));
}

void box_new(struct box *box, const char *space)
{
	static unsigned count;
	char *path = scratch_path("store%u", ++count);

	box_open(box, path, space);
	free(path);
}

void box_close(struct box *box)
{
	cubby_ns_close(box->ns);
	cubby_close(box->store);
	free(box->path);
	free(box->space);
	*box = (struct box){0};
}

void box_reopen(struct box *box)
{
	struct box old = *box;

	cubby_ns_close(old.ns);
	cubby_close(old.store);
	box_open(box, old.path, old.space);
	free(old.path);
	free(old.space);
}

const char *name_of(unsigned number)
{
	static _Thread_local char texts[4][CUBBY_KEY_TEXT_SIZE];
	static _Thread_local unsigned next;
	char *text = texts[next++ % 4];

	(void)snprintf(text, CUBBY_KEY_TEXT_SIZE, "%08x%08x%048x",
		       number * 2654435761U, 0x5eed5eedU, number);
	return text;
}

struct cubby_key key_of(unsigned number)
{
	struct cubby_key key;

	MUST_DO(cubby_key_parse(name_of(number), &key));
	return key;
}

int box_try_add(const struct box *box, const char *name, const void *data,
		size_t size)
{
	struct cubby_writer *writer = NULL;
	int r = cubby_writer_open_name(box->ns, name, &writer);

	if (r < 0)
		return r;
	r = cubby_writer_write(writer, data, size);
	if (r < 0) {
		cubby_writer_abort(writer);
		return r;
	}
	return cubby_writer_commit(writer);
}

void box_add(const struct box *box, const char *name, const void *data,
	     size_t size)
{
	MUST_DO(box_try_add(box, name, data, size));
}

struct cubby_attr box_make_dir(const struct box *box, uint64_t parent,
			       const char *name)
{
	const struct cubby_owner owner = {0755, 1000, 1001};
	struct cubby_attr attr;

	MUST_DO(cubby_mkdir(box->store, parent, name, &owner, &attr));
	return attr;
}

struct cubby_attr box_make_file(const struct box *box, uint64_t parent,
				const char *name, const void *data, size_t size)
{
	const struct cubby_owner owner = {0644, 1000, 1001};
	struct cubby_attr attr;
	int fd;

	MUST_DO(cubby_create(box->store, parent, name, &owner, &attr, &fd));
	MUST(write(fd, data, size) == (ssize_t)size);
	MUST(close(fd) == 0);
	return attr;
}

void box_delete(const struct box *box, const char *name)
{
	MUST_DO(cubby_delete_name(box->ns, name));
}

void box_come_and_go(const struct box *box, unsigned count, size_t size)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, size);

	for (unsigned i = 0; i < count; i++) {
		box_add(box, name_of(i), data, size);
		box_delete(box, name_of(i));
	}
	free(data);
}

void box_leave_displaced(const struct box *box, unsigned count, size_t size)
{
	const pid_t pid = fork_child();
	int status;

	if (pid == 0) {
		struct cubby_watch *watch;
		struct box mine;

		box_open(&mine, box->path, box->space);
		MUST_DO(cubby_watch_new(mine.store, &watch));
		cubby_watch_hold(watch, 0);
		box_come_and_go(&mine, count, size);
		MUST(kill(getpid(), SIGKILL) == 0);
	}
	MUST(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

int box_get(const struct box *box, const char *name, uint8_t **ret_data,
	    size_t *ret_size)
{
	struct cubby_reader *reader = NULL;
	uint8_t *data;
	uint8_t extra;
	uint64_t size;
	ssize_t n;
	int r = cubby_get_name(box->ns, name, &reader);

	if (r < 0)
		return r;
	size = cubby_reader_size(reader);
	data = malloc((size_t)size + 1);
	MUST(data != NULL);
	n = cubby_reader_read(reader, data, (size_t)size);
	if (n >= 0) {
		MUST_BE(n, size);
		MUST_BE(cubby_reader_read(reader, &extra, 1), 0);
	}
	cubby_reader_close(reader);
	if (n < 0) {
		free(data);
		return (int)n;
	}
	data[size] = 0;
	*ret_data = data;
	*ret_size = (size_t)size;
	return 0;
}

bool box_has(const struct box *box, const char *name, const void *data,
	     size_t size)
{
	uint8_t *got = NULL;
	size_t got_size = 0;
	bool same;

	if (box_get(box, name, &got, &got_size) < 0)
		return false;
	same = got_size == size && (size == 0 || !memcmp(got, data, size));
	free(got);
	return same;
}

bool box_misses(const struct box *box, const char *name)
{
	struct cubby_reader *reader = NULL;
	int r = cubby_get_name(box->ns, name, &reader);

	if (r != -ENOENT)
		MUST_DO(r);
	cubby_reader_close(reader);
	return r == -ENOENT;
}

bool reader_is(struct cubby_reader *reader, const void *data, size_t size)
{
	uint8_t *got = malloc(size + 1);
	ssize_t n;
	bool same;

	MUST(got != NULL);
	n = cubby_reader_read(reader, got, size + 1);
	same = n == (ssize_t)size && (size == 0 || !memcmp(got, data, size));
	free(got);
	return same;
}

struct cubby_stats box_stats(const struct box *box)
{
	struct cubby_stats stats;

	MUST_DO(cubby_get_stats(box->store, &stats));
	return stats;
}

struct cubby_attr box_attr(const struct box *box, const char *name)
{
	struct cubby_attr attr;

	MUST_DO(cubby_stat_name(box->ns, name, &attr));
	return attr;
}

bool box_knows(const struct box *box, unsigned i)
{
	struct cubby_attr attr;
	int r = cubby_stat_name(box->ns, name_of(i), &attr);

	if (r != -ENOENT)
		MUST_DO(r);
	return r == 0;
}

void box_use(const struct box *box, unsigned i)
{
	struct cubby_reader *reader;

	MUST_DO(cubby_get_name(box->ns, name_of(i), &reader));
	cubby_reader_close(reader);
}

void box_limit(const struct box *box, uint64_t max_size)
{
	const struct cubby_limits limits = {.max_size = max_size};

	MUST_DO(cubby_set_limits(box->store, &limits));
}
