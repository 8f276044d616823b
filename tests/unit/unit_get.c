/* SPDX-License-Identifier: MIT */
/*
 * A get between whose steps others change the entry: this program's own
 * mdb_txn_reset(), where the look at the name has ended, has it done by another
 * process. The entry has a file of its own; one in the index is found and read
 * in one step.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cubby/cubby.h"

enum deed { REPLACE = 'r', DELETE = 'd' };

enum { SIZE = 64 * 1024 }; /* of what does not compress */

static char path[] = "/tmp/cubby-get-XXXXXX";
static const struct cubby_key key = {{1}};
static int orders[2];
static int answers[2];
static pid_t other;
static unsigned changes; /* still to be made, one after each look */
static enum deed next_deed;

static struct cubby *store;
static struct cubby_ns *ns;

static void open_store(void)
{
	cr_assert_eq(cubby_open(path, CUBBY_CREATE, &store), 0);
	cr_assert_eq(cubby_ns_open(store, "ns", &ns), 0);
}

_Noreturn static void obey(void)
{
	uint8_t content[SIZE];
	uint32_t noise = 1;
	char deed;

	for (size_t i = 0; i < SIZE; i++) {
		noise = noise * 1664525 + 1013904223;
		content[i] = (uint8_t)(noise >> 24);
	}
	content[0] = 1;
	open_store();
	while (read(orders[0], &deed, 1) == 1) {
		int r = deed == DELETE
				? cubby_delete(ns, &key)
				: cubby_add_bytes(ns, &key, content, SIZE);

		content[0]++;
		if (r < 0 || write(answers[1], "", 1) != 1)
			break;
	}
	_exit(1);
}

static void let_other(enum deed deed)
{
	const char order = (char)deed;
	char answer;

	cr_assert_eq(write(orders[1], &order, 1), 1);
	cr_assert_eq(read(answers[0], &answer, 1), 1);
}

void mdb_txn_reset(MDB_txn *txn)
{
	static void (*real)(MDB_txn * txn);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_reset");
	real(txn);
	if (changes > 0) {
		changes--;
		let_other(next_deed);
	}
}

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(pipe(orders), 0);
	cr_assert_eq(pipe(answers), 0);
	other = fork();
	cr_assert_geq(other, 0);
	if (other == 0) {
		(void)close(orders[1]);
		(void)close(answers[0]);
		obey();
	}
	(void)close(answers[1]); /* its end is not waited for */
	open_store();
	let_other(REPLACE);
}

static void teardown(void)
{
	char command[128];

	cubby_ns_close(ns);
	cubby_close(store);
	(void)close(orders[1]);
	cr_assert_eq(waitpid(other, NULL, 0), other);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
}

TestSuite(get, .init = setup, .fini = teardown, .timeout = 60);

static void must_give(uint8_t wanted)
{
	struct cubby_reader *reader;
	uint8_t content;

	cr_assert_eq(cubby_get(ns, &key, &reader), 0);
	cr_expect_eq(cubby_reader_read(reader, &content, 1), 1);
	cr_expect_eq(content, wanted);
	cr_expect_eq(cubby_reader_size(reader), SIZE);
	cubby_reader_close(reader);
}

Test(get, what_is_replaced_after_its_name_was_found_is_a_hit)
{
	must_give(1);
	next_deed = REPLACE;
	changes = 1;
	must_give(2);
	cr_expect_eq(changes, 0);
}

Test(get, what_is_replaced_again_and_again_meanwhile_is_a_hit)
{
	next_deed = REPLACE;
	changes = 40;
	must_give(41);
	cr_expect_eq(changes, 0);
}

Test(get, what_is_deleted_after_its_name_was_found_is_a_miss)
{
	struct cubby_reader *reader;

	next_deed = DELETE;
	changes = 1;
	cr_expect_eq(cubby_get(ns, &key, &reader), -ENOENT);
	cr_expect_eq(changes, 0);
}
