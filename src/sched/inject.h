/* SPDX-License-Identifier: MIT */
/*
 * The injection queue: runnables that come from outside of the workers, or that a worker's own queue has no
 * room for. A FIFO behind a lock, without a limit and without memory of its own: the runnables are linked by
 * their next. Seeing that it is empty takes no lock.
 */
#ifndef RT_INJECT_H
#define RT_INJECT_H

#include <rt/runtime.h>

#include <pthread.h>
#include <stdatomic.h>

struct inject {
	pthread_mutex_t lock;
	struct rt_runnable *head; /* under the lock */
	struct rt_runnable *tail; /* under the lock; undefined while head is NULL */
	_Atomic size_t count; /* written under the lock, read by anybody */
};

void inject_init(struct inject *inject);

/* The runnables that are left are not touched. No thread may be using it. */
void inject_destroy(struct inject *inject);

/* Adds a runnable at the end. Any thread. */
void inject_push(struct inject *inject, struct rt_runnable *runnable);

/* Adds count runnables, linked from first to last by their next, in one go. Any thread. */
void inject_push_batch(struct inject *inject, struct rt_runnable *first, struct rt_runnable *last,
		       size_t count);

/* Takes the oldest. NULL when empty. Any thread. */
struct rt_runnable *inject_pop(struct inject *inject);

/*
 * How many there are: a snapshot, without a lock. What happened before the call, as C
 * orders it, is in it. Any thread.
 */
size_t inject_count(struct inject *inject);

#endif
