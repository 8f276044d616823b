/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cubby/cubby.h"

const char *cubby_strerror(int r)
{
	const char *name;

	switch (-r) {
	case 0:
		return "success";
	case EBADMSG:
		return "damaged";
	case EPROTONOSUPPORT:
		return "made by another version of cubby";
	case ECHILD:
		return "handle used in a child after fork";
	case EUSERS:
		return "too many processes use the store";
	default:
		/* Does not change, and is not translated: for any thread. */
		name = strerrordesc_np(-r);
		return name ? name : "unknown error";
	}
}
