/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/check.h"
#include "format/codec.h"
#include "leaks.h"

enum { SIZE = 70000 };

static uint8_t content[SIZE];
static uint8_t stored[SIZE + 4096];
static uint8_t decoded[SIZE + 1];

static size_t compress(void)
{
	ssize_t size;

	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(i / 7 ^ i / 1000);
	cr_assert_leq(codec_bound(SIZE), sizeof(stored));
	size = codec_compress(stored, content, SIZE);
	cr_assert_gt(size, 0);
	cr_assert_lt(size, SIZE);
	return (size_t)size;
}

TestSuite(codec, .fini = leaks_check);

Test(codec, gives_back_what_it_took)
{
	size_t size = compress();

	decoded[SIZE] = 0x55;
	cr_assert_eq(codec_decompress(decoded, SIZE, stored, size), 0);
	cr_expect_arr_eq(decoded, content, SIZE);
	cr_expect_eq(decoded[SIZE], 0x55, "wrote beyond its room");
}

Test(codec, refuses_other_sizes_than_told)
{
	size_t size = compress();

	cr_expect_eq(codec_decompress(decoded, SIZE - 1, stored, size),
		     -EBADMSG);
	cr_expect_eq(codec_decompress(decoded, SIZE + 1, stored, size),
		     -EBADMSG);
	cr_expect_eq(codec_decompress(decoded, SIZE, stored, size - 1),
		     -EBADMSG);
	cr_expect_eq(codec_decompress(decoded, SIZE, stored, size + 1),
		     -EBADMSG, "trailing bytes");
	cr_expect_eq(codec_decompress(decoded, SIZE, stored, 0), -EBADMSG);
}

Test(codec, takes_exactly_one_frame)
{
	size_t size = compress();
	const uint8_t skippable[8] = {0x50, 0x2a, 0x4d, 0x18};

	memcpy(stored + size, skippable, sizeof(skippable));
	cr_expect_eq(codec_decompress(decoded, SIZE, stored,
				      size + sizeof(skippable)),
		     -EBADMSG);
	cr_expect_eq(
		codec_decompress(decoded, SIZE, skippable, sizeof(skippable)),
		-EBADMSG);
}

/* Hex digits without repetitions: a code of four bits each halves them. */
Test(codec, leaves_literals_of_short_content_as_they_are)
{
	uint32_t noise = 1;

	for (size_t i = 0; i <= CODEC_SHORT; i++) {
		noise = noise * 1664525 + 1013904223;
		content[i] = (uint8_t) "0123456789abcdef"[noise >> 28];
	}
	cr_expect_geq(codec_compress(stored, content, CODEC_SHORT),
		      CODEC_SHORT);
	cr_expect_lt(codec_compress(stored, content, CODEC_SHORT + 1),
		     CODEC_SHORT * 3 / 4);
	cr_expect_lt(codec_compress_level(stored, content, CODEC_SHORT, 2),
		     CODEC_SHORT * 3 / 4);
}

Test(codec, pays_from_a_sixteenth_saved)
{
	cr_expect(codec_pays(14999, 16000));
	cr_expect_not(codec_pays(15000, 16000));
	cr_expect_not(codec_pays(16003, 16000));
	cr_expect_not(codec_pays(13, 1));
}

Test(check, covers_bytes_node_and_place)
{
	struct check check = check_frame(5, 7, "abc", 3);
	struct check others[] = {
		check_frame(6, 7, "abc", 3), check_frame(5, 8, "abc", 3),
		check_frame(7, 5, "abc", 3), check_frame(5, 7, "abd", 3),
		check_frame(5, 7, "abc", 2), check_frame(5, 7, "", 0),
		check_footer(5, "abc", 3),
	};
	struct check again = check_frame(5, 7, "abc", 3);

	cr_expect(check_equal(&check, &again));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_expect_not(check_equal(&check, &others[i]), "case %zu", i);
}

/* What is on disks must stay readable: the value is part of the format. */
Test(check, has_the_value_of_the_format)
{
	struct check check = check_frame(1, 0, "cubby", 5);
	char text[2 * CHECK_SIZE + 1];

	for (size_t i = 0; i < CHECK_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", check.bytes[i]);
	cr_expect_str_eq(text, "46eb746c7e26c26138f3987b84922327");
}
