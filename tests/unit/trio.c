/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cubby/manage.h"
#include "index/nodes.h"
#include "must.h"
#include "sample.h"
#include "store/enlist.h"
#include "store/store.h"
#include "store/update.h"
#include "trio.h"

struct box box;
uint8_t *data;
uint64_t dir, small_id, blob_id, empty_id;

uint64_t id_of(uint64_t parent, const char *name)
{
	struct cubby_attr attr;

	MUST_DO(cubby_lookup(box.store, parent, name, &attr));
	return attr.id;
}

void trio_new(void)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	struct update update;

	box_new(&box, "dir");
	data = sample_new(SAMPLE_NOISE, 1, TRIO_SIZE);
	box_add(&box, SMALL, data, 100);
	box_add(&box, BLOB, data, TRIO_SIZE);
	box_add(&box, NONE, data, 0);
	dir = id_of(TRIO_ROOT, "dir");
	small_id = id_of(dir, SMALL);
	blob_id = id_of(dir, BLOB);
	empty_id = id_of(dir, NONE);
	MUST_DO(cubby_set_quota(box.store, "dir", &quota));
	MUST_DO(update_begin(box.store, &update));
	MUST(enlist_rest(&update) >= 0);
	MUST_DO(update_commit(&update));
}

void trio_end(void)
{
	box_close(&box);
	free(data);
}

struct index_txn *begin(void)
{
	struct index_txn *txn;

	MUST_DO(index_write(box.store->index, &txn));
	return txn;
}

struct record record_of(uint64_t id, char name[CUBBY_NAME_MAX])
{
	struct index_txn *txn = begin();
	struct record record;

	MUST_DO(nodes_get(txn, id, &record));
	memcpy(name, record.name, record.name_size);
	record.name = name;
	index_end(txn);
	return record;
}

void set_record(uint64_t id, const struct record *record)
{
	struct index_txn *txn = begin();

	MUST_DO(nodes_put(txn, id, record));
	MUST_DO(index_commit(txn));
}
