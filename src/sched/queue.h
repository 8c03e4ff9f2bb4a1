/* SPDX-License-Identifier: MIT */
/* The runnables that are ready, of one thread: a FIFO, or in an order that chance decides on. */
#ifndef RT_QUEUE_H
#define RT_QUEUE_H

#include <rt/runtime.h>

struct queue {
	struct rt_runnable *head;
	struct rt_runnable *tail; /* undefined while head is NULL */
	bool seeded; /* chance decides */
};

/* Among so many, from the head, chance decides. */
enum { QUEUE_DRAW_MAX = 64 };

static inline void queue_push(struct queue *queue, struct rt_runnable *runnable)
{
	runnable->next = NULL;
	if (queue->head)
		queue->tail->next = runnable;
	else
		queue->head = runnable;
	queue->tail = runnable;
}

/* The oldest. NULL when empty. */
static inline struct rt_runnable *queue_pop(struct queue *queue)
{
	struct rt_runnable *first = queue->head;

	if (first)
		queue->head = first->next;
	return first;
}

/* Any one. NULL when empty. */
struct rt_runnable *queue_draw(struct queue *queue);

/* Decides what runs next. NULL when empty. */
static inline struct rt_runnable *queue_next(struct queue *queue)
{
	return __builtin_expect(queue->seeded, 0) ? queue_draw(queue) : queue_pop(queue);
}

#endif
