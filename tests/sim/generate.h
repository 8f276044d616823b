/* SPDX-License-Identifier: MIT */
/*
 * Traces by rule and a fixed seed, with sizes drawn from recorded ones.
 */
#ifndef SIM_GENERATE_H
#define SIM_GENERATE_H

#include "trace.h"

/* What entries cost, one for each key of what was recorded. */
struct costs {
	uint64_t *costs;
	size_t count;
};

void costs_add(struct costs *costs, const struct trace *trace);
void costs_free(struct costs *costs);

/*
 * Builds of 200 requests each, ten minutes apart, for keys whose popularity
 * follows Zipf's law with this exponent. With `scans`, every 20th build is a
 * job that adds 2,000 entries which nobody asks for again.
 */
struct trace *generate_zipf(const char *name, const struct costs *costs,
			    double exponent, int scans);

/*
 * Four branches of a program of 1,200 files over four weeks: each build asks
 * for what was edited since, new versions take the place of old ones, branches
 * are merged and switched, and at night all of main and of one branch is built
 * from nothing. With `scans`, every third night another program is built once.
 */
struct trace *generate_weeks(const char *name, const struct costs *costs,
			     int scans);

#endif
