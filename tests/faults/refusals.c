/* SPDX-License-Identifier: MIT */
/*
 * Situations that need a certain call to fail, and what is said and done then:
 * where faults.c asks of any failure that nothing is lost, here is a promise
 * for each. Each is a process of its own, in which nothing has been used yet.
 * As there are no threads here, nobody but the test takes checkpoints.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "box.h"
#include "cubby/manage.h"
#include "cubby/tree.h"
#include "fault.h"
#include "index/displaced.h"
#include "index/held.h"
#include "index/index.h"
#include "index/nodes.h"
#include "index/snapshot.h"
#include "must.h"
#include "refuse.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "sys/sys.h"
#include "sys/thread.h"

enum { LARGE = 5 * (int)FRAME, TRIES_MAX = 1000, PAGE = 4096 };

static uint8_t *text; /* LARGE bytes */

/* ---------------------------------------------------------- system calls */

/* What a program does in a day. */
static void use_store(const char *path, uint8_t seed)
{
	const struct cubby_owner owner = {.mode = 0644};
	struct cubby_draft *draft;
	struct cubby_attr attr;
	struct box box;
	char name[] = {'f', (char)('a' + seed), '\0'};

	box_open(&box, path, "ns");
	box_add(&box, name_of(1), text, 10);
	box_add(&box, name_of(2), text, LARGE);
	MUST(box_has(&box, name_of(1), text, 10));
	MUST(box_has(&box, name_of(2), text, LARGE));
	MUST_DO(cubby_draft_new(box.store, 0, &draft));
	MUST_DO(cubby_draft_grow(draft, 100000));
	MUST(write(cubby_draft_fd(draft), text, 100) == 100);
	MUST_DO(cubby_draft_publish(draft, CUBBY_ROOT_ID, name, &owner, &attr));
	attr.mtime_ns = -1500000000; /* before 1970 */
	MUST_DO(cubby_setattr(box.store, attr.id, CUBBY_SET_MTIME, &attr,
			      &attr));
	MUST_DO(cubby_getattr(box.store, attr.id, &attr));
	MUST_BE(attr.mtime_ns, -1500000000);
	box_delete(&box, name_of(2));
	box_close(&box);
}

static void interrupted(void)
{
	static const char *const calls[] = {
		"openat2",     "fstat64",   "fstatat64", "mkdirat",
		"unlinkat",    "utimensat", "pread64",	 "pwrite64",
		"fallocate64", "fsync",	    "fcntl64",	 "memfd_create",
		"dup3",	       "mmap64",    "statx",	 "realpath",
		"fdopendir",   "readdir64",
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		char *path = scratch_path("interrupted_%zu", i);
		const struct refusal signals = {.name = calls[i],
						.at = 1,
						.every_other = true,
						.error = EINTR};

		refuse(&signals);
		use_store(path, (uint8_t)i);
		if (refuse_end() == 0)
			must_fail(__FILE__, __LINE__, "no %s", calls[i]);
		free(path);
	}
}

/* As on a kernel before 5.6, or in a sandbox that does not know the call. */
static void no_openat2(void)
{
	static const int errors[] = {ENOSYS, EPERM};
	char *path = scratch_path("no_openat2");
	char *link = scratch_path("link");

	MUST(symlink("/dev/null", link) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct refusal never = {
			.name = "openat2", .at = 1, .error = errors[i]};
		const struct refusal signals = {.name = "openat64",
						.at = 1,
						.every_other = true,
						.error = EINTR};

		refuse(&never);
		refuse(&signals);
		use_store(path, (uint8_t)i);
		MUST_BE(sys_open_file(AT_FDCWD, link, O_RDONLY), -EBADMSG);
		MUST_BE(sys_open_file(AT_FDCWD, path, O_RDWR), -EBADMSG);
		MUST(refuse_end() > 0);
	}
	free(link);
	free(path);
}

static void no_processors(void)
{
	const struct refusal refusal = {
		.name = "sched_getaffinity", .at = 1, .error = EINVAL};

	MUST(thread_cpus() >= 1);
	refuse(&refusal);
	MUST_BE(thread_cpus(), 1);
	MUST_BE(refuse_end(), 1);
}

static void no_boot_id(void)
{
	struct instance instance;
	struct instance other;
	struct refusal refusal = {
		.name = "openat2", .at = 1, .times = 1, .error = ENOENT};

	/* Without /proc the mount alone says it; any other error is one. */
	MUST_DO(instance_get("/", &instance));
	refuse(&refusal);
	MUST_DO(instance_get("/", &other));
	MUST_BE(refuse_end(), 1);
	MUST(other.boot_id[0] == '\0' && other.mount == instance.mount);
	MUST(!instance_equal(&instance, &other));
	refusal.error = EMFILE;
	refuse(&refusal);
	MUST_BE(instance_get("/", &other), -EMFILE);
	MUST_BE(refuse_end(), 1);
}

/* ----------------------------------------------------------------- memory */

static int add_large(const struct box *box)
{
	struct cubby_writer *writer;
	int r = cubby_writer_open_name(box->ns, name_of(1), &writer);

	if (r < 0)
		return r;
	r = cubby_writer_write(writer, text, LARGE);
	if (r < 0) {
		cubby_writer_abort(writer);
		return r;
	}
	return cubby_writer_commit(writer);
}

static int get_large(const struct box *box)
{
	static uint8_t data[LARGE + 1];
	struct cubby_reader *reader;
	ssize_t size;
	int r = cubby_get_name(box->ns, name_of(1), &reader);

	if (r < 0)
		return r;
	size = cubby_reader_read(reader, data, sizeof(data));
	cubby_reader_close(reader);
	MUST(size < 0 || (size == LARGE && memcmp(data, text, LARGE) == 0));
	return size < 0 ? (int)size : 0;
}

/* In a new process, in which nothing is kept for the next time yet. Returns
 * whether there was an allocation to fail. */
static bool is_told(const char *path, int (*use)(const struct box *box),
		    unsigned at)
{
	const struct refusal refusal = {
		.name = REFUSE_HEAP, .at = at, .times = 1, .error = ENOMEM};
	pid_t pid = fork_child();
	struct box box;
	int status;
	int r;

	if (pid == 0) {
		pthread_key_t key;

		/* What a thread keeps under later keys needs memory. */
		for (unsigned i = 0; i < 40; i++)
			MUST_DO(pthread_key_create(&key, NULL));
		box_open(&box, path, "ns");
		refuse(&refusal);
		r = use(&box);
		status = refuse_end() > 0;
		/* One that can be done without may fail. */
		MUST(r == 0 || (r == -ENOMEM && status));
		MUST_DO(use(&box));
		box_close(&box);
		exit(status);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	return WEXITSTATUS(status) == 1;
}

static void first_without_memory(void)
{
	char *path = scratch_path("memory");
	unsigned adds = 1;
	unsigned gets = 1;

	while (is_told(path, add_large, adds))
		adds++;
	while (is_told(path, get_large, gets))
		gets++;
	printf("# %u allocations of an add, %u of a get\n", adds - 1, gets - 1);
	MUST(adds > 8 && gets > 4);
	free(path);
}

/* A program that has taken them all. */
static void no_keys(void)
{
	char *path = scratch_path("no_keys");
	pthread_key_t key;
	struct box box;

	box_open(&box, path, "ns");
	while (pthread_key_create(&key, NULL) == 0)
		continue;
	MUST_BE(add_large(&box), -ENOMEM);
	MUST(box_misses(&box, name_of(1)));
	box_close(&box);
	free(path);
}

/* ---------------------------------------------------------------- OpenSSL */

static void no_digests(void)
{
	static const char *const calls[] = {
		"EVP_DigestInit_ex", "EVP_DigestUpdate", "EVP_DigestFinal_ex"};
	struct cubby_key_builder *builder;
	struct cubby_key key;
	struct box box;

	box_new(&box, "ns");
	box_add(&box, name_of(2), text, 10);
	MUST_DO(cubby_set_content(box.store, "ns", CUBBY_CONTENT_SHA256));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct refusal refusal = {.name = calls[i], .at = 1};

		refuse(&refusal);
		MUST_BE(add_large(&box), -EIO);
		MUST(refuse_end() > 0);
		MUST(box_misses(&box, name_of(1)));
	}
	MUST_DO(cubby_key_builder_new(&builder));
	refuse(&(struct refusal){.name = "EVP_DigestUpdate", .at = 1});
	MUST_BE(cubby_key_builder_bytes(builder, "x", 1), -EIO);
	MUST_BE(cubby_key_builder_part(builder, "x", 1), -EIO);
	MUST_BE(refuse_end(), 2);
	refuse(&(struct refusal){.name = "EVP_DigestFinal_ex", .at = 1});
	MUST_BE(cubby_key_builder_finish(builder, &key), -EIO);
	MUST_BE(refuse_end(), 1);
	cubby_key_builder_free(builder);
	box_close(&box);
}

/* --------------------------------------------------------------- the index */

struct site {
	char *path;
	char *data; /* the file of LMDB */
	struct index *index;
};

static void site_new(struct site *site, const char *name)
{
	site->path = scratch_dir(name);
	site->data = text_new("%s/data.mdb", site->path);
	MUST_DO(index_open(site->path, false, true, &site->index));
}

static void site_free(struct site *site)
{
	index_close(site->index);
	free(site->path);
	free(site->data);
}

static int add_name(struct index *index, const char *name, uint64_t id)
{
	struct index_txn *txn;
	int r = index_write(index, &txn);

	if (r < 0)
		return r;
	MUST_DO(names_put(txn, 1, name, strlen(name), id));
	return index_commit(txn);
}

static bool has_name(struct index *index, const char *name)
{
	struct index_txn *txn;
	uint64_t id;
	int r;

	MUST_DO(index_read(index, &txn));
	r = names_get(txn, 1, name, strlen(name), &id);
	MUST(r == 0 || r == -ENOENT);
	index_end(txn);
	return r == 0;
}

/* The version that a power cut now would leave. */
static uint64_t steady_version(const struct site *site)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));
	uint64_t version;

	MUST(snapshot != NULL);
	MUST_DO(snapshot_read(site->path, snapshot));
	version = snapshot_txnid(snapshot->page);
	free(snapshot);
	return version;
}

/* After a sync that failed, the kernel takes what it has lost for written: it
 * counts as written only when all has been written anew. */
static void sync_that_fails(void)
{
	static const struct refusal all[] = {
		{.name = "fsync", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_txn_begin", .at = 2, .times = 1, .error = ENOMEM},
		{.name = REFUSE_HEAP, .at = 2, .times = 1, .error = ENOMEM},
		{.name = "pread64", .at = 2, .times = 1, .error = EIO},
		{.name = "pwrite64", .at = 1, .times = 1, .error = ENOSPC},
		{.name = "fsync", .at = 1, .times = 1, .error = EIO},
	};
	const struct refusal none = {.name = "pwrite64", .at = 1000000};
	struct site site;
	uint64_t version;

	site_new(&site, "sync");
	MUST_DO(add_name(site.index, "a", 7));
	version = steady_version(&site);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(index_sync(site.index), -all[i].error);
		MUST_BE(refuse_end(), 1);
		MUST_BE(steady_version(&site), version);
		MUST_BE(index_verify_durable(site.index), -all[i].error);
	}
	refuse(&none);
	MUST_DO(index_sync(site.index));
	(void)refuse_end();
	MUST_BE(steady_version(&site), index_version(site.index));
	MUST_DO(index_verify_durable(site.index));
	site_free(&site);
}

static off_t size_of(const char *path)
{
	struct stat file;

	MUST(stat(path, &file) == 0);
	return file.st_size;
}

/* LMDB counts pages at the end that it never wrote: see core/index/extent.c. */
static void short_file(void)
{
	static const uint8_t value[SMALL_BYTES_MAX];
	static const struct refusal all[] = {
		{.name = "fallocate64", .at = 2, .times = 1, .error = ENOSPC},
		{.name = "mdb_cursor_open", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_cursor_get", .at = 1, .times = 1, .error = EIO},
		{.name = "mdb_txn_begin", .at = 1, .times = 1, .error = ENOMEM},
		{.name = "mdb_txn_begin", .at = 2, .times = 1, .error = ENOMEM},
	};
	struct index_txn *txn;
	struct site site;
	off_t size;

	site_new(&site, "short");
	MUST_DO(index_write(site.index, &txn));
	for (uint64_t i = 0; i < 12; i++)
		MUST_DO(small_put(txn, i, value, sizeof(value)));
	for (uint64_t i = 0; i < 12; i++)
		MUST_DO(small_delete(txn, i));
	MUST_DO(index_commit(txn));
	/* So that what is in use moves to the front. */
	for (uint64_t i = 0; i < 4; i++) {
		MUST_DO(index_sync(site.index));
		MUST_DO(add_name(site.index, "a", 7 + i));
	}
	size = (off_t)index_bytes(site.index) - 2 * PAGE;
	index_close(site.index);
	MUST(truncate(site.data, size) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		refuse(&all[i]);
		MUST_BE(index_open(site.path, false, false, &site.index),
			-all[i].error);
		MUST_BE(refuse_end(), 1);
		MUST_BE(size_of(site.data), size);
	}
	MUST_DO(index_open(site.path, false, false, &site.index));
	MUST(has_name(site.index, "a"));
	MUST(size_of(site.data) >= size + 2 * PAGE);
	site_free(&site);
}

/* Have LMDB fail to write its meta page, after which it refuses all. */
static void lose_environment(struct site *site)
{
	struct refusal refusal = {.name = "pwrite",
				  .times = 1,
				  .is_of_library = true,
				  .error = EIO};

	for (refusal.at = 1; !fault_note()->lmdb_lost_meta; refusal.at++) {
		MUST(refusal.at < 9);
		refuse(&refusal);
		MUST_BE(add_name(site->index, "lost", 8), -EIO);
		MUST_BE(refuse_end(), 1);
	}
}

static void lost_environment(void)
{
	const struct refusal never = {
		.name = "openat2", .at = 1, .error = EMFILE};
	struct site site;
	struct index_txn *txn;
	struct held *held;
	uint64_t version;
	uint32_t slot;
	int fd;

	site_new(&site, "lost");
	MUST_DO(index_write(site.index, &txn));
	MUST_DO(watches_add(txn, 1, &fd, &slot));
	MUST_DO(held_open(txn, slot, &held));
	MUST_DO(names_put(txn, 1, "a", 1, 7));
	MUST_DO(index_commit(txn));
	MUST_DO(index_write(site.index, &txn));
	MUST_BE(held_find(txn, 9), 0);
	index_end(txn);
	version = index_version(site.index);
	lose_environment(&site);

	/* There is none as long as it cannot be opened anew. */
	refuse(&never);
	MUST_BE(add_name(site.index, "b", 9), -EIO);
	MUST_BE(index_read(site.index, &txn), -EIO);
	MUST_BE(index_sync(site.index), -EIO);
	MUST_BE(index_version(site.index), 0);
	MUST_BE(index_bytes(site.index), 0);
	MUST_BE(index_file_bytes(site.index), 0);
	MUST_BE(held_settle(held, site.index), -EIO);
	MUST(refuse_end() > 0);

	MUST(has_name(site.index, "a"));
	MUST(!has_name(site.index, "lost") && !has_name(site.index, "b"));
	MUST_DO(add_name(site.index, "b", 9));
	MUST_DO(index_sync(site.index));
	MUST(index_version(site.index) > version);
	MUST_BE(steady_version(&site), index_version(site.index));
	MUST_DO(held_settle(held, site.index));
	held_close(held);
	MUST(close(fd) == 0);
	site_free(&site);
}

/* ---------------------------------------------------------------- program */

static const struct {
	const char *promise;
	void (*keep)(void);
} cases[] = {
	{"an interrupted call is repeated, whichever it is", interrupted},
	{"a kernel without openat2 will do", no_openat2},
	{"a machine of too many processors has one", no_processors},
	{"without /proc the mount says which instance it is", no_boot_id},
	{"the first use without memory says so", first_without_memory},
	{"a program may have taken all keys of threads", no_keys},
	{"a digest that OpenSSL refuses is an error", no_digests},
	{"a sync that failed is not just repeated", sync_that_fails},
	{"who cannot look whether a file is whole leaves it", short_file},
	{"an index without its environment is an error", lost_environment},
};

int main(void)
{
	printf("1..%zu\n", ARRAY_SIZE(cases));
	text = sample_new(SAMPLE_TEXT, 1, LARGE);
	(void)scratch();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			cases[i].keep();
			exit(0);
		}
		child_must_succeed(pid);
		printf("ok - %s\n", cases[i].promise);
	}
	free(text);
	scratch_end();
	return 0;
}
