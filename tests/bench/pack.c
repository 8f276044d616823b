/* SPDX-License-Identifier: MIT */
#include <zstd.h>

#include "bench.h"
#include "peer.h"

enum { LEVEL = 1 };

const void *pack(const uint8_t *data, size_t size, size_t *ret_size)
{
	static ZSTD_CCtx *context;
	static uint8_t *buffer;
	static size_t buffer_size;
	size_t packed;

	if (!context && !(context = ZSTD_createCCtx()))
		bench_give_up("no memory");
	if (buffer_size < ZSTD_compressBound(size)) {
		buffer_size = ZSTD_compressBound(size);
		buffer = bench_alloc(buffer_size); /* the few old ones stay */
	}
	packed = ZSTD_compressCCtx(context, buffer, buffer_size, data, size,
				   LEVEL);
	if (ZSTD_isError(packed))
		bench_give_up("cannot compress: %s", ZSTD_getErrorName(packed));
	*ret_size = packed;
	return buffer;
}

ssize_t unpack(const void *packed, size_t packed_size, uint8_t *ret_data,
	       size_t size)
{
	static ZSTD_DCtx *context;
	size_t got;

	if (!context && !(context = ZSTD_createDCtx()))
		bench_give_up("no memory");
	got = ZSTD_decompressDCtx(context, ret_data, size, packed, packed_size);
	if (ZSTD_isError(got))
		bench_give_up("cannot decompress: %s", ZSTD_getErrorName(got));
	return (ssize_t)got;
}
