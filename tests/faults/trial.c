/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit.h"
#include "base/base.h"
#include "format/codec.h"
#include "format/footer.h"
#include "must.h"
#include "setting.h"
#include "trial.h"

enum { FIRST_FDS = 24 };

static struct fault_tally *rehearsed; /* of each operation */

struct fault_ways fault_ways_of(enum fault_domain domain)
{
	static const int of_calls[] = {
		EIO,	EFBIG, ENOSPC, EDQUOT, EMFILE, ENFILE,	    ENOMEM,
		EACCES, EROFS, EINTR,  EAGAIN, ENODEV, FAULT_SHORT,
	};
	static const int of_heap[] = {ENOMEM};
	/* What LMDB says of its own is damage, which is no fault. */
	static const int of_index[] = {ENOMEM, EIO};

	switch (domain) {
	case FAULT_HEAP:
		return (struct fault_ways){of_heap, ARRAY_SIZE(of_heap),
					   "allocations"};
	case FAULT_INDEX:
		return (struct fault_ways){of_index, ARRAY_SIZE(of_index),
					   "calls to LMDB"};
	default:
		return (struct fault_ways){of_calls, ARRAY_SIZE(of_calls),
					   "calls"};
	}
}

static bool blame(const struct fault_tally *tally, const char *what)
{
	setting_describe(tally->first ? tally->first : "nothing", what);
	return false;
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
		/* So EIO of LMDB is one, when the file cannot grow. */
		if (fault->domain == FAULT_CALLS && fault->error == EDQUOT &&
		    r == -ENOSPC)
			return true;
	}
	/* Of its meta page it only says that it could not be written. */
	if (tally->lmdb_lost_meta && r == -EIO)
		return true;
	/* LMDB takes any error of its first lock for another user, which is to
	 * have made its lock file. */
	return r == -EINVAL && tally->lmdb_lost_lock;
}

/* Without faults now: is all as it should be? Returns what is not, or NULL. */
static const char *aftermath(struct stage *stage, const struct op *op, int r,
			     const struct fault_tally *tally)
{
	static char text[PATH_MAX];
	struct facts facts = setting_facts(op, r == 0);
	const char *found = NULL;
	bool is_gone;

	/* A draft is as it was, and its file is not of the index. */
	if (op->is_repeated || (r < 0 && stage->draft))
		r = op->run(stage);
	if (r < 0 && op->is_repeated) {
		(void)snprintf(text, sizeof(text), "the same again gives %s",
			       must_show(r));
		return text;
	}
	facts = setting_facts(op, r == 0);
	if (setting_settle(stage, op) < 0)
		return "the store or the watch is of no use afterwards";
	if (r < 0 && !op->opens_itself && !op->prepare) {
		found = audit(stage, &facts, tally);
		if (found)
			return found;
		r = op->run(stage);
		/* What it is about may have gone to make room. */
		is_gone = r == -ENOENT && setting_was_full();
		if ((r < 0 && !is_gone) || stage->wrong ||
		    setting_settle(stage, op) < 0) {
			(void)snprintf(text, sizeof(text),
				       "the same again gives %s", must_show(r));
			return text;
		}
		facts = setting_facts(op, !is_gone);
	}
	r = setting_add_more(stage, &facts);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "the next add gives %s",
			       must_show(r));
		return text;
	}
	return audit(stage, &facts, tally);
}

/* What is allocated, without chance: zstd gives memory back when many frames in
 * a row were small, and takes it again for a large one. */
static size_t heap_bytes(void)
{
	static uint8_t raw[FRAME_SIZE];
	static uint8_t stored[FRAME_SIZE + FRAME_SIZE / 8];

	MUST(codec_bound(sizeof(raw)) <= sizeof(stored));
	MUST(codec_compress(stored, raw, sizeof(raw)) > 0);
	return fault_heap_bytes();
}

bool trial(const struct op *op, const struct fault_plan *plan,
	   struct fault_tally *ret_tally)
{
	static struct stage stage;
	const size_t heap = heap_bytes();
	const uint64_t fds = open_fds();
	const char *found;
	int r;

	setting_prepare(op, plan);
	stage = (struct stage){.fd = -1};
	setting_begin(op, &stage);

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

unsigned trial_times(int error, unsigned times)
{
	return error == EINTR && times == FAULT_FOR_EVER ? EINTR_STORM : times;
}

void trial_rehearse(void)
{
	const struct fault_plan none = {.faults = {{.at = 0}}};

	rehearsed = calloc(op_count(), sizeof(*rehearsed));
	MUST(rehearsed);
	for (size_t i = 0; i < op_count(); i++) {
		setting_is_silent = true; /* it keeps memory */
		(void)trial(op_at(i), &none, &rehearsed[i]);
		setting_is_silent = false;
		if (!trial(op_at(i), &none, &rehearsed[i])) {
			printf("not ok - %s: fails without a fault\n",
			       op_at(i)->name);
			exit(1);
		}
	}
	(void)alarm(0);
}

const struct fault_tally *trial_rehearsed(size_t op)
{
	return &rehearsed[op];
}
