/* SPDX-License-Identifier: MIT */
/*
 * Content that must hash to its name, and the directories that say so.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "cubby/tree.h"
#include "format/name.h"
#include "index/addressed.h"
#include "index/nodes.h"
#include "store/digest.h"
#include "store/update.h"
#include "store/walk.h"

int digest_rule(struct index_txn *txn, uint64_t dir,
		enum cubby_content *ret_content)
{
	struct addressed rows[CUBBY_CONTENTS_MAX];
	struct record directory;
	size_t count = 0;
	int r = addressed_list(txn, rows, &count);

	*ret_content = CUBBY_CONTENT_NONE;
	/* A damaged index may have a ring of directories. */
	for (int depth = 0; r == 0 && count > 0; depth++) {
		for (size_t i = 0; i < count; i++) {
			if (rows[i].id != dir)
				continue;
			/* Of a newer version: nobody here can check that. */
			if (rows[i].content > CUBBY_CONTENT_SHA256)
				return -EPROTONOSUPPORT;
			*ret_content = rows[i].content;
			return 0;
		}
		if (dir == CUBBY_ROOT_ID)
			return 0;
		r = depth < CUBBY_PATH_MAX ? nodes_get(txn, dir, &directory)
					   : -EBADMSG;
		dir = r < 0 ? 0 : directory.parent;
	}
	return r;
}

int digest_begin(struct digest *digest, struct index_txn *txn, uint64_t dir,
		 const char *name)
{
	enum cubby_content content;
	int r;

	*digest = (struct digest){.builder = NULL};
	if (!name_take_digest(name, &digest->expected))
		return 0;
	r = digest_rule(txn, dir, &content);
	if (r < 0 || content == CUBBY_CONTENT_NONE)
		return r;
	return cubby_key_builder_new(&digest->builder);
}

int digest_take(struct digest *digest, const void *data, size_t size)
{
	if (!digest->builder)
		return 0;
	return cubby_key_builder_bytes(digest->builder, data, size);
}

int digest_verify(struct digest *digest)
{
	struct cubby_key key;
	int r;

	if (!digest->builder)
		return 0;
	r = cubby_key_builder_finish(digest->builder, &key);
	if (r == 0 &&
	    memcmp(key.bytes, digest->expected.bytes, CUBBY_KEY_SIZE) != 0)
		r = -EBADMSG;
	return r;
}

void digest_done(struct digest *digest)
{
	cubby_key_builder_free(TAKE(digest->builder));
}

/* ---------------------------------------------------------------- settings */

static int find_directory(struct index_txn *txn, const char *path,
			  uint64_t *ret_id)
{
	int r = walk_verify(path);

	return r < 0 ? r : walk_find(txn, path, ret_id);
}

static int set_content(struct index_txn *txn, uint64_t dir,
		       enum cubby_content content)
{
	struct addressed rows[CUBBY_CONTENTS_MAX];
	enum cubby_content inherited = CUBBY_CONTENT_NONE;
	size_t count = 0;
	int r = addressed_delete(txn, dir);

	/* Without a row of its own it is as those above. */
	if (r == 0)
		r = digest_rule(txn, dir, &inherited);
	if (r < 0 || inherited == content)
		return r;
	r = addressed_list(txn, rows, &count);
	if (r < 0)
		return r;
	if (count == CUBBY_CONTENTS_MAX)
		return -ENOSPC;
	rows[count++] = (struct addressed){.id = dir, .content = content};
	return addressed_put(txn, rows, count);
}

int cubby_set_content(struct cubby *store, const char *path,
		      enum cubby_content content)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	uint64_t dir;
	int r;

	if (content != CUBBY_CONTENT_NONE && content != CUBBY_CONTENT_SHA256)
		return -EINVAL;
	r = update_begin(store, &update);
	if (r == 0)
		r = find_directory(update.txn, path, &dir);
	if (r == 0)
		r = set_content(update.txn, dir, content);
	return r < 0 ? r : update_commit(&update);
}

int cubby_get_content(struct cubby *store, const char *path,
		      enum cubby_content *ret_content)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	uint64_t dir = 0;
	int r = store_read(store, &txn);

	if (r == 0)
		r = find_directory(txn, path, &dir);
	return r < 0 ? r : digest_rule(txn, dir, ret_content);
}

int cubby_list_contents(struct cubby *store, cubby_content_fn *fn, void *cookie)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct addressed rows[CUBBY_CONTENTS_MAX];
	char path[CUBBY_PATH_MAX + 1];
	size_t count = 0;
	int r = store_read(store, &txn);

	if (r == 0)
		r = addressed_list(txn, rows, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = walk_path(txn, rows[i].id, path);
		if (r == 0)
			r = fn(cookie, path, rows[i].content);
		else if (r == -ENOENT) /* of a directory that is gone */
			r = 0;
	}
	return r;
}
