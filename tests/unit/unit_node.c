/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cubby/manage.h"
#include "cubby/tree.h"
#include "index/addressed.h"
#include "index/nodes.h"
#include "leaks.h"
#include "store/node.h"
#include "store/store.h"

static char path[] = "/tmp/cubby-node-XXXXXX";
static struct cubby *store;
static struct cubby_ns *ns;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
	cr_assert_eq(cubby_ns_open(store, "", &ns), 0);
}

static void teardown(void)
{
	char command[128];

	cubby_ns_close(ns);
	cubby_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(node, .init = setup, .fini = teardown);

static const struct cubby_key one = {{1}};
static const struct cubby_key two = {{2}};

/* Two entries, and the name of the first leads to the second: what a damaged
 * page of the index may do. All checks of the second are right. */
static void mix_up(void)
{
	char name[CUBBY_KEY_TEXT_SIZE];
	struct cubby_attr attr;
	struct index_txn *txn;

	cr_assert_eq(cubby_add_bytes(ns, &one, "one", 3), 0);
	cr_assert_eq(cubby_add_bytes(ns, &two, "two", 3), 0);
	cr_assert_eq(cubby_stat(ns, &two, &attr), 0);
	cubby_key_format(&one, name);
	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(names_put(txn, CUBBY_ROOT_ID, name, strlen(name), attr.id),
		     0);
	cr_assert_eq(index_commit(txn), 0);
}

static void expect_content(const struct cubby_key *key, const char *content)
{
	struct cubby_reader *reader;
	char bytes[8] = "";

	cr_assert_eq(cubby_get(ns, key, &reader), 0);
	cr_expect_eq(cubby_reader_read(reader, bytes, sizeof(bytes)),
		     (ssize_t)strlen(content));
	cr_expect_str_eq(bytes, content);
	cubby_reader_close(reader);
}

Test(node, a_name_that_leads_to_anothers_node_is_damage_then_a_miss)
{
	struct cubby_reader *reader;

	mix_up();
	cr_expect_eq(cubby_get(ns, &one, &reader), -EBADMSG);
	cr_expect_eq(cubby_get(ns, &one, &reader), -ENOENT);
	expect_content(&two, "two");
}

Test(node, looking_up_such_a_name_heals_it_too)
{
	char name[CUBBY_KEY_TEXT_SIZE];
	struct cubby_attr attr;

	mix_up();
	cubby_key_format(&one, name);
	cr_expect_eq(cubby_lookup(store, CUBBY_ROOT_ID, name, &attr), -EBADMSG);
	cr_expect_eq(cubby_lookup(store, CUBBY_ROOT_ID, name, &attr), -ENOENT);
	expect_content(&two, "two");
}

Test(node, adding_under_such_a_name_leaves_the_other_alone)
{
	mix_up();
	cr_assert_eq(cubby_add_bytes(ns, &one, "new", 3), 0);
	expect_content(&one, "new");
	expect_content(&two, "two");
}

static int count_name(void *cookie, const char *name,
		      const struct cubby_attr *attr)
{
	(void)name;
	(void)attr;
	++*(unsigned *)cookie;
	return 0;
}

Test(node, a_directory_that_lists_as_empty_can_be_removed)
{
	static const struct cubby_owner owner = {0755, 0, 0};
	struct cubby_attr directory;
	struct cubby_attr below;
	struct cubby_attr attr;
	struct index_txn *txn;
	uint64_t id;
	unsigned count = 0;

	mix_up();
	cr_assert_eq(cubby_stat(ns, &two, &attr), 0);
	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "d", &owner, &directory),
		     0);
	cr_assert_eq(cubby_mkdir(store, directory.id, "n", &owner, &below), 0);
	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(names_put(txn, directory.id, "m", 1, 888888), 0);
	cr_assert_eq(names_put(txn, directory.id, "o", 1, attr.id), 0);
	cr_assert_eq(index_commit(txn), 0);

	/* With a good name it stays, and so do the others. */
	cr_expect_eq(cubby_rmdir(store, CUBBY_ROOT_ID, "d"), -ENOTEMPTY);
	cr_assert_eq(index_read(store->index, &txn), 0);
	cr_expect_eq(names_get(txn, directory.id, "m", 1, &id), 0);
	index_end(txn);
	cr_assert_eq(cubby_rmdir(store, directory.id, "n"), 0);

	cr_assert_eq(
		cubby_readdir(store, directory.id, "", 10, count_name, &count),
		0);
	cr_assert_eq(count, 0);
	cr_expect_eq(cubby_rmdir(store, CUBBY_ROOT_ID, "d"), 0);
	cr_assert_eq(index_read(store->index, &txn), 0);
	cr_expect_eq(names_get(txn, directory.id, "m", 1, &id), -ENOENT);
	cr_expect_eq(names_get(txn, directory.id, "o", 1, &id), -ENOENT);
	index_end(txn);
	expect_content(&two, "two");
}

/* As a newer version has written it, or damage. */
Test(node, an_unknown_digest_is_of_its_directory_only)
{
	static const struct cubby_owner owner = {0755, 0, 0};
	struct addressed row = {.content = 9};
	struct cubby_attr attr;
	struct index_txn *txn;
	struct cubby_ns *other;
	enum cubby_content content;

	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "d", &owner, &attr), 0);
	row.id = attr.id;
	cr_assert_eq(cubby_mkdir(store, CUBBY_ROOT_ID, "e", &owner, &attr), 0);
	cr_assert_eq(index_write(store->index, &txn), 0);
	cr_assert_eq(addressed_put(txn, &row, 1), 0);
	cr_assert_eq(index_commit(txn), 0);

	cr_assert_eq(cubby_ns_open(store, "d", &other), 0);
	cr_expect_eq(cubby_add_bytes(other, &one, "one", 3), -EPROTONOSUPPORT);
	cr_expect_eq(cubby_add_bytes(ns, &one, "one", 3), 0);
	expect_content(&one, "one");
	cr_expect_eq(cubby_set_content(store, "e", CUBBY_CONTENT_SHA256), 0);
	cr_expect_eq(cubby_get_content(store, "d", &content), -EPROTONOSUPPORT);
	cr_expect_eq(cubby_rmdir(store, CUBBY_ROOT_ID, "e"), 0);

	/* It is put right by another setting, or ends with its directory. */
	cr_expect_eq(cubby_set_content(store, "d", CUBBY_CONTENT_NONE), 0);
	cr_expect_eq(cubby_add_bytes(other, &one, "one", 3), 0);
	cubby_ns_close(other);
}
