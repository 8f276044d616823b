/* SPDX-License-Identifier: MIT */
/*
 * Ending on a signal.
 *
 * SIGTERM, SIGINT and SIGHUP are blocked everywhere and one thread waits for
 * them. It unmounts: when that works, nobody has anything open, the session
 * loop ends by itself, and what is pending is complete. When files are open
 * the mount is detached and the connection cut, so that no process waits for
 * an answer that will not come, and what is not finished is dropped.
 *
 * Who waits for a request looks at the exit flag only when it is interrupted,
 * and a signal that comes just before it sleeps does not do that: so it is
 * interrupted again and again until it has noticed. A second signal, while what
 * is pending is published, ends the process at once; the store is made for
 * that.
 */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "mount.h"
#include "mountpoint.h"
#include "workers.h"

#define QUIT_SIGNAL SIGUSR2
#define KICK_NS (20L * 1000 * 1000)

static void stop_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGHUP);
	sigaddset(ret_set, QUIT_SIGNAL);
}

static void kicked(int number)
{
	(void)number;
}

void stop_block_signals(void)
{
	struct sigaction kick = {.sa_handler = kicked};
	sigset_t set;

	sigemptyset(&kick.sa_mask);
	sigaction(STOP_KICK_SIGNAL, &kick, NULL);
	signal(SIGPIPE, SIG_IGN);
	stop_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, STOP_KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void unmount(struct stopper *s)
{
	if (mountpoint_unmount(s->mountpoint, &s->id) == 0)
		return;
	atomic_store(&s->detached, true);
	mountpoint_abort(s->mountpoint, &s->id);
	mountpoint_detach(s->mountpoint, &s->id);
	fuse_session_exit(s->session);
}

static void *stop_run(void *arg)
{
	const struct timespec pause = {.tv_nsec = KICK_NS};
	struct stopper *s = arg;
	sigset_t set;
	int number = 0;

	stop_signals(&set);
	while (sigwait(&set, &number) != 0)
		;
	if (number == QUIT_SIGNAL && atomic_load(&s->loop_over))
		return NULL;
	unmount(s);
	for (;;) {
		number = sigtimedwait(&set, NULL, &pause);
		if (number == QUIT_SIGNAL && atomic_load(&s->loop_over))
			return NULL;
		if (number > 0) {
			mountpoint_abort(s->mountpoint, &s->id);
			mountpoint_detach(s->mountpoint, &s->id);
			_exit(128 + number);
		}
		if (atomic_load(&s->detached) && !atomic_load(&s->loop_over))
			workers_kick(s->workers);
	}
}

int stop_begin(struct stopper *s)
{
	return -pthread_create(&s->thread, NULL, stop_run, s);
}

void stop_loop_over(struct stopper *s)
{
	atomic_store(&s->loop_over, true);
}

void stop_end(struct stopper *s)
{
	pthread_kill(s->thread, QUIT_SIGNAL);
	pthread_join(s->thread, NULL);
}
