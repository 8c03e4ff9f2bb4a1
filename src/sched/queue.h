/* SPDX-License-Identifier: MIT */
/* A FIFO of runnables, of one thread. */
#ifndef RT_QUEUE_H
#define RT_QUEUE_H

#include <rt/runtime.h>

struct queue {
	struct rt_runnable *head;
	struct rt_runnable *tail; /* undefined while head is NULL */
};

static inline void queue_push(struct queue *queue, struct rt_runnable *runnable)
{
	runnable->next = NULL;
	if (queue->head)
		queue->tail->next = runnable;
	else
		queue->head = runnable;
	queue->tail = runnable;
}

/* NULL when empty. */
static inline struct rt_runnable *queue_pop(struct queue *queue)
{
	struct rt_runnable *first = queue->head;

	if (first)
		queue->head = first->next;
	return first;
}

#endif
