/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/footer.h"
#include "leaks.h"

enum { ID = 0x4242, FRAMES = 3 };
static const uint64_t content_size = 2 * FRAME_SIZE + 5;

struct sample {
	struct frame frames[FRAMES];
	struct footer footer;
	uint8_t bytes[1024];
	size_t size;
	uint64_t file_size;
	struct check check;
};

static struct sample make(enum codec codec)
{
	struct sample sample = {.size = 0};
	uint64_t payload = 0;

	for (unsigned i = 0; i < FRAMES; i++) {
		size_t raw = footer_frame_size(content_size, i);

		sample.frames[i].stored_size =
			(uint32_t)(codec == CODEC_RAW ? raw : raw / 2 + 1);
		sample.frames[i].check.bytes[0] = (uint8_t)(i + 1);
		payload += sample.frames[i].stored_size;
	}
	sample.footer = (struct footer){
		.id = ID,
		.size = content_size,
		.payload_size = payload,
		.mtime_ns = 1234567890123456789,
		.codec = codec,
		.path_size = 4,
		.path = "a/bc",
		.name_size = 2,
		.name = "ff",
		.frame_count = FRAMES,
		.frames = sample.frames,
	};
	sample.size = footer_encoded_size(&sample.footer);
	cr_assert_leq(sample.size, sizeof(sample.bytes));
	footer_encode(&sample.footer, sample.bytes, &sample.check);
	sample.file_size = payload + sample.size;
	return sample;
}

static int decode(const struct sample *sample, struct footer *footer)
{
	struct check check;

	return footer_decode(sample->bytes, sample->size, sample->file_size, ID,
			     footer, &check);
}

/* Write the right check over a changed footer: what a newer version, or an
 * attacker, would have made. */
static void seal(struct sample *sample)
{
	uint8_t *at = sample->bytes + sample->size - FOOTER_TAIL_SIZE;
	struct check check = check_footer(ID, sample->bytes,
					  sample->size - FOOTER_TAIL_SIZE);

	memcpy(at, check.bytes, CHECK_SIZE);
}

TestSuite(footer, .fini = leaks_check);

Test(footer, comes_back_as_it_was)
{
	struct sample sample = make(CODEC_ZSTD);
	struct footer footer;
	struct check check;
	size_t size = 0;

	cr_assert_eq(footer_find(sample.bytes + sample.size - FOOTER_TAIL_SIZE,
				 sample.file_size, &size),
		     0);
	cr_assert_eq(size, sample.size);
	cr_assert_eq(footer_decode(sample.bytes, size, sample.file_size, ID,
				   &footer, &check),
		     0);
	cr_expect(check_equal(&check, &sample.check));
	cr_expect_eq(footer.size, content_size);
	cr_expect_eq(footer.payload_size, sample.footer.payload_size);
	cr_expect_eq(footer.mtime_ns, 1234567890123456789);
	cr_expect_eq(footer.codec, CODEC_ZSTD);
	cr_expect_eq(footer.frame_count, FRAMES);
	for (unsigned i = 0; i < FRAMES; i++) {
		cr_expect_eq(footer.frames[i].stored_size,
			     sample.frames[i].stored_size);
		cr_expect(check_equal(&footer.frames[i].check,
				      &sample.frames[i].check));
	}
	cr_expect_eq(footer.path_size, 4);
	cr_expect_eq(memcmp(footer.path, "a/bc", 4), 0);
	cr_expect_eq(footer.name_size, 2);
	cr_expect_eq(memcmp(footer.name, "ff", 2), 0);
	free(footer.frames);
}

Test(footer, is_a_skippable_frame_of_zstd)
{
	struct sample sample = make(CODEC_RAW);

	cr_expect_eq(get_le(sample.bytes, 4), 0x184D2A5C);
	cr_expect_eq(get_le(sample.bytes + 4, 4), sample.size - 8);
}

Test(footer, every_flipped_bit_is_damage)
{
	struct sample sample = make(CODEC_ZSTD);
	struct footer footer;
	size_t size;

	for (size_t bit = 0; bit < sample.size * 8; bit++) {
		const uint8_t *tail =
			sample.bytes + sample.size - FOOTER_TAIL_SIZE;
		int r;

		sample.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = footer_find(tail, sample.file_size, &size);
		if (r == 0)
			r = size == sample.size ? decode(&sample, &footer)
						: -EBADMSG;
		cr_expect_eq(r, -EBADMSG, "bit %zu: %d", bit, r);
		sample.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	cr_assert_eq(decode(&sample, &footer), 0);
	free(footer.frames);
}

Test(footer, of_another_node_is_damage)
{
	struct sample sample = make(CODEC_ZSTD);
	struct footer footer;
	struct check check;

	cr_expect_eq(footer_decode(sample.bytes, sample.size, sample.file_size,
				   ID + 1, &footer, &check),
		     -EBADMSG);
}

Test(footer, that_does_not_fit_its_file_is_damage)
{
	struct sample sample = make(CODEC_ZSTD);
	struct footer footer;

	sample.file_size++;
	cr_expect_eq(decode(&sample, &footer), -EBADMSG);
	sample.file_size = sample.size - 1;
	cr_expect_eq(decode(&sample, &footer), -EBADMSG);
}

Test(footer, of_a_newer_version_is_told_from_damage)
{
	const size_t places[] = {16, 18, 20, 26};
	struct footer footer;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct sample sample = make(CODEC_ZSTD);

		sample.bytes[places[i]] += 2;
		seal(&sample);
		cr_expect_eq(decode(&sample, &footer), -EPROTONOSUPPORT,
			     "offset %zu", places[i]);
	}
}

Test(footer, with_impossible_sizes_is_damage_even_with_a_right_check)
{
	/* sizes of path, name, content and payload, and of the first frame */
	const size_t places[] = {22, 24, 38, 41, 44, 60, 63};
	struct footer footer;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct sample sample = make(CODEC_ZSTD);

		sample.bytes[places[i]] ^= 0xff;
		seal(&sample);
		cr_expect_eq(decode(&sample, &footer), -EBADMSG, "offset %zu",
			     places[i]);
	}
}

Test(footer, frames_of_raw_content_have_their_raw_size)
{
	struct sample sample = make(CODEC_RAW);
	struct footer footer;

	cr_assert_eq(decode(&sample, &footer), 0);
	free(footer.frames);
	/* one byte from the first frame to the second: the sum is the same */
	sample.bytes[60]--;
	sample.bytes[80]++;
	seal(&sample);
	cr_expect_eq(decode(&sample, &footer), -EBADMSG);
}

Test(footer, content_is_cut_into_frames)
{
	cr_expect_eq(footer_frame_count(0), 0);
	cr_expect_eq(footer_frame_count(1), 1);
	cr_expect_eq(footer_frame_count(FRAME_SIZE), 1);
	cr_expect_eq(footer_frame_count(FRAME_SIZE + 1), 2);
	cr_expect_eq(footer_frame_size(FRAME_SIZE + 1, 0), FRAME_SIZE);
	cr_expect_eq(footer_frame_size(FRAME_SIZE + 1, 1), 1);
	cr_expect_eq(footer_frame_count(CUBBY_SIZE_MAX),
		     CUBBY_SIZE_MAX / FRAME_SIZE);
}

/* Of a footer whose writer was killed at any byte the beginning is found. */
Test(footer, what_has_begun_is_found_and_not_what_looks_like_it)
{
	enum { HEAD = 52, BEFORE = 700 };
	struct sample sample = make(CODEC_RAW);
	const uint64_t end = sample.footer.payload_size;
	uint8_t bytes[BEFORE + sizeof(sample.bytes)];

	/* Content with the footer of another place before the right one. */
	memset(bytes, 'x', BEFORE);
	memcpy(bytes + 100, sample.bytes, sample.size);
	memcpy(bytes + BEFORE, sample.bytes, sample.size);
	for (size_t size = 0; size <= sample.size; size++) {
		uint64_t found = footer_find_begun(bytes, BEFORE + size,
						   end - BEFORE, ID);

		cr_assert_eq(found, size < HEAD ? 0 : end, "%zu", size);
	}
	cr_expect_eq(footer_find_begun(bytes, BEFORE + sample.size,
				       end - BEFORE, ID + 1),
		     0);
	cr_expect_eq(footer_find_begun(bytes, BEFORE + sample.size,
				       end - BEFORE + 1, ID),
		     0);
	cr_expect_geq(footer_size_max(sample.file_size), sample.size);
}

Test(footer, the_beginning_lies_in_one_page)
{
	cr_expect(footer_begins_at_once(0));
	cr_expect(footer_begins_at_once(8192 + 4044));
	cr_expect_not(footer_begins_at_once(8192 + 4045));
	cr_expect_not(footer_begins_at_once(8192 + 4095));
	cr_expect(footer_begins_at_once(8192 + 4096));
}

/* What footer_find() says of a tail that claims a footer of `size` bytes behind
 * a payload of `payload_size`. */
static int find_claimed(uint64_t size, uint64_t payload_size)
{
	struct sample sample = make(CODEC_ZSTD);
	uint8_t *tail = sample.bytes + sample.size - FOOTER_TAIL_SIZE;
	size_t found = 0;
	int r;

	put_le(tail + FOOTER_TAIL_SIZE - 12, size, 4);
	r = footer_find(tail, size + payload_size, &found);
	cr_assert_eq(found, r < 0 ? 0 : size);
	return r;
}

Test(footer, is_no_longer_and_no_shorter_than_its_payload_allows)
{
	enum { FIXED = 60 + FOOTER_TAIL_SIZE, ROW = 4 + CHECK_SIZE };
	const uint64_t names = 2 * UINT16_MAX;
	const uint64_t all = CUBBY_SIZE_MAX / FRAME_SIZE * ROW;
	const uint64_t most = codec_bound(FRAME_SIZE);

	/* One row stands for at most one frame, */
	cr_expect_eq(find_claimed(FIXED + ROW, most), 0);
	cr_expect_eq(find_claimed(FIXED + ROW, most + 1), -EBADMSG);
	/* and at least for one byte; but all may be names. */
	cr_expect_eq(find_claimed(FIXED + names, 0), 0);
	cr_expect_eq(find_claimed(FIXED + names + 1000 * ROW, 1000), 0);
	cr_expect_eq(find_claimed(FIXED + names + 1000 * ROW, 999), -EBADMSG);
	/* Nothing is larger than the largest entry. */
	cr_expect_eq(find_claimed(FIXED + names + all, 1 << 30), 0);
	cr_expect_eq(find_claimed(FIXED + names + all + 1, 1 << 30), -EBADMSG);
}

Test(footer, of_other_bytes_is_damage_even_with_a_right_check)
{
	struct sample sample = make(CODEC_ZSTD);
	struct footer footer;
	struct check check;

	cr_expect_eq(footer_decode(sample.bytes, 10, sample.file_size, ID,
				   &footer, &check),
		     -EBADMSG, "a part of it");
	sample.bytes[28] ^= 1;
	seal(&sample);
	cr_expect_eq(decode(&sample, &footer), -EBADMSG, "another id in it");
}

Test(footer, what_has_begun_has_all_marks)
{
	/* The skippable frame, the id, the sizes of content and payload. */
	const size_t places[] = {0, 28, 36, 44};
	struct sample sample = make(CODEC_RAW);
	const uint64_t end = sample.footer.payload_size;

	cr_assert_eq(footer_find_begun(sample.bytes, sample.size, end, ID),
		     end);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		sample.bytes[places[i]] ^= 1;
		cr_expect_eq(
			footer_find_begun(sample.bytes, sample.size, end, ID),
			0, "offset %zu", places[i]);
		sample.bytes[places[i]] ^= 1;
	}
}
