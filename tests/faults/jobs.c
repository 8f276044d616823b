/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guardian.h"
#include "image.h"
#include "jobs.h"
#include "must.h"
#include "setting.h"

enum { BAD_MAX = 8 };

static char root[PATH_MAX];
static pid_t home;

static void on_signal(int number)
{
	setting_describe("something", number == SIGALRM ? "hangs" : "aborts");
	_exit(1);
}

/* The store of this process is below `name`. */
static void enter(const char *name)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	setting_at(path);
}

void jobs_begin(void)
{
	const char *parent = getenv("TMPDIR");

	(void)signal(SIGALRM, on_signal);
	(void)signal(SIGABRT, on_signal);
	content_init();
	if (access("/dev/shm", W_OK) == 0)
		parent = "/dev/shm";
	(void)snprintf(root, sizeof(root), "%s/cubby-faults.XXXXXX",
		       parent ? parent : "/tmp");
	MUST(mkdtemp(root));
	guardian_directory(root);
	home = getpid();
	scenes_make(root);
	enter("home");
}

void jobs_end(void)
{
	if (getpid() == home)
		image_wipe(root);
}

/* Start a job. */
static void start(unsigned job, unsigned (*run)(unsigned job))
{
	char name[32];
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
	(void)snprintf(name, sizeof(name), "job%u", job);
	enter(name);
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
		if (bad >= BAD_MAX && next < end) {
			printf("# %u jobs went wrong: %u are not tried\n", bad,
			       end - next);
			next = end;
		}
	}
	return bad;
}
