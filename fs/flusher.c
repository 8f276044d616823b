/* SPDX-License-Identifier: MIT */
/*
 * Threads for what has to wait for the kernel to write its pages back. There
 * are some only in a mount with -o writeback.
 *
 * The kernel writes its pages back by requests, which other threads answer. If
 * those that answer requests waited for it, and all of them did so at once,
 * there would be nobody left to answer: as many renames as there are workers
 * are enough. So it is waited for here, where no request is ever read.
 *
 * Before Linux 6.16 a page that the kernel is just writing back on its own
 * counts as written already. A program that renames a file which it has open
 * and that was idle for long enough (30 s, or when memory is short) may find
 * that write after the rename; it then makes a new version of the entry.
 *
 * flusher.lock guards the queue.
 */
#include "flusher.h"

#include <errno.h>
#include <stdlib.h>

#define THREADS 4

struct task {
	struct task *next;
	flusher_fn *run;
	void *job;
};

struct flusher {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t threads[THREADS];
	unsigned thread_count;
	struct task *first;
	struct task **last;
	bool ending;
};

/* The next task, or NULL when all are done and it is the end. */
static struct task *task_take(struct flusher *f)
{
	struct task *task;

	pthread_mutex_lock(&f->lock);
	while (!f->first && !f->ending)
		pthread_cond_wait(&f->wake, &f->lock);
	task = f->first;
	if (task) {
		f->first = task->next;
		if (!f->first)
			f->last = &f->first;
	}
	pthread_mutex_unlock(&f->lock);
	return task;
}

static void *flusher_run(void *arg)
{
	struct flusher *f = arg;
	struct task *task;

	while ((task = task_take(f)) != NULL) {
		task->run(task->job);
		free(task);
	}
	return NULL;
}

int flusher_put(struct mount *m, flusher_fn *run, void *job)
{
	struct flusher *f = m->flusher;
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return -ENOMEM;
	task->run = run;
	task->job = job;
	pthread_mutex_lock(&f->lock);
	*f->last = task;
	f->last = &task->next;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

void flusher_flush(struct mount *m, uint64_t id)
{
	/* It fails for an inode that the kernel does not know, which has no
	 * pages. A write that fails marks the content (content.h). */
	(void)fuse_lowlevel_notify_inval_inode(m->session, id, 0, 0);
}

int flusher_start(struct mount *m)
{
	struct flusher *f = calloc(1, sizeof(*f));
	int r = 0;

	if (!f)
		return -ENOMEM;
	f->last = &f->first;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	m->flusher = f;
	while (r == 0 && f->thread_count < THREADS) {
		r = pthread_create(&f->threads[f->thread_count], NULL,
				   flusher_run, f);
		if (r == 0)
			f->thread_count++;
	}
	if (r != 0)
		flusher_stop(m);
	return -r;
}

void flusher_stop(struct mount *m)
{
	struct flusher *f = m->flusher;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->ending = true;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
	for (unsigned i = 0; i < f->thread_count; i++)
		pthread_join(f->threads[i], NULL);

	m->flusher = NULL;
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->wake);
	free(f);
}
