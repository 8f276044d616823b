/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "must.h"
#include "setting.h"

enum { TRIAL_SECONDS = 60 }; /* a machine may stand still for a while */

bool setting_is_silent;

static const struct op *now;
static const struct fault_plan *now_plan;
static char places[PATH_MAX - 16]; /* of each scene one is below it */
static char place[PATH_MAX];

void setting_at(const char *path)
{
	(void)snprintf(places, sizeof(places), "%s", path);
	MUST(mkdir(places, 0700) == 0);
}

void setting_describe(const char *call, const char *what)
{
	static const char *const domains[] = {"call", "heap", "lmdb"};
	char text[256] = "";
	size_t size = 0;

	if (!now || setting_is_silent)
		return;
	for (int i = 0; i < FAULTS_MAX; i++) {
		const struct fault *fault = &now_plan->faults[i];
		if (fault->at > 0)
			size += (size_t)snprintf(
				text + size, sizeof(text) - size,
				" %s:%u:%u:%d", domains[fault->domain],
				fault->at, fault->times, fault->error);
	}
	/* In one piece: other jobs print as well. */
	(void)printf("# %s%s\n#   %s: %s\n", now->name, text, call, what);
	(void)fflush(stdout);
}

void setting_prepare(const struct op *op, const struct fault_plan *plan)
{
	now = op;
	now_plan = plan;
	(void)alarm(TRIAL_SECONDS);
	(void)snprintf(place, sizeof(place), "%s/%d", places, (int)op->scene);
	scene_put(op->scene, place);
	fault_move_mount(op->moves_mount);
}

void setting_clear(void)
{
	image_wipe(places);
}

void setting_place(struct stage *stage)
{
	(void)snprintf(stage->path, sizeof(stage->path), "%s", place);
}

void setting_begin(const struct op *op, struct stage *stage)
{
	setting_place(stage);
	if (!op->opens_itself)
		MUST_DO(stage_open(stage, 0));
	if (op->prepare)
		op->prepare(stage);
}

bool setting_was_full(void)
{
	for (int i = 0; i < FAULTS_MAX; i++) {
		const struct fault *fault = &now_plan->faults[i];

		if (fault->at != 0 && fault->domain != FAULT_HEAP &&
		    (fault->error == ENOSPC || fault->error == EDQUOT ||
		     fault->error == FAULT_SHORT))
			return true;
	}
	return false;
}

/* Is there no way to take back what has been done? */
static bool is_persistent(void)
{
	return now_plan->faults[0].times > 1 || now_plan->faults[1].at != 0;
}

static void allow_eviction(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		const char *slash = strrchr(facts->facts[i].path, '/');
		const char *name = slash ? slash + 1 : facts->facts[i].path;

		if (cubby_name_is_entry(name))
			facts->facts[i].is_maybe = true;
	}
}

struct facts setting_facts(const struct op *op, bool success)
{
	struct facts facts = facts_of(op->scene);

	facts.has_damage = op->finds_damage;
	for (int i = 0; i < CHANGES_MAX; i++)
		facts_set(&facts, &op->prepared[i]);
	for (int i = 0; success && i < CHANGES_MAX; i++)
		facts_set(&facts, &op->changed[i]);
	if (!success && op->may_stay && is_persistent()) {
		struct fact fact = op->changed[0];

		fact.is_maybe = true;
		facts_set(&facts, &fact);
	}
	if (setting_was_full())
		allow_eviction(&facts);
	return facts;
}

static void told(void *cookie, uint64_t id, uint64_t parent, const char *name)
{
	(void)cookie;
	(void)id;
	(void)parent;
	(void)name;
}

/* What the operation left open is ended, and the store is open. */
int setting_settle(struct stage *stage, const struct op *op)
{
	const unsigned flags = op->scene == SCENE_EMPTY ? CUBBY_CREATE : 0;
	int r = stage->store ? 0 : stage_open(stage, flags);

	/* What a watch that could not be closed has left is purged by the
	 * next. */
	if (r == 0 && op->watches && !stage->watch)
		r = cubby_watch_new(stage->store, &stage->watch);
	if (r == 0 && stage->watch)
		r = cubby_watch_poll(stage->watch, told, NULL);
	cubby_watch_close(stage->watch);
	stage->watch = NULL;
	return r;
}

/* The next adds work. */
int setting_add_more(struct stage *stage, struct facts *facts)
{
	const struct fact folder = {"ns", FOLDER, false};
	const struct fact small = {"ns/" KEY7, TINY, false};
	const struct fact blob = {"ns/" KEY8, NOISE, false};
	int r = stage_add(stage, KEY7, TINY);

	/* At last something large: a small frame lets zstd give up memory now
	 * and then, which is taken again later, and looks like a loss. */
	if (r == 0)
		r = stage_add(stage, KEY8, NOISE);
	facts_set(facts, &folder);
	facts_set(facts, &small);
	facts_set(facts, &blob);
	return r;
}
