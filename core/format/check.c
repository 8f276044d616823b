/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <xxhash.h>

#include "base/base.h"
#include "format/check.h"

static_assert(sizeof(XXH128_canonical_t) == CHECK_SIZE, "size of a check");

static struct check seeded(uint64_t id, uint64_t index, const void *data,
			   size_t size)
{
	uint8_t identity[16];
	XXH128_canonical_t canonical;
	struct check check;
	XXH64_hash_t seed;

	/* Through a hash, so that no two pairs meet by plain arithmetic. */
	put_le(identity, id, 8);
	put_le(identity + 8, index, 8);
	seed = XXH3_64bits(identity, sizeof(identity));
	XXH128_canonicalFromHash(&canonical,
				 XXH3_128bits_withSeed(data, size, seed));
	memcpy(check.bytes, canonical.digest, CHECK_SIZE);
	return check;
}

struct check check_frame(uint64_t id, uint64_t index, const void *data,
			 size_t size)
{
	return seeded(id, index, data, size);
}

struct check check_footer(uint64_t id, const void *data, size_t size)
{
	return seeded(id, UINT64_MAX, data, size);
}

bool check_equal(const struct check *a, const struct check *b)
{
	return memcmp(a->bytes, b->bytes, CHECK_SIZE) == 0;
}
