/* SPDX-License-Identifier: MIT */
/*
 * A small process that frees who waits when the daemon was killed.
 *
 * A notification about a name (notify.c) waits in the kernel for the lock of
 * the directory, which cannot be interrupted. When the daemon is killed just
 * then, and whoever holds the lock waits for the daemon's answer, both wait for
 * ever: the thread in the kernel keeps the connection open, and so its requests
 * are never given up. That is not rare: it happens in about every fourth kill
 * while several processes create entries. Somebody else has to cut the
 * connection, and this process does. The dead mount stays, so that nobody
 * writes into the directory below it; the next cubbyfs takes it over.
 *
 * The kernel tells it that the daemon's main thread is gone (not the process,
 * which may be unable to end), by a signal, also when the daemon ends in good
 * order: then nothing is mounted any more, and there is nothing to do.
 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mountpoint.h"

#define DEATH_SIGNAL SIGUSR1

/* In memory that both processes share. */
struct guard {
	_Atomic(unsigned long long) device; /* 0: nothing is mounted */
};

/* Let go of what whoever started the daemon may wait for the end of. */
static void close_inherited(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
}

static void guard_run(const char *mountpoint, struct guard *guard, pid_t parent)
{
	unsigned long long device;
	sigset_t set;
	int number;

	prctl(PR_SET_NAME, "cubbyfs-guard");
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (prctl(PR_SET_PDEATHSIG, DEATH_SIGNAL) < 0)
		return;
	close_inherited();
	sigemptyset(&set);
	sigaddset(&set, DEATH_SIGNAL);
	/* It may have died before the signal was asked for. */
	while (getppid() == parent && sigwait(&set, &number) != 0)
		;
	device = atomic_load(&guard->device);
	if (device)
		mountpoint_abort(mountpoint, (dev_t)device);
}

int guard_begin(const char *mountpoint, struct guard **ret_guard)
{
	pid_t parent = getpid();
	struct guard *guard;
	pid_t pid;

	guard = mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guard == MAP_FAILED)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		guard_end(guard);
		return r;
	}
	if (pid == 0) {
		guard_run(mountpoint, guard, parent);
		_exit(0);
	}
	*ret_guard = guard;
	return 0;
}

void guard_set_device(struct guard *guard, dev_t device)
{
	if (guard)
		atomic_store(&guard->device, device);
}

void guard_end(struct guard *guard)
{
	if (guard)
		munmap(guard, sizeof(*guard));
}
