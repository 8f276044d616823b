/* SPDX-License-Identifier: MIT */
/* The file `steady`, with any damage. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "format/check.h"
#include "index/snapshot.h"
#include "leaks.h"

enum { AT_PAGE_SIZE = 52, AT_CHECK = 56, AT_PAGE = 72, PAGE = 4096 };

static char path[] = "/tmp/cubby-snapshot-XXXXXX";
static char file[64];
static struct snapshot made;
static struct snapshot found;
static uint8_t bytes[AT_PAGE + 2 * SNAPSHOT_PAGE_MAX];

static void setup(void)
{
	int fd;

	cr_assert_not_null(mkdtemp(path));
	(void)snprintf(file, sizeof(file), "%s/steady", path);
	cr_assert_eq(instance_get(path, &made.instance), 0);
	made.page_size = PAGE;
	for (size_t i = 0; i < PAGE; i++)
		made.page[i] = (uint8_t)(i * 7 / 3);
	cr_assert_eq(snapshot_read(path, &found), -ENOENT);
	cr_assert_eq(snapshot_write(path, &made), 0);
	fd = open(file, O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(read(fd, bytes, sizeof(bytes)), AT_PAGE + PAGE);
	close(fd);
}

static void teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
	leaks_check();
}

TestSuite(snapshot, .init = setup, .fini = teardown);

/* The first `size` bytes, with the check that they ought to have. */
static int read_sealed(size_t size)
{
	struct check check;
	int fd;

	memset(bytes + AT_CHECK, 0, CHECK_SIZE);
	check = check_footer(0, bytes, size);
	memcpy(bytes + AT_CHECK, check.bytes, CHECK_SIZE);
	fd = open(file, O_WRONLY | O_TRUNC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	return snapshot_read(path, &found);
}

Test(snapshot, comes_back_as_it_was)
{
	cr_assert_eq(snapshot_read(path, &found), 0);
	cr_expect_eq(found.page_size, PAGE);
	cr_expect_arr_eq(found.page, made.page, PAGE);
	cr_expect(instance_equal(&found.instance, &made.instance));
	found.instance.boot_id[0] ^= 1;
	cr_expect_not(instance_equal(&found.instance, &made.instance));
	found.instance.boot_id[0] ^= 1;
	found.instance.mount++;
	cr_expect_not(instance_equal(&found.instance, &made.instance));
}

Test(snapshot, with_any_byte_changed_is_damage)
{
	int fd = open(file, O_RDWR);

	cr_assert_geq(fd, 0);
	for (off_t at = 0; at < AT_PAGE + PAGE; at += at < AT_PAGE ? 1 : 997) {
		uint8_t other = bytes[at] ^ 1;

		cr_assert_eq(pwrite(fd, &other, 1, at), 1);
		cr_expect_eq(snapshot_read(path, &found), -EBADMSG, "byte %ld",
			     (long)at);
		cr_assert_eq(pwrite(fd, &bytes[at], 1, at), 1);
	}
	close(fd);
	cr_expect_eq(snapshot_read(path, &found), 0);
}

/* Even if the check is right. */
Test(snapshot, of_an_impossible_size_is_damage)
{
	const size_t most = SNAPSHOT_PAGE_MAX;
	const size_t least = 152; /* with the number of its transaction */

	cr_expect_eq(read_sealed(AT_PAGE + PAGE), 0);
	cr_expect_eq(read_sealed(AT_PAGE + PAGE - 1), -EBADMSG);
	cr_expect_eq(read_sealed(AT_PAGE + PAGE + 1), -EBADMSG);
	cr_expect_eq(read_sealed(AT_PAGE - 1), -EBADMSG);
	cr_expect_eq(read_sealed(0), -EBADMSG);
	put_le(bytes + AT_PAGE_SIZE, least, 4);
	cr_expect_eq(read_sealed(AT_PAGE + least), 0);
	put_le(bytes + AT_PAGE_SIZE, least - 1, 4);
	cr_expect_eq(read_sealed(AT_PAGE + least - 1), -EBADMSG);
	put_le(bytes + AT_PAGE_SIZE, most, 4);
	cr_expect_eq(read_sealed(AT_PAGE + most), 0);
	put_le(bytes + AT_PAGE_SIZE, most + 1, 4);
	cr_expect_eq(read_sealed(AT_PAGE + most + 1), -EBADMSG);
}

/* What is in the way of the new one is not opened. */
Test(snapshot, is_replaced_whole_or_not_at_all)
{
	char new[72];

	(void)snprintf(new, sizeof(new), "%s/steady.new", path);
	cr_assert_eq(mkdir(new, 0700), 0);
	made.page[0] ^= 1;
	cr_expect_eq(snapshot_write(path, &made), -EISDIR);
	cr_assert_eq(snapshot_read(path, &found), 0);
	cr_expect_neq(found.page[0], made.page[0]);
	cr_assert_eq(rmdir(new), 0);
	cr_assert_eq(symlink("/dev/null", new), 0);
	cr_expect_eq(snapshot_write(path, &made), 0);
	cr_assert_eq(snapshot_read(path, &found), 0);
	cr_expect_eq(found.page[0], made.page[0]);
}
