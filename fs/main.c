/* SPDX-License-Identifier: MIT */
/*
 * cubbyfs: mount a store.
 *
 * The process forks first, before the store is opened or a thread exists: an
 * open store does not survive fork(2). The child does everything and says
 * through a pipe that the mount is there; only then the parent exits.
 *
 * Errors become messages here, one line each.
 */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"
#include "handshake.h"
#include "message.h"
#include "mount.h"
#include "mountpoint.h"
#include "options.h"
#include "pending.h"
#include "stop.h"
#include "workers.h"

enum { EXIT_BAD_USAGE = 2 };

/* What run() needs; the paths are absolute. */
struct job {
	struct options options;
	char *store;
	char *mountpoint;
	struct guard *guard;
	int ready_fd; /* the parent waits at its other end; -1: no parent */
};

#define fail(...) (message(__VA_ARGS__), EXIT_FAILURE)

static int fail_mountpoint(const char *path, int r)
{
	switch (r) {
	case -ENOENT:
		return fail("%s does not exist: make the directory first",
			    path);
	case -ENOTDIR:
		return fail("%s is not a directory: mount on a directory",
			    path);
	case -EBUSY:
		return fail("a store is already mounted on %s: unmount it "
			    "first, or use another directory",
			    path);
	default:
		return fail("cannot mount on %s: %s", path, strerror(-r));
	}
}

static int fail_store(const char *path, int r)
{
	switch (r) {
	case -ENOENT:
		return fail("there is no store at %s, and none can be made "
			    "there",
			    path);
	case -ENOTEMPTY:
		return fail("%s holds something else than a store: give an "
			    "empty or a new directory",
			    path);
	case -ENOTDIR:
		return fail("%s is not a directory: a store is one", path);
	case -EPROTONOSUPPORT:
		return fail("the store %s was made by another version: use "
			    "that one, or another directory",
			    path);
	case -EBADMSG:
		return fail("the index of the store %s is damaged: delete the "
			    "directory, it will be filled anew",
			    path);
	case -EROFS:
		return fail("the store %s is on a read-only disk: mount it "
			    "with -o ro",
			    path);
	case -EACCES:
	case -EPERM:
		return fail("no permission for the store %s: check the owner "
			    "and the mode of the directory",
			    path);
	default:
		return fail("cannot open the store %s: %s", path,
			    cubby_strerror(r));
	}
}

/* Every plain file in use takes a descriptor. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * Each cold read of an entry takes and frees buffers of up to a mebibyte. Left
 * to itself malloc gives them back to the kernel each time, and to have their
 * pages anew costs a tenth of such a read.
 */
static void keep_buffers(void)
{
#ifdef __GLIBC__
	/* What fails leaves it as it was. */
	(void)mallopt(M_MMAP_THRESHOLD, 2 * 1024 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
#endif
}

/* Tell the parent that the mount is there, and leave the terminal. */
static void report_ready(struct job *job)
{
	int null;

	if (job->ready_fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	/* A parent that was killed is not waiting any more. */
	(void)!write(job->ready_fd, "", 1);
	close(job->ready_fd);
	job->ready_fd = -1;
}

/* What is left when the loop is over, see pending.h. */
static void settle(struct mount *m, struct stopper *s)
{
	if (atomic_load(&s->detached))
		return;
	if (mountpoint_is_mounted(s->mountpoint, &s->id)) {
		/* The connection was cut: nobody closed anything. */
		mountpoint_detach(s->mountpoint, &s->id);
		return;
	}
	pending_publish_all(m);
}

static int loop(struct job *job, struct mount *m)
{
	struct stopper s = {.session = m->session,
			    .mountpoint = job->mountpoint};
	int r = workers_new(m->session, job->options.max_threads, &s.workers);

	if (r < 0)
		return fail("cannot start: %s", strerror(-r));
	r = handshake_begin(m);
	if (r == 0)
		r = mountpoint_identify(job->mountpoint, &s.id);
	if (r == 0) {
		guard_set_id(job->guard, &s.id);
		r = mount_start(m);
	}
	if (r == 0) {
		r = stop_begin(&s);
		if (r < 0)
			mount_stop(m);
	}
	if (r < 0) {
		workers_free(s.workers);
		return fail("cannot start: %s", strerror(-r));
	}
	report_ready(job);
	/* How it ended is for settle() to find out. */
	workers_run(s.workers);
	stop_loop_over(&s);
	mount_stop(m);
	settle(m, &s);
	stop_end(&s);
	workers_free(s.workers);
	return EXIT_SUCCESS;
}

/* The options that libfuse gets before those of the user. */
static int add_options(struct job *job)
{
	struct fuse_args *args = &job->options.args;
	char *name = NULL;
	char *joined = NULL;
	int r = -1;

	if (asprintf(&name, "fsname=cubby:%s", job->store) < 0)
		name = NULL;
	else if (fuse_opt_add_opt(&joined, "subtype=cubby") == 0 &&
		 fuse_opt_add_opt_escaped(&joined, name) == 0 &&
		 fuse_opt_insert_arg(args, 1, "-o") == 0)
		r = fuse_opt_insert_arg(args, 2, joined);
	free(name);
	free(joined);
	return r;
}

static int with_session(struct job *job, struct mount *m)
{
	int r;

	if (add_options(job) < 0)
		return fail("%s", strerror(ENOMEM));
	m->session = fuse_session_new(&job->options.args, mount_ops(),
				      sizeof(struct fuse_lowlevel_ops), m);
	if (!m->session)
		return EXIT_FAILURE; /* libfuse has said why, in one line */
	if (fuse_session_mount(m->session, job->mountpoint) != 0) {
		fuse_session_destroy(m->session);
		return EXIT_FAILURE;
	}
	r = loop(job, m);
	fuse_session_unmount(m->session);
	fuse_session_destroy(m->session);
	return r;
}

static int with_store(struct job *job, struct cubby *store)
{
	int fd = open(job->store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct mount m;
	int r;

	if (fd < 0)
		return fail("cannot open %s: %s", job->store, strerror(errno));
	r = mount_init(&m, store, fd, &job->options.settings);
	if (r < 0)
		return fail_store(job->store, r);
	r = with_session(job, &m);
	mount_done(&m);
	return r;
}

static int fail_bounds(struct job *job, int r)
{
	const char *store = job->store;

	switch (r) {
	case -EDOM:
		return fail("cannot set max_size of %s: a quota is larger; see "
			    "`cubby limit %s`",
			    store, store);
	case -EINVAL:
		if (job->options.bounds.has_policy)
			return fail("cannot set policy of %s: it has a "
				    "max-age, which needs lru",
				    store);
		return fail("cannot set max_age of %s: that needs the policy "
			    "lru, and it has another",
			    store);
	case -EFBIG:
		return fail("max_size of %s is set, but what cannot be evicted "
			    "is larger; give more",
			    store);
	default:
		return fail_store(store, r);
	}
}

static int run(struct job *job)
{
	const struct mount_settings *settings = &job->options.settings;
	unsigned flags = CUBBY_CREATE | CUBBY_COMPRESS_LATER;
	struct cubby *store;
	int r;

	if (settings->read_only)
		flags = CUBBY_READ_ONLY;
	else if (settings->durable)
		flags |= CUBBY_DURABLE;
	stop_block_signals();
	raise_file_limit();
	keep_buffers();
	r = guard_begin(job->mountpoint, &job->guard);
	if (r < 0)
		return fail("cannot start: %s", strerror(-r));
	r = cubby_open(job->store, flags, &store);
	if (r < 0) {
		r = fail_store(job->store, r);
	} else {
		r = bounds_apply(&job->options.bounds, store);
		r = r < 0 ? fail_bounds(job, r) : with_store(job, store);
		cubby_close(store);
	}
	guard_end(job->guard);
	return r;
}

/* Run in a child, and return when the mount is there or has failed. */
static int run_in_background(struct job *job)
{
	int ends[2];
	char byte;
	pid_t pid;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail("cannot start: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return fail("cannot start: %s", strerror(errno));
	if (pid == 0) {
		close(ends[0]);
		job->ready_fd = ends[1];
		setsid();
		if (chdir("/") < 0)
			return fail("cannot start: %s", strerror(errno));
		return run(job);
	}
	close(ends[1]);
	do {
		n = read(ends[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(ends[0]);
	return n == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int mount_job(struct job *job)
{
	int r = mountpoint_prepare(job->options.mountpoint, &job->mountpoint);

	if (r < 0)
		return fail_mountpoint(job->options.mountpoint, r);
	r = mountpoint_store_path(job->options.store, &job->store);
	if (r < 0)
		return fail_store(job->options.store, r);
	if (mountpoint_overlaps(job->store, job->mountpoint))
		return fail("the store %s and the mountpoint %s are in each "
			    "other: give two separate directories",
			    job->store, job->mountpoint);
	return job->options.foreground ? run(job) : run_in_background(job);
}

int main(int argc, char **argv)
{
	struct job job = {.ready_fd = -1};
	int r = EXIT_SUCCESS;

	r = message_init();
	if (r < 0)
		r = EXIT_FAILURE;
	else if (options_parse(argc, argv, &job.options) < 0)
		r = EXIT_BAD_USAGE;
	else if (job.options.action == OPTIONS_HELP)
		options_print_help();
	else if (job.options.action == OPTIONS_VERSION)
		options_print_version();
	else
		r = mount_job(&job);
	free(job.store);
	free(job.mountpoint);
	options_done(&job.options);
	return r;
}
