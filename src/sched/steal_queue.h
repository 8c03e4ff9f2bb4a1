/* SPDX-License-Identifier: MIT */
/*
 * A worker's run queue that others steal from: a ring of fixed size, without locks. One worker owns it,
 *pushes at the tail and pops at the head; any other takes half of it at once from the head. After tokio's
 * runtime/scheduler/multi_thread/queue.rs.
 *
 *	             steal        real           tail
 *	slots   ------|############|==============|------
 *	         free   being copied   runnables     free
 *	                by a thief
 *
 * steal and real are the same unless a steal is under way, and lie in one word, so that there is never more
 * than one. The three only grow, modulo 2^32; a slot is an index modulo the size.
 */
#ifndef RT_STEAL_QUEUE_H
#define RT_STEAL_QUEUE_H

#include "sched/inject.h"

#include <rt/runtime.h>

#include <stdatomic.h>

/* Tests make it smaller. A power of two, at least 2. */
#ifndef STEAL_QUEUE_SIZE
#define STEAL_QUEUE_SIZE 256
#endif

struct steal_queue {
	_Atomic uint64_t head; /* steal in the upper half, real in the lower */
	_Atomic uint32_t tail; /* the owner's to write */
	struct rt_runnable *slots[STEAL_QUEUE_SIZE]; /* the owner's to write */
};

void steal_queue_init(struct steal_queue *queue);

/*
 * Adds a runnable at the end. When the queue is full, its older half and the new one go to
 * overflow, in this order and at once; if a steal is under way, which makes room soon, only the new one.
 * Owner worker only.
 */
void steal_queue_push(struct steal_queue *queue, struct rt_runnable *runnable, struct inject *overflow);

/* Takes the oldest. NULL when empty. Owner worker only. */
struct rt_runnable *steal_queue_pop(struct steal_queue *queue);

/*
 * Takes the older half of from, rounded up. Returns the youngest of these, for the caller to run right
 * away; the others are now in to, which has room for them if it is at most half full. NULL, and nothing has
 * been taken, when from is empty, to is fuller, or another steal from from is under way. Owner
 * worker of to only.
 */
struct rt_runnable *steal_queue_steal(struct steal_queue *from, struct steal_queue *to);

/*
 * How many there are to pop: a snapshot, at most STEAL_QUEUE_SIZE. What happened before the call, as C
 * orders it, is in it. Any thread.
 */
unsigned steal_queue_count(struct steal_queue *queue);

#endif
