/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "must.h"
#include "trial.h"

/* Of AddressSanitizer; gcc does not have the header. */
size_t __sanitizer_get_current_allocated_bytes(void);

enum { FIRST_FDS = 24, TRIAL_SECONDS = 20 };

bool trial_is_silent;

static const struct op *now;
static const struct fault_plan *now_plan;
static char place[PATH_MAX];

void trial_at(const char *path)
{
	(void)snprintf(place, sizeof(place), "%s", path);
}

void trial_describe(const char *call, const char *what)
{
	char text[256] = "";
	size_t size = 0;

	if (!now || trial_is_silent)
		return;
	for (int i = 0; i < FAULTS_MAX; i++) {
		const struct fault *fault = &now_plan->faults[i];
		const bool heap = fault->domain == FAULT_HEAP;

		if (fault->at > 0)
			size += (size_t)snprintf(
				text + size, sizeof(text) - size,
				" %s:%u:%u:%d", heap ? "heap" : "call",
				fault->at, fault->times, fault->error);
	}
	/* In one piece: other jobs print as well. */
	(void)printf("# %s%s\n#   %s: %s\n", now->name, text, call, what);
	(void)fflush(stdout);
}

static bool blame(const struct fault_tally *tally, const char *what)
{
	trial_describe(tally->first ? tally->first : "nothing", what);
	return false;
}

static size_t heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes() + fault_large_bytes();
}

/* Which of the first descriptors are open, as bits. */
static uint64_t open_fds(void)
{
	uint64_t bits = 0;

	for (int fd = 0; fd < FIRST_FDS; fd++)
		bits |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return bits;
}

/* Is the result one that a caller can do something with: what was injected, or
 * what it is documented to become? */
static bool is_sensible(const struct op *op, int r,
			const struct fault_plan *plan,
			const struct fault_tally *tally)
{
	if (r == 0)
		return true;
	if (tally->fired == 0)
		return false;
	if (r == op->also)
		return true;
	for (int i = 0; i < FAULTS_MAX; i++) {
		const struct fault *fault = &plan->faults[i];

		if (fault->at == 0)
			continue;
		if (fault->domain == FAULT_HEAP ? r == -ENOMEM
						: r == -fault->error)
			return true;
		/* LMDB takes a short write for a full disk, and says EIO. */
		if (tally->lmdb_was_short && (r == -EIO || r == -ENOSPC))
			return true;
	}
	/* Of its meta page it only says that it could not be written. */
	if (tally->lmdb_lost_meta && r == -EIO)
		return true;
	/* LMDB takes any error of its first lock for another user, which is to
	 * have made its lock file. */
	return r == -EINVAL && strcmp(tally->first, "fcntl") == 0;
}

/* Did the disk say that it is full? Then entries may have gone to make room. */
static bool is_full(void)
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

static struct facts facts_after(const struct op *op, bool success)
{
	struct facts facts = facts_of(op->scene);

	for (int i = 0; i < CHANGES_MAX; i++)
		facts_set(&facts, &op->prepared[i]);
	for (int i = 0; success && i < CHANGES_MAX; i++)
		facts_set(&facts, &op->changed[i]);
	if (!success && op->may_stay && is_persistent()) {
		struct fact fact = op->changed[0];

		fact.is_maybe = true;
		facts_set(&facts, &fact);
	}
	if (is_full())
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
static int settle(struct stage *stage, const struct op *op)
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
static int add_more(struct stage *stage, struct facts *facts)
{
	const struct fact folder = {"ns", FOLDER, false};
	const struct fact small = {"ns/" KEY7, TINY, false};
	const struct fact blob = {"ns/" KEY8, NOISE, false};
	int r = stage_add(stage, KEY7, TINY);

	if (r == 0)
		r = stage_add(stage, KEY8, NOISE);
	facts_set(facts, &folder);
	facts_set(facts, &small);
	facts_set(facts, &blob);
	return r;
}

/* Without faults now: is all as it should be? Returns what is not, or NULL. */
static const char *aftermath(struct stage *stage, const struct op *op, int r,
			     const struct fault_tally *tally)
{
	static char text[PATH_MAX];
	struct facts facts = facts_after(op, r == 0);
	const char *found = NULL;

	/* A draft is as it was, and its file is not of the index. */
	if (r < 0 && stage->draft)
		r = op->run(stage);
	facts = facts_after(op, r == 0);
	if (settle(stage, op) < 0)
		return "the store or the watch is of no use afterwards";
	if (r < 0 && !op->opens_itself && !op->prepare) {
		found = audit(stage, &facts, tally);
		if (found)
			return found;
		r = op->run(stage);
		if (r < 0 || stage->wrong || settle(stage, op) < 0) {
			(void)snprintf(text, sizeof(text),
				       "the same again gives %s", must_show(r));
			return text;
		}
		facts = facts_after(op, true);
	}
	r = add_more(stage, &facts);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "the next add gives %s",
			       must_show(r));
		return text;
	}
	return audit(stage, &facts, tally);
}

bool trial(const struct op *op, const struct fault_plan *plan,
	   struct fault_tally *ret_tally)
{
	static struct stage stage;
	const size_t heap = heap_bytes();
	const uint64_t fds = open_fds();
	const char *found;
	int r;

	now = op;
	now_plan = plan;
	(void)alarm(TRIAL_SECONDS);
	stage = (struct stage){.fd = -1};
	(void)snprintf(stage.path, sizeof(stage.path), "%s", place);
	scene_put(op->scene, stage.path);
	fault_move_mount(op->moves_mount);
	if (!op->opens_itself)
		MUST_DO(stage_open(&stage, 0));
	if (op->prepare)
		op->prepare(&stage);

	fault_arm(plan);
	r = op->run(&stage);
	*ret_tally = fault_disarm();
	ret_tally->lost_unlinks += op->leavings;
	if (op->names_early &&
	    (ret_tally->lmdb_lost_meta || ret_tally->fired > 1))
		ret_tally->lost_unlinks++;

	found = stage.wrong;
	if (!found && !is_sensible(op, r, plan, ret_tally))
		found = must_show(r);
	if (!found && r < 0 && ret_tally->first_by_core &&
	    plan->faults[1].at == 0 && plan->faults[0].error == EINTR)
		found = "an interrupted call is not repeated";
	if (!found && !op->is_refused)
		found = aftermath(&stage, op, r, ret_tally);
	stage_close(&stage);
	if (!found && open_fds() != fds)
		found = "a descriptor is left open";
	if (!found && !op->keeps_memory && heap_bytes() > heap)
		found = "memory is not given back";
	return found ? blame(ret_tally, found) : true;
}
