/* SPDX-License-Identifier: MIT */
/*
 * The system calls of clients that cannot be installed here, in their order:
 * wazero's file cache as it is now and as it was, the directories of Bazel 7,
 * wasmtime and Turborepo. First one process, then four at once.
 *
 * Started by all.sh, it works on the mount in $CLIENT_MOUNT, beside others.
 *
 * For drive.sh, `wazero_replay fill ROOT` fills or hits what is below ROOT, and
 * says how much it added.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

enum {
	KEYS = 12,
	PROCESSES = 4,
	WORDS = 100, /* that wazero reads one by one */
};

/* How one client names, adds and uses its files. */
struct client {
	const char *name;
	/* Make the directories of an entry; the path, to be freed. */
	char *(*path)(const char *root, unsigned key);
	void (*add)(const char *root, unsigned key, const char *path,
		    const void *data, size_t size);
	/* It writes the final name itself: who reads meanwhile may, on any
	 * file system, see a part. */
	bool in_place;
	/* What it looks at besides, on a hit; or NULL. */
	void (*look)(const char *root, unsigned key);
};

/* What the processes count together. */
struct board {
	_Atomic unsigned hits;
	_Atomic unsigned adds;
};

/* mkdir -p: what is there already is right. */
static char *directory(char *path)
{
	for (char *end = path + 1; *end; end++) {
		if (*end != '/')
			continue;
		*end = '\0';
		MUST(mkdir(path, 0700) == 0 || errno == EEXIST);
		*end = '/';
	}
	MUST(mkdir(path, 0700) == 0 || errno == EEXIST);
	return path;
}

/* `name` in the directory `path`, which is freed. */
static char *joined(char *path, const char *name)
{
	char *text = text_new("%s/%s", path, name);

	free(path);
	return text;
}

static void write_all(int fd, const void *data, size_t size, size_t piece)
{
	const char *bytes = data;

	while (size > 0) {
		size_t n = size < piece ? size : piece;

		MUST_BE(write(fd, bytes, n), n);
		bytes += n;
		size -= n;
	}
}

/* wazero since 1.6: a temporary file beside it, one write, fsync, rename. */
static char *wazero_path(const char *root, unsigned key)
{
	char *dir = directory(text_new("%s/wazero-v1.8.0-amd64-linux", root));

	return joined(dir, name_of(key));
}

static void wazero_add(const char *root, unsigned key, const char *path,
		       const void *data, size_t size)
{
	char *temp = text_new("%s.%d%u.tmp", path, getpid(), key);
	int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)root;
	MUST(fd >= 0);
	write_all(fd, data, size, size);
	MUST(fsync(fd) == 0);
	MUST(close(fd) == 0);
	MUST(rename(temp, path) == 0);
	MUST_FAIL(access(temp, F_OK), ENOENT);
	free(temp);
}

/* The first releases of wazero: the final name, in several writes. */
static char *old_wazero_path(const char *root, unsigned key)
{
	char *dir = directory(text_new("%s/wazero-v1.0.0-amd64-linux", root));

	return joined(dir, name_of(key));
}

static void old_wazero_add(const char *root, unsigned key, const char *path,
			   const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)root;
	(void)key;
	MUST(fd >= 0);
	write_all(fd, data, size, 32768);
	MUST(close(fd) == 0);
}

/* Bazel 7: tmp/UUID, renamed to another directory; a hit sets the time. */
static char *bazel_path(const char *root, unsigned key)
{
	const char *name = name_of(key);
	char *dir = directory(text_new("%s/bazel/%s/%.2s", root,
				       key % 2 ? "ac" : "cas", name));

	return joined(dir, name);
}

static void bazel_add(const char *root, unsigned key, const char *path,
		      const void *data, size_t size)
{
	char *dir = directory(text_new("%s/bazel/tmp", root));
	char *temp = text_new("%s/%08x-1234-4abc-8def-%012x", dir, key,
			      (unsigned)getpid());
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	MUST(fd >= 0);
	write_all(fd, data, size, 8192);
	MUST(close(fd) == 0);
	MUST(rename(temp, path) == 0);
	MUST(utimensat(AT_FDCWD, path, NULL, 0) == 0);
	free(temp);
	free(dir);
}

/* wasmtime: names of 43 characters, which are plain files; who finds the
 * temporary name taken leaves the work to the other. */
static char *wasmtime_path(const char *root, unsigned key)
{
	char *dir = directory(
		text_new("%s/wasmtime/modules/wasmtime-25.0.0", root));
	char *name = text_new("Zm9v_YmFy-%033u", key);
	char *path = joined(dir, name);

	free(name);
	return path;
}

static void wasmtime_add(const char *root, unsigned key, const char *path,
			 const void *data, size_t size)
{
	static const struct {
		const char *reason;
		const char *suffix;
	} files[] = {{"mod", ""}, {"stats", ".stats"}};

	(void)root;
	(void)key;
	for (size_t i = 0; i < 2; i++) {
		char *temp = text_new("%s.wip-atomic-write-%s", path,
				      files[i].reason);
		char *final = text_new("%s%s", path, files[i].suffix);
		int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			      0666);

		if (fd < 0) {
			MUST_BE(errno, EEXIST);
		} else {
			write_all(fd, data, i == 0 ? size : 40, size);
			MUST(close(fd) == 0);
			MUST(rename(temp, final) == 0);
		}
		free(final);
		free(temp);
	}
}

/* Turborepo: an archive and what is known of it, plain files both. */
static char *turbo_path(const char *root, unsigned key)
{
	char *dir = directory(text_new("%s/turbo/.turbo/cache", root));
	char *name = text_new("%016x.tar.zst", key);
	char *path = joined(dir, name);

	free(name);
	return path;
}

static const char turbo_meta[] = "{\"hash\":\"1\",\"duration\":1234}";

static char *turbo_meta_path(const char *root, unsigned key)
{
	return text_new("%s/turbo/.turbo/cache/%016x-meta.json", root, key);
}

static void turbo_add(const char *root, unsigned key, const char *path,
		      const void *data, size_t size)
{
	char *meta = turbo_meta_path(root, key);

	old_wazero_add(root, key, path, data, size);
	old_wazero_add(root, key, meta, turbo_meta, sizeof(turbo_meta) - 1);
	free(meta);
}

static void turbo_look(const char *root, unsigned key)
{
	char *meta = turbo_meta_path(root, key);

	MUST(file_is(meta, turbo_meta, sizeof(turbo_meta) - 1));
	free(meta);
}

static const struct client clients[] = {
	{"wazero", wazero_path, wazero_add, false, NULL},
	{"old wazero", old_wazero_path, old_wazero_add, true, NULL},
	{"Bazel 7", bazel_path, bazel_add, false, NULL},
	{"wasmtime", wasmtime_path, wasmtime_add, false, NULL},
	{"Turborepo", turbo_path, turbo_add, true, turbo_look},
};

static size_t size_of(unsigned key)
{
	static const size_t sizes[] = {900, 20000, 140000, 700001};

	return sizes[key % 4] + key;
}

static uint8_t *content_new(unsigned key)
{
	return sample_new(key % 3 ? SAMPLE_TEXT : SAMPLE_NOISE, key,
			  size_of(key));
}

/* As wazero does: words of 8 bytes, one by one, then the rest. A miss must be
 * ENOENT, as any other error fails its compilation. */
static bool hit(const struct client *client, const char *root, unsigned key)
{
	char *path = client->path(root, key);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = size_of(key);
	size_t at = 0;
	uint8_t *want;
	uint8_t *got;
	ssize_t n;

	if (fd < 0)
		MUST_BE(errno, ENOENT);
	free(path);
	if (fd < 0)
		return false;
	want = content_new(key);
	got = malloc(size + 1);
	MUST(got != NULL);
	while (at < (size_t)WORDS * 8) {
		MUST_BE(read(fd, got + at, 8), 8);
		at += 8;
	}
	while ((n = read(fd, got + at, size + 1 - at)) > 0)
		at += (size_t)n;
	MUST_BE(n, 0);
	MUST_BE(at, size);
	MUST(memcmp(got, want, size) == 0);
	MUST(close(fd) == 0);
	free(got);
	free(want);
	if (client->look)
		client->look(root, key);
	return true;
}

static void add(const struct client *client, const char *root, unsigned key)
{
	char *path = client->path(root, key);
	uint8_t *data = content_new(key);

	client->add(root, key, path, data, size_of(key));
	free(data);
	free(path);
}

/* One process: a miss, an add, a hit; delete and add again. */
static void alone(const struct client *client, const char *root)
{
	char *path;

	for (unsigned key = 0; key < KEYS; key++) {
		MUST(!hit(client, root, key));
		add(client, root, key);
		MUST(hit(client, root, key));
	}
	for (unsigned key = 0; key < KEYS; key++)
		MUST(hit(client, root, key));
	path = client->path(root, 0);
	MUST(unlink(path) == 0);
	MUST_FAIL(unlink(path), ENOENT);
	MUST(!hit(client, root, 0));
	add(client, root, 0);
	MUST(hit(client, root, 0));
	add(client, root, 0); /* replaces it */
	MUST(hit(client, root, 0));
	free(path);
}

static void fill_or_hit(const struct client *client, const char *root,
			unsigned process, struct board *board)
{
	for (unsigned i = 0; i < KEYS; i++) {
		unsigned key = KEYS + (i + process * 2) % KEYS;

		if (!client->in_place && hit(client, root, key)) {
			atomic_fetch_add(&board->hits, 1);
		} else {
			add(client, root, key);
			atomic_fetch_add(&board->adds, 1);
		}
	}
}

static void hit_all(const struct client *client, const char *root,
		    unsigned process, struct board *board)
{
	for (unsigned i = 0; i < KEYS; i++) {
		if (hit(client, root, KEYS + (i + process) % KEYS))
			atomic_fetch_add(&board->hits, 1);
	}
}

static void at_once(const struct client *client, const char *root,
		    struct board *board,
		    void (*work)(const struct client *, const char *, unsigned,
				 struct board *))
{
	pid_t pids[PROCESSES];

	*board = (struct board){0};
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			work(client, root, i, board);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		child_must_succeed(pids[i]);
}

static void replay(const struct client *client, const char *root,
		   struct board *board)
{
	alone(client, root);
	printf("ok - %s adds, hits, deletes and replaces\n", client->name);
	at_once(client, root, board, fill_or_hit);
	MUST_BE(board->hits + board->adds, PROCESSES * KEYS);
	printf("ok - four of %s fill one cache at once\n", client->name);
	at_once(client, root, board, hit_all);
	MUST_BE(board->hits, PROCESSES * KEYS);
	printf("ok - four of %s have hits only\n", client->name);
}

static long files_in(const char *store, const char *directory)
{
	char *text =
		shell_text("find '%s/%s' -type f | wc -l", store, directory);
	long value = strtol(text, NULL, 10);

	free(text);
	return value;
}

/* What is in the store after the mount has ended. */
static void store_check(const char *store)
{
	struct box box;
	struct cubby_stats stats;

	box_open(&box, store, "replay/wazero-v1.8.0-amd64-linux");
	for (unsigned key = 0; key < 2 * KEYS; key++) {
		uint8_t *want = content_new(key);

		MUST(box_has(&box, name_of(key), want, size_of(key)));
		free(want);
	}
	stats = box_stats(&box);
	box_close(&box);
	printf("ok - the library has what wazero added\n");
	printf("# %llu entries: %llu bytes, stored in %llu\n",
	       (unsigned long long)stats.entries,
	       (unsigned long long)stats.raw_bytes,
	       (unsigned long long)stats.stored_bytes);
	MUST_BE(stats.quarantined, 0);
	MUST_BE(files_in(store, "quarantine"), 0);
	printf("ok - nothing is in quarantine\n");
	MUST_BE(files_in(store, "drafts"), stats.plain_files);
	printf("ok - no draft is left but plain files\n");
}

static struct board *board_new(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(board != MAP_FAILED);
	return board;
}

static void replay_all(const char *mount)
{
	struct board *board = board_new();
	char *root = text_new("%s/replay", mount);

	MUST(mkdir(root, 0755) == 0);
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++)
		replay(&clients[i], root, board);
	free(root);
}

/* Turborepo, the last, writes plain files in place: of what is killed in the
 * middle a part stays, on any file system. */
enum { FILLED = sizeof(clients) / sizeof(*clients) - 1 };

/* Each process has its own keys, as one of the clients writes in place. */
static void fill_own(const struct client *client, const char *root,
		     unsigned process, struct board *board)
{
	for (unsigned key = process; key < 2 * KEYS; key += PROCESSES) {
		if (hit(client, root, key))
			continue;
		add(client, root, key);
		atomic_fetch_add(&board->adds, 1);
	}
}

static int fill(const char *root)
{
	struct board *board = board_new();
	unsigned adds = 0;

	for (size_t i = 0; i < FILLED; i++) {
		at_once(&clients[i], root, board, fill_own);
		adds += board->adds;
	}
	printf("# %u added\n", adds);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mount = getenv("CLIENT_MOUNT");
	const char *refusal = mounted_refusal();
	struct mounted mounted;
	char *store;

	if (argc == 3 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2]);
	if (refusal) {
		printf("ok - clients replayed on the mount # SKIP %s\n",
		       refusal);
		return 0;
	}
	if (mount) {
		replay_all(mount);
		return 0;
	}
	store = scratch_path("store");
	mounted_start(&mounted, store, NULL);
	replay_all(mounted.at);
	mounted_stop(&mounted);
	printf("ok - the mount ends cleanly\n");
	store_check(store);
	free(store);
	scratch_end();
	return 0;
}
