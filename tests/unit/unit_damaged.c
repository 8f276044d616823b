/* SPDX-License-Identifier: MIT */
/*
 * Damaged bytes, and who meets them: they are put aside, or left where they
 * are, and what is right stays.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "index/lmdb_index.h"
#include "index/nodes.h"
#include "must.h"
#include "sample.h"
#include "scratch.h"
#include "store/layout.h"
#include "store/quarantine.h"
#include "store/store.h"
#include "store/verify.h"
#include "trio.h"

TestSuite(damaged, .fini = scratch_end, .timeout = 60);

static const struct cubby_owner owner = {0755, 0, 0};

static char *blob_of(uint64_t id, enum codec codec)
{
	char path[LAYOUT_PATH_SIZE];

	layout_blob(id, codec, path);
	return text_new("%s/%s", box.path, path);
}

static size_t quarantined(void)
{
	char *path = text_new("%s/quarantine", box.path);
	size_t count = files_below(path, NULL, 0);

	free(path);
	return count;
}

Test(damaged, damage_of_what_has_become_another_is_no_finding)
{
	struct verdict *verdict = malloc(sizeof(*verdict));
	char name[CUBBY_NAME_MAX];
	struct record seen;
	struct record now;
	char *blob;

	trio_new();
	now = record_of(blob_id, name);
	blob = blob_of(blob_id, CODEC_RAW);
	file_flip(blob, 100);
	MUST_BE(verify_node(box.store, blob_id, &now, verdict), -EBADMSG);
	seen = now;
	seen.check.bytes[0] ^= 1;
	MUST_BE(verify_node(box.store, blob_id, &seen, verdict), -ENOENT);
	quarantine_entry(box.store, blob_id, &seen);
	MUST_DO(quarantine_lost(box.store, blob_id, &seen));
	seen = now;
	seen.place = PLACE_INDEX;
	MUST_BE(verify_node(box.store, blob_id, &seen, verdict), -ENOENT);
	quarantine_entry(box.store, dir, &now);
	MUST_DO(quarantine_lost(box.store, 999999, &now));
	MUST_BE(box_stats(&box).entries, 3);
	/* A file that a node of another kind lacks. */
	seen = (struct record){.kind = CUBBY_PLAIN};
	MUST_BE(verify_node(box.store, blob_id, &seen, verdict), -ENOENT);
	quarantine_entry(box.store, blob_id, &now);
	MUST(box_misses(&box, BLOB));
	MUST_BE(quarantined(), 1);
	free(blob);
	free(verdict);
	trio_end();
}

/* Other bytes in the place of a record. */
static void set_bytes(uint64_t id, const void *bytes, size_t size)
{
	struct index_txn *txn = begin();
	uint8_t key[8];

	put_be64(key, id);
	MUST_DO(lmdb_put(txn, TABLE_NODES, key, 8, bytes, size));
	MUST_DO(index_commit(txn));
}

Test(damaged, a_record_that_cannot_be_read_by_now_is_no_finding)
{
	enum { AT_INCOMPAT = 3 };
	struct verdict *verdict = malloc(sizeof(*verdict));
	uint8_t bytes[RECORD_SIZE_MAX];
	char name[CUBBY_NAME_MAX];
	struct record record;
	size_t size;

	trio_new();
	record = record_of(blob_id, name);
	size = record_encode(&record, bytes);
	bytes[AT_INCOMPAT] = 1;
	set_bytes(blob_id, bytes, size);
	MUST_BE(verify_node(box.store, blob_id, &record, verdict), -ENOENT);
	set_bytes(blob_id, "damaged", 7);
	MUST_BE(verify_node(box.store, blob_id, &record, verdict), -ENOENT);
	bytes[AT_INCOMPAT] = 0;
	set_bytes(blob_id, bytes, size);
	MUST_DO(verify_node(box.store, blob_id, &record, verdict));
	free(verdict);
	trio_end();
}

/* What an entry must hash to cannot be told: its bytes are verified. */
Test(damaged, an_entry_that_is_cut_off_from_the_root_is_verified)
{
	struct verdict *verdict = malloc(sizeof(*verdict));
	char name[CUBBY_NAME_MAX];
	struct index_txn *txn;
	struct record record;

	trio_new();
	MUST_DO(cubby_set_content(box.store, "", CUBBY_CONTENT_SHA256));
	record = record_of(blob_id, name);
	MUST_BE(verify_node(box.store, blob_id, &record, verdict), -EBADMSG);
	MUST_BE(verdict->finding, CUBBY_FOUND_CONTENT);
	set_bytes(dir, "damaged", 7);
	MUST_DO(verify_node(box.store, blob_id, &record, verdict));
	txn = begin();
	MUST_DO(nodes_delete(txn, dir));
	MUST_DO(index_commit(txn));
	MUST_DO(verify_node(box.store, blob_id, &record, verdict));
	free(verdict);
	trio_end();
}

Test(damaged, in_a_store_for_reading_nothing_is_put_aside)
{
	char name[CUBBY_NAME_MAX];
	struct cubby_verify_summary summary;
	struct cubby_recompress_summary recompressed;
	struct record record;
	struct cubby *store;

	trio_new();
	record = record_of(blob_id, name);
	cubby_ns_close(box.ns);
	cubby_close(box.store);
	MUST_DO(cubby_open(box.path, CUBBY_READ_ONLY, &store));
	quarantine_entry(store, blob_id, &record);
	MUST_BE(quarantine_lost(store, blob_id, &record), -EROFS);
	MUST_BE(cubby_verify(store, CUBBY_VERIFY_REPAIR, NULL, NULL, &summary),
		-EROFS);
	MUST_BE(cubby_recompress(store, 1, 0, NULL, NULL, &recompressed),
		-EROFS);
	MUST_BE(cubby_scrub(store), -EROFS);
	cubby_close(store);
	MUST_DO(cubby_open(box.path, 0, &box.store));
	MUST_DO(cubby_ns_open(box.store, "dir", &box.ns));
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	trio_end();
}

Test(damaged, damage_is_kept_for_a_look_unless_it_is_large)
{
	enum { LARGE = 17 << 20 };
	uint8_t *large = sample_new(SAMPLE_NOISE, 3, LARGE);
	char name[CUBBY_NAME_MAX];
	struct cubby_reader *reader;
	struct record record;
	char *blob;

	trio_new();
	box_add(&box, name_of(4), large, LARGE);
	blob = blob_of(id_of(dir, name_of(4)), CODEC_RAW);
	file_flip(blob, LARGE); /* its footer */
	MUST_BE(cubby_get_name(box.ns, name_of(4), &reader), -EBADMSG);
	MUST(box_misses(&box, name_of(4)));
	MUST_BE(quarantined(), 0);
	MUST(access(blob, F_OK) != 0);
	/* A record that tells of more bytes than the index can hold. */
	record = record_of(small_id, name);
	record.codec = CODEC_ZSTD;
	record.stored_size = 9000;
	record.size = 10000;
	set_record(small_id, &record);
	MUST_BE(cubby_get_name(box.ns, SMALL, &reader), -EBADMSG);
	MUST(box_misses(&box, SMALL));
	MUST_BE(quarantined(), 0);
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	free(blob);
	free(large);
	trio_end();
}

Test(damaged, recompressing_passes_damage_by)
{
	enum { HUGE = 3 << 20 };
	uint8_t *huge = sample_new(SAMPLE_NOISE, 3, HUGE);
	struct cubby_recompress_summary summary;
	char *blob;

	trio_new();
	for (unsigned dry = 0; dry < 2; dry++) {
		/* Its frames are checked when they are read. */
		box_add(&box, name_of(4), huge, HUGE);
		blob = blob_of(id_of(dir, name_of(4)), CODEC_RAW);
		file_flip(blob, HUGE / 2);
		free(blob);
		MUST_DO(cubby_recompress(box.store, 19, dry ? CUBBY_DRY_RUN : 0,
					 NULL, NULL, &summary));
		MUST_BE(summary.damaged, 1);
		MUST_BE(summary.changed, 0);
		MUST_BE(summary.entries, 3); /* the empty one is none */
	}
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	free(huge);
	trio_end();
}

Test(damaged, scrubbing_counts_what_does_not_hash_to_its_name)
{
	struct cubby_checks checks;
	struct cubby_attr attr;
	char name[16];

	trio_new();
	MUST_DO(cubby_set_content(box.store, "dir", CUBBY_CONTENT_SHA256));
	/* More than it looks at in one transaction. */
	for (unsigned i = 0; i < 1100; i++) {
		(void)snprintf(name, sizeof(name), "d%u", i);
		MUST_DO(cubby_mkdir(box.store, TRIO_ROOT, name, &owner, &attr));
	}
	MUST_DO(cubby_set_content(box.store, "d7", CUBBY_CONTENT_NONE));
	for (unsigned i = 0; i < 3; i++)
		MUST_BE(cubby_scrub(box.store), 1);
	MUST_BE(cubby_scrub(box.store), 0);
	MUST_DO(cubby_get_checks(box.store, &checks));
	MUST_BE(checks.scrub_misnamed, 3);
	MUST_BE(checks.scrub_damaged, 0);
	MUST(box_has(&box, BLOB, data, TRIO_SIZE));
	trio_end();
}
