/* SPDX-License-Identifier: MIT */
/*
 * Keys: text and back, and SHA-256 over what decides an output. The only file
 * that knows OpenSSL.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/base.h"
#include "cubby/cubby.h"

struct cubby_key_builder {
	EVP_MD_CTX *context;
};

static const char digits[] = "0123456789abcdef";

int cubby_key_parse(const char *text, struct cubby_key *ret_key)
{
	if (strlen(text) != CUBBY_KEY_TEXT_SIZE - 1 ||
	    strspn(text, digits) != CUBBY_KEY_TEXT_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < CUBBY_KEY_SIZE; i++) {
		size_t high = (size_t)(strchr(digits, text[2 * i]) - digits);
		size_t low = (size_t)(strchr(digits, text[2 * i + 1]) - digits);

		ret_key->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

void cubby_key_format(const struct cubby_key *key,
		      char ret_text[CUBBY_KEY_TEXT_SIZE])
{
	for (size_t i = 0; i < CUBBY_KEY_SIZE; i++) {
		ret_text[2 * i] = digits[key->bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[key->bytes[i] & 15];
	}
	ret_text[CUBBY_KEY_TEXT_SIZE - 1] = '\0';
}

static int start(struct cubby_key_builder *builder)
{
	return EVP_DigestInit_ex(builder->context, EVP_sha256(), NULL) == 1
		       ? 0
		       : -EIO;
}

int cubby_key_builder_new(struct cubby_key_builder **ret_builder)
{
	struct cubby_key_builder *builder = calloc(1, sizeof(*builder));
	int r = -ENOMEM;

	if (builder)
		builder->context = EVP_MD_CTX_new();
	if (builder && builder->context)
		r = start(builder);
	if (r < 0) {
		cubby_key_builder_free(builder);
		return r;
	}
	*ret_builder = builder;
	return 0;
}

int cubby_key_builder_bytes(struct cubby_key_builder *builder, const void *data,
			    size_t size)
{
	return EVP_DigestUpdate(builder->context, data, size) == 1 ? 0 : -EIO;
}

int cubby_key_builder_part(struct cubby_key_builder *builder, const void *data,
			   size_t size)
{
	uint8_t prefix[8];
	int r;

	put_le(prefix, size, sizeof(prefix));
	r = cubby_key_builder_bytes(builder, prefix, sizeof(prefix));
	return r < 0 ? r : cubby_key_builder_bytes(builder, data, size);
}

int cubby_key_builder_finish(struct cubby_key_builder *builder,
			     struct cubby_key *ret_key)
{
	struct cubby_key key;
	unsigned size = 0;

	if (EVP_DigestFinal_ex(builder->context, key.bytes, &size) != 1)
		return -EIO;
	CHECK(size == CUBBY_KEY_SIZE);
	*ret_key = key;
	return start(builder);
}

void cubby_key_builder_free(struct cubby_key_builder *builder)
{
	if (!builder)
		return;
	EVP_MD_CTX_free(builder->context);
	free(builder);
}
