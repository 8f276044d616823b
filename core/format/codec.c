/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <zstd.h>

#include "base/base.h"
#include "format/codec.h"

struct contexts {
	ZSTD_CCtx *compress;
	ZSTD_DCtx *decompress;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static bool have_key;

static void contexts_free(void *pointer)
{
	struct contexts *contexts = pointer;

	(void)ZSTD_freeCCtx(contexts->compress); /* always 0 */
	(void)ZSTD_freeDCtx(contexts->decompress);
	free(contexts);
}

static void make_key(void)
{
	have_key = pthread_key_create(&contexts_key, contexts_free) == 0;
}

const char *codec_name(enum codec codec)
{
	return codec == CODEC_RAW ? "raw" : "zstd";
}

static struct contexts *contexts_get(void)
{
	struct contexts *contexts;

	(void)pthread_once(&once, make_key); /* cannot fail */
	if (!have_key)
		return NULL;
	contexts = pthread_getspecific(contexts_key);
	if (contexts)
		return contexts;
	contexts = calloc(1, sizeof(*contexts));
	if (contexts && pthread_setspecific(contexts_key, contexts) != 0) {
		free(contexts);
		contexts = NULL;
	}
	return contexts;
}

size_t codec_bound(size_t size)
{
	return ZSTD_compressBound(size);
}

ssize_t codec_compress(void *target, const void *data, size_t size)
{
	return codec_compress_level(target, data, size, CODEC_LEVEL);
}

ssize_t codec_compress_level(void *target, const void *data, size_t size,
			     int level)
{
	struct contexts *contexts = contexts_get();
	size_t made;

	if (contexts && !contexts->compress)
		contexts->compress = ZSTD_createCCtx();
	if (!contexts || !contexts->compress)
		return -ENOMEM;
	if (level == CODEC_LEVEL && size <= CODEC_SHORT)
		level = -1;
	made = ZSTD_compressCCtx(contexts->compress, target, codec_bound(size),
				 data, size, level);
	/* With room for the bound, memory is the only thing that can lack. */
	return ZSTD_isError(made) ? -ENOMEM : (ssize_t)made;
}

int codec_decompress(void *target, size_t target_size, const void *data,
		     size_t size)
{
	struct contexts *contexts = contexts_get();
	size_t made;

	if (contexts && !contexts->decompress)
		contexts->decompress = ZSTD_createDCtx();
	if (!contexts || !contexts->decompress)
		return -ENOMEM;
	/* One call decodes all frames of its input, skippable ones too: ask
	 * for exactly one, which ends where the input ends. The library may
	 * also decode what was written before the format was settled. */
	if (size < 4 || get_le(data, 4) != ZSTD_MAGICNUMBER)
		return -EBADMSG;
	if (ZSTD_findFrameCompressedSize(data, size) != size)
		return -EBADMSG;
	made = ZSTD_decompressDCtx(contexts->decompress, target, target_size,
				   data, size);
	return made == target_size ? 0 : -EBADMSG;
}

bool codec_pays(size_t stored, size_t size)
{
	return stored < size - size / 16;
}
