/* SPDX-License-Identifier: MIT */
/* Mounts of the tests: see mounted.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guardian.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "scratch.h"

enum { START_MS = 20000, END_MS = 20000 };

const char *mounted_refusal(void)
{
	static char reason[128];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		(void)snprintf(reason, sizeof(reason),
			       "/dev/fuse cannot be opened: %s",
			       strerror(errno));
		return reason;
	}
	(void)close(fd);
	return NULL;
}

bool mounted_is(const char *at)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	char *want = text_new(" %s ", at);
	bool found = false;

	MUST(file != NULL);
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, want) != NULL;
	(void)fclose(file);
	free(want);
	return found;
}

/* It answers requests, and is not the directory below. */
static bool is_live(const struct mounted *mounted)
{
	struct stat root;
	struct stat above;
	struct statvfs vfs;

	/* The kernel may remember the attributes of a mount whose daemon is
	 * gone, but asks for the room on its disk every time. */
	return stat(mounted->at, &root) == 0 && stat(scratch(), &above) == 0 &&
	       root.st_dev != above.st_dev && statvfs(mounted->at, &vfs) == 0;
}

static void daemon_run(const char *path, const struct mounted *mounted,
		       const char *options)
{
	int log = open(mounted->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	int null = open("/dev/null", O_RDONLY);

	if (log < 0 || dup2(null, 0) != 0 || dup2(log, 1) != 1 ||
	    dup2(log, 2) != 2)
		_exit(126);
	if (options)
		(void)execl(path, path, mounted->store, mounted->at, "-f", "-o",
			    options, (char *)NULL);
	else
		(void)execl(path, path, mounted->store, mounted->at, "-f",
			    (char *)NULL);
	_exit(127);
}

static void daemon_start(struct mounted *mounted, const char *options)
{
	const char *path = program("CUBBYFS");
	int status = 0;
	pid_t ended = 0;

	(void)fflush(NULL);
	guardian_mount(mounted->at);
	mounted->pid = fork();
	MUST(mounted->pid >= 0);
	if (mounted->pid == 0)
		daemon_run(path, mounted, options);
	guardian_process(mounted->pid);
	if (!WITHIN_MS(START_MS,
		       (ended = waitpid(mounted->pid, &status, WNOHANG)) != 0 ||
			       is_live(mounted)) ||
	    ended != 0) {
		uint8_t *log = file_read(mounted->log, NULL);

		must_fail(__FILE__, __LINE__,
			  "the mount did not come: %s %d; it said: %s",
			  ended ? "the daemon ended with wait status"
				: "the daemon still runs, status",
			  status, log ? (const char *)log : "");
	}
}

void mounted_start(struct mounted *mounted, const char *store,
		   const char *options)
{
	static unsigned count;

	count++;
	mounted->store = text_new("%s", store);
	mounted->at = scratch_path("mnt%u", count);
	mounted->log = scratch_path("mnt%u.log", count);
	MUST(mkdir(mounted->at, 0755) == 0);
	daemon_start(mounted, options);
}

void mounted_restart(struct mounted *mounted)
{
	MUST(mounted->pid == 0);
	daemon_start(mounted, NULL);
}

int mounted_wait(struct mounted *mounted)
{
	int status = 0;
	pid_t ended = 0;

	if (!WITHIN_MS(END_MS,
		       (ended = waitpid(mounted->pid, &status, WNOHANG)) != 0))
		must_fail(__FILE__, __LINE__, "the daemon does not end");
	MUST_BE(ended, mounted->pid);
	mounted->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

void mounted_stop(struct mounted *mounted)
{
	int status;

	if (umount2(mounted->at, 0) != 0)
		shell_do("fusermount3 -u '%s'", mounted->at);
	status = mounted_wait(mounted);
	if (status != 0) {
		uint8_t *log = file_read(mounted->log, NULL);

		must_fail(__FILE__, __LINE__,
			  "the daemon ended with status %d; it said: %s",
			  status, log ? (const char *)log : "");
	}
	mounted_forget(mounted);
}

void mounted_forget(struct mounted *mounted)
{
	free(mounted->store);
	free(mounted->at);
	free(mounted->log);
	*mounted = (struct mounted){0};
}
