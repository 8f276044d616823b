/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "jobs.h"
#include "must.h"
#include "setting.h"

static char root[PATH_MAX];
static pid_t home;

static void on_signal(int number)
{
	setting_describe("something", number == SIGALRM ? "hangs" : "aborts");
	_exit(1);
}

/* So that the calls come in the same order each time: no work is shared. */
static void use_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	MUST(sched_setaffinity(0, sizeof(one), &one) == 0);
}

void jobs_begin(void)
{
	const char *parent = getenv("TMPDIR");

	use_one_processor();
	(void)signal(SIGALRM, on_signal);
	(void)signal(SIGABRT, on_signal);
	content_init();
	if (access("/dev/shm", W_OK) == 0)
		parent = "/dev/shm";
	(void)snprintf(root, sizeof(root), "%s/cubby-faults.XXXXXX",
		       parent ? parent : "/tmp");
	MUST(mkdtemp(root));
	home = getpid();
	scenes_make(root);
}

void jobs_end(void)
{
	if (getpid() == home)
		image_wipe(root);
}

void jobs_enter(unsigned job)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/job%u", root, job);
	setting_at(path);
}

/* Start a job. */
static void start(unsigned job, unsigned (*run)(unsigned job))
{
	unsigned bad;

	(void)fflush(stdout);
	switch (fork()) {
	case -1:
		perror("fork");
		exit(1);
	case 0:
		break;
	default:
		return;
	}
	jobs_enter(job);
	bad = run(job);
	(void)alarm(0);
	setting_clear();
	exit(bad > 0);
}

unsigned jobs_run(unsigned first, unsigned end, unsigned (*run)(unsigned job))
{
	const long width = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned bad = 0;
	unsigned next = first;
	long running = 0;
	int status;

	while (next < end || running > 0) {
		if (next < end && running < width) {
			start(next++, run);
			running++;
			continue;
		}
		if (wait(&status) < 0)
			continue;
		running--;
		bad += status != 0;
	}
	return bad;
}
