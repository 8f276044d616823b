/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "policy.h"

/*
 * The first is what the product does: others are compared with it. The end of
 * a name is how the policy learns of hits: -60 is HEARS_FIRST, -60b
 * HEARS_LATER.
 */
const struct policy policies[] = {
	{"lru-60", &policy_fifo, 1, HEARS_FIRST},
	{"lru-60b", &policy_fifo, 1, HEARS_LATER},
	{"lru", &policy_fifo, 1, HEARS_ALL},
	{"fifo", &policy_fifo, 0, HEARS_ALL},
	{"slru", &policy_slru, 0, HEARS_ALL},
	{"slru-60b", &policy_slru, 0, HEARS_LATER},
	{"sieve", &policy_sieve, 0, HEARS_ALL},
	{"sieve-60b", &policy_sieve, 0, HEARS_LATER},
	{"s3fifo", &policy_s3fifo, 0, HEARS_ALL},
	{"s3fifo-60b", &policy_s3fifo, 0, HEARS_LATER},
	{"gdsf", &policy_gdsf, GDSF_ONE, HEARS_ALL},
	{"gdsf-60b", &policy_gdsf, GDSF_ONE, HEARS_LATER},
	{"gdsf-8k", &policy_gdsf, GDSF_MIXED, HEARS_ALL},
	{"gdsf-8k-60b", &policy_gdsf, GDSF_MIXED, HEARS_LATER},
	{"gdsf-8k-2", &policy_gdsf, GDSF_MIXED | GDSF_TWICE, HEARS_ALL},
	{"gdsf-8k-2-60", &policy_gdsf, GDSF_MIXED | GDSF_TWICE, HEARS_FIRST},
	{"gdsf-8k-2-60b", &policy_gdsf, GDSF_MIXED | GDSF_TWICE, HEARS_LATER},
	{"gdsf-root", &policy_gdsf, GDSF_ROOT, HEARS_ALL},
	{"gdsf-root-60b", &policy_gdsf, GDSF_ROOT, HEARS_LATER},
	{"gdsf-size", &policy_gdsf, GDSF_SIZE, HEARS_ALL},
	{"gdsf-size-60b", &policy_gdsf, GDSF_SIZE, HEARS_LATER},
	{"belady", &policy_belady, 0, HEARS_ALL},
};
const size_t policies_count = sizeof(policies) / sizeof(policies[0]);

const struct policy *policy_find(const char *name)
{
	for (size_t i = 0; i < policies_count; i++) {
		if (strcmp(policies[i].name, name) == 0)
			return &policies[i];
	}
	return NULL;
}
