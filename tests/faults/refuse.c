/* SPDX-License-Identifier: MIT */
#include "refuse.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

static struct refusal refusals[REFUSALS_MAX];
static unsigned counts[REFUSALS_MAX];
static unsigned count;
static unsigned refused;

void refuse(const struct refusal *refusal)
{
	if (count == REFUSALS_MAX)
		abort();
	counts[count] = 0;
	refusals[count++] = *refusal;
}

unsigned refuse_end(void)
{
	const unsigned result = refused;

	count = refused = 0;
	return result;
}

struct fault_tally *fault_note(void)
{
	static struct fault_tally tally;

	return &tally;
}

bool fault_is_core(const void *caller)
{
	/* Of the linker: where this program begins, and its code ends. */
	extern const char __executable_start[];
	extern const char etext[];
	const uintptr_t at = (uintptr_t)caller;

	return at >= (uintptr_t)__executable_start && at < (uintptr_t)etext;
}

bool fault_hits(enum fault_domain domain, const char *name, const void *caller,
		bool may_be_short, int *ret_error)
{
	(void)may_be_short;
	for (unsigned i = 0; i < count; i++) {
		const struct refusal *is = &refusals[i];
		unsigned number;

		if (domain == FAULT_HEAP ? strcmp(is->name, REFUSE_HEAP) != 0
					 : strcmp(is->name, name) != 0 ||
						   fault_is_core(caller) ==
							   is->is_of_library)
			continue;
		number = ++counts[i];
		if (number < is->at ||
		    (is->times > 0 && number - is->at >= is->times) ||
		    (is->every_other && (number - is->at) % 2 == 1))
			continue;
		refused++;
		if (is->meanwhile) {
			is->meanwhile();
			return false;
		}
		*ret_error = is->error;
		return true;
	}
	return false;
}

/* ------------------------------------------------- what only this one wraps */

/* The next definition of a function, after the one of this program. */
static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

/* WRAP(failure, name, (parameters), (arguments)) */
#define WRAP(failure, name, parameters, arguments)                             \
	EXPORT int name parameters                                             \
	{                                                                      \
		static int(*real) parameters;                                  \
		int error;                                                     \
                                                                               \
		if (!real)                                                     \
			*(void **)&real = next(#name);                         \
		if (!fault_hits(FAULT_CALLS, #name, CALLER, false, &error))    \
			return real arguments;                                 \
		errno = error;                                                 \
		return failure;                                                \
	}

/* clang-format off */
WRAP(0, EVP_DigestInit_ex,
     (EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine),
     (context, type, engine))
WRAP(0, EVP_DigestUpdate, (EVP_MD_CTX *context, const void *data, size_t size),
     (context, data, size))
WRAP(0, EVP_DigestFinal_ex,
     (EVP_MD_CTX *context, unsigned char *digest, unsigned *ret_size),
     (context, digest, ret_size))
/* clang-format on */
