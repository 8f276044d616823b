/* SPDX-License-Identifier: MIT */
/*
 * The library says how many entries there are in the store, not below one
 * directory: a scan of that ends before its bar does, which is better than
 * none.
 */
#include "tool/tool_scan.h"
#include "tool/tool_progress.h"

struct scan {
	cubby_list_fn *fn;
	void *cookie;
};

static int scan_entry(void *cookie, const char *path,
		      const struct cubby_attr *attr)
{
	const struct scan *scan = cookie;
	int r = scan->fn(scan->cookie, path, attr);

	tool_progress_add(1);
	return r;
}

int tool_scan(const struct tool_call *call, const char *path, const char *label,
	      cubby_list_fn *fn, void *cookie)
{
	struct scan scan = {fn, cookie};
	struct cubby_stats stats;
	struct cubby_ns *ns;
	int r = cubby_get_stats(call->store, &stats);

	if (r == 0)
		r = cubby_ns_open(call->store, path, &ns);
	if (r < 0)
		return r;
	tool_progress_begin(label, stats.entries);
	r = cubby_list(ns, scan_entry, &scan);
	tool_progress_end();
	cubby_ns_close(ns);
	return r;
}
