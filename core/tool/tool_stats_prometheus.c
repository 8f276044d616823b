/* SPDX-License-Identifier: MIT */
/*
 * Statistics as metrics, in the text exposition format 0.0.4 of Prometheus: for
 * a node_exporter's textfile collector, or whatever else reads that.
 *
 * What only grows is named ..._total, bytes ..._bytes. What is not set or not
 * known is left out.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "tool/tool_stats.h"
#include "tool/tool_text.h"

struct metric {
	const char *name;
	const char *help;
	size_t offset; /* of the number */
};

#define TOTALS(field) offsetof(struct cubby_stats, field)
static const struct metric gauges[] = {
	{"cubby_disk_bytes", "Disk that counts against the limit.",
	 TOTALS(disk_bytes)},
	{"cubby_entries", "Entries.", TOTALS(entries)},
	{"cubby_raw_bytes", "Content of all entries.", TOTALS(raw_bytes)},
	{"cubby_stored_bytes", "All entries as stored.", TOTALS(stored_bytes)},
	{"cubby_index_bytes", "Used pages of the index.", TOTALS(index_bytes)},
	{"cubby_plain_bytes", "Disk of files with other than entry names.",
	 TOTALS(plain_bytes)},
	{"cubby_plain_files", "Files with other than entry names.",
	 TOTALS(plain_files)},
	{"cubby_directories", "Directories without the root.",
	 TOTALS(directories)},
	{"cubby_displaced_entries",
	 "Replaced or deleted, kept for who has them open.", TOTALS(displaced)},
	{NULL, NULL, 0},
};

#define FIGURES(field) offsetof(struct cubby_figures, field)
static const struct metric counters[] = {
	{"hits", "Entries that were got.", FIGURES(hits)},
	{"misses", "Entries that were asked for and not there.",
	 FIGURES(misses)},
	{"adds", "Entries that were added.", FIGURES(adds)},
	{"deletes", "Entries that were deleted, without evictions.",
	 FIGURES(deletes)},
	{"evictions", "Entries that were evicted.", FIGURES(evictions)},
	{"corrupt", "Entries that were found damaged and put aside.",
	 FIGURES(corrupt)},
	{"added_bytes", "Content of what was added.", FIGURES(bytes_in)},
	{"got_bytes", "Content of what was got.", FIGURES(bytes_out)},
	{NULL, NULL, 0},
};

#define CHECKS(field) offsetof(struct cubby_checks, field)
static const struct metric checks[] = {
	{"cubby_refused_total", "Adds that did not hash to their names.",
	 CHECKS(refused)},
	{"cubby_scrub_rounds_total", "Times that the scrub saw all entries.",
	 CHECKS(scrub_rounds)},
	{"cubby_scrub_checked_total", "Entries that the scrub has checked.",
	 CHECKS(scrub_checked)},
	{"cubby_scrub_damaged_total", "Of these, damaged and put aside.",
	 CHECKS(scrub_damaged)},
	{"cubby_scrub_misnamed_total", "Of these, not what their names say.",
	 CHECKS(scrub_misnamed)},
	{"cubby_scrub_unreadable_total", "Of these, not to be read.",
	 CHECKS(scrub_unreadable)},
	{NULL, NULL, 0},
};

static uint64_t number_at(const void *object, size_t offset)
{
	return *(const uint64_t *)(const void *)((const char *)object + offset);
}

static void print_head(const char *name, const char *type, const char *help)
{
	printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_one(const char *name, const char *type, const char *help,
		      uint64_t value)
{
	print_head(name, type, help);
	printf("%s %" PRIu64 "\n", name, value);
}

static void print_limits(const struct cubby_limits *limits)
{
	if (limits->max_size > 0)
		print_one("cubby_limit_bytes", "gauge",
			  "Disk that the store may take.", limits->max_size);
	if (limits->max_age_s > 0)
		print_one("cubby_limit_age_seconds", "gauge",
			  "Time without use after which an entry is evicted.",
			  limits->max_age_s);
}

static void print_ghosts(const struct tool_stats *stats)
{
	if (stats->limits.max_size == 0)
		return;
	print_head("cubby_ghost_hits_total", "counter",
		   "Misses that would have been hits with a limit so many "
		   "times as large, estimated.");
	for (int i = 0; i < CUBBY_GHOST_STEPS; i++)
		printf("cubby_ghost_hits_total{limit_factor=\"%.2f\"} %" PRIu64
		       "\n",
		       (i + 5) / 4.0, stats->what_if.ghost_hits[i]);
}

static void print_ages(const struct cubby_what_if *what_if)
{
	print_head("cubby_evictions_by_age_total", "counter",
		   "Evictions of what had not been used for at least so many "
		   "seconds, and less than twice that.");
	for (int i = 0; i < CUBBY_AGE_STEPS; i++)
		printf("cubby_evictions_by_age_total{seconds=\"%" PRIu64
		       "\"} %" PRIu64 "\n",
		       i ? UINT64_C(1) << i : 0, what_if->eviction_ages[i]);
}

/* By directory, as far as the figures have a place for it. */
static void print_tally(const struct tool_tally *tally)
{
	for (const struct metric *metric = counters; metric->name; metric++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "cubby_directory_%s_total",
			       metric->name);
		print_head(name, "counter", metric->help);
		for (size_t i = 0; i < tally->count; i++) {
			const struct tool_tally_row *row = &tally->rows[i];

			if (!row->name)
				continue;
			printf("%s{directory=", name);
			tool_text_label(stdout, row->name);
			printf("} %" PRIu64 "\n",
			       number_at(&row->figures, metric->offset));
		}
	}
}

struct quotas {
	const char *name;
	bool is_limit; /* the quota, not what is used of it */
};

static int print_quota(void *cookie, const char *path,
		       const struct cubby_quota *quota)
{
	const struct quotas *quotas = cookie;

	if (quota->quota == 0)
		return 0;
	printf("%s{directory=", quotas->name);
	tool_text_label(stdout, path);
	printf("} %" PRIu64 "\n",
	       quotas->is_limit ? quota->quota : quota->bytes);
	return 0;
}

static int print_quotas(struct cubby *store)
{
	struct quotas limit = {"cubby_quota_bytes", true};
	struct quotas used = {"cubby_quota_used_bytes", false};
	int r;

	print_head(limit.name, "gauge", "Quota of a directory.");
	r = cubby_list_quotas(store, print_quota, &limit);
	if (r < 0)
		return r;
	print_head(used.name, "gauge",
		   "What the entries of a directory with a quota take.");
	return cubby_list_quotas(store, print_quota, &used);
}

int tool_stats_prometheus(const struct tool_stats *stats)
{
	for (const struct metric *metric = gauges; metric->name; metric++)
		print_one(metric->name, "gauge", metric->help,
			  number_at(&stats->totals, metric->offset));
	print_one("cubby_quarantined_total", "counter",
		  "Damaged entries that were put aside.",
		  stats->totals.quarantined);
	print_limits(&stats->limits);
	for (const struct metric *metric = counters;
	     stats->has_figures && metric->name; metric++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "cubby_%s_total",
			       metric->name);
		print_one(name, "counter", metric->help,
			  number_at(&stats->figures, metric->offset));
	}
	for (const struct metric *metric = checks;
	     stats->has_figures && metric->name; metric++)
		print_one(metric->name, "counter", metric->help,
			  number_at(&stats->checks, metric->offset));
	if (stats->has_figures && stats->checks.scrub_rounds > 0)
		print_one("cubby_scrub_end_seconds", "gauge",
			  "When the scrub last saw all entries, since 1970.",
			  (uint64_t)stats->checks.scrub_ended_s);
	if (stats->has_figures) {
		print_ghosts(stats);
		print_ages(&stats->what_if);
		print_tally(&stats->tally);
	}
	return print_quotas(stats->call->store);
}
