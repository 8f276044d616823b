/* SPDX-License-Identifier: MIT */
/*
 * A frame of zstd, after its check was right. Input: the size of the content
 * (3 bytes), the frame.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "format/codec.h"
#include "format/footer.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *content;
	uint8_t *stored;
	size_t want;
	ssize_t made;
	int r;

	if (size < 3)
		return 0;
	want = get_le(data, 3) % (FRAME_SIZE + 1);
	/* Exactly as large as it may be: the sanitizer sees one byte more. */
	content = malloc(want + !want);
	HOLDS(content != NULL);
	r = codec_decompress(content, want, data + 3, size - 3);
	HOLDS(r == 0 || r == -EBADMSG);
	if (r == 0) {
		/* Not one of before the format, nor one to skip. */
		HOLDS(size >= 7 && get_le(data + 3, 4) == 0xFD2FB528);
		stored = malloc(codec_bound(want));
		HOLDS(stored != NULL);
		made = codec_compress(stored, content, want);
		HOLDS(made > 0 && (size_t)made <= codec_bound(want));
		HOLDS(codec_decompress(content, want, stored, (size_t)made) ==
		      0);
		free(stored);
	}
	free(content);
	return 0;
}
