/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "must.h"

/* Of core/FORMAT.md: what is larger is a file below blobs/. */
enum { FRAME_SIZE = 131072, SMALL_MAX = 16320 };

struct audit {
	struct stage *stage;
	const struct facts *facts;
	const struct fault_tally *tally;
	bool seen[FACTS_MAX];
	size_t files; /* that the index names */
	uint64_t ids[FACTS_MAX];
	struct cubby_stats sums;
};

static char finding[2 * PATH_MAX];

__attribute__((format(printf, 1, 2))) static const char *
wrong(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(finding, sizeof(finding), format, list);
	va_end(list);
	return finding;
}

/* ---------------------------------------------------------------- content */

static const char *check_entry(struct audit *audit, const char *path,
			       uint64_t id, enum content want)
{
	struct stage *stage = audit->stage;
	struct cubby_reader *reader;
	int r = cubby_open_entry(stage->store, id, &reader);

	if (r == 0)
		r = stage_check(stage, reader, want, STAGE_PIECE_MAX);
	if (r < 0)
		return wrong("%s: reading gives %s", path, must_show(r));
	return stage->wrong ? wrong("%s: %s", path, stage->wrong) : NULL;
}

static const char *check_plain(struct audit *audit, const char *path,
			       uint64_t id, enum content want)
{
	static uint8_t buffer[2 * FRAME_SIZE];
	const size_t size = content_size(want);
	ssize_t n;
	int fd;
	int r = cubby_open_plain(audit->stage->store, id, &fd);

	if (r < 0)
		return wrong("%s: opening gives %s", path, must_show(r));
	n = read(fd, buffer, sizeof(buffer));
	(void)close(fd);
	if (n > (ssize_t)size && audit->tally->lost_truncates > 0)
		n = (ssize_t)size;
	if (n != (ssize_t)size || memcmp(buffer, content_data(want), size) != 0)
		return wrong("%s: a plain file has other content", path);
	return NULL;
}

/* ------------------------------------------------------------------- tree */

struct row {
	char path[512];
	struct cubby_attr attr;
};

struct listing {
	const char *parent;
	size_t count;
	struct row rows[FACTS_MAX];
};

static int take(void *cookie, const char *name, const struct cubby_attr *attr)
{
	struct listing *listing = cookie;
	struct row *row = &listing->rows[listing->count];

	MUST(listing->count < FACTS_MAX);
	listing->count++;
	(void)snprintf(row->path, sizeof(row->path), "%s%s%s", listing->parent,
		       *listing->parent ? "/" : "", name);
	row->attr = *attr;
	return 0;
}

static const char *check_row(struct audit *audit, const struct row *row)
{
	const struct cubby_attr *attr = &row->attr;
	const struct fact *fact = NULL;
	bool is_blob = false;

	for (size_t i = 0; i < audit->facts->count; i++) {
		if (strcmp(audit->facts->facts[i].path, row->path) == 0) {
			fact = &audit->facts->facts[i];
			audit->seen[i] = true;
		}
	}
	if (!fact || fact->content == NOTHING)
		return wrong("%s: should not be there", row->path);
	if ((fact->content == FOLDER) != (attr->kind == CUBBY_DIRECTORY))
		return wrong("%s: is of another kind", row->path);
	if (attr->kind == CUBBY_DIRECTORY) {
		audit->sums.directories++;
		return NULL;
	}
	if (attr->kind == CUBBY_ENTRY) {
		audit->sums.entries++;
		audit->sums.raw_bytes += attr->size;
		audit->sums.stored_bytes += attr->stored_size;
		is_blob = attr->size > FRAME_SIZE ||
			  attr->stored_size > SMALL_MAX;
	} else {
		audit->sums.plain_files++;
	}
	if (is_blob || attr->kind == CUBBY_PLAIN)
		audit->ids[audit->files++] = attr->id;
	return attr->kind == CUBBY_ENTRY
		       ? check_entry(audit, row->path, attr->id, fact->content)
		       : check_plain(audit, row->path, attr->id, fact->content);
}

static const char *check_directory(struct audit *audit, const char *path,
				   uint64_t id)
{
	struct listing listing = {.parent = path};
	const char *found = NULL;
	int r = cubby_readdir(audit->stage->store, id, "", 0, take, &listing);

	if (r < 0)
		return wrong("%s: listing gives %s", path, must_show(r));
	for (size_t i = 0; !found && i < listing.count; i++) {
		const struct row *row = &listing.rows[i];

		found = check_row(audit, row);
		if (!found && row->attr.kind == CUBBY_DIRECTORY)
			found = check_directory(audit, row->path, row->attr.id);
	}
	return found;
}

/* Every name is there, and the totals agree. */
static const char *check_sums(struct audit *audit)
{
	const struct cubby_stats *sums = &audit->sums;
	struct cubby_stats stats;
	int r = cubby_get_stats(audit->stage->store, &stats);

	if (r < 0)
		return wrong("the totals give %s", must_show(r));
	for (size_t i = 0; i < audit->facts->count; i++) {
		const struct fact *fact = &audit->facts->facts[i];

		if (!audit->seen[i] && fact->content != NOTHING &&
		    !fact->is_maybe)
			return wrong("%s: is not there", fact->path);
	}
	if (stats.entries != sums->entries ||
	    stats.directories != sums->directories ||
	    stats.plain_files != sums->plain_files ||
	    stats.raw_bytes != sums->raw_bytes ||
	    stats.stored_bytes != sums->stored_bytes)
		return "the totals are not those of the tree";
	if (stats.displaced > 0)
		return "a node is displaced and nobody watches";
	return stats.quarantined > 0 && !audit->facts->has_damage
		       ? "something was put into quarantine"
		       : NULL;
}

/* ------------------------------------------------------------------ files */

/* How many of the files that the index names are below `path`? Counts the
 * others in `*ret_others`. */
static size_t count_files(const struct audit *audit, const char *path,
			  unsigned *ret_others)
{
	char below[PATH_MAX + 300];
	size_t known = 0;
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const uint64_t id = strtoull(entry->d_name, NULL, 16);
		bool is_known = false;

		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type == DT_DIR) {
			(void)snprintf(below, sizeof(below), "%s/%s", path,
				       entry->d_name);
			known += count_files(audit, below, ret_others);
			continue;
		}
		for (size_t i = 0; i < audit->files; i++)
			is_known |= audit->ids[i] == id;
		known += is_known;
		*ret_others += !is_known;
	}
	if (dir)
		(void)closedir(dir);
	return known;
}

static const char *check_files(const struct audit *audit)
{
	const unsigned lost = audit->tally->lost_unlinks;
	static const char *const dirs[] = {"blobs", "drafts", "quarantine"};
	char path[PATH_MAX + 16];
	unsigned others = 0;
	size_t known = 0;

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", audit->stage->path,
			       dirs[i]);
		known += count_files(audit, path, &others);
	}
	/* A published draft whose file could not be deleted has two. */
	if (known < audit->files)
		return "a file that the index names is missing";
	others += (unsigned)(known - audit->files);
	if (others > lost)
		return wrong("%u files are left over, %u could not be deleted",
			     others, lost);
	return NULL;
}

const char *audit(struct stage *stage, const struct facts *facts,
		  const struct fault_tally *tally)
{
	struct audit audit = {.stage = stage, .facts = facts, .tally = tally};
	const char *found = check_directory(&audit, "", CUBBY_ROOT_ID);

	if (!found)
		found = check_sums(&audit);
	return found ? found : check_files(&audit);
}
