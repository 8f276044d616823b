/* SPDX-License-Identifier: MIT */
/*
 * A handle that may not do what is asked: one of the process before a fork(2),
 * which is what its generation says, and one for reading only.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cubby/manage.h"
#include "cubby/tree.h"
#include "cubby/upkeep.h"
#include "leaks.h"
#include "store/store.h"

static char path[] = "/tmp/cubby-handle-XXXXXX";
static struct cubby *store;
static struct cubby_ns *ns;

static const struct cubby_owner owner = {.mode = 0644};
static const char name[] = "11111111111111111111111111111111";

static void open_store(unsigned flags)
{
	cr_assert_eq(cubby_open(path, flags, &store), 0);
	cr_assert_eq(cubby_ns_open(store, "", &ns), 0);
}

static void close_store(void)
{
	cubby_ns_close(ns);
	cubby_close(store);
}

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	open_store(CUBBY_CREATE);
}

static void teardown(void)
{
	char command[128];

	close_store();
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(handle, .init = setup, .fini = teardown, .timeout = 60);

static int fail_entry(void *cookie, const char *of,
		      const struct cubby_attr *attr)
{
	(void)cookie;
	(void)of;
	(void)attr;
	return 77;
}

static int fail_quota(void *cookie, const char *of,
		      const struct cubby_quota *quota)
{
	(void)cookie;
	(void)of;
	(void)quota;
	return 77;
}

static int fail_content(void *cookie, const char *of,
			enum cubby_content content)
{
	(void)cookie;
	(void)of;
	(void)content;
	return 77;
}

/* What only looks gives `error`. */
static void expect_no_look(int error)
{
	struct cubby_gc_summary gc;
	struct cubby_limits limits;
	struct cubby_quota quota;
	enum cubby_content content;

	cr_expect_eq(cubby_get_limits(store, &limits), error);
	cr_expect_eq(cubby_get_quota(store, "", &quota), error);
	cr_expect_eq(cubby_get_quota_of(store, 2, &quota), error);
	cr_expect_eq(cubby_list_quotas(store, fail_quota, NULL), error);
	cr_expect_eq(cubby_get_content(store, "", &content), error);
	cr_expect_eq(cubby_list_contents(store, fail_content, NULL), error);
	cr_expect_eq(cubby_list(ns, fail_entry, NULL), error);
	cr_expect_eq(cubby_gc(store, CUBBY_DRY_RUN, 0, &gc), error);
}

/* What changes something gives `error`. */
static void expect_no_change(int error)
{
	const struct cubby_quota quota = {.quota = 1 << 30};
	const struct cubby_limits limits = {.max_size = 0};
	struct cubby_gc_summary gc;
	struct cubby_draft *draft;
	uint64_t id = 2;
	uint64_t evicted;

	cr_expect_eq(cubby_set_limits(store, &limits), error);
	cr_expect_eq(cubby_trim(store, &evicted), error);
	cr_expect_eq(cubby_set_quota(store, "a", &quota), error);
	cr_expect_eq(cubby_set_quota_of(store, 2, &quota), error);
	cr_expect_eq(cubby_set_content(store, "", CUBBY_CONTENT_SHA256), error);
	cr_expect_eq(cubby_gc(store, 0, 0, &gc), error);
	cr_expect_eq(cubby_settle_plain(store, &id, 1), error);
	cr_expect_eq(cubby_draft_new(store, 0, &draft), error);
	cr_expect_eq(cubby_later_begin(store, 1 << 20), error);
	cr_expect_eq(cubby_later_run(store), error);
	cr_expect_eq(cubby_sync_names(store), error);
}

Test(handle, of_another_process_is_refused)
{
	store->generation++;
	expect_no_look(-ECHILD);
	expect_no_change(-ECHILD);
	store->generation--;
}

Test(handle, for_reading_only_changes_nothing)
{
	struct cubby_limits limits;
	struct cubby_attr attr;
	char byte;
	int fd;

	cr_assert_eq(
		cubby_create(store, CUBBY_ROOT_ID, "plain", &owner, &attr, &fd),
		0);
	cr_assert_eq(write(fd, "x", 1), 1);
	close(fd);
	close_store();
	open_store(CUBBY_READ_ONLY);
	expect_no_change(-EROFS);
	cr_expect_eq(cubby_get_limits(store, &limits), 0);
	cr_assert_eq(cubby_open_plain(store, attr.id, &fd), 0);
	cr_expect_eq(read(fd, &byte, 1), 1);
	cr_expect_eq(write(fd, "y", 1), -1);
	cr_expect_eq(errno, EBADF);
	close(fd);
}

/* The file is the parent's. */
Test(handle, of_another_process_leaves_its_draft)
{
	struct cubby_draft *draft;
	struct cubby_draft *other;
	char file[128];

	cr_assert_eq(cubby_draft_new(store, 0, &draft), 0);
	cr_assert_eq(cubby_draft_new(store, 0, &other), 0);
	cr_assert_eq(cubby_draft_grow(draft, 1 << 20), 0);
	cr_assert_eq(cubby_draft_grow(other, 1 << 20), 0);
	(void)snprintf(file, sizeof(file), "%s/drafts/%016lx", path,
		       (unsigned long)cubby_draft_id(draft));
	store->generation++;
	cubby_draft_drop(draft);
	store->generation--;
	cr_expect_eq(access(file, F_OK), 0);
	(void)snprintf(file, sizeof(file), "%s/drafts/%016lx", path,
		       (unsigned long)cubby_draft_id(other));
	cubby_draft_drop(other);
	cr_expect_eq(access(file, F_OK), -1);
	cubby_draft_drop(NULL);
}

Test(handle, compresses_nothing_later_unless_it_was_begun)
{
	cr_expect_eq(cubby_later_run(store), 0);
	cubby_later_end(store);
	cr_assert_eq(cubby_later_begin(store, 1 << 20), 0);
	cr_expect_eq(cubby_later_begin(store, 1 << 20), -EBUSY);
	cubby_later_end(store);
	cr_expect_eq(cubby_later_run(store), 0);
}

Test(handle, takes_no_entry_that_is_too_large)
{
	struct cubby_writer *writer;

	cr_assert_eq(cubby_writer_open_name(ns, name, &writer), 0);
	cr_assert_eq(cubby_writer_write(writer, "x", 1), 0);
	cr_expect_eq(cubby_writer_write(writer, "", CUBBY_SIZE_MAX), -EFBIG);
	cr_expect_eq(cubby_writer_commit(writer), -EFBIG);
	cr_assert_eq(cubby_writer_open_name(ns, name, &writer), 0);
	cr_assert_eq(cubby_writer_write(writer, "", 0), 0);
	cr_expect_eq(cubby_writer_commit(writer), 0);
}
