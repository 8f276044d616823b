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
#include "index/snapshot.h"
#include "must.h"
#include "refusals.h"
#include "refuse.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "sys/sys.h"
#include "sys/thread.h"

enum { LARGE = 5 * (int)FRAME };

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

static int add_small(const struct box *box)
{
	struct cubby_key key = key_of(2);

	return cubby_add_bytes(box->ns, &key, text, 20000);
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
	enum { TOLD = 7 }; /* as an exit status */
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
		status = refuse_end() > 0 ? TOLD : 0;
		/* One that can be done without may fail. */
		MUST(r == 0 || (r == -ENOMEM && status));
		MUST_DO(use(&box));
		box_close(&box);
		exit(status);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status));
	MUST(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == TOLD);
	return WEXITSTATUS(status) == TOLD;
}

static void first_without_memory(void)
{
	char *path = scratch_path("memory");
	unsigned smalls = 1;
	unsigned adds = 1;
	unsigned gets = 1;

	while (is_told(path, add_small, smalls))
		smalls++;
	while (is_told(path, add_large, adds))
		adds++;
	while (is_told(path, get_large, gets))
		gets++;
	printf("# %u allocations of an add, %u of a get\n", adds - 1, gets - 1);
	MUST(smalls > 4 && adds > 8 && gets > 4);
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

/* ---------------------------------------------------------------- program */

static const struct refusal_case call_cases[] = {
	{"an interrupted call is repeated, whichever it is", interrupted},
	{"a kernel without openat2 will do", no_openat2},
	{"a machine of too many processors has one", no_processors},
	{"without /proc the mount says which instance it is", no_boot_id},
	{"the first use without memory says so", first_without_memory},
	{"a program may have taken all keys of threads", no_keys},
	{"a digest that OpenSSL refuses is an error", no_digests},
};

static void try_all(const struct refusal_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			cases[i].keep();
			exit(0);
		}
		child_must_succeed(pid);
		printf("ok - %s\n", cases[i].promise);
	}
}

int main(void)
{
	printf("1..%zu\n", ARRAY_SIZE(call_cases) + index_cases_count +
				   open_cases_count + pace_cases_count +
				   store_cases_count);
	if (access("/dev/shm", W_OK) == 0)
		MUST(setenv("TMPDIR", "/dev/shm", 1) == 0);
	text = sample_new(SAMPLE_TEXT, 1, LARGE);
	(void)scratch();
	try_all(call_cases, ARRAY_SIZE(call_cases));
	try_all(index_cases, index_cases_count);
	try_all(open_cases, open_cases_count);
	try_all(pace_cases, pace_cases_count);
	try_all(store_cases, store_cases_count);
	free(text);
	scratch_end();
	return 0;
}
