/* SPDX-License-Identifier: MIT */
/*
 * The guardian process: see guardian.h.
 *
 * The test tells it through a pipe. It cleans up when the pipe ends or when
 * the test's process does: descriptors of the pipe that children of the test
 * still hold do not delay it.
 */
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guardian.h"
#include "must.h"

enum {
	ITEMS_MAX = 64,
	PATH_SIZE = 512,
	DAEMON_END_MS = 2000, /* how long an unmounted daemon may take */
};

struct message {
	char kind; /* 'm', 'p' or 'd' */
	pid_t pid;
	char path[PATH_SIZE];
};

struct items {
	struct message mounts[ITEMS_MAX];
	struct message dirs[ITEMS_MAX];
	int processes[ITEMS_MAX]; /* pidfds */
	size_t mount_count;
	size_t dir_count;
	size_t process_count;
};

static pid_t guardian_pid;
static pid_t guardian_owner; /* whose guardian it is */
static int guardian_pipe = -1;

static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void unmount(const char *path)
{
	pid_t pid;

	if (umount2(path, MNT_DETACH) == 0 || errno == EINVAL)
		return; /* EINVAL: nothing is mounted there */
	pid = fork();
	if (pid == 0) {
		execlp("fusermount3", "fusermount3", "-u", "-z", "-q", path,
		       (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static void process_end(int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	if (poll(&end, 1, DAEMON_END_MS) == 1)
		return;
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	(void)poll(&end, 1, DAEMON_END_MS);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP || type == FTW_DNR)
		(void)rmdir(path);
	else
		(void)unlink(path);
	return 0; /* what cannot be removed must not keep the rest */
}

static void clean_up(struct items *items)
{
	for (size_t i = 0; i < items->mount_count; i++)
		unmount(items->mounts[i].path);
	for (size_t i = 0; i < items->process_count; i++)
		process_end(items->processes[i]);
	for (size_t i = 0; i < items->dir_count; i++)
		(void)nftw(items->dirs[i].path, remove_one, 16,
			   FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Is something mounted on that path each time anew? */
static bool is_known(const struct items *items, const char *mount)
{
	for (size_t i = 0; i < items->mount_count; i++)
		if (strcmp(items->mounts[i].path, mount) == 0)
			return true;
	return false;
}

/* A test with many processes has few of them at a time. */
static void process_add(struct items *items, int pidfd)
{
	if (items->process_count == ITEMS_MAX) {
		(void)close(items->processes[0]);
		memmove(items->processes, items->processes + 1,
			(ITEMS_MAX - 1) * sizeof(items->processes[0]));
		items->process_count--;
	}
	items->processes[items->process_count++] = pidfd;
}

static void item_add(struct items *items, const struct message *message)
{
	if (message->kind == 'm' && items->mount_count < ITEMS_MAX &&
	    !is_known(items, message->path))
		items->mounts[items->mount_count++] = *message;
	if (message->kind == 'd' && items->dir_count < ITEMS_MAX)
		items->dirs[items->dir_count++] = *message;
	if (message->kind == 'p') {
		int pidfd = pidfd_of(message->pid);

		if (pidfd >= 0)
			process_add(items, pidfd);
	}
}

_Noreturn static void guardian_run(int tell, int ack, pid_t test)
{
	static struct items items;
	struct pollfd fds[2] = {
		{.fd = tell, .events = POLLIN},
		{.fd = pidfd_of(test), .events = POLLIN},
	};

	for (;;) {
		struct message message;

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents & POLLIN) {
			ssize_t n = read(tell, &message, sizeof(message));

			if (n != (ssize_t)sizeof(message))
				break;
			item_add(&items, &message);
			/* Only now may the test go on: the item is safe. */
			if (write(ack, "", 1) != 1)
				break;
			continue;
		}
		if (fds[0].revents || fds[1].revents)
			break;
	}
	clean_up(&items);
	_exit(0);
}

static int guardian_ack = -1;

void guardian_start(void)
{
	int tell[2];
	int ack[2];
	pid_t test = getpid();

	if (guardian_pid > 0 && guardian_owner == test)
		return;
	MUST(pipe2(tell, O_CLOEXEC) == 0);
	MUST(pipe2(ack, O_CLOEXEC) == 0);
	guardian_pid = fork();
	MUST(guardian_pid >= 0);
	if (guardian_pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)setsid();
		(void)signal(SIGINT, SIG_IGN);
		(void)signal(SIGTERM, SIG_IGN);
		(void)signal(SIGPIPE, SIG_IGN);
		/* Whoever waits for the end of the test's output must not wait
		 * for this process; nor may it hold anything else open. */
		for (int fd = 0; fd < 3; fd++)
			(void)dup2(null, fd);
		for (int fd = 3; fd < 1024; fd++)
			if (fd != tell[0] && fd != ack[1])
				(void)close(fd);
		guardian_run(tell[0], ack[1], test);
	}
	(void)close(tell[0]);
	(void)close(ack[1]);
	guardian_pipe = tell[1];
	guardian_ack = ack[0];
	guardian_owner = test;
}

static void guardian_tell(char kind, pid_t pid, const char *path)
{
	struct message message = {.kind = kind, .pid = pid};
	char done;

	guardian_start();
	MUST(strlen(path) < sizeof(message.path));
	memcpy(message.path, path, strlen(path) + 1);
	MUST(write(guardian_pipe, &message, sizeof(message)) ==
	     (ssize_t)sizeof(message));
	MUST(read(guardian_ack, &done, 1) == 1);
}

void guardian_mount(const char *path)
{
	guardian_tell('m', 0, path);
}

void guardian_process(pid_t pid)
{
	guardian_tell('p', pid, "");
}

void guardian_directory(const char *path)
{
	guardian_tell('d', 0, path);
}

void guardian_end(void)
{
	if (guardian_pid <= 0 || guardian_owner != getpid())
		return;
	(void)close(guardian_pipe);
	(void)close(guardian_ack);
	(void)waitpid(guardian_pid, NULL, 0);
	guardian_pid = 0;
	guardian_pipe = -1;
	guardian_ack = -1;
}
