/* SPDX-License-Identifier: MIT */
/* The record of a node. */
#include <errno.h>
#include <string.h>

#include "format/footer.h"
#include "format/record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[RECORD_SIZE_MAX];
	struct record record;
	struct record again;
	size_t made;
	int r = record_decode(data, size, &record);

	HOLDS(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return 0;
	HOLDS(record.size <= CUBBY_SIZE_MAX && record.mode <= 07777);
	HOLDS(record.name_size <= CUBBY_NAME_MAX);
	HOLDS((const uint8_t *)record.name + record.name_size == data + size);
	HOLDS((record.kind == CUBBY_ENTRY) == (record.place != PLACE_NONE));
	if (record.place == PLACE_INDEX)
		HOLDS(record.size <= FRAME_SIZE &&
		      record.stored_size <= codec_bound(FRAME_SIZE));
	/* What is understood can be written, and is understood again. */
	made = record_encode(&record, bytes);
	HOLDS(record_decode(bytes, made, &again) == 0);
	HOLDS(again.size == record.size && again.parent == record.parent &&
	      again.kind == record.kind && again.codec == record.codec);
	return 0;
}
