/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

/* Of AddressSanitizer, which not all programs have. */
__attribute__((weak)) void __sanitizer_print_stack_trace(void);

bool fault_trace;

static bool armed;
static struct fault_plan current;
static struct fault_tally tally;

void fault_arm(const struct fault_plan *plan)
{
	current = *plan;
	memset(&tally, 0, sizeof(tally));
	armed = true;
}

struct fault_tally fault_disarm(void)
{
	armed = false;
	return tally;
}

bool fault_is_core(const void *caller)
{
	/* Of the linker: where this program begins, and its code ends. */
	extern const char __executable_start[];
	extern const char etext[];
	const uintptr_t at = (uintptr_t)caller;

	return at >= (uintptr_t)__executable_start && at < (uintptr_t)etext;
}

/* Returns how the call fails if the process lives on. */
static int kill_now_or_next(int error, unsigned number)
{
	if (error == FAULT_KILL)
		(void)kill(getpid(), SIGKILL);
	current.faults[0].at = number + 1;
	current.faults[0].error = FAULT_KILL;
	return FAULT_SHORT;
}

static void fire(const char *name, unsigned number, const void *caller)
{
	if (tally.fired++ == 0) {
		tally.first = name;
		tally.first_by_core = fault_is_core(caller);
	}
	if (fault_trace) {
		armed = false; /* to print makes calls as well */
		(void)fprintf(stderr, "--- %s, number %u, fails:\n", name,
			      number);
		if (__sanitizer_print_stack_trace)
			__sanitizer_print_stack_trace();
		armed = true;
	}
}

bool fault_hits(enum fault_domain domain, const char *name, const void *caller,
		bool may_be_short, int *ret_error)
{
	unsigned number;

	if (!armed)
		return false;
	number = ++tally.counts[domain];
	if (domain == FAULT_CALLS && number < FAULT_CALLS_MAX)
		tally.in_parts[number] = may_be_short;
	for (int i = 0; i < FAULTS_MAX; i++) {
		const struct fault *fault = &current.faults[i];

		if (fault->domain != domain || fault->at == 0 ||
		    number < fault->at || number - fault->at >= fault->times)
			continue;
		if (fault->error == FAULT_SHORT && !may_be_short)
			continue;
		fire(name, number, caller);
		*ret_error = fault->error < 0
				     ? kill_now_or_next(fault->error, number)
				     : fault->error;
		return true;
	}
	return false;
}

struct fault_tally *fault_note(void)
{
	return &tally;
}
