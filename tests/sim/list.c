/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <stdlib.h>

#include "must.h"
#include "trace.h"

struct list list_begin(uint32_t keys)
{
	struct list list = {.head = KEY_NONE, .tail = KEY_NONE};

	list.older = calloc(keys + 1, sizeof(*list.older));
	list.newer = calloc(keys + 1, sizeof(*list.newer));
	MUST(list.older && list.newer);
	return list;
}

void list_end(struct list *list)
{
	free(list->older);
	free(list->newer);
}

void list_push(struct list *list, uint32_t key)
{
	list->newer[key] = KEY_NONE;
	list->older[key] = list->head;
	if (list->head != KEY_NONE)
		list->newer[list->head] = key;
	else
		list->tail = key;
	list->head = key;
}

void list_take(struct list *list, uint32_t key)
{
	uint32_t older = list->older[key], newer = list->newer[key];

	if (older != KEY_NONE)
		list->newer[older] = newer;
	else
		list->tail = newer;
	if (newer != KEY_NONE)
		list->older[newer] = older;
	else
		list->head = older;
}
