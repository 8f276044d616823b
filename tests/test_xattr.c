/* SPDX-License-Identifier: MIT */
/* Extended attributes on a mount. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cubby/manage.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(xattr, .fini = scratch_end, .timeout = 120);

enum { MIB = 1024 * 1024, SIZE = 100000, WRITES = 100, HITS = 100 };

#define QUOTA "user.cubby.quota"
#define PIN "user.cubby.pin"

/* The value of an attribute, which must be there; four static texts. */
static const char *value_of(const char *path, const char *name)
{
	static char texts[4][128];
	static unsigned next;
	char *text = texts[next++ % 4];
	ssize_t n = getxattr(path, name, text, sizeof(texts[0]) - 1);

	if (n < 0)
		must_fail(__FILE__, __LINE__, "%s of %s: %s", name, path,
			  strerror(errno));
	MUST_BE(getxattr(path, name, NULL, 0), n);
	text[n] = '\0';
	return text;
}

static uint64_t number_of(const char *path, const char *name)
{
	const char *text = value_of(path, name);
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	MUST(end > text && *end == '\0');
	return n;
}

/* "1700000000.123456789" */
static int64_t time_of(const char *path, const char *name)
{
	int64_t s, ns;
	int end = 0;

	MUST_BE(sscanf(value_of(path, name), "%" SCNd64 ".%9" SCNd64 "%n", &s,
		       &ns, &end),
		2);
	MUST(end > 10 && ns < 1000000000);
	return s * 1000000000 + ns;
}

static int set(const char *path, const char *name, const char *value)
{
	return setxattr(path, name, value, strlen(value), 0);
}

/* The names of the attributes, each with a blank behind it. */
static void lists(const char *path, const char *want)
{
	char list[1024];
	ssize_t n = listxattr(path, list, sizeof(list) - 1);

	MUST(n >= 0);
	MUST_BE(listxattr(path, NULL, 0), n);
	for (ssize_t i = 0; i < n; i++)
		if (list[i] == '\0')
			list[i] = ' ';
	list[n] = '\0';
	if (strcmp(list, want) != 0)
		must_fail(__FILE__, __LINE__, "%s has '%s', not '%s'", path,
			  list, want);
}

static const char of_entries[] =
	"user.cubby.stored_size user.cubby.checksum user.cubby.codec "
	"user.cubby.added user.cubby.used user.cubby.hits ";

static struct cubby_quota quota_of(const struct site *site, const char *path)
{
	struct cubby_quota quota;

	MUST_DO(cubby_get_quota(site->box.store, path, &quota));
	return quota;
}

Test(xattr, an_entry_tells_what_the_store_knows_of_it)
{
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, SIZE);
	struct cubby_limits limits;
	struct cubby_storage storage;
	struct cubby_attr attr;
	const char *path;
	char hex[33];
	struct site site;

	MOUNT_OR_SKIP();
	site_new_with(&site, "xattr");
	MUST_DO(cubby_get_limits(site.box.store, &limits));
	limits.resolution_s = 0;
	MUST_DO(cubby_set_limits(site.box.store, &limits));
	box_add(&site.box, name_of(1), data, SIZE);
	for (unsigned i = 0; i < 3; i++) {
		box_use(&site.box, 1);
		box_add(&site.box, name_of(2), "abc", 3); /* writes the use */
	}
	path = site_path(&site, name_of(1));
	lists(path, of_entries);
	attr = box_attr(&site.box, name_of(1));
	MUST(attr.hits >= 3);
	MUST(attr.used_ns > attr.added_ns);
	MUST_DO(cubby_get_storage(site.box.store, attr.id, &storage));
	for (unsigned i = 0; i < 16; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", storage.check[i]);
	MUST_BE(number_of(path, "user.cubby.stored_size"), attr.stored_size);
	MUST(attr.stored_size < SIZE);
	MUST(strcmp(value_of(path, "user.cubby.checksum"), hex) == 0);
	MUST(strcmp(value_of(path, "user.cubby.codec"), "zstd") == 0);
	MUST_BE(time_of(path, "user.cubby.added"), attr.added_ns);
	MUST(time_of(path, "user.cubby.used") >= attr.used_ns);
	MUST(number_of(path, "user.cubby.hits") >= attr.hits);
	MUST(strcmp(value_of(site_path(&site, name_of(2)), "user.cubby.codec"),
		    "raw") == 0);

	MUST_FAIL(getxattr(path, "user.cubby.added", hex, 3), ERANGE);
	MUST_FAIL(listxattr(path, hex, 3), ERANGE);
	MUST_FAIL(getxattr(path, "user.cubby.entries", hex, 9), ENODATA);
	MUST_FAIL(getxattr(path, "user.other", hex, 9), ENODATA);
	MUST_FAIL(getxattr(path, QUOTA, hex, 9), ENODATA);
	free(data);
	site_end(&site);
}

Test(xattr, what_is_no_published_entry_has_none)
{
	struct site site;
	const char *paths[3];
	int fd, gone;

	MOUNT_OR_SKIP();
	site_new_with(&site, "xattr");
	file_write(site_path(&site, "plain"), "abc", 3);
	MUST(mkdir(site_path(&site, "dir"), 0755) == 0);
	fd = open(site_path(&site, name_of(1)), O_WRONLY | O_CREAT, 0644);
	MUST(fd >= 0);
	MUST_BE(write(fd, "abc", 3), 3);
	paths[0] = site_path(&site, "plain");
	paths[1] = site_path(&site, "dir");
	paths[2] = site_path(&site, name_of(1));
	for (unsigned i = 0; i < 3; i++) {
		lists(paths[i], "");
		MUST_FAIL(getxattr(paths[i], "user.cubby.hits", NULL, 0),
			  ENODATA);
		MUST_FAIL(set(paths[i], "user.own", "1"), ENOTSUP);
		MUST_FAIL(removexattr(paths[i], "user.own"), ENODATA);
	}
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS,
		       getxattr(paths[2], "user.cubby.hits", NULL, 0) > 0));
	/* What is being written anew is not what the store knows. */
	fd = open(paths[2], O_WRONLY | O_APPEND);
	MUST(fd >= 0);
	MUST_BE(write(fd, "def", 3), 3);
	lists(paths[2], "");
	MUST(close(fd) == 0);
	MUST(WITHIN_MS(LAG_MS, listxattr(paths[2], NULL, 0) > 0));
	gone = open(paths[2], O_RDONLY);
	MUST(gone >= 0);
	MUST(unlink(paths[2]) == 0);
	pause_ms(LAG_MS); /* the store may have it as long, or not */
	MUST(flistxattr(gone, NULL, 0) >= 0);
	MUST(close(gone) == 0);
	site_end(&site);
}

/* The kernel was told that there are none, see fs/handshake.c. */
Test(xattr, no_file_gets_capabilities)
{
	static const uint8_t some[20] = {[3] = 2, [4] = 1}; /* CAP_CHOWN */
	char *outside = scratch_path("outside");
	struct site site;

	MOUNT_OR_SKIP();
	file_write(outside, "abc", 3);
	if (setxattr(outside, "security.capability", some, sizeof(some), 0) !=
	    0)
		cr_skip_test("no file can be given capabilities here");
	site_new_with(&site, "xattr");
	file_write(site_path(&site, "plain"), "abc", 3);
	MUST_FAIL(setxattr(site_path(&site, "plain"), "security.capability",
			   some, sizeof(some), 0),
		  ENOTSUP);
	free(outside);
	site_end(&site);
}

Test(xattr, a_directory_tells_its_sums)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, 1, SIZE);
	struct cubby_stats stats;
	struct site site;
	const char *dir;

	MOUNT_OR_SKIP();
	site_new_with(&site, "xattr");
	dir = site_path(&site, "dir");
	MUST(mkdir(dir, 0755) == 0);
	for (unsigned i = 0; i < 3; i++)
		file_write(text_new("%s/%s", dir, name_of(i)), data, SIZE);
	MUST(WITHIN_MS(LAG_MS, box_stats(&site.box).entries == 3));
	lists(site.mount.at, "user.cubby.entries user.cubby.raw_bytes "
			     "user.cubby.stored_bytes user.cubby.disk_bytes ");
	stats = box_stats(&site.box);
	MUST_BE(number_of(site.mount.at, "user.cubby.entries"), 3);
	MUST_BE(number_of(site.mount.at, "user.cubby.raw_bytes"), 3 * SIZE);
	MUST_BE(number_of(site.mount.at, "user.cubby.stored_bytes"),
		stats.stored_bytes);
	MUST(number_of(site.mount.at, "user.cubby.disk_bytes") > MIB);

	lists(dir, "");
	MUST(set(dir, PIN, "1") == 0);
	lists(dir, "user.cubby.entries user.cubby.disk_bytes ");
	MUST_BE(number_of(dir, "user.cubby.entries"), 3);
	MUST_BE(number_of(dir, "user.cubby.disk_bytes"),
		quota_of(&site, "dir").bytes);
	free(data);
	site_end(&site);
}

Test(xattr, quota_and_pin_of_a_directory_are_set)
{
	struct site site;
	const char *dir;

	MOUNT_OR_SKIP();
	site_new_with(&site, "xattr");
	dir = site_path(&site, "dir");
	MUST(mkdir(dir, 0755) == 0);
	MUST_FAIL(getxattr(dir, QUOTA, NULL, 0), ENODATA);
	MUST_FAIL(removexattr(dir, QUOTA), ENODATA);
	MUST_FAIL(setxattr(dir, QUOTA, "1G", 2, XATTR_REPLACE), ENODATA);
	MUST(setxattr(dir, QUOTA, "10G", 3, XATTR_CREATE) == 0);
	MUST_FAIL(setxattr(dir, QUOTA, "1G", 2, XATTR_CREATE), EEXIST);
	MUST_BE(quota_of(&site, "dir").quota, UINT64_C(10) << 30);
	MUST(strcmp(value_of(dir, QUOTA), "10737418240") == 0);
	MUST(set(dir, PIN, "1") == 0);
	MUST(set(dir, QUOTA, "5000000") == 0);
	MUST_BE(quota_of(&site, "dir").quota, 5000000);
	MUST(quota_of(&site, "dir").is_pinned);
	MUST_BE(number_of(dir, PIN), 1);
	MUST(removexattr(dir, QUOTA) == 0);
	MUST_FAIL(getxattr(dir, QUOTA, NULL, 0), ENODATA);
	MUST(quota_of(&site, "dir").is_pinned);
	MUST(set(dir, PIN, "none") == 0);
	MUST(!quota_of(&site, "dir").is_pinned);
	MUST(set(dir, PIN, "1") == 0 && set(dir, PIN, "0") == 0);
	MUST_FAIL(getxattr(dir, PIN, NULL, 0), ENODATA);
	MUST(set(dir, QUOTA, "1m") == 0 && set(dir, QUOTA, "none") == 0);
	MUST_FAIL(getxattr(dir, QUOTA, NULL, 0), ENODATA);
	site_end(&site);
}

Test(xattr, a_bad_quota_is_refused_and_changes_nothing)
{
	static const char *const bad[] = {"",	 "10X", "-1",
					  "1G ", "5%",	"99999999999T"};
	const struct cubby_limits limits = {.max_size = 16 * MIB};
	char file[64] = "abc";
	struct site site;
	const char *dir;
	int fd;

	MOUNT_OR_SKIP();
	site_new_with(&site, "xattr");
	dir = site_path(&site, "dir");
	MUST(mkdir(dir, 0755) == 0);
	MUST(mkdir(site_path(&site, "dir/in"), 0755) == 0);
	MUST(set(dir, QUOTA, "1M") == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		MUST_FAIL(set(dir, QUOTA, bad[i]), EINVAL);
	MUST_FAIL(setxattr(dir, QUOTA, "2M\0", 3, 0), EINVAL);
	memset(file, '1', sizeof(file));
	MUST_FAIL(setxattr(dir, QUOTA, file, sizeof(file), 0), EINVAL);
	MUST_FAIL(set(dir, PIN, "2"), EINVAL);
	MUST_FAIL(set(dir, PIN, "yes"), EINVAL);
	MUST_DO(cubby_set_limits(site.box.store, &limits));
	MUST_FAIL(set(dir, QUOTA, "17M"), EDOM);
	MUST_FAIL(set(site_path(&site, "dir/in"), QUOTA, "1M"), EBUSY);
	MUST_FAIL(set(site.mount.at, QUOTA, "1M"), EINVAL);
	file_write(site_path(&site, "plain"), "abc", 3);
	MUST_FAIL(set(site_path(&site, "plain"), QUOTA, "1M"), ENOTDIR);
	site_put(&site, name_of(1), "abc", 3);
	MUST_FAIL(set(site_path(&site, name_of(1)), PIN, "1"), ENOTDIR);
	MUST_BE(quota_of(&site, "dir").quota, MIB);
	MUST(!quota_of(&site, "dir").is_pinned);

	fd = open(site_path(&site, "dir/in"), O_RDONLY | O_DIRECTORY);
	MUST(fd >= 0);
	MUST(rmdir(site_path(&site, "dir/in")) == 0);
	MUST_FAIL(fsetxattr(fd, QUOTA, "1M", 2, 0), ENOENT);
	MUST(close(fd) == 0);
	site_end(&site);
}

Test(xattr, what_is_listed_can_be_set_to_no_effect)
{
	struct site site;
	const char *path;
	char before[128];

	MOUNT_OR_SKIP();
	site_new_with(&site, "xattr");
	site_put(&site, name_of(1), "abc", 3);
	path = site_path(&site, name_of(1));
	(void)snprintf(before, sizeof(before), "%s",
		       value_of(path, "user.cubby.checksum"));
	MUST(set(path, "user.cubby.checksum", "0") == 0);
	MUST(removexattr(path, "user.cubby.checksum") == 0);
	MUST(strcmp(value_of(path, "user.cubby.checksum"), before) == 0);
	MUST(set(site.mount.at, "user.cubby.entries", "5") == 0);
	MUST_BE(number_of(site.mount.at, "user.cubby.entries"), 1);
	MUST_FAIL(set(path, "user.cubby.unknown", "0"), ENOTSUP);
	site_end(&site);
}

Test(xattr, without_the_option_there_are_none)
{
	struct site site;
	const char *path;

	MOUNT_OR_SKIP();
	site_new(&site);
	site_put(&site, name_of(1), "abc", 3);
	path = site_path(&site, name_of(1));
	MUST_FAIL(getxattr(path, "user.cubby.hits", NULL, 0), ENOTSUP);
	MUST_FAIL(set(path, "user.cubby.hits", "0"), ENOTSUP);
	MUST_FAIL(removexattr(path, "user.cubby.hits"), ENOTSUP);
	MUST(listxattr(path, NULL, 0) <= 0);
	MUST_FAIL(set(site.mount.at, QUOTA, "1M"), ENOTSUP);
	site_end(&site);
}

Test(xattr, a_read_only_mount_tells_them_and_sets_none)
{
	const struct cubby_quota quota = {.quota = MIB};
	struct site site;
	struct cubby_attr dir;

	MOUNT_OR_SKIP();
	box_new(&site.box, "");
	box_add(&site.box, name_of(1), "abc", 3);
	MUST_DO(cubby_mkdir(site.box.store, CUBBY_ROOT_ID, "dir",
			    &(struct cubby_owner){.mode = 0755}, &dir));
	MUST_DO(cubby_set_quota(site.box.store, "dir", &quota));
	mounted_start(&site.mount, site.box.path, "ro,xattr");
	lists(site_path(&site, name_of(1)), of_entries);
	MUST_BE(number_of(site_path(&site, "dir"), QUOTA), MIB);
	MUST_BE(number_of(site.mount.at, "user.cubby.entries"), 1);
	MUST_FAIL(set(site_path(&site, "dir"), QUOTA, "2M"), EROFS);
	MUST_FAIL(removexattr(site_path(&site, "dir"), QUOTA), EROFS);
	MUST_FAIL(set(site_path(&site, name_of(1)), "user.cubby.hits", "0"),
		  EROFS);
	MUST_BE(quota_of(&site, "dir").quota, MIB);
	site_end(&site);
}

/* -------------------------------------------------------------- requests */

/* How many requests of a kind the kernel has made; "" for all. */
static long requests(const struct site *site, const char *kind)
{
	char *text = shell_text("grep -c 'opcode: %s' '%s' || true", kind,
				site->mount.log);
	long n = strtol(text, NULL, 10);

	free(text);
	return n;
}

/* Does the kernel offer to ask once for each file (FUSE_HANDLE_KILLPRIV_V2)?
 * Its flags are in the first line that has any. */
static bool asks_once(const struct site *site)
{
	char *text = shell_text("grep -m 1 -o 'flags=0x[0-9a-f]*' '%s'",
				site->mount.log);
	unsigned long flags = strtoul(text + strlen("flags="), NULL, 16);

	MUST(flags != 0);
	free(text);
	return flags >> 28 & 1;
}

static void write_in_pieces(const char *path)
{
	static const char piece[4096] = "piece";
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	MUST(fd >= 0);
	for (unsigned i = 0; i < WRITES; i++)
		MUST_BE(write(fd, piece, sizeof(piece)), sizeof(piece));
	MUST(close(fd) == 0);
}

Test(xattr, writes_ask_for_them_once_for_a_file_at_the_most)
{
	struct site site;

	MOUNT_OR_SKIP();
	site_new_with(&site, "debug");
	write_in_pieces(site_path(&site, "one"));
	write_in_pieces(site_path(&site, "two"));
	write_in_pieces(site_path(&site, name_of(1)));
	MUST(requests(&site, "WRITE") >= 3 * WRITES);
	/* The first has told the kernel to ask for none again. */
	MUST(requests(&site, "GETXATTR") <= 1);
	site_end(&site);

	site_new_with(&site, "debug,xattr");
	write_in_pieces(site_path(&site, "one"));
	write_in_pieces(site_path(&site, "one"));
	write_in_pieces(site_path(&site, "two"));
	write_in_pieces(site_path(&site, name_of(1)));
	MUST(requests(&site, "WRITE") >= 4 * WRITES);
	if (asks_once(&site))
		MUST(requests(&site, "GETXATTR") <= 3);
	site_end(&site);
}

Test(xattr, a_hot_hit_makes_no_request_for_them)
{
	struct site site;
	long before;

	MOUNT_OR_SKIP();
	site_new_with(&site, "debug,xattr");
	site_put(&site, name_of(1), "abc", 3);
	MUST(file_is(site_path(&site, name_of(1)), "abc", 3));
	before = requests(&site, "");
	MUST(before > 0);
	for (unsigned i = 0; i < HITS; i++) {
		struct stat st;

		MUST(stat(site_path(&site, name_of(1)), &st) == 0);
		MUST(file_is(site_path(&site, name_of(1)), "abc", 3));
	}
	MUST(requests(&site, "") - before <= HITS / 10);
	site_end(&site);
}
