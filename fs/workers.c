/* SPDX-License-Identifier: MIT */
/*
 * The threads that answer requests.
 *
 * One of them, the reader, waits for requests, and answers them itself as long
 * as it can do so quickly. If all waited in read(2), as in libfuse's own loop,
 * the kernel would wake the one that has waited for longest, another one each
 * time, which costs more than to look up a name. The reader has often not gone
 * to sleep when the next request comes.
 *
 * To sleep and to be woken takes several times as long as most answers, where
 * it means that two processors sleep and are woken in turn. So when the next
 * request has come late a few times, but not much later than that takes, the
 * reader looks for the next ones for up to SPIN_NS each before it sleeps. After
 * SPINS of them it sleeps again, to see whether that is still slow: when client
 * and reader are on the same processor, it is not. All that only while there is
 * a processor to spare, which the minder finds out: see spare.h.
 *
 * Before a request that may take longer the reader looks whether another one
 * waits already; then it lets an idle or a new thread be the reader. What takes
 * long or waits, while there was no other request yet, is noticed by the
 * minder, a thread that looks at the reader every two milliseconds, as long as
 * requests come, and replaces it when it is still at the same one. So no
 * request waits much longer than that because of another one, and none forever.
 *
 * Invariants
 *   1. Without a reader every thread is answering a request, or has been woken
 *      to be the reader; the first that is free becomes it.
 *   2. The minder sleeps only while the reader is not answering, or will be
 *      woken by it.
 * Who has been replaced in the instant in which he was done may read one more
 * request, which does no harm.
 *
 * workers.lock guards all but what is atomic or constant. Nothing else is
 * locked meanwhile.
 */
#include "workers.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "spare.h"
#include "stop.h"

/* Longer than it takes to wake a client, to whom the answer goes. */
#define SPIN_NS INT64_C(100000)
/* A request that comes so long after an answer, up to twice SPIN_NS, is late.
 */
#define LATE_NS INT64_C(50000)
#define LATE_RUN 4
#define SPINS 128
#define LOOK_NS (2L * 1000 * 1000)
/* The minder sleeps after so many looks without a request. */
#define QUIET_LOOKS 50u

struct worker {
	struct workers *workers;
	pthread_t thread;
	_Atomic(unsigned) turn; /* odd: it is answering a request */
};

struct workers {
	struct fuse_session *session;
	unsigned max;
	pthread_t minder;
	pthread_mutex_t lock;
	pthread_cond_t no_reader; /* or it is the end */
	pthread_cond_t request;	  /* for a minder that sleeps; or the end */
	_Atomic(struct worker *) reader;
	_Atomic(bool) minder_sleeps;
	_Atomic(int) late;	 /* so many came late, one after the other */
	_Atomic(int) spins;	 /* as often it is looked for the next one */
	_Atomic(bool) has_spare; /* a processor, when the minder looked last */
	struct spare spare;	 /* the minder's */
	bool ending;
	unsigned idle;
	unsigned count;
	struct worker threads[]; /* the first is who calls workers_run() */
};

/*
 * Is it answered in less time than it takes to wake another thread, at least
 * as far as workers_share()? Or is what waits meanwhile a forget, which has
 * time: an unlink often comes together with that of the one before.
 */
static bool is_quick(const struct fuse_buf *request)
{
	const struct fuse_in_header *head = request->mem;

	switch (head->opcode) {
	case FUSE_LOOKUP:
	case FUSE_FORGET:
	case FUSE_GETATTR:
	case FUSE_ACCESS:
	case FUSE_STATFS:
	case FUSE_OPEN:
	case FUSE_RELEASE:
	case FUSE_OPENDIR:
	case FUSE_RELEASEDIR:
	case FUSE_INTERRUPT:
	case FUSE_UNLINK:
		return true;
	default:
		return false;
	}
}

/* Which one this thread is; NULL: none. */
static _Thread_local struct worker *this_worker;

static bool has_request(struct workers *w)
{
	struct pollfd fd = {.fd = fuse_session_fd(w->session),
			    .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

static void *worker_run(void *arg);

/* Let another thread be the reader; without one, the first that is free. */
static void replace_reader_locked(struct workers *w)
{
	struct worker *made = &w->threads[w->count];

	atomic_store(&w->reader, NULL);
	if (w->idle > 0)
		pthread_cond_signal(&w->no_reader);
	else if (w->count < w->max && !w->ending &&
		 pthread_create(&made->thread, NULL, worker_run, made) == 0)
		w->count++;
}

/* Become the reader, as soon as there is none. False: it is the end. */
static bool reader_begin(struct worker *self)
{
	struct workers *w = self->workers;
	bool begun;

	pthread_mutex_lock(&w->lock);
	w->idle++;
	while (atomic_load(&w->reader) && !w->ending)
		pthread_cond_wait(&w->no_reader, &w->lock);
	w->idle--;
	begun = !w->ending;
	if (begun)
		atomic_store(&w->reader, self);
	pthread_mutex_unlock(&w->lock);
	return begun;
}

static void end_locked(struct workers *w)
{
	w->ending = true;
	pthread_cond_broadcast(&w->no_reader);
	pthread_cond_signal(&w->request);
}

void workers_share(void)
{
	struct worker *self = this_worker;

	if (!self || atomic_load(&self->workers->reader) != self ||
	    !has_request(self->workers))
		return;
	pthread_mutex_lock(&self->workers->lock);
	if (atomic_load(&self->workers->reader) == self)
		replace_reader_locked(self->workers);
	pthread_mutex_unlock(&self->workers->lock);
}

static void answer(struct worker *self, const struct fuse_buf *request)
{
	struct workers *w = self->workers;

	atomic_fetch_add(&self->turn, 1);
	if (atomic_load(&w->minder_sleeps)) {
		pthread_mutex_lock(&w->lock);
		atomic_store(&w->minder_sleeps, false);
		pthread_cond_signal(&w->request);
		pthread_mutex_unlock(&w->lock);
	}
	if (!is_quick(request))
		workers_share();
	fuse_session_process_buf(w->session, request);
	atomic_fetch_add(&self->turn, 1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return INT64_C(1000000000) * now.tv_sec + now.tv_nsec;
}

/* Is the next request to be looked for, after so long a sleep? */
static void learn(struct workers *w, int64_t slept_ns)
{
	const bool is_late = slept_ns >= LATE_NS && slept_ns < 2 * SPIN_NS;
	const int late = is_late ? atomic_load(&w->late) + 1 : 0;

	atomic_store(&w->late, late % LATE_RUN);
	if (late == LATE_RUN)
		atomic_store(&w->spins, SPINS);
}

/* Wait for a request, as fuse_session_receive_buf() does. */
static int receive(struct workers *w, struct fuse_buf *request)
{
	const int64_t begin = now_ns();
	const int spins = atomic_load(&w->spins);
	const bool looks = spins > 0 && atomic_load(&w->has_spare);
	int64_t waited;
	int n;

	while (looks && !has_request(w) && now_ns() - begin < SPIN_NS)
		continue;
	n = fuse_session_receive_buf(w->session, request);
	waited = now_ns() - begin;
	if (looks)
		atomic_store(&w->spins, waited < SPIN_NS ? spins - 1 : 0);
	else
		learn(w, waited);
	return n;
}

static void *worker_run(void *arg)
{
	struct worker *self = arg;
	struct workers *w = self->workers;
	struct fuse_buf request = {0};
	bool over = false;

	this_worker = self;
	while (!over &&
	       (atomic_load(&w->reader) == self || reader_begin(self))) {
		int n = receive(w, &request);

		if (n > 0)
			answer(self, &request);
		else if (n != -EINTR && n != -EAGAIN)
			fuse_session_exit(w->session);
		over = fuse_session_exited(w->session);
	}
	pthread_mutex_lock(&w->lock);
	end_locked(w);
	pthread_mutex_unlock(&w->lock);
	free(request.mem);
	return NULL;
}

/* No request has come for long: sleep until one does. */
static void minder_sleep_locked(struct workers *w, struct worker *reader,
				unsigned turn)
{
	atomic_store(&w->minder_sleeps, true);
	/* Who begins to answer now sees that; who has begun is seen here. */
	if (atomic_load(&w->reader) == reader &&
	    (!reader || atomic_load(&reader->turn) == turn))
		while (atomic_load(&w->minder_sleeps) && !w->ending)
			pthread_cond_wait(&w->request, &w->lock);
	atomic_store(&w->minder_sleeps, false);
}

static void *minder_run(void *arg)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct workers *w = arg;
	struct worker *seen = NULL;
	unsigned seen_turn = 0;
	unsigned quiet = 0;

	pthread_mutex_lock(&w->lock);
	while (!w->ending) {
		struct worker *reader = atomic_load(&w->reader);
		unsigned turn = reader ? atomic_load(&reader->turn) : 0;
		bool is_same = reader == seen && turn == seen_turn;

		if (is_same && turn % 2 == 1)
			replace_reader_locked(w);
		if (!is_same)
			atomic_store(&w->has_spare, spare_look(&w->spare));
		quiet = is_same ? quiet + 1 : 0;
		seen = reader;
		seen_turn = turn;
		if (quiet >= QUIET_LOOKS) {
			minder_sleep_locked(w, reader, turn);
			quiet = 0;
		}
		pthread_mutex_unlock(&w->lock);
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int workers_new(struct fuse_session *session, unsigned max,
		struct workers **ret_workers)
{
	struct workers *w = calloc(1, sizeof(*w) + max * sizeof(w->threads[0]));
	int r;

	if (!w)
		return -ENOMEM;
	w->session = session;
	w->max = max;
	for (unsigned i = 0; i < max; i++)
		w->threads[i].workers = w;
	w->count = 1;
	spare_init(&w->spare);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->no_reader, NULL);
	pthread_cond_init(&w->request, NULL);
	r = pthread_create(&w->minder, NULL, minder_run, w);
	if (r != 0) {
		spare_done(&w->spare);
		free(w);
		return -r;
	}
	*ret_workers = w;
	return 0;
}

void workers_free(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	end_locked(w);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->minder, NULL);
	pthread_cond_destroy(&w->request);
	pthread_cond_destroy(&w->no_reader);
	pthread_mutex_destroy(&w->lock);
	spare_done(&w->spare);
	free(w);
}

void workers_run(struct workers *w)
{
	w->threads[0].thread = pthread_self();
	worker_run(&w->threads[0]);
	/* It is the end, and so nobody starts another one. */
	for (unsigned i = 1; i < w->count; i++)
		pthread_join(w->threads[i].thread, NULL);
}

void workers_kick(struct workers *w)
{
	struct worker *reader;

	pthread_mutex_lock(&w->lock);
	reader = atomic_load(&w->reader);
	if (reader)
		pthread_kill(reader->thread, STOP_KICK_SIGNAL);
	pthread_mutex_unlock(&w->lock);
}
