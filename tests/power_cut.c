/* SPDX-License-Identifier: MIT */
/*
 * Power cuts. A file system on a loop device is ended by its shutdown ioctl in
 * the middle of adds, replacements and deletions, mounted again, and looked at.
 * The machine is not restarted, so a cut is told from the end of a process by
 * the mount alone.
 *
 *   power_cut DEVICE DISK TYPE ROUNDS SEED [SECONDS]
 *
 * DEVICE holds a file system of TYPE and is not mounted; DISK is where to mount
 * it. Ends early, and says so, after SECONDS, but not before each scene has
 * been there. One store of each kind lives on
 * from cut to cut, in each of which one of them is written to, half of the time
 * the durable one. With CUBBYFS in the environment one cut in eight is of a
 * mount with -o durable.
 *
 * What an operation does is known by its number: writers note in shared memory
 * which one they begin, which is done, and up to which all must survive. After
 * the cut each key has to be in a state that one of the operations from the
 * last safe one to the last begun one has made.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "power_cut.h"

/* linux/ext4.h, which is not among the headers for programs; the same number
 * and the same flag are those of XFS. */
#define FS_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_WITHOUT_LOG 2u

enum {
	FULL_LEFT = 1 << 20, /* of a disk that is full */
	WAIT_MAX_US = 40000, /* from the first operations to the cut */
	START_MAX_US = 20000000,
	POLL_US = 500,
	AGAIN_EVERY = 4, /* cuts, another one follows at once */
};

static const char *device;
static const char *disk;
static const char *type;
static uint64_t random_state;
struct shared *shared;

static unsigned below(unsigned limit)
{
	random_state =
		random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	printf("not ok - round %u, %s: ", shared->round, shared->scene);
	vprintf(format, list);
	printf("\n");
	va_end(list);
	exit(1);
}

static void must(bool is_right, const char *what)
{
	if (!is_right)
		fail("%s: %s", what, strerror(errno));
}

static const char *path_of(const char *name)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", disk, name);
	return path;
}

/* ---------------------------------------------------------------- the disk */

static void disk_mount(void)
{
	must(mount(device, disk, type, 0, NULL) == 0, "mount the disk");
}

/*
 * A process that was killed may be on it for an instant more. So may another
 * mount namespace: whoever makes one takes what is mounted with him, and as
 * long as he lives, the next mount gives the file system that was cut off.
 */
static void disk_unmount(void)
{
	int fd;

	for (int i = 0; umount2(disk, 0) != 0; i++) {
		must(errno == EBUSY && i < 4000, "unmount the disk");
		usleep(POLL_US);
	}
	for (int i = 0; (fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC)) < 0;
	     i++) {
		must(errno == EBUSY && i * POLL_US < START_MAX_US,
		     "the disk is still mounted by another process");
		usleep(POLL_US);
	}
	close(fd);
}

static void disk_cut(void)
{
	uint32_t flags = SHUTDOWN_WITHOUT_LOG;
	int fd = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(fd >= 0, "open the disk");
	atomic_store(&shared->is_cut, true);
	must(ioctl(fd, FS_IOC_SHUTDOWN, &flags) == 0, "cut");
	close(fd);
}

/* Leave nearly no room; the file goes after the cut. */
static void disk_fill(void)
{
	int fd = open(path_of("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct statvfs found;
	off_t size;

	must(fd >= 0 && fstatvfs(fd, &found) == 0, "make the filler");
	size = (off_t)(found.f_bavail * found.f_frsize) - FULL_LEFT;
	if (size > 0)
		must(posix_fallocate(fd, 0, size) == 0, "fill the disk");
	close(fd);
}

/* ----------------------------------------------------------- other processes
 */

/* What runs at the same time on the same disk. */
static pid_t start_other(void)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	while (pid == 0) {
		int fd = open(path_of("other"), O_WRONLY | O_CREAT | O_CLOEXEC,
			      0600);

		if (fd < 0 ||
		    pwrite(fd, "other", 5, (off_t)below(100000)) < 0 ||
		    fsync(fd) < 0)
			_exit(0);
		close(fd);
	}
	return pid;
}

static pid_t start_daemon(const char *store, const char *mountpoint)
{
	struct stat before;
	struct stat now;
	pid_t pid;

	must(stat(mountpoint, &before) == 0, mountpoint);
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		execl(getenv("CUBBYFS"), "cubbyfs", store, mountpoint, "-f",
		      "-o", "durable", (char *)NULL);
		_exit(127);
	}
	for (int i = 0;; i++) {
		if (stat(mountpoint, &now) == 0 && now.st_dev != before.st_dev)
			return pid;
		must(i * POLL_US < START_MAX_US, "cubbyfs mounts");
		usleep(POLL_US);
	}
}

static pid_t start_writer(const struct job *job)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0)
		writer_run(job); /* does not return */
	return pid;
}

static void end(pid_t *pid)
{
	int status;

	if (*pid <= 0)
		return;
	(void)kill(*pid, SIGKILL);
	must(waitpid(*pid, &status, 0) == *pid, "wait");
	*pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		exit(1); /* it has said why */
}

/* Until each thread has done some operations. */
static void wait_for_writers(unsigned threads)
{
	for (unsigned i = 0; i < threads; i++)
		for (int n = 0; atomic_load(&shared->threads[i].count) < 3;
		     n++) {
			if (n * POLL_US > START_MAX_US)
				fail("the writers did not begin");
			usleep(POLL_US);
		}
}

/* The power comes and goes: the store is opened, and so goes back, and there is
 * the next cut before anybody has written to it. */
static void cut_again(const struct job *job)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (pid == 0)
		open_run(job); /* does not return */
	must(waitpid(pid, &status, 0) == pid, "wait");
	if (status != 0)
		exit(1); /* it has said why */
	disk_cut();
	disk_unmount();
	disk_mount();
}

/* ------------------------------------------------------------------- a round
 */

struct scene {
	const char *name;
	bool is_durable;
	bool has_other;	  /* something else is synced */
	bool is_full;	  /* the disk is, and so the index */
	bool is_killed;	  /* one of two writers, before the cut */
	bool is_mounted;  /* the writer works on a mount */
	unsigned threads; /* in each writer */
};

static const struct scene scenes[] = {
	{.name = "fast", .threads = 1},
	{.name = "durable", .is_durable = true, .threads = 1},
	{.name = "fast, another fsync", .has_other = true, .threads = 1},
	{.name = "durable, 3 threads", .is_durable = true, .threads = 3},
	{.name = "fast, a killed writer", .is_killed = true, .threads = 1},
	{.name = "durable, a killed writer",
	 .is_durable = true,
	 .is_killed = true,
	 .threads = 1},
	{.name = "fast, 3 threads, a killed writer, another fsync",
	 .is_killed = true,
	 .has_other = true,
	 .threads = 3},
	{.name = "durable mount",
	 .is_durable = true,
	 .is_mounted = true,
	 .threads = 1},
	{.name = "fast, full disk", .is_full = true, .threads = 1},
	{.name = "durable, another fsync",
	 .is_durable = true,
	 .has_other = true,
	 .threads = 1},
	{.name = "fast, 3 threads", .threads = 3},
	{.name = "durable, full disk",
	 .is_durable = true,
	 .is_full = true,
	 .threads = 1},
	{.name = "fast, again", .threads = 1},
	{.name = "durable, 3 threads, a killed writer, another fsync",
	 .is_durable = true,
	 .is_killed = true,
	 .has_other = true,
	 .threads = 3},
	{.name = "fast, full disk, a killed writer",
	 .is_full = true,
	 .is_killed = true,
	 .threads = 1},
	{.name = "durable mount, another fsync",
	 .is_durable = true,
	 .is_mounted = true,
	 .has_other = true,
	 .threads = 1},
};
enum { SCENE_COUNT = sizeof(scenes) / sizeof(scenes[0]) };

static void run_round(const struct scene *scene, const char *mountpoint)
{
	unsigned writers = scene->is_killed ? 2 : 1;
	struct job job = {.is_durable = scene->is_durable,
			  .is_full = scene->is_full,
			  .threads = scene->threads};
	char store[4096];
	pid_t pids[2] = {0, 0};
	pid_t daemon = 0;
	pid_t other = 0;

	(void)snprintf(store, sizeof(store), "%s",
		       path_of(scene->is_durable ? "durable" : "fast"));
	job.path = scene->is_mounted ? mountpoint : store;
	job.is_mounted = scene->is_mounted;
	atomic_store(&shared->is_cut, false);
	for (unsigned i = 0; i < THREADS_MAX; i++)
		atomic_store(&shared->threads[i].count, 0);
	disk_mount();
	(void)unlink(path_of("filler"));
	if (scene->is_full)
		disk_fill();
	if (scene->is_mounted)
		daemon = start_daemon(store, mountpoint);
	if (scene->has_other)
		other = start_other();
	for (unsigned i = 0; i < writers; i++) {
		job.first = i * scene->threads;
		pids[i] = start_writer(&job);
	}
	wait_for_writers(writers * scene->threads);
	usleep(below(WAIT_MAX_US));
	if (scene->is_killed) {
		end(&pids[0]);
		usleep(below(WAIT_MAX_US));
	}
	disk_cut();
	end(&pids[0]);
	end(&pids[1]);
	end(&other);
	if (daemon) {
		(void)umount2(mountpoint, MNT_DETACH);
		end(&daemon);
	}
	disk_unmount();
	disk_mount();
	(void)unlink(path_of("filler"));
	job.path = store;
	if (below(AGAIN_EVERY) == 0)
		cut_again(&job);
	verify_run(&job);
	disk_unmount();
}

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

int main(int argc, char **argv)
{
	const char *mountpoint = getenv("POWER_CUT_MOUNT");
	const bool has_daemon = getenv("CUBBYFS") && mountpoint;
	unsigned rounds;
	unsigned durable = 0;
	uint64_t until;

	if (argc < 6)
		return 2;
	device = argv[1];
	disk = argv[2];
	type = argv[3];
	rounds = (unsigned)strtoul(argv[4], NULL, 10);
	random_state = strtoull(argv[5], NULL, 10);
	until = argc > 6 ? now_s() + strtoull(argv[6], NULL, 10) : UINT64_MAX;
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	while (shared->round < rounds &&
	       (shared->round < SCENE_COUNT || now_s() < until)) {
		const struct scene *scene =
			&scenes[shared->round % SCENE_COUNT];

		if (scene->is_mounted && !has_daemon)
			scene = &scenes[1];
		shared->scene = scene->name;
		shared->round++;
		durable += scene->is_durable;
		run_round(scene, mountpoint);
	}
	printf("ok - %s: %u of %u power cuts, %u of them durable, %llu changes "
	       "done, %llu lost in the fast mode: nothing wrong\n",
	       type, shared->round, rounds, durable,
	       (unsigned long long)shared->changes,
	       (unsigned long long)shared->lost);
	return 0;
}
