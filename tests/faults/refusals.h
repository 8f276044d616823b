/* SPDX-License-Identifier: MIT */
/* What is promised when a certain call fails: see refusals.c. */
#ifndef FAULTS_REFUSALS_H
#define FAULTS_REFUSALS_H

#include <stddef.h>

struct refusal_case {
	const char *promise;
	void (*keep)(void); /* in a process of its own */
};

extern const struct refusal_case index_cases[];
extern const size_t index_cases_count;
extern const struct refusal_case open_cases[];
extern const size_t open_cases_count;
extern const struct refusal_case pace_cases[];
extern const size_t pace_cases_count;
extern const struct refusal_case store_cases[];
extern const size_t store_cases_count;

#endif
