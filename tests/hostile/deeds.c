/* SPDX-License-Identifier: MIT */
/* Operations on a hostile store: see deeds.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "deeds.h"
#include "guardian.h"
#include "mounted.h"
#include "must.h"
#include "runner.h"
#include "sample.h"
#include "scratch.h"

static const char *const names[] = {"get",  "add",  "delete",
				    "open", "list", "mount"};
static const char plain_name[] = "notes.txt";
static const struct cubby_owner owner = {.mode = 0644};

static struct {
	uint8_t *data;
	size_t size;
} contents[ENTRY_COUNT];

static struct report *report;

const char *deed_name(enum deed deed)
{
	return names[deed];
}

__attribute__((format(printf, 1, 2), noreturn)) static void
wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(report->finding, sizeof(report->finding), format, args);
	va_end(args);
	_exit(3);
}

static void contents_make(void)
{
	static const size_t sizes[] = {300, 50000, 300000, 40000};

	for (unsigned i = 0; i < ENTRY_COUNT; i++) {
		contents[i].size = sizes[i];
		contents[i].data = sample_new(i == ENTRY_FRAMES ? SAMPLE_TEXT
								: SAMPLE_NOISE,
					      i, sizes[i]);
	}
}

static uint64_t ns_id(const struct box *box)
{
	struct cubby_attr attr;

	return cubby_lookup(box->store, CUBBY_ROOT_ID, "ns", &attr) < 0
		       ? 0
		       : attr.id;
}

void deeds_store(const char *path, uint64_t ret_ids[ENTRY_COUNT])
{
	struct cubby_attr attr;
	struct box box;
	int fd;

	contents_make();
	box_open(&box, path, "ns");
	for (unsigned i = 0; i < ENTRY_PLAIN; i++) {
		box_add(&box, name_of(i), contents[i].data, contents[i].size);
		ret_ids[i] = box_attr(&box, name_of(i)).id;
	}
	MUST_DO(cubby_create(box.store, ns_id(&box), plain_name, &owner, &attr,
			     &fd));
	MUST_BE(write(fd, contents[ENTRY_PLAIN].data,
		      contents[ENTRY_PLAIN].size),
		contents[ENTRY_PLAIN].size);
	MUST(close(fd) == 0);
	ret_ids[ENTRY_PLAIN] = attr.id;
	box_close(&box);
}

/* The result of one operation, which is allowed to fail. */
static int took(int r)
{
	if (r == -ENOENT)
		report->misses++;
	else if (r < 0)
		report->errors++;
	else
		report->right++;
	return r;
}

/* Get an entry: the right bytes, a miss, or an error. */
static int get(const struct box *box, unsigned number, enum entry entry)
{
	uint8_t *data;
	size_t size;
	int r = box_get(box, name_of(number), &data, &size);

	if (r == 0 && (size != contents[entry].size ||
		       memcmp(data, contents[entry].data, size) != 0))
		wrong("WRONG BYTES of entry %u", number);
	if (r == 0)
		free(data);
	return took(r);
}

static bool try_open(struct box *box, const char *path, unsigned flags)
{
	*box = (struct box){0};
	if (took(cubby_open(path, flags, &box->store)) < 0)
		return false;
	MUST_DO(cubby_ns_open(box->store, "ns", &box->ns));
	return true;
}

static void shut(struct box *box)
{
	cubby_ns_close(box->ns);
	cubby_close(box->store);
}

static void get_plain(const struct box *box, const struct hope *hope)
{
	struct cubby_attr attr;
	uint8_t byte;
	int fd;
	int r = cubby_lookup(box->store, ns_id(box), plain_name, &attr);

	if (r == 0)
		r = cubby_open_plain(box->store, attr.id, &fd);
	if (took(r) < 0)
		return;
	if (hope->plain_is_foreign)
		wrong("what is no file was opened as the plain file");
	(void)!pread(fd, &byte, 1, 0); /* it must end, no more */
	(void)close(fd);
}

static void get_all(const struct box *box, const struct hope *hope,
		    bool is_writable)
{
	int r = get(box, ENTRY_SMALL, ENTRY_SMALL);

	if (hope->has_small && r < 0)
		wrong("the small entry, which nobody touched: %s",
		      must_show(r));
	r = get(box, ENTRY_FRAMES, ENTRY_FRAMES);
	if (hope->has_frames && r < 0)
		wrong("the other blob, which nobody touched: %s", must_show(r));
	r = get(box, ENTRY_BLOB, ENTRY_BLOB);
	if (hope->loses_blob && r != -EBADMSG)
		wrong("a get of what is no blob: %s", must_show(r));
	r = get(box, ENTRY_BLOB, ENTRY_BLOB);
	if (hope->loses_blob && is_writable && r != -ENOENT)
		wrong("the next get of it: %s", must_show(r));
	get_plain(box, hope);
	if (!hope->loses_blob || !is_writable)
		return;
	r = box_try_add(box, name_of(ENTRY_BLOB), contents[ENTRY_BLOB].data,
			contents[ENTRY_BLOB].size);
	if (took(r) < 0 || get(box, ENTRY_BLOB, ENTRY_BLOB) < 0)
		wrong("it cannot be added again: %s", must_show(r));
}

/* As most tools do: a temporary file, and a rename to the final name. */
static int add_by_rename(const struct box *box, unsigned number,
			 enum entry entry)
{
	const uint64_t dir = ns_id(box);
	struct cubby_attr attr;
	int fd;
	int r = cubby_create(box->store, dir, "temporary", &owner, &attr, &fd);

	if (r < 0)
		return r;
	MUST_BE(write(fd, contents[entry].data, contents[entry].size),
		contents[entry].size);
	MUST(close(fd) == 0);
	return cubby_rename(box->store, dir, "temporary", dir, name_of(number),
			    0, &attr);
}

/* Of each way one more than there are things in the way. */
static void add_all(const struct box *box)
{
	for (unsigned i = 0; i < 12; i++) {
		const enum entry entry = (enum entry)(i / 3 % ENTRY_COUNT);
		const unsigned number = i % 3 == 2 ? (unsigned)entry : 100 + i;
		int r = i % 3 == 1 ? add_by_rename(box, number, entry)
				   : box_try_add(box, name_of(number),
						 contents[entry].data,
						 contents[entry].size);

		if (took(r) == 0 && get(box, number, entry) < 0)
			wrong("what was added is not there");
	}
}

static void delete_all(const struct box *box)
{
	for (unsigned i = 0; i < ENTRY_PLAIN; i++) {
		int r = took(cubby_delete_name(box->ns, name_of(i)));

		if (r == 0 && get(box, i, (enum entry)i) != -ENOENT)
			wrong("what was deleted is still there");
	}
	took(cubby_unlink(box->store, ns_id(box), plain_name));
}

static int list_one(void *cookie, const char *path,
		    const struct cubby_attr *attr)
{
	unsigned *count = cookie;

	(void)path;
	(void)attr;
	++*count;
	return 0;
}

static void list_all(const struct box *box)
{
	struct cubby_stats stats;
	unsigned count = 0;

	if (took(cubby_list(box->ns, list_one, &count)) == 0 &&
	    count != ENTRY_PLAIN)
		wrong("%u entries are listed", count);
	took(cubby_get_stats(box->store, &stats));
}

/* ------------------------------------------------------------------- mount */

static void use_mount(const char *at, const struct hope *hope)
{
	for (unsigned i = 0; i < ENTRY_PLAIN; i++) {
		char *path = text_new("%s/ns/%s", at, name_of(i));
		size_t size;
		uint8_t *data = file_read(path, &size);
		const bool is_hoped_for =
			i == ENTRY_SMALL
				? hope->has_small
				: i == ENTRY_FRAMES && hope->has_frames;

		if (data && (size != contents[i].size ||
			     memcmp(data, contents[i].data, size) != 0))
			wrong("WRONG BYTES of entry %u on the mount", i);
		if (!data && is_hoped_for)
			wrong("entry %u on the mount, which nobody touched: %s",
			      i, strerror(errno));
		took(data ? 0 : -errno);
		free(data);
		free(path);
	}
	for (unsigned i = 0; i < 8; i++) {
		char *from = text_new("%s/ns/temporary", at);
		char *to = text_new("%s/ns/%s", at, name_of(200 + i));
		int fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		took(fd < 0 ? -errno : 0);
		if (fd >= 0 &&
		    write(fd, contents[ENTRY_BLOB].data, 50000) == 50000) {
			(void)close(fd);
			if (took(rename(from, to) < 0 ? -errno : 0) == 0 &&
			    !file_is(to, contents[ENTRY_BLOB].data, 50000))
				wrong("what was renamed on the mount is not "
				      "there: %s",
				      strerror(errno));
		}
		free(from);
		free(to);
	}
}

/* Nobody can end a process that waits for a daemon, but the end of that. */
static void use_mount_within(const char *at, const struct hope *hope,
			     pid_t daemon)
{
	pid_t pid = fork_child();
	pid_t ended = 0;
	int status;

	if (pid == 0) {
		use_mount(at, hope);
		_exit(0);
	}
	if (!WITHIN_MS(6000, (ended = waitpid(pid, &status, WNOHANG)) != 0)) {
		(void)kill(daemon, SIGKILL);
		(void)waitpid(pid, &status, 0);
		wrong("the mount hangs");
	}
	if (status != 0)
		_exit(3);
}

/* The daemon ends by itself, or the mount is there and can be used. */
static void mount_it(const char *store, const struct hope *hope)
{
	char *at = text_new("%s.%d", store, (int)getpid());
	int status;
	pid_t ended = 0;
	pid_t pid;

	(void)mkdir(at, 0755);
	guardian_mount(at);
	pid = fork_child();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		if (dup2(null, 0) == 0 && dup2(null, 1) == 1 &&
		    dup2(null, 2) == 2)
			(void)execl(program("CUBBYFS"), "cubbyfs", store, at,
				    "-f", (char *)NULL);
		_exit(127);
	}
	guardian_process(pid);
	if (!WITHIN_MS(6000, (ended = waitpid(pid, &status, WNOHANG)) != 0 ||
				     mounted_is(at)))
		wrong("the mount neither comes nor fails");
	if (ended == 0) {
		use_mount_within(at, hope, pid);
		if (umount2(at, MNT_DETACH) != 0)
			wrong("umount: %s", strerror(errno));
		if (!WITHIN_MS(6000,
			       (ended = waitpid(pid, &status, WNOHANG)) != 0))
			wrong("the daemon does not end");
		took(0);
	} else {
		took(-EIO);
		if (hope->opens)
			wrong("the mount failed");
	}
	guardian_end();
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == 127)
		wrong("the daemon ended with wait status %d", status);
	free(at);
}

void deed_do(enum deed deed, const char *path, const struct hope *hope,
	     struct report *to)
{
	struct box box;

	report = to;
	if (deed == DEED_MOUNT) {
		mount_it(path, hope);
		return;
	}
	if (try_open(&box, path, 0)) {
		if (deed == DEED_GET)
			get_all(&box, hope, true);
		else if (deed == DEED_ADD)
			add_all(&box);
		else if (deed == DEED_DELETE)
			delete_all(&box);
		else if (deed == DEED_LIST)
			list_all(&box);
		shut(&box);
	} else if (hope->opens) {
		wrong("the store cannot be opened");
	}
	if (deed != DEED_OPEN && deed != DEED_GET)
		return;
	if (try_open(&box, path, CUBBY_READ_ONLY)) {
		if (deed == DEED_GET)
			get_all(&box, &(struct hope){0}, false);
		shut(&box);
	}
	if (try_open(&box, path, CUBBY_CREATE))
		shut(&box);
}
