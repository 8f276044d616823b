/* SPDX-License-Identifier: MIT */
#include <dirent.h>
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
	bool is_there; /* at the place where it is put */
	ino_t inode;
	uint8_t *data;
	size_t data_size; /* without zeroes at the end */
	size_t size;
	/* Of one that is written by calls only, and not mapped: who has
	 * changed it since it was put back has changed this. */
	struct timespec mtime;
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
	item->inode = stat->st_ino;
	item->size = (size_t)stat->st_size;
	if (strncmp(item->path, "drafts/", 7) == 0)
		item->mtime = stat->st_mtim;
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

static bool is_as_put(const struct item *item, const struct stat *stat)
{
	return item->mtime.tv_sec > 0 && stat->st_size == (off_t)item->size &&
	       stat->st_mtim.tv_sec == item->mtime.tv_sec &&
	       stat->st_mtim.tv_nsec == item->mtime.tv_nsec;
}

/* To overwrite is cheaper than to make anew. */
static void put_file(const struct item *item, const char *path)
{
	const struct timespec times[2] = {item->mtime, item->mtime};
	struct stat old;
	int fd;

	if (item->is_there) {
		MUST(lstat(path, &old) == 0);
		if (old.st_nlink > 1 || (old.st_mode & 07777) != 0600)
			MUST(unlink(path) == 0);
		else if (is_as_put(item, &old))
			return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	MUST(pwrite(fd, item->data, item->data_size, 0) ==
	     (ssize_t)item->data_size);
	MUST(ftruncate(fd, (off_t)item->data_size) == 0);
	MUST(ftruncate(fd, (off_t)item->size) == 0);
	MUST(item->mtime.tv_sec == 0 || futimens(fd, times) == 0);
	MUST(close(fd) == 0);
}

static struct item *find(struct image *image, const char *path)
{
	for (size_t i = 0; i < image->count; i++)
		if (strcmp(image->items[i].path, path) == 0)
			return &image->items[i];
	return NULL;
}

/* Is what is found what was taken, or can be made it? */
static bool is_kept(const struct item *item, const struct dirent *found)
{
	if (!item)
		return false;
	if (item->is_directory)
		return found->d_type == DT_DIR;
	return found->d_type == DT_REG &&
	       (!item->is_linked || item->inode == found->d_ino);
}

/* Delete what is too much in the directory `below` the tree at `path`, which
 * has room for PATH_MAX more. Its items that are there get the number of the
 * round. */
static void prune(struct image *image, const char *path, const char *below)
{
	char at[2 * PATH_MAX];
	char name[PATH_MAX];
	struct dirent *found;
	DIR *dir;

	(void)snprintf(at, sizeof(at), "%s/%s", path, below);
	dir = opendir(at);
	MUST(dir);
	while ((found = readdir(dir))) {
		struct item *item;

		if (strcmp(found->d_name, ".") == 0 ||
		    strcmp(found->d_name, "..") == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s%s%s", below,
			       *below ? "/" : "", found->d_name);
		(void)snprintf(at, sizeof(at), "%s/%s", path, name);
		item = find(image, name);
		if (!is_kept(item, found))
			image_wipe(at);
		else
			item->is_there = true;
		if (item && item->is_directory && item->is_there)
			prune(image, path, name);
	}
	MUST(closedir(dir) == 0);
}

void image_put(struct image *image, const char *path)
{
	char from[2 * PATH_MAX];
	char to[2 * PATH_MAX];

	for (size_t i = 0; i < image->count; i++)
		image->items[i].is_there = false;
	if (mkdir(path, 0700) < 0)
		prune(image, path, "");
	for (size_t i = 0; i < image->count; i++) {
		const struct item *item = &image->items[i];

		(void)snprintf(to, sizeof(to), "%s/%s", path, item->path);
		(void)snprintf(from, sizeof(from), "%s/%s", image->root,
			       item->path);
		if (!item->is_directory && !item->is_linked)
			put_file(item, to);
		else if (item->is_there)
			continue;
		else if (item->is_directory)
			MUST(mkdir(to, 0700) == 0);
		else
			MUST(link(from, to) == 0);
	}
}
