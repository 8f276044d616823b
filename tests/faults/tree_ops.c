/* SPDX-License-Identifier: MIT */
/* What a mount does: drafts, plain files, renames, directories. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "must.h"
#include "ops.h"
#include "sys/sys.h"

static const struct cubby_owner owner = {.mode = 0600};

/* ----------------------------------------------------------------- drafts */

static int draft_write(struct stage *stage, enum content content)
{
	const size_t size = content_size(content);
	const size_t part = size / 50; /* in memory in any case */
	int r = cubby_draft_new(stage->store, 0, &stage->draft);

	if (r == 0)
		r = sys_pwrite(cubby_draft_fd(stage->draft),
			       content_data(content), part, 0);
	if (r == 0)
		r = cubby_draft_grow(stage->draft, size);
	if (r < 0)
		return r;
	return sys_pwrite(cubby_draft_fd(stage->draft),
			  content_data(content) + part, size - part, part);
}

static int draft_publish(struct stage *stage, const char *name)
{
	struct cubby_attr attr;
	int r = cubby_draft_publish(stage->draft, stage->dir, name, &owner,
				    &attr);

	if (r == 0)
		stage->draft = NULL;
	return r;
}

/* All of it, as the close of a file that was created under its name. */
static int draft_all(struct stage *stage, enum content content,
		     const char *name)
{
	int r = draft_write(stage, content);

	if (r == 0)
		r = draft_publish(stage, name);
	cubby_draft_drop(TAKE(stage->draft));
	return r;
}

static int draft_tiny(struct stage *stage)
{
	return draft_all(stage, TINY_TOO, KEY5);
}

static int draft_text(struct stage *stage)
{
	return draft_all(stage, TEXT_TOO, KEY5);
}

static int draft_noise(struct stage *stage)
{
	return draft_all(stage, NOISE, KEY5);
}

static int draft_plain(struct stage *stage)
{
	return draft_all(stage, TEXT_TOO, "plain");
}

static void draft_noise_before(struct stage *stage)
{
	MUST_DO(draft_write(stage, NOISE));
}

/* A draft whose publishing failed is as it was, and is published later. */
static int draft_publish_again(struct stage *stage)
{
	return draft_publish(stage, KEY5);
}

static int draft_from_entry(struct stage *stage)
{
	struct cubby_attr attr;
	int r = cubby_lookup(stage->store, CUBBY_ROOT_ID, "ns", &attr);

	if (r == 0)
		r = cubby_lookup(stage->store, attr.id, KEY2, &attr);
	if (r == 0)
		r = cubby_draft_new(stage->store, attr.id, &stage->draft);
	if (r == 0)
		r = draft_publish(stage, KEY5);
	cubby_draft_drop(TAKE(stage->draft));
	return r;
}

/* ------------------------------------------------------------------ later */

enum { ROOM = 1 << 20 };

static void later_before(struct stage *stage)
{
	MUST_DO(cubby_later_begin(stage->store, ROOM));
}

static void queued_before(struct stage *stage)
{
	later_before(stage);
	MUST_DO(draft_all(stage, TEXT_TOO, KEY5));
	cubby_later_end(stage->store); /* then nothing is waited for */
}

/* What fails leaves the entry as it is. */
static int later_run(struct stage *stage)
{
	int r = cubby_later_run(stage->store);

	if (r == 0)
		stage->wrong = "nothing was queued";
	return r < 0 ? r : 0;
}

/* ---------------------------------------------------------------- renames */

static int rename_in_dir(struct stage *stage, const char *from, const char *to)
{
	struct cubby_attr attr;

	return cubby_rename(stage->store, stage->dir, from, stage->dir, to, 0,
			    &attr);
}

static int publish_tiny(struct stage *stage)
{
	return rename_in_dir(stage, "tiny", KEY5);
}

static int publish_text(struct stage *stage)
{
	return rename_in_dir(stage, "text", KEY5);
}

static int publish_noise(struct stage *stage)
{
	return rename_in_dir(stage, "noise", KEY5);
}

static int move_plain(struct stage *stage)
{
	return rename_in_dir(stage, "tiny", "text");
}

static int move_directory(struct stage *stage)
{
	return rename_in_dir(stage, "sub", "sub2");
}

static void entry_before(struct stage *stage)
{
	MUST_DO(draft_all(stage, TEXT_TOO, KEY5));
}

static int move_entry(struct stage *stage)
{
	return rename_in_dir(stage, KEY5, KEY1);
}

static int unpublish(struct stage *stage)
{
	return rename_in_dir(stage, KEY5, "plain");
}

/* ----------------------------------------------------------------- others */

static int create_plain(struct stage *stage)
{
	struct cubby_attr attr;
	int fd;
	int r = cubby_create(stage->store, stage->dir, "new", &owner, &attr,
			     &fd);

	if (r == 0)
		sys_close(&fd);
	return r;
}

static int write_plain(struct stage *stage)
{
	struct cubby_attr attr;
	int fd;
	int r = cubby_lookup(stage->store, stage->dir, "tiny", &attr);

	if (r == 0)
		r = cubby_open_plain(stage->store, attr.id, &fd);
	if (r < 0)
		return r;
	r = sys_pwrite(fd, content_data(TINY), content_size(TINY), 0);
	sys_close(&fd);
	return r;
}

static int make_directory(struct stage *stage)
{
	struct cubby_attr attr;

	return cubby_mkdir(stage->store, stage->dir, "new", &owner, &attr);
}

static int remove_directory(struct stage *stage)
{
	return cubby_rmdir(stage->store, stage->dir, "sub");
}

static int unlink_plain(struct stage *stage)
{
	return cubby_unlink(stage->store, stage->dir, "text");
}

static int set_attributes(struct stage *stage)
{
	const struct cubby_attr wanted = {.mode = 0640, .mtime_ns = 5000000000};
	struct cubby_attr attr;
	int r = cubby_lookup(stage->store, stage->dir, "text", &attr);

	if (r == 0)
		r = cubby_setattr(stage->store, attr.id,
				  CUBBY_SET_MODE | CUBBY_SET_MTIME, &wanted,
				  &attr);
	if (r == 0 && attr.mode != 0640)
		stage->wrong = "the mode is not set";
	return r;
}

static int count_name(void *cookie, const char *name,
		      const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	(void)name;
	(void)attr;
	++*count;
	return 0;
}

static int read_directory(struct stage *stage)
{
	unsigned count = 0;
	int r = cubby_readdir(stage->store, stage->dir, "", 0, count_name,
			      &count);

	if (r == 0 && count != 4)
		stage->wrong = "the directory is not whole";
	return r;
}

/* What a process that died has left is cleared up by who watches. */
static void orphan_before(struct stage *stage)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char path[PATH_MAX + 64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/drafts/00000000000000ff",
		       stage->path);
	fd = sys_create(AT_FDCWD, path, O_WRONLY | O_EXCL);
	MUST(fd >= 0);
	sys_close(&fd);
	MUST(utimensat(AT_FDCWD, path, old, 0) == 0);
}

static int sweep(struct stage *stage)
{
	return cubby_watch_new(stage->store, &stage->watch);
}

#define NEW_IN_DIR(content)                                                    \
	{                                                                      \
		"dir/" KEY5, content, false                                    \
	}
#define GONE_FROM_DIR(name)                                                    \
	{                                                                      \
		"dir/" name, NOTHING, false                                    \
	}

const struct op tree_ops[] = {
	{.name = "draft_tiny",
	 .run = draft_tiny,
	 .changed = {NEW_IN_DIR(TINY_TOO)}},
	{.name = "draft_text",
	 .run = draft_text,
	 .changed = {NEW_IN_DIR(TEXT_TOO)}},
	{.name = "draft_noise",
	 .run = draft_noise,
	 .changed = {NEW_IN_DIR(NOISE)}},
	{.name = "draft_plain",
	 .run = draft_plain,
	 .changed = {{"dir/plain", TEXT_TOO, false}}},
	{.name = "draft_publish",
	 .prepare = draft_noise_before,
	 .run = draft_publish_again,
	 .changed = {NEW_IN_DIR(NOISE)}},
	{.name = "draft_from_entry",
	 .run = draft_from_entry,
	 .changed = {NEW_IN_DIR(TEXT)}},
	{.name = "draft_later",
	 .prepare = later_before,
	 .run = draft_text,
	 .changed = {NEW_IN_DIR(TEXT_TOO)}},
	{.name = "later_run",
	 .names_early = true,
	 .keeps_blob = true,
	 .prepare = queued_before,
	 .run = later_run,
	 .prepared = {NEW_IN_DIR(TEXT_TOO)}},
	{.name = "publish_tiny",
	 .run = publish_tiny,
	 .changed = {GONE_FROM_DIR("tiny"), NEW_IN_DIR(TINY)}},
	{.name = "publish_text",
	 .run = publish_text,
	 .changed = {GONE_FROM_DIR("text"), NEW_IN_DIR(TEXT)}},
	{.name = "publish_noise",
	 .keeps_blob = true,
	 .run = publish_noise,
	 .changed = {GONE_FROM_DIR("noise"), NEW_IN_DIR(NOISE)}},
	{.name = "move_plain",
	 .run = move_plain,
	 .changed = {GONE_FROM_DIR("tiny"), {"dir/text", TINY, false}}},
	{.name = "move_directory",
	 .run = move_directory,
	 .changed = {GONE_FROM_DIR("sub"), {"dir/sub2", FOLDER, false}}},
	{.name = "move_entry",
	 .prepare = entry_before,
	 .run = move_entry,
	 .prepared = {NEW_IN_DIR(TEXT_TOO)},
	 .changed = {GONE_FROM_DIR(KEY5), {"dir/" KEY1, TEXT_TOO, false}}},
	{.name = "unpublish",
	 .keeps_blob = true,
	 .prepare = entry_before,
	 .run = unpublish,
	 .prepared = {NEW_IN_DIR(TEXT_TOO)},
	 .changed = {GONE_FROM_DIR(KEY5), {"dir/plain", TEXT_TOO, false}}},
	{.name = "create_plain",
	 .run = create_plain,
	 .changed = {{"dir/new", EMPTY, false}}},
	{.name = "write_plain", .run = write_plain},
	{.name = "make_directory",
	 .run = make_directory,
	 .changed = {{"dir/new", FOLDER, false}}},
	{.name = "remove_directory",
	 .run = remove_directory,
	 .changed = {GONE_FROM_DIR("sub")}},
	{.name = "unlink_plain",
	 .run = unlink_plain,
	 .changed = {GONE_FROM_DIR("text")}},
	{.name = "set_attributes", .run = set_attributes},
	{.name = "read_directory", .run = read_directory},
	{.name = "sweep",
	 .also = -EUSERS,
	 .leavings = 1,
	 .prepare = orphan_before,
	 .run = sweep},
};
const size_t tree_ops_count = ARRAY_SIZE(tree_ops);
