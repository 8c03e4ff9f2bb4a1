/* SPDX-License-Identifier: MIT */
/* Lists of waiters: circular, doubly linked, the head is a waiter of its own. */
#ifndef RT_LIST_H
#define RT_LIST_H

#include "base/fault.h"

#include <rt/runtime.h>

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct rt_waiter *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct rt_waiter *head)
{
	return head->next == head;
}

static inline void list_push(struct rt_waiter *head, struct rt_waiter *waiter)
{
	waiter->prev = head->prev;
	waiter->next = head;
	head->prev->next = waiter;
	head->prev = waiter;
}

static inline void list_remove(struct rt_waiter *waiter)
{
	waiter->prev->next = waiter->next;
	waiter->next->prev = waiter->prev;
	waiter->next = waiter->prev = NULL;
}

/* Removes and returns the first; the list must not be empty. */
static inline struct rt_waiter *list_pop(struct rt_waiter *head)
{
	struct rt_waiter *first = head->next;

	list_remove(first);
	return first;
}

/* Moves all of from to the end of to. */
static inline void list_splice(struct rt_waiter *to, struct rt_waiter *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* A ring is a list without a head: a pointer to its first waiter, NULL when empty. */
static inline void ring_push(struct rt_waiter **ring, struct rt_waiter *waiter)
{
	if (*ring)
		list_push(*ring, waiter);
	else
		list_init(*ring = waiter);
}

static inline void ring_remove(struct rt_waiter **ring, struct rt_waiter *waiter)
{
	if (waiter->next == waiter || FAULT(ring_cut))
		*ring = NULL;
	else if (*ring == waiter)
		*ring = waiter->next;
	list_remove(waiter);
}

#endif
