/* SPDX-License-Identifier: MIT */
/*
 * Adding to a namespace: through a writer, and the two short forms of it.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "store/namespace.h"

struct cubby_writer {
	struct cubby_ns *ns;
	int error; /* the first one: what is incomplete is never published */
	struct encoder encoder;
	char name[];
};

int cubby_writer_open_name(struct cubby_ns *ns, const char *name,
			   struct cubby_writer **ret_writer)
{
	const size_t size = strlen(name) + 1;
	struct cubby_writer *writer;
	uint64_t id;
	int r = namespace_verify(ns, name);

	if (r == 0)
		r = store_verify_writable(ns->store);
	if (r == 0)
		r = store_new_id(ns->store, &id);
	if (r < 0)
		return r;
	writer = calloc(1, sizeof(*writer) + size);
	if (!writer)
		return -ENOMEM;
	writer->ns = ns;
	memcpy(writer->name, name, size);
	encoder_init(&writer->encoder, ns->store, id);
	writer->encoder.may_wait = true;
	r = namespace_begin_digest(ns, name, &writer->encoder.digest);
	if (r < 0) {
		cubby_writer_abort(writer);
		return r;
	}
	*ret_writer = writer;
	return 0;
}

int cubby_writer_open(struct cubby_ns *ns, const struct cubby_key *key,
		      struct cubby_writer **ret_writer)
{
	char name[CUBBY_KEY_TEXT_SIZE];

	cubby_key_format(key, name);
	return cubby_writer_open_name(ns, name, ret_writer);
}

int cubby_writer_write(struct cubby_writer *writer, const void *data,
		       size_t size)
{
	int r = store_verify_process(writer->ns->store);

	if (r < 0)
		return r;
	if (writer->error == 0)
		writer->error = encoder_write(&writer->encoder, data, size);
	return writer->error;
}

int cubby_writer_commit(struct cubby_writer *writer)
{
	int r = store_verify_process(writer->ns->store);

	if (r == 0)
		r = writer->error;
	if (r == 0)
		r = namespace_publish(writer->ns, writer->name,
				      &writer->encoder);
	cubby_writer_abort(writer);
	return r;
}

void cubby_writer_abort(struct cubby_writer *writer)
{
	if (!writer)
		return;
	/* In a child after fork the blob and the queue are the parent's. */
	if (store_verify_process(writer->ns->store) < 0) {
		writer->encoder.is_published = true;
		writer->encoder.reserved = 0;
	}
	encoder_done(&writer->encoder);
	free(writer);
}

int cubby_add_bytes(struct cubby_ns *ns, const struct cubby_key *key,
		    const void *data, size_t size)
{
	struct cubby_writer *writer;
	int r = cubby_writer_open(ns, key, &writer);

	if (r < 0)
		return r;
	r = cubby_writer_write(writer, data, size);
	if (r < 0) {
		cubby_writer_abort(writer);
		return r;
	}
	return cubby_writer_commit(writer);
}

int cubby_add(struct cubby_ns *ns, const struct cubby_key *key,
	      cubby_read_fn *read, void *cookie)
{
	SCOPED_FREE uint8_t *buffer = malloc(FRAME_SIZE);
	struct cubby_writer *writer;
	ssize_t size;
	int r;

	if (!buffer)
		return -ENOMEM;
	r = cubby_writer_open(ns, key, &writer);
	if (r < 0)
		return r;
	while ((size = read(cookie, buffer, FRAME_SIZE)) > 0) {
		r = size > FRAME_SIZE
			    ? -EINVAL
			    : cubby_writer_write(writer, buffer, (size_t)size);
		if (r < 0)
			break;
	}
	if (size < 0)
		r = (int)size;
	if (r < 0) {
		cubby_writer_abort(writer);
		return r;
	}
	return cubby_writer_commit(writer);
}
