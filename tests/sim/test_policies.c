/* SPDX-License-Identifier: MIT */
/* What each policy evicts, as worked out by hand. */
#include <criterion/criterion.h>

#include "must.h"
#include "policy.h"
#include "random.h"

/* A policy by itself, with keys 0 to 9. */
struct alone {
	const struct policy *policy;
	struct trace *trace;
	void *state;
};

static struct alone alone_begin(const char *name, uint64_t limit)
{
	struct alone alone = {.policy = policy_find(name)};

	MUST(alone.policy);
	alone.trace = trace_new("alone");
	for (uint32_t key = 0; key < 10; key++)
		trace_add(alone.trace, event_of(key, 10));
	alone.state = alone.policy->ops->begin(alone.trace, limit,
					       alone.policy->parameter);
	return alone;
}

static void alone_end(struct alone *alone)
{
	alone->policy->ops->end(alone->state);
	trace_free(alone->trace);
}

static void added(struct alone *alone, uint32_t key, uint64_t cost)
{
	struct event event = event_of(key, cost);

	alone->policy->ops->added(alone->state, &event);
}

static void used(struct alone *alone, uint32_t key, uint64_t cost)
{
	struct event event = event_of(key, cost);

	alone->policy->ops->used(alone->state, &event);
}

static uint32_t evicted(struct alone *alone)
{
	return alone->policy->ops->evicted(alone->state);
}

Test(policies, slru_protects_what_was_used)
{
	struct alone slru = alone_begin("slru", 50); /* 40 are safe */

	for (uint32_t key = 0; key < 5; key++)
		added(&slru, key, 10);
	used(&slru, 0, 10);
	used(&slru, 1, 10);
	MUST_BE(evicted(&slru), 2);
	used(&slru, 3, 10);
	used(&slru, 4, 10); /* the fourth: all that is safe */
	used(&slru, 1, 10);
	added(&slru, 5, 10);
	used(&slru, 5, 10); /* the fifth: 0 is on trial again */
	added(&slru, 6, 10);
	MUST_BE(evicted(&slru), 0);
	MUST_BE(evicted(&slru), 6);
	MUST_BE(evicted(&slru), 3); /* nothing is on trial */
	MUST_BE(evicted(&slru), 4);
	MUST_BE(evicted(&slru), 1);
	MUST_BE(evicted(&slru), 5);
	alone_end(&slru);
}

Test(policies, sieve_clears_marks_and_its_hand_stays)
{
	struct alone sieve = alone_begin("sieve", 100);

	for (uint32_t key = 0; key < 3; key++)
		added(&sieve, key, 10);
	used(&sieve, 0, 10);
	MUST_BE(evicted(&sieve), 1); /* 0 loses its mark; the hand is at 2 */
	added(&sieve, 3, 10);
	used(&sieve, 2, 10);
	added(&sieve, 4, 10);
	MUST_BE(evicted(&sieve), 3); /* 2 loses its mark; the hand is at 4 */
	MUST_BE(evicted(&sieve), 4); /* the newest, though 0 is older */
	MUST_BE(evicted(&sieve), 0); /* the hand began again */
	MUST_BE(evicted(&sieve), 2);
	alone_end(&sieve);
}

Test(policies, the_hand_of_sieve_leaves_what_is_deleted)
{
	struct alone sieve = alone_begin("sieve", 100);

	for (uint32_t key = 0; key < 4; key++)
		added(&sieve, key, 10);
	used(&sieve, 0, 10);
	MUST_BE(evicted(&sieve), 1); /* the hand is at 2 */
	sieve.policy->ops->removed(sieve.state, 2);
	MUST_BE(evicted(&sieve), 3);
	added(&sieve, 2, 10);
	used(&sieve, 0, 10);
	sieve.policy->ops->removed(sieve.state, 0);
	added(&sieve, 0, 10); /* the mark went with the entry */
	MUST_BE(evicted(&sieve), 2);
	added(&sieve, 2, 10);
	MUST_BE(evicted(&sieve), 0);
	MUST_BE(evicted(&sieve), 2);
	alone_end(&sieve);
}

Test(policies, s3fifo_promotes_what_was_used_twice_and_knows_ghosts)
{
	struct alone s3 = alone_begin("s3fifo", 100); /* 10 are small */

	for (uint32_t key = 0; key < 4; key++)
		added(&s3, key, 10);
	used(&s3, 0, 10);
	used(&s3, 0, 10);
	used(&s3, 1, 10);
	MUST_BE(evicted(&s3), 1); /* 0 goes to main; once is too little */
	added(&s3, 1, 10);	  /* remembered: main */
	MUST_BE(evicted(&s3), 2);
	MUST_BE(evicted(&s3), 3); /* the small queue is empty now */
	used(&s3, 0, 10);
	MUST_BE(evicted(&s3), 1); /* 0 has another round */
	MUST_BE(evicted(&s3), 0);
	alone_end(&s3);
}

/* Entry 0 is in the main queue, used `first` times there, and 1 after it, used
 * `second` times. Which goes? */
static uint32_t s3fifo_main(int first, int second)
{
	struct alone s3 = alone_begin("s3fifo", 1000); /* 100 are small */
	uint32_t gone;

	added(&s3, 0, 100);
	used(&s3, 0, 100);
	used(&s3, 0, 100);
	added(&s3, 1, 100);
	MUST_BE(evicted(&s3), 1);
	added(&s3, 1, 100);
	while (first-- > 0)
		used(&s3, 0, 100);
	while (second-- > 0)
		used(&s3, 1, 100);
	gone = evicted(&s3);
	alone_end(&s3);
	return gone;
}

Test(policies, s3fifo_counts_uses_in_main_up_to_three)
{
	MUST_BE(s3fifo_main(0, 0), 0); /* what it was promoted for is spent */
	MUST_BE(s3fifo_main(2, 1), 1);
	MUST_BE(s3fifo_main(3, 3), 0);
	MUST_BE(s3fifo_main(5, 3), 0);
}

Test(policies, s3fifo_forgets_ghosts_beyond_nine_tenths)
{
	struct alone s3 = alone_begin("s3fifo", 100);

	for (uint32_t key = 0; key < 10; key++) {
		added(&s3, key, 10);
		MUST_BE(evicted(&s3), key);
	}
	added(&s3, 9, 10); /* known: main */
	added(&s3, 0, 10); /* the oldest of ten is not */
	MUST_BE(evicted(&s3), 0);
	MUST_BE(evicted(&s3), 9);
	alone_end(&s3);
}

Test(policies, s3fifo_leaves_main_alone_while_the_small_queue_is_full)
{
	struct alone s3 = alone_begin("s3fifo", 1000); /* 100 are small */

	added(&s3, 0, 100);
	used(&s3, 0, 100);
	used(&s3, 0, 100);
	added(&s3, 1, 100);
	MUST_BE(evicted(&s3), 1);
	added(&s3, 2, 90);
	MUST_BE(evicted(&s3), 0); /* 90 of 100: main gives */
	added(&s3, 3, 10);
	MUST_BE(evicted(&s3), 2);
	alone_end(&s3);
}

Test(policies, gdsf_weighs_uses_and_size_and_ages)
{
	struct alone gdsf = alone_begin("gdsf", 1000);

	added(&gdsf, 0, 10);	    /* 1/10 */
	added(&gdsf, 1, 20);	    /* 1/20 */
	added(&gdsf, 2, 40);	    /* 1/40 */
	used(&gdsf, 2, 40);	    /* 2/40, and later than 1 */
	MUST_BE(evicted(&gdsf), 1); /* the clock is 1/20 */
	MUST_BE(evicted(&gdsf), 2);
	added(&gdsf, 3, 40);	    /* 1/20 + 1/40 */
	MUST_BE(evicted(&gdsf), 3); /* the clock is 3/40 */
	added(&gdsf, 4, 30);	    /* 3/40 + 1/30 */
	MUST_BE(evicted(&gdsf), 0); /* aged: 1/10 */
	MUST_BE(evicted(&gdsf), 4);
	alone_end(&gdsf);
}

Test(policies, gdsf_by_size_counts_uses_alone)
{
	struct alone gdsf = alone_begin("gdsf-size", 1000);

	added(&gdsf, 0, 10);
	added(&gdsf, 1, 500);
	used(&gdsf, 1, 500);
	added(&gdsf, 2, 1);
	MUST_BE(evicted(&gdsf), 0);
	MUST_BE(evicted(&gdsf), 2);
	MUST_BE(evicted(&gdsf), 1);
	alone_end(&gdsf);
}

Test(policies, gdsf_by_both_is_near_lru_for_what_is_large)
{
	struct alone gdsf = alone_begin("gdsf-8k", 1 << 30);

	added(&gdsf, 0, 8192);	    /* 2 / 8192 */
	added(&gdsf, 1, 1 << 20);   /* 129/128 / 8192 */
	added(&gdsf, 2, 1 << 21);   /* 257/256 / 8192 */
	MUST_BE(evicted(&gdsf), 2); /* the clock is at 257/256 */
	added(&gdsf, 2, 1 << 21);
	MUST_BE(evicted(&gdsf), 1); /* the clock is at 129/128 */
	added(&gdsf, 3, 1 << 21);   /* more than 2 */
	MUST_BE(evicted(&gdsf), 0);
	MUST_BE(evicted(&gdsf), 2);
	MUST_BE(evicted(&gdsf), 3);
	alone_end(&gdsf);
}

Test(policies, gdsf_by_both_keeps_4_kib_for_a_use_more)
{
	struct alone gdsf = alone_begin("gdsf-8k", 1 << 30);

	added(&gdsf, 0, 4096);	  /* 3 / 8192 */
	added(&gdsf, 1, 12288);	  /* 5/3 */
	added(&gdsf, 2, 1 << 20); /* 129/128, twice */
	used(&gdsf, 2, 1 << 20);
	MUST_BE(evicted(&gdsf), 1);
	MUST_BE(evicted(&gdsf), 2);
	MUST_BE(evicted(&gdsf), 0);
	alone_end(&gdsf);
}

Test(policies, gdsf_twice_counts_two_uses)
{
	struct alone gdsf = alone_begin("gdsf-8k-2", 1000);

	added(&gdsf, 0, 10);
	for (int i = 0; i < 5; i++)
		used(&gdsf, 0, 10);
	added(&gdsf, 1, 10);
	used(&gdsf, 1, 10);
	added(&gdsf, 2, 10);
	MUST_BE(evicted(&gdsf), 2); /* the clock is at its one use */
	added(&gdsf, 3, 10);	    /* as much as 0 and 1, and later */
	MUST_BE(evicted(&gdsf), 0);
	MUST_BE(evicted(&gdsf), 1);
	MUST_BE(evicted(&gdsf), 3);
	alone_end(&gdsf);
}

Test(policies, gdsf_keeps_its_order_when_entries_are_deleted)
{
	struct random random = random_begin(3);

	for (int round = 0; round < 200; round++) {
		struct alone gdsf = alone_begin("gdsf-size", 1000);
		uint64_t gone = random_below(&random, 10);
		uint64_t uses[10], before = 0;

		for (uint32_t key = 0; key < 10; key++) {
			added(&gdsf, key, 10);
			uses[key] = random_below(&random, 20);
			for (uint64_t i = 0; i < uses[key]; i++)
				used(&gdsf, key, 10);
		}
		gdsf.policy->ops->removed(gdsf.state, (uint32_t)gone);
		for (int i = 0; i < 9; i++) {
			uint32_t key = evicted(&gdsf);

			MUST(key != gone);
			MUST(uses[key] >= before);
			before = uses[key];
		}
		alone_end(&gdsf);
	}
}
