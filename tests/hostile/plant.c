/* SPDX-License-Identifier: MIT */
/* Something else in the place of a file: see plant.h. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "must.h"
#include "mutate.h"
#include "plant.h"
#include "scratch.h"

enum { CANARY_SIZE = 3000, CANARY_TIME = 1000000000, CANARY_MODE = 0640 };
static const off_t sparse_size = (off_t)1 << 40;

static const char *const names[] = {
	[PLANT_SYMLINK] = "a symlink",
	[PLANT_DANGLING] = "a dangling symlink",
	[PLANT_FIFO] = "a FIFO",
	[PLANT_DEVICE] = "a device",
	[PLANT_HARD_LINK] = "a hard link",
	[PLANT_DIRECTORY] = "a directory",
	[PLANT_SPARSE] = "a sparse file of 1 TB",
	[PLANT_GARBAGE] = "garbage",
	[PLANT_SHORT] = "a truncated file",
	[PLANT_FOREIGN] = "a file of somebody else",
	[PLANT_CLOSED] = "a file of mode 0",
	[PLANT_LOOSE] = "a set-id file writable for all",
};

const char *plant_name(enum plant plant)
{
	return names[plant];
}

bool plant_is_its_own(enum plant plant)
{
	return plant == PLANT_FOREIGN || plant == PLANT_CLOSED ||
	       plant == PLANT_LOOSE;
}

static void change(enum plant plant, const char *path, bool is_directory)
{
	if (access(path, F_OK) != 0 && is_directory)
		MUST(mkdir(path, 0700) == 0);
	else if (access(path, F_OK) != 0)
		file_write(path, "", 0);
	if (plant == PLANT_FOREIGN)
		MUST(chown(path, 0, 0) == 0);
	else
		MUST(chmod(path, plant == PLANT_CLOSED ? 0 : 06777) == 0);
}

/* What was there is aside; a directory leaves a file as well. */
static void put_damaged(enum plant plant, const char *path, const char *aside,
			bool is_directory)
{
	size_t size = CANARY_SIZE;
	uint8_t *bytes = is_directory ? NULL : file_read(aside, &size);
	uint64_t state = size;

	if (!bytes)
		bytes = calloc(1, size);
	MUST(bytes != NULL);
	if (plant == PLANT_SHORT)
		size /= 100;
	for (size_t i = 0; plant == PLANT_GARBAGE && i < size; i++)
		bytes[i] = (uint8_t)chance(&state);
	file_write(path, bytes, size);
	MUST(chmod(path, 0600) == 0);
	free(bytes);
}

void plant_put(enum plant plant, const char *path, bool is_directory,
	       const char *outside)
{
	char *target = text_new("%s/%s", outside,
				plant == PLANT_DANGLING ? "nothing"
				: is_directory		? "shard"
							: "canary");
	char *canary_path = text_new("%s/canary", outside);
	char *aside = text_new("%s.aside", outside);
	int fd;

	if (!plant_is_its_own(plant)) {
		/* Whatever it was, it is not in the store any more. */
		if (access(path, F_OK) == 0)
			MUST(rename(path, aside) == 0);
		else
			(void)unlink(aside);
	}
	switch (plant) {
	case PLANT_SYMLINK:
	case PLANT_DANGLING:
		MUST(symlink(target, path) == 0);
		break;
	case PLANT_FIFO:
		MUST(mkfifo(path, 0666) == 0);
		break;
	case PLANT_DEVICE:
		MUST(mknod(path, S_IFCHR | 0666, makedev(1, 5)) == 0);
		break;
	case PLANT_HARD_LINK:
		MUST(link(canary_path, path) == 0);
		break;
	case PLANT_DIRECTORY:
		MUST(mkdir(path, 0700) == 0);
		break;
	case PLANT_SPARSE:
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		MUST(fd >= 0);
		MUST(ftruncate(fd, sparse_size) == 0);
		MUST(close(fd) == 0);
		break;
	case PLANT_GARBAGE:
	case PLANT_SHORT:
		put_damaged(plant, path, aside, is_directory);
		break;
	default:
		change(plant, path, is_directory);
	}
	free(aside);
	free(target);
	free(canary_path);
}

/* ---------------------------------------------------------------- canaries */

static void canary_write(const char *path)
{
	const struct timespec times[2] = {{.tv_sec = CANARY_TIME},
					  {.tv_sec = CANARY_TIME}};
	char text[CANARY_SIZE];

	memset(text, 'c', sizeof(text));
	file_write(path, text, sizeof(text));
	MUST(chmod(path, CANARY_MODE) == 0);
	MUST(utimensat(AT_FDCWD, path, times, 0) == 0);
}

void canary_new(struct canary *canary, const char *outside,
		const char *const in_shard[])
{
	char *path = text_new("%s/canary", outside);
	char *shard = text_new("%s/shard", outside);

	canary->outside = text_new("%s", outside);
	canary->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	MUST(canary->fd >= 0);
	MUST(mkdir(outside, 0777) == 0);
	MUST(mkdir(shard, 0777) == 0);
	/* Whatever the user, he could do harm. */
	MUST(chmod(outside, 0777) == 0 && chmod(shard, 0777) == 0);
	canary_write(path);
	for (; *in_shard; in_shard++) {
		char *file = text_new("%s/%s", shard, *in_shard);

		canary_write(file);
		MUST(chmod(file, 0666) == 0);
		MUST(chmod(file, CANARY_MODE) == 0);
		free(file);
	}
	MUST(inotify_add_watch(canary->fd, path, IN_ALL_EVENTS) >= 0);
	MUST(inotify_add_watch(canary->fd, outside, IN_ALL_EVENTS) >= 0);
	MUST(inotify_add_watch(canary->fd, shard, IN_ALL_EVENTS) >= 0);
	free(path);
	free(shard);
}

void canary_settle(struct canary *canary)
{
	char events[4096];

	while (read(canary->fd, events, sizeof(events)) > 0)
		continue;
}

static bool is_unchanged(const char *path)
{
	char text[CANARY_SIZE];
	struct stat st;

	memset(text, 'c', sizeof(text));
	return stat(path, &st) == 0 && (st.st_mode & 07777) == CANARY_MODE &&
	       st.st_mtim.tv_sec == CANARY_TIME && st.st_uid == geteuid() &&
	       file_is(path, text, sizeof(text));
}

static const char *shard_finding(const char *shard)
{
	DIR *dir = opendir(shard);
	struct dirent *entry;
	const char *finding = NULL;

	MUST(dir != NULL);
	while (!finding && (entry = readdir(dir))) {
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		path = text_new("%s/%s", shard, entry->d_name);
		if (!is_unchanged(path))
			finding = "a file outside was changed or made";
		free(path);
	}
	(void)closedir(dir);
	return finding;
}

const char *canary_finding(struct canary *canary, bool may_be_read)
{
	static char finding[128];
	_Alignas(struct inotify_event) char events[4096];
	const char *result = NULL;
	char *path = text_new("%s/canary", canary->outside);
	char *shard = text_new("%s/shard", canary->outside);
	ssize_t n = read(canary->fd, events, sizeof(events));

	if (n > 0 && !may_be_read) {
		const void *first = events;
		const struct inotify_event *event = first;

		(void)snprintf(finding, sizeof(finding),
			       "somebody was there: event %x of %.60s",
			       event->mask, event->len ? event->name : "-");
		result = finding;
	}
	if (!result && !is_unchanged(path))
		result = "the canary was changed";
	if (!result)
		result = shard_finding(shard);
	free(path);
	free(shard);
	canary_settle(canary);
	return result;
}

void canary_free(struct canary *canary)
{
	MUST(close(canary->fd) == 0);
	free(canary->outside);
}
