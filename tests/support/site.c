/* SPDX-License-Identifier: MIT */
/* A store that is open and mounted: see site.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "must.h"
#include "scratch.h"
#include "site.h"

void site_new_with(struct site *site, const char *options)
{
	box_new(&site->box, "");
	mounted_start(&site->mount, site->box.path, options);
}

void site_new(struct site *site)
{
	site_new_with(site, NULL);
}

void site_end(struct site *site)
{
	mounted_stop(&site->mount);
	box_close(&site->box);
}

const char *site_path(const struct site *site, const char *name)
{
	static char texts[8][SCRATCH_PATH + 600];
	static unsigned next;
	char *text = texts[next++ % 8];

	(void)snprintf(text, sizeof(texts[0]), "%s/%s", site->mount.at, name);
	return text;
}

void site_put(const struct site *site, const char *name, const void *data,
	      size_t size)
{
	char *temp = text_new("%s.12345.tmp", site_path(site, name));

	file_write(temp, data, size);
	if (rename(temp, site_path(site, name)) != 0)
		must_fail(__FILE__, __LINE__, "rename %s: %s", temp,
			  strerror(errno));
	free(temp);
}

bool site_misses(const struct site *site, const char *name)
{
	if (access(site_path(site, name), F_OK) == 0)
		return false;
	MUST_BE(errno, ENOENT);
	return true;
}
