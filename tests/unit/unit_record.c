/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/footer.h"
#include "format/record.h"
#include "leaks.h"

static const struct record sample = {
	.kind = CUBBY_ENTRY,
	.codec = CODEC_ZSTD,
	.place = PLACE_INDEX,
	.mode = 0640,
	.uid = 1000,
	.gid = 1001,
	.parent = 0x1122334455667788,
	.mtime_ns = -5,
	.size = 131072,
	.stored_size = 77,
	.check = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
	.hits = 9,
	.used_ns = 0x0827262524232221,
	.added_ns = 0x0837363534333231,
	.rank = 0x4847464544434241,
	.name_size = 3,
	.name = "abc",
};

/* The bytes of `sample` as FORMAT.md has them, written out by hand. */
static const uint8_t golden[] = {
	2,    1,    1,	  0,	96,   0,    3,	  0,	0x88, 0x77, 0x66,
	0x55, 0x44, 0x33, 0x22, 0x11, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0,	  0,	2,    0,    0,	  0,	0,    0,    77,
	0,    0,    0,	  0,	0,    0,    0,	  0xa0, 1,    0,    0,
	0xe8, 3,    0,	  0,	0xe9, 3,    0,	  0,	9,    0,    0,
	0,    1,    2,	  3,	4,    5,    6,	  7,	8,    9,    10,
	11,   12,   13,	  14,	15,   16,   0x21, 0x22, 0x23, 0x24, 0x25,
	0x26, 0x27, 0x08, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x08,
	0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 'a',  'b',  'c',
};

TestSuite(record, .fini = leaks_check);

Test(record, is_encoded_as_the_format_says)
{
	uint8_t bytes[RECORD_SIZE_MAX];

	cr_assert_eq(record_encode(&sample, bytes), sizeof(golden));
	cr_expect_arr_eq(bytes, golden, sizeof(golden));
}

Test(record, comes_back_as_it_was)
{
	struct record record;

	cr_assert_eq(record_decode(golden, sizeof(golden), &record), 0);
	cr_expect_eq(record.kind, CUBBY_ENTRY);
	cr_expect_eq(record.codec, CODEC_ZSTD);
	cr_expect_eq(record.place, PLACE_INDEX);
	cr_expect_eq(record.mode, 0640);
	cr_expect_eq(record.uid, 1000);
	cr_expect_eq(record.gid, 1001);
	cr_expect_eq(record.parent, sample.parent);
	cr_expect_eq(record.mtime_ns, -5);
	cr_expect_eq(record.size, 131072);
	cr_expect_eq(record.stored_size, 77);
	cr_expect_arr_eq(record.check.bytes, sample.check.bytes, CHECK_SIZE);
	cr_expect_eq(record.hits, 9);
	cr_expect_eq(record.used_ns, sample.used_ns);
	cr_expect_eq(record.rank, sample.rank);
	cr_expect_eq(record.added_ns, sample.added_ns);
	cr_expect_eq(record.name_size, 3);
	cr_expect_eq(memcmp(record.name, "abc", 3), 0);
}

Test(record, every_other_length_is_damage)
{
	uint8_t bytes[sizeof(golden) + 1] = {0};
	struct record record;

	memcpy(bytes, golden, sizeof(golden));
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		if (size == sizeof(golden))
			continue;
		cr_expect_eq(record_decode(bytes, size, &record), -EBADMSG,
			     "%zu bytes", size);
	}
}

/* `golden` with one byte changed. */
static int decode_with(size_t at, uint8_t value)
{
	uint8_t bytes[sizeof(golden)];
	struct record record;

	memcpy(bytes, golden, sizeof(golden));
	bytes[at] = value;
	return record_decode(bytes, sizeof(bytes), &record);
}

Test(record, a_newer_version_is_told_from_damage)
{
	cr_expect_eq(decode_with(1, 2), -EPROTONOSUPPORT, "codec");
	cr_expect_eq(decode_with(2, 3), -EPROTONOSUPPORT, "place");
	cr_expect_eq(decode_with(3, 1), -EPROTONOSUPPORT, "incompat flag");
	cr_expect_eq(decode_with(0, 0), -EBADMSG, "no kind");
	cr_expect_eq(decode_with(0, 4), -EBADMSG, "unknown kind");
	cr_expect_eq(decode_with(0, 1), -EBADMSG, "directory with bytes");
	cr_expect_eq(decode_with(2, 0), -EBADMSG, "entry without bytes");
	cr_expect_eq(decode_with(26, 3), -EBADMSG, "two frames in the index");
	cr_expect_eq(decode_with(1, 0), -EBADMSG, "raw of another size");
	cr_expect_eq(decode_with(31, 1), -EBADMSG, "larger than can be");
	cr_expect_eq(decode_with(42, 1), -EBADMSG, "more than a mode");
	cr_expect_eq(decode_with(79, 0x80), -EBADMSG, "used before 1970");
	cr_expect_eq(decode_with(87, 0x80), -EBADMSG, "added before 1970");
}

Test(record, fields_of_a_newer_version_are_skipped)
{
	uint8_t bytes[sizeof(golden) + 8] = {0};
	struct record record;

	memcpy(bytes, golden, RECORD_FIXED_SIZE);
	memcpy(bytes + RECORD_FIXED_SIZE + 8, "abc", 3);
	bytes[4] = RECORD_FIXED_SIZE + 8;
	cr_assert_eq(record_decode(bytes, sizeof(bytes), &record), 0);
	cr_expect_eq(memcmp(record.name, "abc", 3), 0);
}

Test(record, parts_that_do_not_fit_together_are_damage)
{
	enum { NAME_SIZE = CUBBY_NAME_MAX + 1 };
	uint8_t bytes[RECORD_FIXED_SIZE + NAME_SIZE] = {0};
	struct record record;

	cr_expect_eq(decode_with(35, 1), -EBADMSG,
		     "more in the index than a frame is compressed to");
	memcpy(bytes, golden, sizeof(golden));
	bytes[4]--;
	bytes[6]++;
	cr_expect_eq(record_decode(bytes, sizeof(golden), &record), -EBADMSG,
		     "a fixed part that is too short");
	bytes[4]++;
	put_le(bytes + 6, NAME_SIZE, 2);
	cr_expect_eq(record_decode(bytes, sizeof(bytes), &record), -EBADMSG,
		     "a name that is too long");
	put_le(bytes + 6, NAME_SIZE - 1, 2);
	cr_expect_eq(record_decode(bytes, sizeof(bytes) - 1, &record), 0);
}
