/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index/nodes.h"
#include "index/snapshot.h"
#include "must.h"
#include "scratch.h"
#include "spot.h"

void spot_new(struct spot *spot, const char *name)
{
	spot->path = scratch_dir(name);
	spot->data = text_new("%s/data.mdb", spot->path);
	MUST_DO(index_open(spot->path, false, true, &spot->index));
}

void spot_free(struct spot *spot)
{
	index_close(spot->index);
	free(spot->path);
	free(spot->data);
}

int spot_add(struct index *index, const char *name, uint64_t id)
{
	struct index_txn *txn;
	int r = index_write(index, &txn);

	if (r < 0)
		return r;
	MUST_DO(names_put(txn, 1, name, strlen(name), id));
	return index_commit(txn);
}

bool spot_has(struct index *index, const char *name)
{
	struct index_txn *txn;
	uint64_t id;
	int r;

	MUST_DO(index_read(index, &txn));
	r = names_get(txn, 1, name, strlen(name), &id);
	MUST(r == 0 || r == -ENOENT);
	index_end(txn);
	return r == 0;
}

uint64_t spot_steady_version(const struct spot *spot)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));
	uint64_t version;

	MUST(snapshot != NULL);
	MUST_DO(snapshot_read(spot->path, snapshot));
	version = snapshot_txnid(snapshot->page);
	free(snapshot);
	return version;
}
