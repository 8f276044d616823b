/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "must.h"

struct item {
	char path[128]; /* below the tree */
	bool is_directory;
	bool is_linked;
	uint8_t *data;
	size_t data_size; /* without zeroes at the end */
	size_t size;
};

enum { ITEMS_MAX = 64 };

struct image {
	char root[PATH_MAX];
	size_t count;
	struct item items[ITEMS_MAX];
};

static struct image *filled; /* nftw() has no cookie */

static void load(struct item *item, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	item->data = malloc(item->size + 1);
	MUST(item->data);
	MUST(read(fd, item->data, item->size) == (ssize_t)item->size);
	MUST(close(fd) == 0);
	item->data_size = item->size;
	while (item->data_size > 0 && item->data[item->data_size - 1] == 0)
		item->data_size--;
}

static int take(const char *path, const struct stat *stat, int type,
		struct FTW *where)
{
	struct item *item = &filled->items[filled->count];

	if (where->level == 0)
		return 0;
	MUST(filled->count++ < ITEMS_MAX);
	(void)snprintf(item->path, sizeof(item->path), "%s",
		       path + strlen(filled->root) + 1);
	item->is_directory = type == FTW_D;
	item->is_linked = strncmp(item->path, "blobs/", 6) == 0;
	item->size = (size_t)stat->st_size;
	if (!item->is_directory && !item->is_linked)
		load(item, path);
	return 0;
}

struct image *image_new(const char *path)
{
	struct image *image = calloc(1, sizeof(*image));

	MUST(image);
	(void)snprintf(image->root, sizeof(image->root), "%s", path);
	filled = image;
	MUST(nftw(path, take, 8, FTW_PHYS) == 0);
	return image;
}

static int delete (const char *path, const struct stat *stat, int type,
		   struct FTW *where)
{
	(void)stat;
	(void)type;
	(void)where;
	return remove(path);
}

void image_wipe(const char *path)
{
	(void)nftw(path, delete, 8, FTW_DEPTH | FTW_PHYS);
}

static void put_file(const struct item *item, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	MUST(fd >= 0);
	MUST(write(fd, item->data, item->data_size) ==
	     (ssize_t)item->data_size);
	MUST(ftruncate(fd, (off_t)item->size) == 0);
	MUST(close(fd) == 0);
}

void image_put(const struct image *image, const char *path)
{
	char from[2 * PATH_MAX];
	char to[2 * PATH_MAX];

	image_wipe(path);
	MUST(mkdir(path, 0700) == 0);
	for (size_t i = 0; i < image->count; i++) {
		const struct item *item = &image->items[i];

		(void)snprintf(to, sizeof(to), "%s/%s", path, item->path);
		(void)snprintf(from, sizeof(from), "%s/%s", image->root,
			       item->path);
		if (item->is_directory)
			MUST(mkdir(to, 0700) == 0);
		else if (item->is_linked)
			MUST(link(from, to) == 0);
		else
			put_file(item, to);
	}
}
