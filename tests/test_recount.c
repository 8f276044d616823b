/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed in the middle of anything, with limits that evict:
 * the tables and the totals fit after each, and no entry has wrong bytes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "cubby/manage.h"
#include "cubby/upkeep.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum {
	ROUNDS = 200,
	MOUNT_ROUNDS = 20,
	KEYS = 300,
	RUN_MAX_MS = 60,
	HEADER = 12, /* of content: key, seed, size */
	DATA_MAX = 400000,
};

static const struct cubby_owner owner = {0755, 0, 0};

/* Content tells which key it belongs to and what the rest of it must be. */
static size_t content_fill(uint8_t *data, unsigned key, unsigned *seed)
{
	static const size_t sizes[] = {HEADER, 300, 6000, 30000, 140000};
	uint32_t header[3] = {key, (uint32_t)rand_r(seed), 0};
	size_t size = sizes[(size_t)rand_r(seed) % 5];

	size += (size_t)rand_r(seed) % (size + 1);
	header[2] = (uint32_t)size;
	memcpy(data, header, HEADER);
	sample_fill(header[1] % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, header[1],
		    data + HEADER, size - HEADER);
	return size;
}

static void content_check(const uint8_t *data, size_t size, unsigned key)
{
	static uint8_t want[DATA_MAX];
	uint32_t header[3];

	MUST(size >= HEADER);
	memcpy(header, data, HEADER);
	MUST_BE(header[0], key);
	MUST_BE(header[2], size);
	sample_fill(header[1] % 2 ? SAMPLE_TEXT : SAMPLE_NOISE, header[1], want,
		    size - HEADER);
	MUST(memcmp(data + HEADER, want, size - HEADER) == 0);
}

/* --------------------------------------------------------- by the library */

_Noreturn static void use_store(const char *path, unsigned seed)
{
	static uint8_t data[DATA_MAX];
	struct box spaces[3];

	box_open(&spaces[0], path, "");
	box_open(&spaces[1], path, "quota/deep");
	box_open(&spaces[2], path, "pinned");
	for (;;) {
		const unsigned key = (unsigned)rand_r(&seed) % KEYS;
		const struct box *box = &spaces[key % 3];
		uint8_t *got;
		size_t size;
		int r;

		switch (rand_r(&seed) % 8) {
		case 0:
			box_delete(box, name_of(key));
			break;
		case 1:
		case 2:
			r = box_get(box, name_of(key), &got, &size);
			MUST(r == 0 || r == -ENOENT);
			if (r == 0) {
				content_check(got, size, key);
				free(got);
			}
			break;
		default:
			size = content_fill(data, key, &seed);
			r = box_try_add(box, name_of(key), data, size);
			MUST(r == 0);
		}
	}
}

struct tally {
	struct box box;
	uint64_t entries;
};

static int check_entry(void *cookie, const char *path,
		       const struct cubby_attr *attr)
{
	struct tally *tally = cookie;
	const char *name = strrchr(path, '/');
	uint8_t *data = malloc(attr->size + 1);
	struct cubby_reader *reader;
	uint32_t key;

	MUST(data != NULL);
	MUST_DO(cubby_open_entry(tally->box.store, attr->id, &reader));
	MUST_BE(cubby_reader_read(reader, data, attr->size), attr->size);
	cubby_reader_close(reader);
	memcpy(&key, data, sizeof(key));
	MUST(strcmp(name ? name + 1 : path, name_of(key)) == 0);
	content_check(data, attr->size, key);
	free(data);
	tally->entries++;
	return 0;
}

static int tell_finding(void *cookie, const struct cubby_verify_step *step)
{
	(void)cookie;
	if (step->finding != CUBBY_FOUND_NOTHING)
		printf("# finding %d: %s: %" PRIu64 ", counted %" PRIu64 "\n",
		       step->finding, step->path, step->kept, step->counted);
	return 0;
}

/* Nothing is found, and every entry has right bytes. Returns how many. */
static uint64_t is_right(const char *path)
{
	struct cubby_verify_summary summary;
	struct tally tally = {.entries = 0};

	box_open(&tally.box, path, "");
	MUST_DO(cubby_verify(tally.box.store, 0, tell_finding, NULL, &summary));
	MUST_BE(summary.findings, 0);
	MUST_DO(cubby_list(tally.box.ns, check_entry, &tally));
	MUST_BE(tally.entries, summary.entries);
	MUST_BE(tally.entries, box_stats(&tally.box).entries);
	MUST_BE(box_stats(&tally.box).quarantined, 0);
	box_close(&tally.box);
	return tally.entries;
}

static void set_bounds(const char *path)
{
	const struct cubby_limits limits = {.max_size = CUBBY_LIMIT_MIN};
	const struct cubby_quota quota = {.quota = 1 << 20};
	const struct cubby_quota pin = {.is_pinned = true, .quota = 2 << 20};
	struct cubby_attr attr;
	struct box box;

	box_open(&box, path, "");
	MUST_DO(cubby_mkdir(box.store, CUBBY_ROOT_ID, "quota", &owner, &attr));
	MUST_DO(cubby_mkdir(box.store, CUBBY_ROOT_ID, "pinned", &owner, &attr));
	MUST_DO(cubby_set_limits(box.store, &limits));
	MUST_DO(cubby_set_quota(box.store, "quota", &quota));
	MUST_DO(cubby_set_quota(box.store, "pinned", &pin));
	box_close(&box);
}

static uint64_t evictions(const char *path)
{
	struct cubby_figures figures;
	struct box box;

	box_open(&box, path, "");
	MUST_DO(cubby_get_figures(box.store, &figures, NULL));
	box_close(&box);
	return figures.evictions;
}

static void end_child(pid_t pid)
{
	int status;

	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, &status, 0) == pid);
	/* It did not end by itself, by a wrong byte. */
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void kill_users(void)
{
	char *path = scratch_path("store");
	uint64_t entries = 0;
	unsigned seed = 1;

	set_bounds(path);
	for (unsigned round = 0; round < ROUNDS; round++) {
		pid_t pid = fork_child();

		if (pid == 0)
			use_store(path, round + 1);
		pause_ms(rand_r(&seed) % RUN_MAX_MS);
		end_child(pid);
		entries = is_right(path);
	}
	MUST(entries > 0);
	MUST(evictions(path) > 0);
	printf("ok - after a kill the totals are what is counted\n"
	       "# %d kills, %" PRIu64 " entries, %" PRIu64 " evictions\n",
	       ROUNDS, entries, evictions(path));
	free(path);
}

/* ------------------------------------------------------------ by a mount */

/* Add by rename, add directly, read and delete, until the mount is gone. */
_Noreturn static void use_mount(const char *at, unsigned seed)
{
	static uint8_t data[DATA_MAX];

	for (;;) {
		const unsigned key = (unsigned)rand_r(&seed) % KEYS;
		char *path = text_new("%s/%s%s", at, key % 3 ? "" : "quota/",
				      name_of(key));
		char *temp = text_new("%s/%d.tmp", at, getpid());
		const int what = rand_r(&seed) % 6;
		const size_t size = content_fill(data, key, &seed);
		int fd = -1;

		if (what == 0)
			(void)unlink(path);
		else if (what < 3)
			fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		else
			fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd >= 0) {
			const bool done =
				write(fd, data, size) == (ssize_t)size;

			if (close(fd) == 0 && done && what >= 3)
				(void)rename(temp, path);
		}
		free(path);
		free(temp);
	}
}

static void kill_mounts(void)
{
	const char *refusal = mounted_refusal();
	char *path = scratch_path("mounted");
	struct mounted mounted;
	uint64_t entries = 0;
	unsigned seed = 1;

	if (refusal) {
		printf("ok - after a killed mount the same # SKIP %s\n",
		       refusal);
		return;
	}
	set_bounds(path);
	mounted_start(&mounted, path, NULL);
	for (unsigned round = 0; round < MOUNT_ROUNDS; round++) {
		pid_t pid;

		if (round > 0)
			mounted_restart(&mounted);
		pid = fork_child();
		if (pid == 0)
			use_mount(mounted.at, round + 1);
		pause_ms(50 + rand_r(&seed) % 400);
		MUST(kill(mounted.pid, SIGKILL) == 0);
		MUST_BE(mounted_wait(&mounted), 128 + SIGKILL);
		end_child(pid);
		entries = is_right(path);
	}
	MUST(entries > 0);
	mounted_restart(&mounted);
	mounted_stop(&mounted);
	printf("ok - after a killed mount the same\n"
	       "# %d kills, %" PRIu64 " entries\n",
	       MOUNT_ROUNDS, is_right(path));
	free(path);
}

int main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..2\n");
	kill_users();
	kill_mounts();
	scratch_end();
	return 0;
}
