/* SPDX-License-Identifier: MIT */
/* Requests do not wait for each other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"
#include "site.h"

TestSuite(mount_workers, .fini = scratch_end, .timeout = 120);

/* More than is compressed later: who publishes waits for it. */
enum { LONG = 96 * 1024 * 1024, ENOUGH = 20 };

struct publisher {
	char *from, *to;
	_Atomic(bool) has_begun;
	_Atomic(bool) is_done;
};

static void *publish(void *arg)
{
	struct publisher *p = arg;

	atomic_store(&p->has_begun, true);
	MUST(rename(p->from, p->to) == 0);
	atomic_store(&p->is_done, true);
	return NULL;
}

/* In another directory: the kernel locks the one in which it renames. */
static unsigned misses_until(const struct site *site, _Atomic(bool) *is_done)
{
	unsigned count = 0;

	while (!atomic_load(is_done) && count < 1000000) {
		char name[32];

		(void)snprintf(name, sizeof(name), "other/%u", count);
		MUST_FAIL(access(site_path(site, name), F_OK), ENOENT);
		count++;
	}
	return count;
}

static unsigned misses_while_publishing(const char *options)
{
	struct publisher p = {.from = NULL};
	uint8_t *data = sample_new(SAMPLE_TEXT, 1, LONG);
	struct site site;
	pthread_t thread;
	unsigned count;

	box_new(&site.box, "");
	mounted_start(&site.mount, site.box.path, options);
	MUST(mkdir(site_path(&site, "other"), 0700) == 0);
	file_write(site_path(&site, "long.tmp"), data, LONG);
	p.from = text_new("%s", site_path(&site, "long.tmp"));
	p.to = text_new("%s/%064x", site.mount.at, 1);
	MUST(pthread_create(&thread, NULL, publish, &p) == 0);
	while (!atomic_load(&p.has_begun))
		usleep(100);
	count = misses_until(&site, &p.is_done);
	MUST(pthread_join(thread, NULL) == 0);
	MUST(file_is(p.to, data, LONG));
	site_end(&site);
	free(p.from);
	free(p.to);
	free(data);
	return count;
}

Test(mount_workers, a_long_request_holds_up_no_other)
{
	MOUNT_OR_SKIP();
	cr_assert_geq(misses_while_publishing(NULL), ENOUGH);
	cr_assert_geq(misses_while_publishing("max_threads=2"), ENOUGH);
}

static int64_t cpu_ms(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	MUST(clock_getcpuclockid(pid, &clock) == 0);
	MUST(clock_gettime(clock, &used) == 0);
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* After a burst it looks for the next request for a while, and then sleeps. */
Test(mount_workers, without_requests_it_sleeps)
{
	enum { MISSES = 3000, PAUSE_MS = 500 };
	struct site site;

	MOUNT_OR_SKIP();
	site_new(&site);
	for (unsigned round = 0; round < 3; round++) {
		int64_t before;

		for (unsigned i = 0; i < MISSES; i++)
			MUST(site_misses(&site, name_of(round * MISSES + i)));
		before = cpu_ms(site.mount.pid);
		usleep(PAUSE_MS * 1000);
		cr_assert_lt(cpu_ms(site.mount.pid) - before, PAUSE_MS / 5);
	}
	site_end(&site);
}
