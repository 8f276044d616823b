/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "image.h"
#include "must.h"
#include "sample.h"
#include "stage.h"

/* ---------------------------------------------------------------- content */

static const struct {
	enum sample_kind kind;
	size_t size;
} samples[CONTENT_COUNT] = {
	[EMPTY] = {SAMPLE_TEXT, 0},
	[TINY] = {SAMPLE_TEXT, 300},
	[TINY_TOO] = {SAMPLE_TEXT, 400},
	[TEXT] = {SAMPLE_TEXT, FRAME + 5000},
	[TEXT_TOO] = {SAMPLE_TEXT, FRAME + 7000},
	[NOISE] = {SAMPLE_NOISE, FRAME + 3000},
	[HUGE] = {SAMPLE_NOISE, 9 * FRAME + 1},
};

enum { PERIOD = 16384 };

static uint8_t *contents[CONTENT_COUNT];

/* It is compressed and decompressed several times in each trial: what comes
 * again and again is quick. */
static void repeat(uint8_t *text, size_t size)
{
	for (size_t i = PERIOD; i < size; i++)
		text[i] = text[i - PERIOD];
}

void content_init(void)
{
	for (unsigned i = EMPTY; i < CONTENT_COUNT; i++) {
		contents[i] = sample_new(samples[i].kind, i, samples[i].size);
		if (samples[i].kind == SAMPLE_TEXT)
			repeat(contents[i], samples[i].size);
	}
}

const uint8_t *content_data(enum content content)
{
	return contents[content];
}

size_t content_size(enum content content)
{
	return samples[content].size;
}

/* ----------------------------------------------------------------- scenes */

static const struct fact usual[] = {
	{"ns", FOLDER, false},	    {"ns/" KEY1, TINY, false},
	{"ns/" KEY2, TEXT, false},  {"ns/" KEY3, NOISE, false},
	{"dir", FOLDER, false},	    {"dir/tiny", TINY, false},
	{"dir/text", TEXT, false},  {"dir/noise", NOISE, false},
	{"dir/sub", FOLDER, false},
};

struct facts facts_of(enum scene scene)
{
	const struct fact huge = {"ns/" KEY4, HUGE, false};
	const struct fact late = {"ns/" KEY4, TINY_TOO, false};
	struct facts facts = {.count = 0};

	if (scene == SCENE_EMPTY || scene == SCENE_OTHER)
		return facts;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		facts_set(&facts, &usual[i]);
	if (scene == SCENE_HUGE)
		facts_set(&facts, &huge);
	if (scene == SCENE_KILLED)
		facts_set(&facts, &late);
	return facts;
}

void facts_set(struct facts *facts, const struct fact *fact)
{
	if (!fact->path)
		return;
	for (size_t i = 0; i < facts->count; i++) {
		if (strcmp(facts->facts[i].path, fact->path) == 0) {
			facts->facts[i] = *fact;
			return;
		}
	}
	MUST(facts->count < FACTS_MAX);
	facts->facts[facts->count++] = *fact;
}

static void make_plain(struct stage *stage, const char *name,
		       enum content content)
{
	const struct cubby_owner owner = {.mode = 0600};
	const size_t size = content_size(content);
	struct cubby_attr attr;
	int fd;

	MUST_DO(cubby_create(stage->store, stage->dir, name, &owner, &attr,
			     &fd));
	MUST(write(fd, content_data(content), size) == (ssize_t)size);
	MUST(close(fd) == 0);
}

static void make_usual(const char *path)
{
	const struct cubby_owner owner = {.mode = 0700};
	struct stage stage = {.fd = -1};
	struct cubby_attr attr;

	(void)snprintf(stage.path, sizeof(stage.path), "%s", path);
	MUST_DO(stage_open(&stage, CUBBY_CREATE));
	MUST_DO(stage_add(&stage, KEY1, TINY));
	MUST_DO(stage_add(&stage, KEY2, TEXT));
	MUST_DO(stage_add(&stage, KEY3, NOISE));
	MUST_DO(cubby_mkdir(stage.store, CUBBY_ROOT_ID, "dir", &owner, &attr));
	stage.dir = attr.id;
	make_plain(&stage, "tiny", TINY);
	make_plain(&stage, "text", TEXT);
	make_plain(&stage, "noise", NOISE);
	MUST_DO(cubby_mkdir(stage.store, stage.dir, "sub", &owner, &attr));
	stage_close(&stage);
}

static void make_other(const char *path)
{
	char file[PATH_MAX + 16];
	FILE *made;

	(void)snprintf(file, sizeof(file), "%s/notes", path);
	made = fopen(file, "w");
	MUST(made && fclose(made) == 0);
}

/* Add KEY4, and close or be killed. */
static void add_late(const char *path, enum content content, bool killed)
{
	struct stage stage = {.fd = -1};
	pid_t child = fork();
	int status;

	MUST(child >= 0);
	if (child == 0) {
		(void)snprintf(stage.path, sizeof(stage.path), "%s", path);
		MUST_DO(stage_open(&stage, 0));
		MUST_DO(stage_add(&stage, KEY4, content));
		if (!killed)
			stage_close(&stage);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child && status == 0);
}

static struct image *images[SCENE_COUNT];

void scenes_make(const char *root)
{
	char path[PATH_MAX];

	for (enum scene scene = 0; scene < SCENE_COUNT; scene++) {
		(void)snprintf(path, sizeof(path), "%s/scene%d", root,
			       (int)scene);
		MUST(mkdir(path, 0700) == 0);
		if (scene == SCENE_OTHER)
			make_other(path);
		else if (scene != SCENE_EMPTY)
			make_usual(path);
		if (scene == SCENE_HUGE)
			add_late(path, HUGE, false);
		if (scene == SCENE_KILLED)
			add_late(path, TINY_TOO, true);
		images[scene] = image_new(path);
	}
}

void scene_put(enum scene scene, const char *path)
{
	image_put(images[scene], path);
}

/* ------------------------------------------------------------------ store */

int stage_open(struct stage *stage, unsigned flags)
{
	struct cubby_attr attr;
	int r = cubby_open(stage->path, flags, &stage->store);

	if (r == 0)
		r = cubby_ns_open(stage->store, "ns", &stage->ns);
	if (r == 0) {
		r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "dir", &attr);
		stage->dir = r == 0 ? attr.id : 0;
		r = r == -ENOENT ? 0 : r;
	}
	if (r < 0)
		stage_close(stage);
	return r;
}

void stage_close(struct stage *stage)
{
	cubby_watch_close(stage->watch);
	cubby_draft_drop(stage->draft);
	cubby_ns_close(stage->ns);
	cubby_close(stage->store);
	stage->watch = NULL;
	stage->draft = NULL;
	stage->ns = NULL;
	stage->store = NULL;
}

int stage_check(struct stage *stage, struct cubby_reader *reader,
		enum content want, size_t piece)
{
	static uint8_t buffer[STAGE_PIECE_MAX];
	const size_t size = content_size(want);
	size_t done = 0;
	ssize_t n;

	while ((n = cubby_reader_read(reader, buffer, piece)) > 0) {
		if ((size_t)n > size - done ||
		    memcmp(buffer, content_data(want) + done, (size_t)n) != 0)
			stage->wrong = "a wrong byte was read";
		done += min_size((size_t)n, size - done);
	}
	if (n == 0 && done != size)
		stage->wrong = "the content that was read is short";
	cubby_reader_close(reader);
	return (int)n;
}

int stage_add(struct stage *stage, const char *name, enum content content)
{
	struct cubby_writer *writer;
	int r = cubby_writer_open_name(stage->ns, name, &writer);

	if (r < 0)
		return r;
	r = cubby_writer_write(writer, content_data(content),
			       content_size(content));
	if (r < 0) {
		cubby_writer_abort(writer);
		return r;
	}
	return cubby_writer_commit(writer);
}
