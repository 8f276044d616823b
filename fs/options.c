/* SPDX-License-Identifier: MIT */
/*
 * The command line. An option after -o that is not one of ours is handed to
 * libfuse as it is, so that a newer libfuse brings its options with it.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"

#define ENTRY_TIMEOUT_S 3600.0
#define NEGATIVE_TIMEOUT_S 1.0
#define MAX_THREADS 8u
#define MAX_THREADS_LIMIT 256u
#define ID_MAX 4294967294ul /* the next number means: none */

enum {
	KEY_HELP,
	KEY_VERSION,
	KEY_FOREGROUND,
	KEY_DEBUG,
	KEY_READ_ONLY,
	KEY_ALLOW_OTHER,
	KEY_WRITEBACK,
	KEY_XATTR,
	KEY_DURABLE,
};

#define OWN(template, member)                                                  \
	{                                                                      \
		template, offsetof(struct options, member), 0                  \
	}

/* FUSE_OPT_KEY() without its conversion, which not every compiler lets pass. */
#define KEY(template, key)                                                     \
	{                                                                      \
		template, UINT_MAX, key                                        \
	}

static const struct fuse_opt option_list[] = {
	OWN("entry_timeout=%lf", settings.timeouts.entry_s),
	OWN("attr_timeout=%lf", settings.timeouts.attr_s),
	OWN("negative_timeout=%lf", settings.timeouts.negative_s),
	OWN("max_threads=%u", max_threads),
	OWN("writers=%s", writers),
	OWN("max_size=%s", max_size),
	OWN("min_free=%s", min_free),
	OWN("max_entry=%s", max_entry),
	OWN("max_age=%s", max_age),
	OWN("policy=%s", policy),
	OWN("scrub=%s", scrub),
	OWN("uid=%s", uid),
	OWN("gid=%s", gid),
	OWN("umask=%s", umask),
	KEY("allow_other", KEY_ALLOW_OTHER),
	KEY("writeback", KEY_WRITEBACK),
	KEY("xattr", KEY_XATTR),
	KEY("durable", KEY_DURABLE),
	KEY("-h", KEY_HELP),
	KEY("--help", KEY_HELP),
	KEY("-V", KEY_VERSION),
	KEY("--version", KEY_VERSION),
	KEY("-f", KEY_FOREGROUND),
	KEY("-d", KEY_DEBUG),
	KEY("debug", KEY_DEBUG),
	KEY("ro", KEY_READ_ONLY),
	FUSE_OPT_END,
};

static int usage_error(const char *what, const char *arg)
{
	message("%s%s (try: cubbyfs --help)", what, arg);
	return -1;
}

static int take_operand(struct options *o, const char *arg)
{
	char **to = !o->store	     ? &o->store
		    : !o->mountpoint ? &o->mountpoint
				     : NULL;

	if (!to)
		return usage_error("one argument too many: ", arg);
	*to = strdup(arg);
	return *to ? 0 : -1;
}

/* Returns 1 to leave the argument for libfuse, 0 to take it, -1 to end. */
static int take_option(void *data, const char *arg, int key,
		       struct fuse_args *outargs)
{
	struct options *o = data;

	(void)outargs;
	switch (key) {
	case KEY_HELP:
		o->action = OPTIONS_HELP;
		return 0;
	case KEY_VERSION:
		o->action = OPTIONS_VERSION;
		return 0;
	case KEY_FOREGROUND:
		o->foreground = true;
		return 0;
	case KEY_DEBUG:
		o->foreground = true;
		return 1;
	case KEY_READ_ONLY:
		o->settings.read_only = true;
		return 1;
	case KEY_ALLOW_OTHER:
		o->allow_other = true;
		return 1;
	case KEY_WRITEBACK:
		o->settings.writeback = true;
		return 0;
	case KEY_XATTR:
		o->settings.has_xattr = true;
		return 0;
	case KEY_DURABLE:
		o->settings.durable = true;
		return 0;
	case FUSE_OPT_KEY_NONOPT:
		return take_operand(o, arg);
	default:
		return arg[0] == '-' ? usage_error("unknown option: ", arg) : 1;
	}
}

static bool is_seconds(double s)
{
	return isfinite(s) && s >= 0;
}

/* Read a number of the base that is at most `max`, and nothing else. */
static bool take_number(const char *text, int base, unsigned long max,
			unsigned *ret_number)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoul(text, &end, base);
	if (*end || errno || n > max)
		return false;
	*ret_number = (unsigned)n;
	return true;
}

static bool take_group(const char *text, gid_t *ret_gid)
{
	const struct group *group = getgrnam(text);

	if (!group)
		return take_number(text, 10, ID_MAX, ret_gid);
	*ret_gid = group->gr_gid;
	return true;
}

/* What the options say about users, for access.c. */
static int take_access(struct options *o)
{
	struct access_rules *rules = &o->settings.access;

	rules->owner = getuid();
	/* Where nothing can be written there is nothing to check. */
	rules->is_checked = o->allow_other && !o->settings.read_only;
	rules->has_writers = o->writers != NULL;
	rules->shows_uid = o->uid != NULL;
	rules->shows_gid = o->gid != NULL;
	if (o->writers && !o->allow_other)
		return usage_error("writers is for mounts with allow_other",
				   "");
	if (o->writers && !take_group(o->writers, &rules->writers))
		return usage_error("writers: there is no such group: ",
				   o->writers);
	if (o->uid && !take_number(o->uid, 10, ID_MAX, &rules->uid))
		return usage_error("uid is the number of a user, not ", o->uid);
	if (o->gid && !take_number(o->gid, 10, ID_MAX, &rules->gid))
		return usage_error("gid is the number of a group, not ",
				   o->gid);
	if (o->umask && !take_number(o->umask, 8, 0777, &rules->umask))
		return usage_error("umask is an octal number up to 777, not ",
				   o->umask);
	return 0;
}

static bool take_max_size(const char *text, uint64_t *ret_size)
{
	return bounds_take_size(text, ret_size) &&
	       (*ret_size == 0 || *ret_size >= CUBBY_LIMIT_MIN);
}

static int take_bounds(struct options *o)
{
	struct bounds *bounds = &o->bounds;
	struct cubby_limits *limits = &bounds->limits;

	bounds->has_max_size = o->max_size != NULL;
	bounds->has_min_free = o->min_free != NULL;
	bounds->has_max_entry = o->max_entry != NULL;
	bounds->has_max_age = o->max_age != NULL;
	bounds->has_policy = o->policy != NULL;
	if (bounds_are_given(bounds) && o->settings.read_only)
		return usage_error("max_size, min_free, max_entry, max_age and "
				   "policy change the store, and are not for "
				   "ro",
				   "");
	if (o->max_size && !take_max_size(o->max_size, &limits->max_size))
		return usage_error("max_size is a size of at least 16M, as "
				   "10G, or none; not ",
				   o->max_size);
	if (o->min_free && !bounds_take_share(o->min_free, &limits->min_free,
					      &limits->min_free_percent))
		return usage_error("min_free is a size, as 10G, a share of the "
				   "disk from 0% to 99%, or none; not ",
				   o->min_free);
	if (o->max_entry && !bounds_take_size(o->max_entry, &limits->max_entry))
		return usage_error("max_entry is a size, as 512M, or none; "
				   "not ",
				   o->max_entry);
	if (o->max_age && !bounds_take_time(o->max_age, &limits->max_age_s))
		return usage_error("max_age is a time, as 12h, 30d or 2w, or "
				   "none; not ",
				   o->max_age);
	if (o->policy && !bounds_take_policy(o->policy, &limits->policy))
		return usage_error("policy is lru or gdsf, not ", o->policy);
	if (limits->max_age_s > 0 && limits->policy != CUBBY_LRU)
		return usage_error("max_age needs policy=lru", "");
	return 0;
}

static int take_scrub(struct options *o)
{
	if (!o->scrub)
		return 0;
	if (o->settings.read_only)
		return usage_error("scrub puts damage aside, and is not for ro",
				   "");
	if (!bounds_take_time(o->scrub, &o->settings.scrub_s))
		return usage_error("scrub is a time, as 7d, or none; not ",
				   o->scrub);
	return 0;
}

static int options_check(struct options *o)
{
	if (o->action != OPTIONS_MOUNT)
		return 0;
	if (!o->store)
		return usage_error("which STORE, and where to mount it?", "");
	if (!o->mountpoint)
		return usage_error("where to mount it? MOUNTPOINT is missing",
				   "");
	if (!is_seconds(o->settings.timeouts.entry_s) ||
	    !is_seconds(o->settings.timeouts.attr_s) ||
	    !is_seconds(o->settings.timeouts.negative_s))
		return usage_error("a timeout is a number of seconds, not "
				   "less than 0",
				   "");
	if (o->settings.durable && o->settings.read_only)
		return usage_error("durable is about changes, and not for ro",
				   "");
	/* One is not enough: a request may wait for another. */
	if (o->max_threads < 2 || o->max_threads > MAX_THREADS_LIMIT)
		return usage_error("max_threads is a number from 2 to 256", "");
	if (take_bounds(o) < 0 || take_scrub(o) < 0)
		return -1;
	return take_access(o);
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	*ret_options = (struct options){
		.max_threads = MAX_THREADS,
		.settings = {.timeouts = {.entry_s = ENTRY_TIMEOUT_S,
					  .attr_s = ENTRY_TIMEOUT_S,
					  .negative_s = NEGATIVE_TIMEOUT_S}},
		.args = FUSE_ARGS_INIT(argc, argv),
	};
	if (fuse_opt_parse(&ret_options->args, ret_options, option_list,
			   take_option) < 0)
		return -EINVAL;
	return options_check(ret_options) < 0 ? -EINVAL : 0;
}

void options_done(struct options *options)
{
	free(options->store);
	free(options->mountpoint);
	free(options->writers);
	free(options->uid);
	free(options->gid);
	free(options->umask);
	free(options->max_size);
	free(options->min_free);
	free(options->max_entry);
	free(options->max_age);
	free(options->policy);
	free(options->scrub);
	fuse_opt_free_args(&options->args);
}

void options_print_help(void)
{
	puts("usage: cubbyfs STORE MOUNTPOINT [-o OPTION,...] [-f]\n"
	     "\n"
	     "Mounts the store in the directory STORE, which is made when it\n"
	     "is missing. End it with: umount MOUNTPOINT (root), or\n"
	     "fusermount3 -u MOUNTPOINT.\n"
	     "\n"
	     "  -f  stay in the foreground\n"
	     "  -d  debug: the same, and print every request\n"
	     "  -h  this help\n"
	     "  -V  versions\n"
	     "\n"
	     "Options after -o:\n"
	     "  ro                  change nothing\n"
	     "  allow_other         let other users in: they may read; only\n"
	     "                      root and you may change things, and each\n"
	     "                      open(2) costs more (not with ro)\n"
	     "  writers=GROUP       with allow_other: the members of this\n"
	     "                      group, a name or a number, may, too\n"
	     "  uid=N, gid=N        show all files as owned by these\n"
	     "  umask=MODE          do not show these permissions (octal)\n"
	     "  max_size=SIZE       the limit of the store, as 10G, or none:\n"
	     "                      see `cubby help limit` for more\n"
	     "  min_free=SIZE|N%    what to leave free of the disk\n"
	     "  max_entry=SIZE      the largest content of one entry\n"
	     "  max_age=TIME        evict what was not used for so long, as "
	     "30d\n"
	     "  policy=lru|gdsf     what is evicted first\n"
	     "  scrub=TIME          check every entry about once in this\n"
	     "                      time of being mounted, as 7d, and put\n"
	     "                      aside what is damaged (none)\n"
	     "  entry_timeout=S     how long the kernel keeps names of\n"
	     "                      entries (at most 60, so that uses are\n"
	     "                      seen) and directories (3600). What\n"
	     "                      another process replaces or deletes is\n"
	     "                      gone after about 0.2 s all the same\n"
	     "  attr_timeout=S      the same for attributes (3600)\n"
	     "  negative_timeout=S  how long a miss is kept: an entry that\n"
	     "                      another process adds may be missed here\n"
	     "                      for so long (1.0)\n"
	     "  writeback           let the kernel gather small writes: "
	     "cheaper\n"
	     "                      for who writes in small pieces, dearer "
	     "for\n"
	     "                      all others\n"
	     "  xattr               extended attributes, user.cubby.*; each "
	     "new\n"
	     "                      file then costs one more request\n"
	     "  durable             a rename that publishes returns when the\n"
	     "                      entry is on the disk, and so do unlink,\n"
	     "                      mkdir and fsync; close does not wait\n"
	     "  max_threads=N       threads that answer requests (8)\n"
	     "Others are those of libfuse, see mount.fuse3(8).");
}

void options_print_version(void)
{
	printf("cubbyfs %d.%d, libfuse %s\n", CUBBY_VERSION_MAJOR,
	       CUBBY_VERSION_MINOR, fuse_pkgversion());
}
