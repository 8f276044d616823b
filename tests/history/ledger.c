/* SPDX-License-Identifier: MIT */
/* Histories: see ledger.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger.h"
#include "must.h"

/* What is known of one value: its add, and its zone. */
struct value {
	const struct ledger_record *add;
	uint64_t first_end;
	uint64_t last_begin;
};

/* From `low` to `high` the key has this value. */
struct hold {
	uint64_t low;
	uint64_t high;
	uint32_t value;
};

/* Something that happened at `at`, and the largest `best` up to there. */
struct step {
	uint64_t at;
	uint64_t best;
};

/* One key. All arrays have room for what a whole history can have. */
struct page {
	const struct ledger_record *records;
	size_t count;
	struct value *values;
	size_t value_count; /* the largest value, and 1 */
	struct hold *holds;
	size_t hold_count;
	struct step *added; /* at the ends of adds: their begins */
	size_t added_count;
	struct step *deleted; /* at the begins of deletes: their ends */
	size_t deleted_count;
	bool may_evict;
};

static char finding[512];

static const char *complain(const struct ledger_record *record,
			    const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static const char *complain(const struct ledger_record *record,
			    const char *format, ...)
{
	static const char *const acts[] = {"nothing", "add",	"hit",
					   "miss",    "delete", "late hit"};
	char what[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)snprintf(finding, sizeof(finding),
		       "key %u: %s of value %" PRIu32 " in [%" PRIu64
		       ", %" PRIu64 "]: %s",
		       record->key, acts[record->act], record->value,
		       record->begin, record->end, what);
	return finding;
}

/* By key, then by begin; those that were not used last. */
static int compare_records(const void *a, const void *b)
{
	const struct ledger_record *x = a;
	const struct ledger_record *y = b;

	if ((x->act == LEDGER_NONE) != (y->act == LEDGER_NONE))
		return x->act == LEDGER_NONE ? 1 : -1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->begin > y->begin) - (x->begin < y->begin);
}

static int compare_holds(const void *a, const void *b)
{
	const struct hold *x = a;
	const struct hold *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

static int compare_steps(const void *a, const void *b)
{
	const struct step *x = a;
	const struct step *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static void steps_finish(struct step *steps, size_t count)
{
	qsort(steps, count, sizeof(*steps), compare_steps);
	for (size_t i = 1; i < count; i++)
		if (steps[i].best < steps[i - 1].best)
			steps[i].best = steps[i - 1].best;
}

/* The largest of what happened before `at`, or 0. */
static uint64_t steps_before(const struct step *steps, size_t count,
			     uint64_t at)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;

		if (steps[middle].at < at)
			low = middle + 1;
		else
			count = middle;
	}
	return low > 0 ? steps[low - 1].best : 0;
}

/* The hold in which [begin, end] lies, or NULL. Holds do not overlap, so it
 * can only be the last one that begins before. */
static const struct hold *hold_around(const struct page *page, uint64_t begin,
				      uint64_t end)
{
	size_t low = 0;
	size_t high = page->hold_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (page->holds[middle].low < begin)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || page->holds[low - 1].high < end)
		return NULL;
	return &page->holds[low - 1];
}

static const char *read_adds(struct page *page, size_t values_max)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct ledger_record *record = &page->records[i];
		struct value *value;

		if (record->act == LEDGER_DELETE)
			page->deleted[page->deleted_count++] =
				(struct step){record->begin, record->end};
		if (record->act != LEDGER_ADD)
			continue;
		MUST(record->value > 0 && record->value <= values_max);
		while (page->value_count <= record->value)
			page->values[page->value_count++].add = NULL;
		value = &page->values[record->value];
		if (value->add)
			return complain(record, "added twice");
		*value = (struct value){record, record->end, record->begin};
		page->added[page->added_count++] =
			(struct step){record->end, record->begin};
	}
	steps_finish(page->added, page->added_count);
	steps_finish(page->deleted, page->deleted_count);
	return NULL;
}

static const char *read_hits(struct page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct ledger_record *record = &page->records[i];
		struct value *value;

		if (record->act != LEDGER_HIT && record->act != LEDGER_LATE_HIT)
			continue;
		if (record->value >= page->value_count ||
		    !page->values[record->value].add)
			return complain(record, "nobody has added this");
		value = &page->values[record->value];
		if (record->end < value->add->begin)
			return complain(record, "it is added later");
		if (record->act == LEDGER_LATE_HIT)
			continue;
		if (record->end < value->first_end)
			value->first_end = record->end;
		if (record->begin > value->last_begin)
			value->last_begin = record->begin;
	}
	return NULL;
}

static const char *check_holds(struct page *page)
{
	for (uint32_t i = 1; i < page->value_count; i++) {
		const struct value *value = &page->values[i];

		if (value->add && value->first_end < value->last_begin)
			page->holds[page->hold_count++] = (struct hold){
				value->first_end, value->last_begin, i};
	}
	qsort(page->holds, page->hold_count, sizeof(*page->holds),
	      compare_holds);
	for (size_t i = 1; i < page->hold_count; i++) {
		const struct hold *before = &page->holds[i - 1];
		const struct hold *hold = &page->holds[i];

		if (hold->low < before->high)
			return complain(page->values[hold->value].add,
					"the key has it by %" PRIu64
					", and still value %" PRIu32
					" at %" PRIu64,
					hold->low, before->value, before->high);
	}
	return NULL;
}

/* The values without a hold, the deletes and the misses. */
static const char *check_others(const struct page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct ledger_record *record = &page->records[i];
		const struct hold *hold = NULL;

		if (record->act == LEDGER_ADD) {
			const struct value *value =
				&page->values[record->value];

			if (value->last_begin < value->first_end)
				hold = hold_around(page, value->last_begin,
						   value->first_end);
		} else if (record->act == LEDGER_DELETE ||
			   record->act == LEDGER_MISS) {
			hold = hold_around(page, record->begin, record->end);
		}
		if (hold)
			return complain(record,
					"the key has value %" PRIu32
					" from %" PRIu64 " to %" PRIu64,
					hold->value, hold->low, hold->high);
	}
	return NULL;
}

/* Does nothing but an add come last before one of the misses? */
static const char *check_misses(const struct page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct ledger_record *record = &page->records[i];
		uint64_t added;
		uint64_t deleted;

		if (record->act != LEDGER_MISS)
			continue;
		added = steps_before(page->added, page->added_count,
				     record->begin);
		deleted = steps_before(page->deleted, page->deleted_count,
				       record->end);
		if (added > 0 && deleted < added)
			return complain(record,
					"an add began at %" PRIu64
					", and no delete ended since",
					added);
	}
	return NULL;
}

/* Records are in the order of their begins. */
static void count_page(const struct page *page, struct ledger_tally *tally)
{
	uint64_t change_end = 0; /* the last end of a change so far */

	for (size_t i = 0; i < page->count; i++) {
		const struct ledger_record *record = &page->records[i];
		bool is_change = record->act == LEDGER_ADD ||
				 record->act == LEDGER_DELETE;

		tally->adds += record->act == LEDGER_ADD;
		tally->hits += record->act == LEDGER_HIT;
		tally->misses += record->act == LEDGER_MISS;
		tally->deletes += record->act == LEDGER_DELETE;
		tally->late_hits += record->act == LEDGER_LATE_HIT;
		tally->races += !is_change && record->begin < change_end;
		if (is_change && record->end > change_end)
			change_end = record->end;
	}
}

static const char *check_page(struct page *page, size_t values_max,
			      struct ledger_tally *tally)
{
	const char *wrong;

	page->value_count = 1;
	page->values[0].add = NULL;
	page->hold_count = page->added_count = page->deleted_count = 0;
	if ((wrong = read_adds(page, values_max)) ||
	    (wrong = read_hits(page)) || (wrong = check_holds(page)) ||
	    (wrong = check_others(page)))
		return wrong;
	if (!page->may_evict && (wrong = check_misses(page)))
		return wrong;
	count_page(page, tally);
	return NULL;
}

const char *ledger_check(struct ledger_record *records, size_t count,
			 bool may_evict, struct ledger_tally *tally)
{
	struct page page = {
		.values = calloc(count + 1, sizeof(*page.values)),
		.holds = calloc(count + 1, sizeof(*page.holds)),
		.added = calloc(count + 1, sizeof(*page.added)),
		.deleted = calloc(count + 1, sizeof(*page.deleted)),
		.may_evict = may_evict,
	};
	const char *wrong = NULL;

	MUST(page.values && page.holds && page.added && page.deleted);
	qsort(records, count, sizeof(*records), compare_records);
	for (size_t i = 0; !wrong && i < count; i += page.count) {
		if (records[i].act == LEDGER_NONE)
			break;
		page.records = &records[i];
		page.count = 1;
		while (i + page.count < count &&
		       records[i + page.count].act != LEDGER_NONE &&
		       records[i + page.count].key == records[i].key)
			page.count++;
		wrong = check_page(&page, count, tally);
	}
	free(page.values);
	free(page.holds);
	free(page.added);
	free(page.deleted);
	return wrong;
}
