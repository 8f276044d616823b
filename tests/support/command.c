/* SPDX-License-Identifier: MIT */
/* The program `cubby` in tests: see command.h. */
#include <stdarg.h>

#include "command.h"
#include "sample.h"
#include "scratch.h"

struct outcome cubby(int status, const char *word, ...)
{
	const char *argv[16] = {program("CUBBY")};
	struct outcome outcome;
	va_list args;

	va_start(args, word);
	for (int i = 1; word; i++, word = va_arg(args, const char *)) {
		MUST(i < 15);
		argv[i] = word;
	}
	va_end(args);
	outcome = run(argv, NULL, 0);
	if (outcome.status != status)
		must_fail(__FILE__, __LINE__, "status %d, expected %d: %s",
			  outcome.status, status, outcome.err);
	MUST_BE(outcome_error_lines(&outcome), status == 2 ? 1 : 0);
	return outcome;
}

void json_holds(struct outcome got, const char *assertion)
{
	char *file = scratch_path("out.json");

	file_write(file, got.out, got.out_size);
	shell_do("python3 -c 'import json,sys\n"
		 "d=json.load(open(sys.argv[1]))\n"
		 "assert %s, d' '%s'",
		 assertion, file);
	outcome_free(&got);
	free(file);
}

void fill(const struct box *box, unsigned from, unsigned count)
{
	uint8_t *data = sample_new(SAMPLE_NOISE, from, 100000);

	for (unsigned i = from; i < from + count; i++)
		box_add(box, name_of(i), data, 100000);
	free(data);
}

void make_busy(struct box *box)
{
	box_new(box, "a/b");
	DO("limit", box->path, "--max-size", "16M", "--protect", "none");
	fill(box, 0, 200);
	MUST(box_misses(box, name_of(1000)));
	for (unsigned i = 190; i < 200; i++)
		MUST(!box_misses(box, name_of(i)));
	MUST(box_misses(box, name_of(0))); /* evicted, and asked for again */
}
