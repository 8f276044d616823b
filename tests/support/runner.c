/* SPDX-License-Identifier: MIT */
/* Running programs: see runner.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"
#include "runner.h"

static uint8_t *stream_read(int fd, size_t *ret_size)
{
	struct stat st;
	uint8_t *bytes;

	MUST(fstat(fd, &st) == 0);
	bytes = malloc((size_t)st.st_size + 1);
	MUST(bytes != NULL);
	MUST(pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size);
	bytes[st.st_size] = 0;
	*ret_size = (size_t)st.st_size;
	MUST(close(fd) == 0);
	return bytes;
}

static int status_wait(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

pid_t fork_child(void)
{
	pid_t parent = getpid();
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

struct outcome run(const char *const argv[], const void *input, size_t size)
{
	struct outcome outcome = {0};
	size_t err_size;
	pid_t pid;
	int in = memfd_create("input", MFD_CLOEXEC);
	int out = memfd_create("output", MFD_CLOEXEC);
	int err = memfd_create("errors", MFD_CLOEXEC);
	char *words[16] = {0};

	MUST(in >= 0 && out >= 0 && err >= 0);
	MUST(size == 0 || write(in, input, size) == (ssize_t)size);
	MUST(lseek(in, 0, SEEK_SET) == 0);
	for (size_t i = 0; argv[i]; i++) {
		MUST(i + 1 < sizeof(words) / sizeof(*words));
		words[i] = strdup(argv[i]);
		MUST(words[i] != NULL);
	}
	pid = fork_child();
	if (pid == 0) {
		if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
			(void)execvp(words[0], words);
		_exit(127);
	}
	outcome.status = status_wait(pid);
	(void)close(in);
	outcome.out = stream_read(out, &outcome.out_size);
	outcome.err = (char *)stream_read(err, &err_size);
	for (size_t i = 0; words[i]; i++)
		free(words[i]);
	return outcome;
}

void outcome_free(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
	*outcome = (struct outcome){0};
}

size_t outcome_error_lines(const struct outcome *outcome)
{
	size_t lines = 0;

	for (const char *at = outcome->err; *at; at++)
		if (*at == '\n' || at[1] == '\0')
			lines++;
	return lines;
}

const char *program(const char *variable)
{
	const char *path = getenv(variable);

	if (!path || access(path, X_OK) != 0)
		must_fail(__FILE__, __LINE__,
			  "$%s does not name a program that can be run: %s",
			  variable, path ? path : "(not set)");
	return path;
}

struct outcome tool(const char *command, const char *store, const char *path,
		    const void *input, size_t size)
{
	const char *argv[] = {program("CUBBY"), command, store, path, NULL};

	return run(argv, input, size);
}

static struct outcome __attribute__((format(printf, 1, 0)))
shell_run(const char *format, va_list args)
{
	const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
	struct outcome outcome;
	char *command;

	MUST(vasprintf(&command, format, args) >= 0);
	argv[2] = command;
	outcome = run(argv, NULL, 0);
	free(command);
	return outcome;
}

int shell(const char *format, ...)
{
	struct outcome outcome;
	va_list args;
	int status;

	va_start(args, format);
	outcome = shell_run(format, args);
	va_end(args);
	status = outcome.status;
	outcome_free(&outcome);
	return status;
}

void shell_do(const char *format, ...)
{
	struct outcome outcome;
	va_list args;

	va_start(args, format);
	outcome = shell_run(format, args);
	va_end(args);
	if (outcome.status != 0)
		must_fail(__FILE__, __LINE__, "status %d of: %s\n%s",
			  outcome.status, format, outcome.err);
	outcome_free(&outcome);
}

char *shell_text(const char *format, ...)
{
	struct outcome outcome;
	va_list args;
	char *text;

	va_start(args, format);
	outcome = shell_run(format, args);
	va_end(args);
	if (outcome.status != 0)
		must_fail(__FILE__, __LINE__, "status %d of: %s\n%s",
			  outcome.status, format, outcome.err);
	text = strdup((const char *)outcome.out);
	MUST(text != NULL);
	outcome_free(&outcome);
	return text;
}

void child_must_succeed(pid_t pid)
{
	MUST_BE(status_wait(pid), 0);
}

const char *end_refusal(void)
{
	/* See linux/pidfd.h: PIDFD_GET_INFO, PIDFD_INFO_EXIT. */
	struct {
		uint64_t mask, cgroup_id;
		uint32_t ids[11];
		int32_t exit_code;
	} info = {.mask = 8};
	pid_t pid = fork_child();
	int pidfd;
	bool told;

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	pidfd = pidfd_open(pid, 0);
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, NULL, 0) == pid);
	told = pidfd >= 0 && ioctl(pidfd, _IOWR(0xff, 11, info), &info) == 0 &&
	       (info.mask & 8) && WIFSIGNALED(info.exit_code);
	(void)close(pidfd);
	return told ? NULL
		    : "this kernel does not tell how a process ended: "
		      "Linux 6.15 does";
}
