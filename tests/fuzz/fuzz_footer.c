/* SPDX-License-Identifier: MIT */
/*
 * The footer of a blob. Input: the seal, how much longer the file is than the
 * footer (4 bytes), the footer.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/footer.h"
#include "fuzz.h"

enum { ID = 0x1122334455667788 & 0xffff };

/* Let the sizes at the ends agree, and the check be right. */
static void seal(uint8_t *bytes, size_t size)
{
	struct check check;

	put_le(bytes + size - 12, size, 4);
	memcpy(bytes + size - 8, "cubbyend", 8);
	check = check_footer(ID, bytes, size - FOOTER_TAIL_SIZE);
	memcpy(bytes + size - FOOTER_TAIL_SIZE, check.bytes, CHECK_SIZE);
}

static void verify(const struct footer *footer, const uint8_t *bytes,
		   size_t size)
{
	uint64_t sum = 0;

	HOLDS(footer->id == ID && footer->size <= CUBBY_SIZE_MAX);
	HOLDS(footer->frame_count == footer_frame_count(footer->size));
	HOLDS(footer->frame_count <= size / 20);
	for (uint64_t i = 0; i < footer->frame_count; i++) {
		HOLDS(footer->frames[i].stored_size <= codec_bound(FRAME_SIZE));
		sum += footer->frames[i].stored_size;
	}
	HOLDS(sum == footer->payload_size);
	HOLDS((const uint8_t *)footer->path > bytes);
	HOLDS((const uint8_t *)footer->name + footer->name_size +
		      FOOTER_TAIL_SIZE ==
	      bytes + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct footer footer;
	struct check check;
	uint64_t file_size;
	uint8_t *bytes;
	size_t found;
	int r;

	if (size < 5 + FOOTER_TAIL_SIZE)
		return 0;
	size -= 5;
	file_size = size + get_le(data + 1, 4);
	bytes = malloc(size);
	HOLDS(bytes != NULL);
	memcpy(bytes, data + 5, size);
	if (data[0] & 1)
		seal(bytes, size);
	r = footer_find(bytes + size - FOOTER_TAIL_SIZE, file_size, &found);
	HOLDS(r == 0 || r == -EBADMSG);
	HOLDS(r < 0 || found <= file_size);
	if (r == 0 && found <= size) {
		const uint8_t *start = bytes + size - found;

		r = footer_decode(start, found, file_size, ID, &footer, &check);
		HOLDS(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
		if (r == 0) {
			verify(&footer, start, found);
			free(footer.frames);
		}
	}
	free(bytes);
	return 0;
}
