/* SPDX-License-Identifier: MIT */
/* Drafts: content that is being written under its final name. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "box.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

TestSuite(drafts, .fini = scratch_end, .timeout = 60);

static const struct cubby_owner owner = {0644, 0, 0};

enum { ROOT = (int)CUBBY_ROOT_ID };

Test(drafts, a_draft_is_seen_when_it_is_published)
{
	/* The last ones end so near to the end of a page that a footer would
	 * begin in the one and go on in the next. */
	static const size_t sizes[] = {0,	1,     4000,  131072,
				       1500000, 40950, 40955, 40960};
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 8; i++) {
		uint8_t *data = sample_new(i < 5 ? SAMPLE_TEXT : SAMPLE_NOISE,
					   i, sizes[i]);
		struct cubby_draft *draft;
		struct cubby_attr attr;
		uint64_t id;

		MUST_DO(cubby_draft_new(box.store, 0, &draft));
		id = cubby_draft_id(draft);
		MUST(id > CUBBY_ROOT_ID);
		MUST_BE(write(cubby_draft_fd(draft), data, sizes[i]), sizes[i]);
		MUST(box_misses(&box, name_of(i)));
		MUST_BE(box_stats(&box).entries, i);
		MUST_DO(cubby_draft_publish(draft, ROOT, name_of(i), &owner,
					    &attr));
		MUST_BE(attr.id, id);
		MUST_BE(attr.kind, CUBBY_ENTRY);
		MUST(box_has(&box, name_of(i), data, sizes[i]));
		free(data);
	}
	box_close(&box);
}

Test(drafts, a_dropped_draft_leaves_nothing)
{
	struct cubby_draft *draft;
	char *drafts;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_draft_new(box.store, 0, &draft));
	MUST_BE(write(cubby_draft_fd(draft), "abc", 3), 3);
	cubby_draft_drop(draft);
	drafts = text_new("%s/drafts", box.path);
	MUST_BE(files_below(drafts, NULL, 0), 0);
	MUST_BE(box_stats(&box).entries, 0);
	free(drafts);
	box_close(&box);
}

Test(drafts, a_draft_starts_with_the_content_of_its_base)
{
	static const size_t sizes[] = {0, 10, 3000, 500000};
	struct box box;

	box_new(&box, "");
	for (unsigned i = 0; i < 8; i++) {
		size_t size = sizes[i / 2];
		uint8_t *data = sample_new(i % 2 ? SAMPLE_NOISE : SAMPLE_TEXT,
					   i, size + 4);
		struct cubby_draft *draft;
		struct cubby_attr attr;

		box_add(&box, name_of(i), data, size);
		MUST_DO(cubby_draft_new(box.store,
					box_attr(&box, name_of(i)).id, &draft));
		memcpy(data + size, "tail", 4);
		MUST_BE(lseek(cubby_draft_fd(draft), 0, SEEK_END), size);
		MUST_BE(pwrite(cubby_draft_fd(draft), "tail", 4, (off_t)size),
			4);
		MUST(box_has(&box, name_of(i), data, size));
		MUST_DO(cubby_draft_publish(draft, ROOT, name_of(i), &owner,
					    &attr));
		MUST(box_has(&box, name_of(i), data, size + 4));
		free(data);
	}
	MUST_BE(box_stats(&box).entries, 8);
	box_close(&box);
}

Test(drafts, a_draft_that_cannot_be_published_is_as_it_was)
{
	struct cubby_draft *draft;
	struct cubby_attr attr;
	struct cubby_attr dir;
	struct box box;

	box_new(&box, "");
	MUST_DO(cubby_mkdir(box.store, ROOT, name_of(9), &owner, &dir));
	MUST_DO(cubby_draft_new(box.store, 0, &draft));
	MUST_BE(write(cubby_draft_fd(draft), "abc", 3), 3);
	MUST_BE(cubby_draft_publish(draft, ROOT, name_of(9), &owner, &attr),
		-EISDIR);
	MUST_BE(cubby_draft_publish(draft, 99999, name_of(1), &owner, &attr),
		-ENOENT);
	MUST_BE(cubby_draft_publish(draft, ROOT, "..", &owner, &attr), -EINVAL);
	MUST_BE(write(cubby_draft_fd(draft), "def", 3), 3);
	MUST_DO(cubby_draft_publish(draft, ROOT, name_of(1), &owner, &attr));
	MUST(box_has(&box, name_of(1), "abcdef", 6));
	box_close(&box);
}

Test(drafts, a_draft_published_under_another_name_is_a_plain_file)
{
	struct cubby_draft *draft;
	struct cubby_attr attr;
	char bytes[4];
	struct box box;
	int fd;

	box_new(&box, "");
	MUST_DO(cubby_draft_new(box.store, 0, &draft));
	MUST_BE(write(cubby_draft_fd(draft), "abc", 3), 3);
	MUST_DO(cubby_draft_publish(draft, ROOT, "plain", &owner, &attr));
	MUST_BE(attr.kind, CUBBY_PLAIN);
	MUST_DO(cubby_open_plain(box.store, attr.id, &fd));
	MUST_BE(read(fd, bytes, 4), 3);
	MUST(close(fd) == 0);
	box_close(&box);
}
