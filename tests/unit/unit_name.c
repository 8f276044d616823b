/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "format/name.h"
#include "leaks.h"

/* `digits` times "a", then `suffix`. */
static const char *name_of(size_t digits, const char *suffix)
{
	static char name[512];

	memset(name, 'a', digits);
	strcpy(name + digits, suffix);
	return name;
}

TestSuite(name, .fini = leaks_check);

Test(name, entries_have_32_to_128_digits)
{
	cr_expect_not(name_is_entry(""));
	cr_expect_not(name_is_entry(name_of(31, "")));
	cr_expect(name_is_entry(name_of(32, "")));
	cr_expect(name_is_entry(name_of(63, "")));
	cr_expect(name_is_entry(name_of(64, "")));
	cr_expect(name_is_entry(name_of(65, "")));
	cr_expect(name_is_entry(name_of(128, "")));
	cr_expect_not(name_is_entry(name_of(129, "")));
}

Test(name, entries_may_have_a_suffix_of_1_to_8)
{
	cr_expect(name_is_entry(name_of(64, "-a")));
	cr_expect(name_is_entry(name_of(64, "-d")));
	cr_expect(name_is_entry(name_of(64, "-z0123456")));
	cr_expect_not(name_is_entry(name_of(64, "-")));
	cr_expect_not(name_is_entry(name_of(64, "-z01234567")));
	cr_expect_not(name_is_entry(name_of(64, "-a-b")));
	cr_expect_not(name_is_entry(name_of(64, "-A")));
	cr_expect_not(name_is_entry(name_of(64, ".tmp")));
	cr_expect_not(name_is_entry(name_of(64, ".1234.tmp")));
}

Test(name, entries_are_lower_case_hex)
{
	cr_expect_not(name_is_entry(name_of(63, "A")));
	cr_expect_not(name_is_entry(name_of(63, "g")));
	cr_expect_not(name_is_entry(name_of(64, "\n")));
	cr_expect_not(name_is_entry("CACHEDIR.TAG"));
}

Test(name, verify_refuses_what_is_no_name)
{
	cr_expect_eq(name_verify("a", 1), 0);
	cr_expect_eq(name_verify("...", 3), 0);
	cr_expect_eq(name_verify(".a", 2), 0);
	cr_expect_eq(name_verify("\n", 1), 0);
	cr_expect_eq(name_verify("", 0), -EINVAL);
	cr_expect_eq(name_verify(".", 1), -EINVAL);
	cr_expect_eq(name_verify("..", 2), -EINVAL);
	cr_expect_eq(name_verify("a/b", 3), -EINVAL);
	cr_expect_eq(name_verify("a\0b", 3), -EINVAL);
	cr_expect_eq(name_verify(name_of(255, ""), 255), 0);
	cr_expect_eq(name_verify(name_of(256, ""), 256), -ENAMETOOLONG);
}

Test(name, next_takes_names_off_a_path)
{
	const char *path = "ab/c";
	const char *name;

	cr_assert_eq(name_next(&path, &name), 2);
	cr_expect_eq(strncmp(name, "ab", 2), 0);
	cr_assert_eq(name_next(&path, &name), 1);
	cr_expect_eq(*name, 'c');
	cr_expect_eq(name_next(&path, &name), 0);
}

Test(name, next_refuses_slashes_that_name_nothing)
{
	const char *const paths[] = {"/a", "//", "a/", "a//b", "./a", "../a"};
	const char *name;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *path = paths[i];
		long r;

		while ((r = name_next(&path, &name)) > 0)
			continue;
		cr_expect_eq(r, -EINVAL, "%s: %ld", paths[i], r);
	}
}

static void packs_to(const char *name, size_t expected)
{
	uint8_t packed[NAME_PACKED_MAX];
	char back[CUBBY_NAME_MAX];
	size_t size = name_pack(name, strlen(name), packed);

	cr_expect_eq(size, expected, "%s: %zu", name, size);
	cr_assert_eq(name_unpack(packed, size, back), (ssize_t)strlen(name));
	cr_expect_eq(memcmp(back, name, strlen(name)), 0, "%s", name);
}

Test(name, pack_halves_what_begins_with_a_key)
{
	const char *const key =
		"0123456789abcdeffedcba98765432100123456789abcdef"
		"fedcba9876543210";

	packs_to(key, 33);
	packs_to(name_of(64, "-d"), 35);
	packs_to(name_of(65, ""), 34);
	packs_to(name_of(128, "-12345678"), 33 + 64 + 9);
	packs_to(name_of(63, ""), 63);
	packs_to(name_of(63, "g"), 64);
	packs_to(name_of(63, "A"), 64);
	packs_to("a", 1);
	packs_to(name_of(255, ""), 33 + 191);
}

Test(name, unpack_refuses_what_pack_does_not_make)
{
	uint8_t packed[CUBBY_NAME_MAX + 1] = {0};
	char name[CUBBY_NAME_MAX];

	cr_expect_eq(name_unpack(packed, 0, name), -EBADMSG);
	cr_expect_eq(name_unpack(packed, 32, name), -EBADMSG);
	cr_expect_eq(name_unpack(packed, 33, name), 64);
	cr_expect_eq(name_unpack(packed, 33 + 191, name), 255);
	cr_expect_eq(name_unpack(packed, 33 + 192, name), -EBADMSG);
	packed[0] = 'a';
	cr_expect_eq(name_unpack(packed, 255, name), 255);
	cr_expect_eq(name_unpack(packed, 256, name), -EBADMSG);
}
