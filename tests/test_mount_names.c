/* SPDX-License-Identifier: MIT */
/* Names on the mount: which are entries, which are plain, which are none. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_names, .fini = scratch_end, .timeout = 60);

/* `count` times `c`, then `tail`; to be freed. */
static char *repeated(size_t count, char c, const char *tail)
{
	char *text = malloc(count + strlen(tail) + 1);

	MUST(text != NULL);
	memset(text, c, count);
	memcpy(text + count, tail, strlen(tail) + 1);
	return text;
}

Test(mount_names, a_name_of_32_to_128_digits_is_an_entry)
{
	char *names[] = {
		repeated(32, 'a', ""),		repeated(40, 'b', ""),
		repeated(63, 'c', ""),		repeated(64, 'd', ""),
		repeated(65, 'e', ""),		repeated(128, 'f', ""),
		repeated(64, '0', "-a"),	repeated(64, '0', "-d"),
		repeated(64, '1', "-12345678"),
	};
	size_t count = sizeof(names) / sizeof(*names);
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(names[i]);

		site_put(&site, names[i], names[i], size);
		MUST(box_has(&site.box, names[i], names[i], size));
		MUST(file_is(site_path(&site, names[i]), names[i], size));
		MUST(unlink(site_path(&site, names[i])) == 0);
		MUST(box_misses(&site.box, names[i]));
		file_write(site_path(&site, names[i]), "direct", 6);
		MUST(WITHIN_MS(LAG_MS,
			       box_has(&site.box, names[i], "direct", 6)));
		free(names[i]);
	}
	MUST_BE(box_stats(&site.box).entries, count);
	MUST_BE(box_stats(&site.box).plain_files, 0);
	site_end(&site);
}

Test(mount_names, any_other_name_is_an_ordinary_file)
{
	char *names[] = {
		repeated(31, 'a', ""),		repeated(129, 'a', ""),
		repeated(64, 'A', ""),		repeated(63, 'a', "G"),
		repeated(64, 'a', ".tmp"),	repeated(64, 'a', "-A"),
		repeated(64, 'a', "-"),		repeated(255, 'a', ""),
		repeated(255, 'x', ""),		repeated(64, 'a', "\n"),
		repeated(0, 0, "line\nfeed"),	repeated(0, 0, "..."),
		repeated(0, 0, "a b*?'\""),	repeated(0, 0, ".hidden"),
		repeated(0, 0, "\xff\xfe"),	repeated(0, 0, "-rf"),
		repeated(0, 0, "CACHEDIR.TAG"),
	};
	size_t count = sizeof(names) / sizeof(*names);
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(names[i]);

		file_write(site_path(&site, names[i]), names[i], size);
		MUST(file_is(site_path(&site, names[i]), names[i], size));
	}
	MUST_BE(box_stats(&site.box).entries, 0);
	/* A temporary file is in the store when it is a second old. */
	MUST(WITHIN_MS(5000, box_stats(&site.box).plain_files == count));
	mounted_stop(&site.mount);
	mounted_start(&site.mount, site.box.path, NULL);
	for (size_t i = 0; i < count; i++) {
		MUST(file_is(site_path(&site, names[i]), names[i],
			     strlen(names[i])));
		MUST(unlink(site_path(&site, names[i])) == 0);
		free(names[i]);
	}
	MUST_BE(box_stats(&site.box).plain_files, 0);
	site_end(&site);
}

Test(mount_names, a_name_of_256_bytes_is_too_long)
{
	char *name = repeated(256, 'a', "");
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	MUST_FAIL(open(site_path(&site, name), O_WRONLY | O_CREAT, 0644),
		  ENAMETOOLONG);
	MUST_FAIL(open(site_path(&site, name), O_RDONLY), ENAMETOOLONG);
	MUST_FAIL(mkdir(site_path(&site, name), 0755), ENAMETOOLONG);
	file_write(site_path(&site, "x"), "x", 1);
	MUST_FAIL(rename(site_path(&site, "x"), site_path(&site, name)),
		  ENAMETOOLONG);
	MUST(file_is(site_path(&site, "x"), "x", 1));
	free(name);
	site_end(&site);
}

Test(mount_names, dot_and_dot_dot_mean_what_they_always_mean)
{
	struct site site;
	struct stat here;
	struct stat there;
	char *text;

	MOUNT_OR_SKIP();
	site_new(&site);
	shell_do("mkdir -p '%s/a/b'", site.mount.at);
	file_write(site_path(&site, "a/b/../../x"), "x", 1);
	MUST(file_is(site_path(&site, "./x"), "x", 1));
	MUST(stat(site_path(&site, "a"), &here) == 0);
	MUST(stat(site_path(&site, "a/b/.."), &there) == 0);
	MUST_BE(here.st_ino, there.st_ino);
	MUST_FAIL(rmdir(site_path(&site, "a/.")), EINVAL);
	MUST_FAIL(rmdir(site_path(&site, "a/b/..")), ENOTEMPTY);
	text = shell_text("cd '%s/a/b' && pwd -P", site.mount.at);
	MUST(strncmp(text, site.mount.at, strlen(site.mount.at)) == 0);
	free(text);
	text = shell_text("ls -a '%s'", site_path(&site, "a"));
	MUST(strcmp(text, ".\n..\nb\n") == 0);
	free(text);
	site_end(&site);
}

Test(mount_names, content_of_every_edge_size_goes_through_the_mount)
{
	static const size_t sizes[] = {
		0,     1,	  511,	 4095,	    4096,      4097,
		65536, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 1};
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned i = 0; i < 48; i++) {
		size_t size = sizes[i / 4];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);
		struct stat st;

		if (i & 2)
			file_write(site_path(&site, name_of(i)), data, size);
		else
			site_put(&site, name_of(i), data, size);
		MUST(WITHIN_MS(LAG_MS,
			       box_has(&site.box, name_of(i), data, size)));
		MUST(stat(site_path(&site, name_of(i)), &st) == 0);
		MUST_BE(st.st_size, size);
		MUST(S_ISREG(st.st_mode));
		free(data);
	}
	/* Read from the store, not from what the kernel remembers. */
	mounted_stop(&site.mount);
	mounted_start(&site.mount, site.box.path, NULL);
	for (unsigned i = 0; i < 48; i++) {
		size_t size = sizes[i / 4];
		uint8_t *data =
			sample_new(i % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, i, size);

		if (!file_is(site_path(&site, name_of(i)), data, size))
			must_fail(__FILE__, __LINE__, "size %zu differs", size);
		free(data);
	}
	site_end(&site);
}

Test(mount_names, an_entry_name_may_be_a_directory)
{
	struct site site;
	char *below;

	MOUNT_OR_SKIP();
	site_new(&site);
	/* The Go tool keeps executables so. */
	MUST(mkdir(site_path(&site, name_of(1)), 0755) == 0);
	below = text_new("%s/prog", name_of(1));
	file_write(site_path(&site, below), "#!/bin/sh\necho ran\n", 19);
	MUST(chmod(site_path(&site, below), 0755) == 0);
	char *text = shell_text("'%s'", site_path(&site, below));
	MUST(strcmp(text, "ran\n") == 0);
	MUST_FAIL(open(site_path(&site, name_of(1)), O_WRONLY | O_CREAT, 0644),
		  EISDIR);
	MUST_BE(box_try_add(&site.box, name_of(1), "x", 1), -EISDIR);
	free(text);
	free(below);
	site_end(&site);
}
