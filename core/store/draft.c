/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "format/name.h"
#include "index/nodes.h"
#include "store/draft.h"
#include "store/durable.h"
#include "store/figures.h"
#include "store/node.h"
#include "store/publish.h"
#include "store/reader.h"
#include "store/room.h"
#include "sys/sys.h"

enum {
	SWEEP_AGE_S = 60,
	SETTLE_BATCH = 256, /* in one transaction */
};

struct cubby_draft {
	struct cubby *store;
	uint64_t id;
	int fd;
	bool is_file; /* below drafts/; otherwise in memory */
};

int draft_create_file(struct cubby *store, uint64_t id)
{
	char path[LAYOUT_PATH_SIZE];
	int fd;
	int r;

	layout_draft(id, path);
	fd = sys_create(store->dir_fd, path, O_RDWR | O_EXCL);
	r = fd < 0 ? fd : sys_lock_byte(fd, LAYOUT_WRITER_LOCK);
	if (fd >= 0 && r < 0) {
		sys_close(&fd);
		draft_delete_file(store, id);
	}
	return r < 0 ? r : fd;
}

int draft_open_file(struct cubby *store, uint64_t id)
{
	char path[LAYOUT_PATH_SIZE];

	layout_draft(id, path);
	return sys_open_file(store->dir_fd, path,
			     store->read_only ? O_RDONLY : O_RDWR);
}

CUBBY_MUST_CHECK static int delete_file(struct cubby *store, uint64_t id)
{
	char path[LAYOUT_PATH_SIZE];

	layout_draft(id, path);
	return sys_unlink(store->dir_fd, path);
}

void draft_delete_file(struct cubby *store, uint64_t id)
{
	IGNORE(delete_file(store, id)); /* nothing refers to it */
}

/* Is the file `id` a draft whose process has died? */
static bool is_abandoned(struct cubby *store, uint64_t id, int fd)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct record record;
	struct stat file;

	if (sys_byte_is_locked(fd, LAYOUT_WRITER_LOCK) != 0 ||
	    sys_fstat(fd, &file) < 0)
		return false;
	/* A new file is not locked for an instant. */
	if (sys_now_ns() / 1000000000 - file.st_mtim.tv_sec < SWEEP_AGE_S)
		return false;
	if (index_read(store->index, &txn) < 0)
		return false;
	return nodes_get(txn, id, &record) == -ENOENT;
}

/* ----------------------------------------------------------------- settling */

/* The blocks of the file of a plain node. Returns 1 when they are not what the
 * record says, 0 when they are or it is no plain node, or an error. */
static int look_at_plain(struct index_txn *txn, struct cubby *store,
			 uint64_t id, struct node *ret_node, uint64_t *ret_size)
{
	char path[LAYOUT_PATH_SIZE];
	struct stat file;
	int r = node_get(txn, id, ret_node);

	if (r == 0 && ret_node->record.kind != CUBBY_PLAIN)
		return 0;
	layout_draft(id, path);
	if (r == 0)
		r = sys_stat(store->dir_fd, path, &file);
	if (r < 0)
		return node_is_lost(r) ? 0 : r;
	*ret_size = (uint64_t)file.st_blocks * 512;
	return *ret_size != ret_node->record.stored_size;
}

static int settle(struct cubby *store, const uint64_t *ids, size_t count)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	bool is_changed = false;
	struct node node;
	uint64_t size;
	int r = update_begin(store, &update);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = look_at_plain(update.txn, store, ids[i], &node, &size);
		if (r > 0) {
			is_changed = true;
			r = update_resize(&update, &node, size);
		}
	}
	return r == 0 && is_changed ? update_commit(&update) : r;
}

int cubby_settle_plain(struct cubby *store, const uint64_t *ids, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i += SETTLE_BATCH)
		r = settle(store, ids + i, min_size(SETTLE_BATCH, count - i));
	return r;
}

/* ----------------------------------------------------------------- sweeping */

struct sweep {
	struct cubby *store;
	size_t count;
	uint64_t ids[SETTLE_BATCH]; /* plain nodes to be settled */
};

/* A process that was killed has not settled what it wrote. */
static void sweep_plain(struct sweep *sweep, uint64_t id)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	struct node node;
	uint64_t size;

	if (index_read(sweep->store->index, &txn) < 0 ||
	    look_at_plain(txn, sweep->store, id, &node, &size) <= 0)
		return;
	index_end(TAKE(txn));
	sweep->ids[sweep->count++] = id;
	if (sweep->count < SETTLE_BATCH)
		return;
	IGNORE(settle(sweep->store, sweep->ids, sweep->count));
	sweep->count = 0;
}

static int sweep_name(void *cookie, const char *name)
{
	struct sweep *sweep = cookie;
	struct cubby *store = sweep->store;
	char path[LAYOUT_PATH_SIZE];
	uint64_t id;
	char *end;
	int fd;

	id = strtoull(name, &end, 16);
	layout_draft(id, path);
	if (*end != '\0' || strcmp(path + strlen(LAYOUT_DRAFTS "/"), name) != 0)
		return 0; /* not one of ours */
	fd = draft_open_file(store, id);
	if (fd < 0)
		return 0;
	if (is_abandoned(store, id, fd))
		draft_delete_file(store, id);
	else
		sweep_plain(sweep, id);
	sys_close(&fd);
	return 0;
}

void draft_sweep(struct cubby *store)
{
	struct sweep sweep = {.store = store};

	IGNORE(sys_scan(store->dir_fd, LAYOUT_DRAFTS, sweep_name, &sweep));
	if (sweep.count > 0)
		IGNORE(settle(store, sweep.ids, sweep.count));
}

uint32_t draft_mode(uint32_t mode)
{
	return mode & 0777;
}

int draft_load(struct cubby *store, uint64_t entry, int fd)
{
	SCOPED_FREE uint8_t *buffer = malloc(FRAME_SIZE);
	struct cubby_reader *reader = NULL;
	uint64_t offset = 0;
	ssize_t size;
	int r;

	if (!buffer)
		return -ENOMEM;
	r = reader_open(store, entry, &reader);
	if (r < 0)
		return r;
	while ((size = cubby_reader_pread(reader, buffer, FRAME_SIZE, offset)) >
	       0) {
		size_t part = (size_t)size;

		r = sys_pwrite(fd, buffer, part, offset);
		if (r < 0)
			break;
		offset += part;
	}
	cubby_reader_close(reader);
	return size < 0 ? (int)size : r;
}

static int copy_all(int from, int to)
{
	SCOPED_FREE uint8_t *buffer = malloc(FRAME_SIZE);
	uint64_t offset = 0;
	ssize_t size = buffer ? 1 : -ENOMEM;
	int r = 0;

	while (r == 0 && size > 0) {
		size = sys_pread(from, buffer, FRAME_SIZE, offset);
		if (size > 0)
			r = sys_pwrite(to, buffer, (size_t)size, offset);
		if (size > 0)
			offset += (uint64_t)size;
	}
	return size < 0 ? (int)size : r;
}

bool cubby_draft_must_grow(const struct cubby_draft *draft, uint64_t size)
{
	return !draft->is_file && size > SMALL_MAX;
}

static int grow(struct cubby_draft *draft, uint64_t size)
{
	SCOPED_FD int fd = -1;
	struct stat st;
	int r;

	if (!cubby_draft_must_grow(draft, size))
		return 0;
	fd = draft_create_file(draft->store, draft->id);
	/* Left by an attempt that failed, and then could not delete it. */
	if (fd == -EEXIST) {
		r = delete_file(draft->store, draft->id);
		fd = r < 0 ? r : draft_create_file(draft->store, draft->id);
	}
	if (fd < 0)
		return fd;
	r = sys_fstat(draft->fd, &st);
	if (r == 0 && st.st_size > 0)
		r = copy_all(draft->fd, fd);
	if (r == 0)
		r = sys_redirect(draft->fd, fd);
	if (r < 0)
		draft_delete_file(draft->store, draft->id);
	else
		draft->is_file = true;
	return r;
}

int cubby_draft_grow(struct cubby_draft *draft, uint64_t size)
{
	int r = grow(draft, size);

	return room_was_made(draft->store, r, SMALL_MAX) ? grow(draft, size)
							 : r;
}

int cubby_draft_new(struct cubby *store, uint64_t base,
		    struct cubby_draft **ret_draft)
{
	struct cubby_draft *draft = NULL;
	int r = store_verify_writable(store);

	if (r < 0)
		return r;
	draft = calloc(1, sizeof(*draft));
	if (!draft)
		return -ENOMEM;
	draft->store = store;
	r = store_new_id(store, &draft->id);
	draft->fd = r < 0 || base != 0 ? -1 : sys_create_in_memory();
	if (r == 0 && draft->fd < 0) {
		draft->fd = draft_create_file(draft->store, draft->id);
		draft->is_file = draft->fd >= 0;
		r = draft->is_file ? 0 : draft->fd;
	}
	if (r == 0 && base != 0)
		r = draft_load(store, base, draft->fd);
	if (r < 0) {
		cubby_draft_drop(draft);
		return r;
	}
	*ret_draft = draft;
	return 0;
}

uint64_t cubby_draft_id(const struct cubby_draft *draft)
{
	return draft->id;
}

int cubby_draft_fd(const struct cubby_draft *draft)
{
	return draft->fd;
}

static int publish_plain(struct cubby_draft *draft, uint64_t parent,
			 const char *name, const struct cubby_owner *owner,
			 struct record *ret_record)
{
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct stat file = {.st_size = 0};
	int r = cubby_draft_grow(draft, UINT64_MAX);

	if (r == 0)
		r = sys_fstat(draft->fd, &file);
	if (r == 0)
		r = update_begin(draft->store, &update);
	*ret_record = (struct record){
		.kind = CUBBY_PLAIN,
		.mode = draft_mode(owner->mode),
		.uid = owner->uid,
		.gid = owner->gid,
		.stored_size = (uint64_t)file.st_blocks * 512,
		.name = "",
	};
	if (r == 0)
		r = update_insert(&update, parent, name, strlen(name),
				  draft->id, ret_record);
	return r < 0 ? r : update_commit(&update);
}

static int publish_entry(struct cubby_draft *draft, uint64_t parent,
			 const char *name, const struct cubby_owner *owner,
			 struct record *ret_record)
{
	SCOPED_PUBLICATION struct publication publication = PUBLICATION_NONE;
	SCOPED_UPDATE struct update update = {.store = NULL};
	struct stat st;
	int r = sys_fstat(draft->fd, &st);

	if (r == 0)
		r = cubby_draft_grow(draft, (uint64_t)st.st_size);
	if (r < 0)
		return r;
	r = publication_from_draft(&publication, draft->store, draft->id,
				   draft->fd, parent, name);
	if (r == 0)
		r = update_begin(draft->store, &update);
	if (r < 0)
		return r;
	publication.record.mode = draft_mode(owner->mode);
	publication.record.uid = owner->uid;
	publication.record.gid = owner->gid;
	r = publish_insert(&update, parent, name, draft->id,
			   &publication.encoder, &publication.record);
	if (r == 0)
		r = update_commit(&update);
	if (r < 0)
		return r;
	r = durable_published(&publication.encoder);
	if (r < 0)
		return r;
	if (draft->is_file)
		draft_delete_file(draft->store, draft->id);
	figures_add(draft->store->figures, parent, publication.record.size);
	*ret_record = publication.record;
	return 0;
}

static int publish(struct cubby_draft *draft, uint64_t parent, const char *name,
		   const struct cubby_owner *owner, struct record *ret_record)
{
	return name_is_entry(name)
		       ? publish_entry(draft, parent, name, owner, ret_record)
		       : publish_plain(draft, parent, name, owner, ret_record);
}

int cubby_draft_publish(struct cubby_draft *draft, uint64_t parent,
			const char *name, const struct cubby_owner *owner,
			struct cubby_attr *ret_attr)
{
	struct record record;
	struct stat file;
	int r = name_verify(name, strlen(name));

	if (r == 0)
		r = store_verify_writable(draft->store);
	if (r == 0)
		r = publish(draft, parent, name, owner, &record);
	if (room_was_made(draft->store, r, FRAME_SIZE))
		r = publish(draft, parent, name, owner, &record);
	if (r < 0)
		return r;
	*ret_attr = record_attr(draft->id, &record);
	if (record.kind == CUBBY_PLAIN && sys_fstat(draft->fd, &file) == 0) {
		ret_attr->size = (uint64_t)file.st_size;
		ret_attr->stored_size = (uint64_t)file.st_blocks * 512;
	}
	sys_close(&draft->fd);
	free(draft);
	return 0;
}

void cubby_draft_drop(struct cubby_draft *draft)
{
	if (!draft)
		return;
	if (draft->is_file && store_verify_process(draft->store) == 0)
		draft_delete_file(draft->store, draft->id);
	sys_close(&draft->fd);
	free(draft);
}
