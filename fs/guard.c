/* SPDX-License-Identifier: MIT */
/*
 * A small process that frees who waits when the daemon was killed.
 *
 * A notification about a name (notify.c) waits in the kernel for the lock of
 * the directory, which cannot be interrupted. When the daemon is killed just
 * then, and whoever holds the lock waits for the daemon's answer, both wait for
 * ever: the thread in the kernel keeps the connection open, and so its requests
 * are never given up. That is not rare: tried, it happens in up to every fourth
 * kill while several processes create entries. Somebody else has to cut the
 * connection, and this process does.
 *
 * The kernel tells it by a signal that the daemon's main thread is gone, also
 * when the daemon ends in good order. It acts only when the process has not
 * ended some time later: an ended one has closed the connection itself.
 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mountpoint.h"

#define DEATH_SIGNAL SIGUSR1
/* A daemon that has not ended so long after its main thread is stuck. */
#define STUCK_MS 500

/* In memory that both processes share. */
struct guard {
	_Atomic(bool) is_mounted;
	struct mountpoint_id id; /* when it is */
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
	struct pollfd daemon = {.events = POLLIN};
	sigset_t set;
	int number;

	prctl(PR_SET_NAME, "cubbyfs-guard");
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (prctl(PR_SET_PDEATHSIG, DEATH_SIGNAL) < 0)
		return;
	close_inherited();
	daemon.fd = pidfd_open(parent, 0);
	sigemptyset(&set);
	sigaddset(&set, DEATH_SIGNAL);
	/* It may have died before the signal was asked for. */
	while (getppid() == parent && sigwait(&set, &number) != 0)
		;
	/* A descriptor that polls: the whole process has ended. */
	if (atomic_load(&guard->is_mounted) && daemon.fd >= 0 &&
	    poll(&daemon, 1, STUCK_MS) == 0)
		mountpoint_abort(mountpoint, &guard->id);
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

void guard_set_id(struct guard *guard, const struct mountpoint_id *id)
{
	guard->id = *id;
	atomic_store(&guard->is_mounted, true);
}

void guard_end(struct guard *guard)
{
	if (guard)
		munmap(guard, sizeof(*guard));
}
