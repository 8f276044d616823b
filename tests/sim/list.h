/* SPDX-License-Identifier: MIT */
/* Keys in an order: a doubly linked list in two arrays. */
#ifndef SIM_LIST_H
#define SIM_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct list {
	uint32_t *older; /* of each key, the neighbour towards the tail */
	uint32_t *newer; /* and towards the head */
	uint32_t head;	 /* the newest, or KEY_NONE */
	uint32_t tail;	 /* the oldest */
};

/* For keys below `keys`. A key is in one list of these arrays at a time. */
struct list list_begin(uint32_t keys);
void list_end(struct list *list);

void list_push(struct list *list, uint32_t key); /* it becomes the head */
void list_take(struct list *list, uint32_t key); /* out of the list */

#endif
