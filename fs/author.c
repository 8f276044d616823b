/* SPDX-License-Identifier: MIT */
/*
 * Which process writes a draft, and whether it was killed.
 *
 * The kernel closes the files of a process that is killed in the middle, and to
 * the mount that looks like any other last close. So the process that wrote
 * last is remembered, and asked for when its draft is about to be published:
 *
 *   - It lives and is not ending: it has closed the file. Published.
 *   - It is ending, or a zombie. The kernel sets the exit code before it closes
 *     the files, so that /proc/PID/stat has it by now. Linux shows the code to
 *     root and to the same user; for others the end is waited for.
 *   - It has been reaped. Linux 6.15 and later tell the exit code through a
 *     descriptor of the process that was opened before; older ones do not.
 *
 * Whoever writes last decides: a child may finish what a parent began that was
 * killed. The flag PF_SIGNALED says less than the exit code: threads that end
 * because another one has called exit(3) have it, too.
 *
 * Two things are seen as killed though the file was closed in time: a process
 * that is killed before its last close is handled here (mostly well within a
 * millisecond; 110 ms were seen with all processors busy), and one that is
 * killed while another has the draft open still. Both are a miss, as if it had
 * been killed a little earlier.
 */
#include "author.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REAP_WAIT_NS (5L * 1000 * 1000)
#define REAP_WAITS 10

/* Of linux/sched.h of the kernel, which /proc/PID/stat shows. */
#define FLAG_EXITING 0x4u
#define FLAG_SIGNALED 0x400u

/* The fields of /proc/PID/stat, counted from 1. */
#define FIELD_FLAGS 9
#define FIELD_EXIT_CODE 52

/* linux/pidfd.h as of Linux 6.15; the header may be older. */
struct process_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t ids[11];
	int32_t exit_code;
};

#define PROCESS_INFO_EXIT UINT64_C(8)
#define PROCESS_GET_INFO _IOWR(0xff, 11, struct process_info)

/* What can be seen of a process that has not been reaped. */
struct ending {
	unsigned flags;
	int exit_code;
	bool code_is_shown; /* else it is 0 whatever it is */
};

int author_init(struct author *author)
{
	*author = (struct author){.pidfd = -1};
	return -pthread_mutex_init(&author->lock, NULL);
}

static void forget_locked(struct author *author)
{
	if (author->pidfd >= 0)
		close(author->pidfd);
	author->pidfd = -1;
	author->pid = 0;
	atomic_store(&author->last_id, 0);
}

void author_done(struct author *author)
{
	forget_locked(author);
	pthread_mutex_destroy(&author->lock);
}

void author_forget(struct author *author)
{
	pthread_mutex_lock(&author->lock);
	forget_locked(author);
	pthread_mutex_unlock(&author->lock);
}

/* The start of a file of /proc. Returns whose it is in `ret_uid`. */
static int proc_read(pid_t id, const char *file, char *buffer, size_t size,
		     uid_t *ret_uid)
{
	char path[64];
	struct stat st;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)id, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0)
		n = read(fd, buffer, size - 1);
	close(fd);
	if (n < 0)
		return -ESRCH;
	buffer[n] = 0;
	*ret_uid = st.st_uid;
	return 0;
}

/* The process of a thread, or 0. */
static pid_t process_of(pid_t id)
{
	static const char key[] = "\nTgid:";
	char text[1024];
	uid_t uid = 0;
	const char *at;

	if (proc_read(id, "status", text, sizeof(text), &uid) < 0)
		return 0;
	at = strstr(text, key);
	return at ? (pid_t)strtol(at + sizeof(key) - 1, NULL, 10) : 0;
}

void author_note(struct author *author, pid_t id)
{
	pid_t pid = id;
	int pidfd;

	if (id <= 0 || atomic_load(&author->last_id) == id)
		return;
	/* This fails for a thread that is not the first of its process. */
	pidfd = pidfd_open(id, 0);
	if (pidfd < 0) {
		pid = process_of(id);
		if (pid > 0)
			pidfd = pidfd_open(pid, 0);
	}
	pthread_mutex_lock(&author->lock);
	forget_locked(author);
	author->pid = pid;
	author->pidfd = pidfd;
	atomic_store(&author->last_id, id);
	pthread_mutex_unlock(&author->lock);
}

/* Read what the kernel says of a process that is there. */
static int ending_read(pid_t pid, struct ending *ret_ending)
{
	char text[1024];
	char *state = NULL, *word;
	uid_t uid = 0;
	int r = proc_read(pid, "stat", text, sizeof(text), &uid);

	if (r < 0)
		return r;
	/* The name of the program may hold anything; the last one ends it. */
	word = strrchr(text, ')');
	if (!word)
		return -ESRCH;
	*ret_ending = (struct ending){
		.code_is_shown = geteuid() == 0 || geteuid() == uid,
	};
	word = strtok_r(word + 1, " \n", &state);
	for (int field = 3; word; field++) {
		if (field == FIELD_FLAGS)
			ret_ending->flags = (unsigned)strtoul(word, NULL, 10);
		if (field == FIELD_EXIT_CODE)
			ret_ending->exit_code = (int)strtol(word, NULL, 10);
		word = strtok_r(NULL, " \n", &state);
	}
	return 0;
}

/* The exit code of a process that has been reaped. False: not known. */
static bool reaped_read(int pidfd, int *ret_exit_code)
{
	struct process_info info = {.mask = PROCESS_INFO_EXIT};

	if (ioctl(pidfd, PROCESS_GET_INFO, &info) < 0 ||
	    !(info.mask & PROCESS_INFO_EXIT))
		return false;
	*ret_exit_code = info.exit_code;
	return true;
}

/* It is not reaped yet: so what /proc has under its number is of it. */
static bool is_there(int pidfd)
{
	return pidfd_send_signal(pidfd, 0, NULL, 0) == 0 || errno == EPERM;
}

/* A process whose exit code is hidden is ending because of a signal, unless
 * another of its threads has ended it. Its parent may reap it soon. */
static bool wait_for_end(int pidfd)
{
	const struct timespec pause = {.tv_nsec = REAP_WAIT_NS};
	int code;

	for (int i = 0; i < REAP_WAITS; i++) {
		if (reaped_read(pidfd, &code))
			return WIFSIGNALED(code);
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool was_killed(pid_t pid, int pidfd)
{
	struct ending ending = {0};
	int code;
	int r = ending_read(pid, &ending);

	if (r < 0 || !is_there(pidfd))
		return reaped_read(pidfd, &code) && WIFSIGNALED(code);
	if (!(ending.flags & FLAG_EXITING))
		return false;
	if (!ending.code_is_shown && ending.flags & FLAG_SIGNALED)
		return wait_for_end(pidfd);
	return WIFSIGNALED(ending.exit_code);
}

bool author_was_killed(struct author *author)
{
	bool killed = false;
	int pidfd = -1;
	pid_t pid;

	pthread_mutex_lock(&author->lock);
	pid = author->pid;
	if (author->pidfd >= 0)
		pidfd = fcntl(author->pidfd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&author->lock);
	if (pidfd >= 0) {
		killed = was_killed(pid, pidfd);
		close(pidfd);
	}
	return killed;
}
