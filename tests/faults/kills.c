/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the core, killed at each of its system calls.
 *
 *   kills        all operations
 *   kills OP     one
 *   kills OP N   killed at its Nth call only, or in the middle of it
 *
 * The operation runs in a process of its own, up to its Nth call: there it gets
 * SIGKILL, or does half of a write and gets it at the next one. Whoever opens
 * the store then finds the state before it or the state after it, and what it
 * reported as done is done. What is left over is only files, which gc takes.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "base/base.h"
#include "cubby/upkeep.h"
#include "jobs.h"
#include "must.h"
#include "setting.h"

enum { BLAMES_MAX = 10, FILES_MAX = 1000 }; /* FILES_MAX: no bound */

static unsigned only_call; /* or 0 */

/* What the process that is killed tells of itself. */
struct diary {
	bool is_done; /* the operation has returned success */
	const char *wrong;
	struct fault_tally tally; /* if it is not killed */
};

/* Does not return. */
static void run_to_the_end(const struct op *op, const struct fault_plan *plan,
			   struct diary *diary)
{
	struct stage stage = {.fd = -1};

	setting_begin(op, &stage);
	fault_arm(plan);
	diary->is_done = op->run(&stage) == 0;
	diary->wrong = stage.wrong;
	stage_close(&stage);
	diary->tally = fault_disarm();
	_exit(0);
}

/* Was it killed? Or it came to its end. */
static bool run_and_kill(const struct op *op, const struct fault_plan *plan,
			 struct diary *diary)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0)
		run_to_the_end(op, plan, diary);
	MUST(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status))
		MUST_BE(WEXITSTATUS(status), 0);
	else
		MUST_BE(WTERMSIG(status), SIGKILL);
	return WIFSIGNALED(status);
}

static int make_old(const char *path, const struct stat *st, int type,
		    struct FTW *ftw)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	(void)st;
	(void)ftw;
	if (type == FTW_F)
		MUST(utimensat(AT_FDCWD, path, old, 0) == 0);
	return 0;
}

/* As if all had happened some time ago. */
static void age_files(const struct stage *stage)
{
	static const char *const dirs[] = {"blobs", "drafts"};
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", stage->path,
			       dirs[i]);
		MUST(nftw(path, make_old, 8, FTW_PHYS) == 0);
	}
}

/* Nothing is damaged, and gc deletes what is left over. */
static const char *check_upkeep(struct stage *stage, const struct op *op,
				const struct facts *facts)
{
	const struct fault_tally tally = {
		.lost_truncates = 1,
		.lost_unlinks = op->keeps_blob + op->leavings,
	};
	struct cubby_verify_summary summary;
	struct cubby_gc_summary gc;

	if (cubby_verify(stage->store, 0, NULL, NULL, &summary) < 0)
		return "the store cannot be verified";
	if (summary.findings > 0 && !op->finds_damage)
		return "verify finds something";
	age_files(stage);
	if (cubby_gc(stage->store, 0, 0, &gc) < 0)
		return "gc fails";
	return audit(stage, facts, &tally);
}

/* The state after it, or, if it has not said that it is done, before it.
 * `*ret_done` is which. */
static const char *check_state(struct stage *stage, const struct op *op,
			       bool is_done, bool *ret_done)
{
	const struct fault_tally tally = {.lost_unlinks = FILES_MAX,
					  .lost_truncates = 1};
	struct facts facts = setting_facts(op, true);
	const char *found = audit(stage, &facts, &tally);

	*ret_done = !found;
	if (found && !is_done) {
		stage->wrong = NULL; /* of what was found */
		facts = setting_facts(op, false);
		found = audit(stage, &facts, &tally);
	}
	return found;
}

static const char *check(const struct op *op, const struct diary *diary)
{
	struct stage stage = {.fd = -1};
	static char text[128];
	struct facts facts;
	const char *found = NULL;
	bool is_done = false;
	int r;

	setting_place(&stage);
	if (op->is_refused)
		return cubby_open(stage.path, CUBBY_CREATE, &stage.store) ==
				       -ENOTEMPTY
			       ? NULL
			       : "it is not refused afterwards";
	r = setting_settle(&stage, op);
	if (r < 0) {
		(void)snprintf(text, sizeof(text),
			       "opening it afterwards gives %s", must_show(r));
		found = text;
	}
	if (!found && op->is_repeated && op->run(&stage) < 0)
		found = "the same again fails";
	if (!found)
		found = check_state(&stage, op, diary->is_done, &is_done);
	if (!found && !is_done && !op->opens_itself && !op->prepare) {
		is_done = op->run(&stage) == 0 && !stage.wrong &&
			  setting_settle(&stage, op) == 0;
		found = is_done ? NULL : "the same again fails";
	}
	facts = setting_facts(op, is_done);
	if (!found && setting_add_more(&stage, &facts) < 0)
		found = "the next add fails";
	if (!found)
		found = check_upkeep(&stage, op, &facts);
	stage_close(&stage);
	return found;
}

/* One trial: was something wrong? */
static bool kill_at(const struct op *op, unsigned call, int how,
		    struct diary *diary)
{
	const struct fault_plan plan = {
		.faults = {{.at = call, .times = 1, .error = how}}};
	const char *found;

	setting_prepare(op, &plan);
	*diary = (struct diary){.is_done = false};
	MUST(run_and_kill(op, &plan, diary));
	found = diary->wrong ? diary->wrong : check(op, diary);
	if (found)
		setting_describe("the process is killed", found);
	return found != NULL;
}

static unsigned sweep(const struct op *op, unsigned *ret_kills)
{
	const struct fault_plan none = {.faults = {{.at = 0}}};
	struct diary *diary = mmap(NULL, sizeof(*diary), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct fault_tally calls;
	unsigned bad = 0;

	MUST(diary != MAP_FAILED);
	setting_prepare(op, &none);
	MUST(!run_and_kill(op, &none, diary) && diary->is_done);
	calls = diary->tally;
	MUST(calls.counts[FAULT_CALLS] < FAULT_CALLS_MAX);
	for (unsigned i = 1; i <= calls.counts[FAULT_CALLS]; i++) {
		if (only_call != 0 && i != only_call)
			continue;
		bad += kill_at(op, i, FAULT_KILL, diary);
		++*ret_kills;
		if (!calls.in_parts[i] || i == calls.counts[FAULT_CALLS])
			continue;
		bad += kill_at(op, i, FAULT_HALF_AND_KILL, diary);
		++*ret_kills;
		if (bad >= BLAMES_MAX)
			break;
	}
	MUST(munmap(diary, sizeof(*diary)) == 0);
	return bad;
}

static unsigned run_job(unsigned job)
{
	unsigned count = 0;
	unsigned bad = sweep(op_at(job), &count);

	printf("%s - %s: killed at each of its calls (%u kills)\n",
	       bad ? "not ok" : "ok", op_at(job)->name, count);
	return bad;
}

static unsigned find_op(const char *name)
{
	unsigned i = 0;

	while (i < op_count() && strcmp(op_at(i)->name, name) != 0)
		i++;
	MUST(i < op_count());
	return i;
}

int main(int argc, char **argv)
{
	unsigned first = 0;
	unsigned bad;

	jobs_begin();
	if (argc > 1)
		first = find_op(argv[1]);
	if (argc > 2)
		only_call = (unsigned)strtoul(argv[2], NULL, 10);
	bad = jobs_run(first, argc > 1 ? first + 1 : (unsigned)op_count(),
		       run_job);
	jobs_end();
	return bad > 0;
}
