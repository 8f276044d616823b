/* SPDX-License-Identifier: MIT */
/*
 * Every kind of thing in the place of every kind of file of a store, and then
 * each operation: it gives the right bytes, a miss or an error, within seconds;
 * it never goes outside the store, and what is not concerned still works.
 *
 * Arguments, for one case: the names of plant, place and deed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "deeds.h"
#include "index/meta.h"
#include "index/nodes.h"
#include "mounted.h"
#include "must.h"
#include "plant.h"
#include "runner.h"
#include "scratch.h"
#include "store/layout.h"

enum { HANG_S = 8, FUTURE_IDS = 6, NOBODY = 65534 };

enum spot {
	SPOT_BLOB,
	SPOT_NEW_BLOB, /* of an id that will be given out next */
	SPOT_DRAFT,
	SPOT_NEW_DRAFT,
	SPOT_DATA,
	SPOT_LOCK,
	SPOT_WATCHES,
	SPOT_STEADY,
	SPOT_NEW_STEADY,
	SPOT_SPARE_STEADY,
	SPOT_HELD,
	SPOT_FIGURES,
	SPOT_QUARANTINE,
	SPOT_SHARD,
	SPOT_BLOBS,
	SPOT_DRAFTS,
	SPOT_COUNT,
};

static const char *const spots[] = {
	"blob",	    "new blob", "draft",	   "new draft",	 "data.mdb",
	"lock.mdb", "watches",	"steady",	   "steady.new", "steady.spare",
	"held",	    "figures",	"quarantine file", "shard",	 "blobs",
	"drafts",
};

static bool is_directory(enum spot spot)
{
	return spot >= SPOT_SHARD;
}

static bool is_of_index(enum spot spot)
{
	return spot >= SPOT_DATA && spot <= SPOT_HELD;
}

/* The store that each case has a copy of. */
struct model {
	char *path;
	uint64_t ids[ENTRY_COUNT];
	uint64_t next_id;
};

/* Make the first two entries damaged, so that they go into quarantine. */
static void damage(const char *path, const struct model *model)
{
	char *index = text_new("%s/index", path);
	char blob[LAYOUT_PATH_SIZE];
	struct index *opened;
	struct index_txn *txn;
	char *file;

	MUST_DO(index_open(index, false, false, &opened));
	MUST_DO(index_write(opened, &txn));
	MUST_DO(small_put(txn, model->ids[ENTRY_SMALL], "damaged", 7));
	MUST_DO(index_commit(txn));
	index_close(opened);
	layout_blob(model->ids[ENTRY_BLOB], CODEC_RAW, blob);
	file = text_new("%s/%s", path, blob);
	file_flip(file, 100);
	free(file);
	free(index);
}

static uint64_t next_id(const char *path)
{
	SCOPED_TXN struct index_txn *txn = NULL;
	char *index = text_new("%s/index", path);
	struct index *opened;
	uint64_t id;

	MUST_DO(index_open(index, false, false, &opened));
	MUST_DO(index_write(opened, &txn));
	MUST_DO(meta_reserve_ids(txn, 1, &id));
	index_end(TAKE(txn));
	index_close(opened);
	free(index);
	return id;
}

static void model_new(struct model *model)
{
	model->path = scratch_path("model");
	deeds_store(model->path, model->ids);
	model->next_id = next_id(model->path);
}

/* ------------------------------------------------------------------ a case */

struct hostile_case {
	enum plant plant;
	enum spot spot;
	enum deed deed;
	char *path;
	struct canary canary;
};

static void put(const struct hostile_case *one, const char *name)
{
	char *path = text_new("%s/%s", one->path, name);
	char *slash = strrchr(path, '/');

	*slash = '\0';
	if (access(path, F_OK) != 0) {
		MUST(mkdir(path, 0700) == 0);
		MUST(chown(path, NOBODY, NOBODY) == 0 || geteuid() != 0);
	}
	*slash = '/';
	plant_put(one->plant, path, is_directory(one->spot),
		  one->canary.outside);
	free(path);
}

static void put_all(const struct hostile_case *one, const struct model *model)
{
	char name[LAYOUT_PATH_SIZE];

	switch (one->spot) {
	case SPOT_BLOB:
		layout_blob(model->ids[ENTRY_BLOB], CODEC_RAW, name);
		put(one, name);
		break;
	case SPOT_SHARD:
		layout_blob_directory(model->ids[ENTRY_BLOB], name);
		put(one, name);
		break;
	case SPOT_DRAFT:
		layout_draft(model->ids[ENTRY_PLAIN], name);
		put(one, name);
		break;
	case SPOT_NEW_BLOB:
	case SPOT_NEW_DRAFT:
		for (uint64_t i = 0; i < FUTURE_IDS; i++) {
			if (one->spot == SPOT_NEW_BLOB) {
				layout_blob(model->next_id + i, CODEC_ZSTD,
					    name);
				put(one, name);
				layout_blob(model->next_id + i, CODEC_RAW,
					    name);
			} else {
				layout_draft(model->next_id + i, name);
			}
			put(one, name);
		}
		break;
	case SPOT_QUARANTINE:
		layout_quarantine(model->ids[ENTRY_SMALL], name);
		put(one, name);
		layout_quarantine(model->ids[ENTRY_BLOB], name);
		put(one, name);
		break;
	default: {
		static const char *const fixed[SPOT_COUNT] = {
			[SPOT_DATA] = "index/data.mdb",
			[SPOT_LOCK] = "index/lock.mdb",
			[SPOT_WATCHES] = "index/watches",
			[SPOT_STEADY] = "index/steady",
			[SPOT_NEW_STEADY] = "index/steady.new",
			[SPOT_SPARE_STEADY] = "index/steady.spare",
			[SPOT_HELD] = "index/held",
			[SPOT_FIGURES] = "figures",
			[SPOT_BLOBS] = "blobs",
			[SPOT_DRAFTS] = "drafts",
		};

		put(one, fixed[one->spot]);
	}
	}
}

/* The canaries have the names that the store would use there. */
static void case_begin(struct hostile_case *one, const struct model *model)
{
	char *outside = scratch_path("outside");
	char names[FUTURE_IDS + 1][LAYOUT_PATH_SIZE];
	const char *in_shard[FUTURE_IDS + 2] = {NULL};

	for (unsigned i = 0; i <= FUTURE_IDS; i++) {
		char name[LAYOUT_PATH_SIZE];

		layout_draft(i == FUTURE_IDS ? model->ids[ENTRY_BLOB]
					     : model->next_id + i,
			     name);
		strcpy(names[i], strrchr(name, '/') + 1);
		in_shard[i] = names[i];
	}
	shell_do("rm -rf '%s' '%s' '%s.aside'", one->path, outside, outside);
	canary_new(&one->canary, outside, in_shard);
	shell_do("cp -a --sparse=always '%s' '%s'", model->path, one->path);
	if (one->spot == SPOT_QUARANTINE)
		damage(one->path, model);
	if (geteuid() == 0 && one->deed != DEED_MOUNT &&
	    plant_is_its_own(one->plant))
		shell_do("chown -R %d:%d '%s'", NOBODY, NOBODY, one->path);
	put_all(one, model);
	canary_settle(&one->canary);
	free(outside);
}

static void become_nobody(const struct hostile_case *one)
{
	if (geteuid() != 0 || !plant_is_its_own(one->plant))
		return;
	MUST(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	MUST(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* What must go well, whatever is in that place. */
static struct hope hope_of(const struct hostile_case *one)
{
	/* What the file says means nothing; that it is one is enough. */
	const bool is_file = one->plant == PLANT_GARBAGE ||
			     one->plant == PLANT_SHORT ||
			     one->plant == PLANT_SPARSE;
	const bool is_own = one->plant == PLANT_LOOSE ||
			    (one->spot == SPOT_HELD && is_file);
	const bool is_for_later =
		one->spot == SPOT_NEW_BLOB || one->spot == SPOT_NEW_DRAFT ||
		one->spot == SPOT_QUARANTINE || one->spot == SPOT_FIGURES;

	return (struct hope){
		.opens = is_own || !is_of_index(one->spot),
		.has_small = is_own ? one->spot != SPOT_QUARANTINE
				    : !is_of_index(one->spot) &&
					      one->spot != SPOT_QUARANTINE,
		.has_frames = is_own || is_for_later ||
			      one->spot == SPOT_BLOB || one->spot == SPOT_DRAFT,
		/* Neither there nor in the way of a new one. */
		.loses_blob =
			!plant_is_its_own(one->plant) && one->spot == SPOT_BLOB,
		.plain_is_foreign = !plant_is_its_own(one->plant) &&
				    one->plant != PLANT_HARD_LINK && !is_file &&
				    one->spot == SPOT_DRAFT,
	};
}

/* Returns what is wrong, or NULL. */
static const char *case_run(struct hostile_case *one, struct report *report)
{
	static char finding[512];
	const struct hope hope = hope_of(one);
	const char *seen;
	int status;
	pid_t pid = fork_child();

	if (pid == 0) {
		(void)alarm(one->deed == DEED_MOUNT ? 3 * HANG_S : HANG_S);
		if (one->deed != DEED_MOUNT)
			become_nobody(one);
		deed_do(one->deed, one->path, &hope, report);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	seen = canary_finding(&one->canary,
			      one->plant == PLANT_HARD_LINK ||
				      one->plant >= PLANT_FOREIGN);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return "it hangs";
	if (WIFSIGNALED(status)) {
		(void)snprintf(finding, sizeof(finding), "a crash, signal %d",
			       WTERMSIG(status));
		return finding;
	}
	if (WEXITSTATUS(status) != 0) {
		(void)snprintf(finding, sizeof(finding), "%s",
			       report->finding[0] ? report->finding
						  : "it failed");
		return finding;
	}
	return seen;
}

static bool is_asked_for(const struct hostile_case *one, char **argv)
{
	return !argv[1] || (strcmp(argv[1], plant_name(one->plant)) == 0 &&
			    strcmp(argv[2], spots[one->spot]) == 0 &&
			    strcmp(argv[3], deed_name(one->deed)) == 0);
}

int main(int argc, char **argv)
{
	struct report *report =
		mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *refusal = mounted_refusal();
	struct report sum = {0};
	struct model model;
	unsigned cases = 0;
	unsigned bad = 0;

	MUST(report != MAP_FAILED);
	MUST(argc == 1 || argc == 4);
	if (geteuid() != 0) {
		printf("1..1\nok - hostile places # SKIP only root can make "
		       "devices and files of others\n");
		return 0;
	}
	printf("1..%d\n", PLANT_COUNT);
	/* Where others get to, too: $TMPDIR may be for root alone. And, if
	 * there is one, a disk in memory: this waits for checkpoints. */
	MUST(setenv("TMPDIR",
		    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
		    1) == 0);
	MUST(chmod(scratch(), 0755) == 0);
	model_new(&model);
	for (unsigned n = 0; n < PLANT_COUNT * SPOT_COUNT * DEED_COUNT; n++) {
		struct hostile_case one = {
			.plant = (enum plant)(n / DEED_COUNT / SPOT_COUNT),
			.spot = (enum spot)(n / DEED_COUNT % SPOT_COUNT),
			.deed = (enum deed)(n % DEED_COUNT),
		};
		const char *finding;

		if (is_asked_for(&one, argv) &&
		    !(one.deed == DEED_MOUNT && refusal)) {
			*report = (struct report){0};
			one.path = scratch_path("case");
			case_begin(&one, &model);
			finding = case_run(&one, report);
			if (finding)
				printf("# %s in the place of %s, %s: %s\n",
				       plant_name(one.plant), spots[one.spot],
				       deed_name(one.deed), finding);
			bad += finding != NULL;
			cases++;
			sum.right += report->right;
			sum.misses += report->misses;
			sum.errors += report->errors;
			canary_free(&one.canary);
			free(one.path);
		}
		if (n % (SPOT_COUNT * DEED_COUNT) !=
		    SPOT_COUNT * DEED_COUNT - 1)
			continue;
		printf("# %u cases so far: %u right, %u misses, %u errors\n",
		       cases, sum.right, sum.misses, sum.errors);
		printf("%s - %s anywhere in a store\n", bad ? "not ok" : "ok",
		       plant_name(one.plant));
		(void)fflush(stdout);
		bad = 0;
	}
	free(model.path);
	scratch_end();
	return 0;
}
