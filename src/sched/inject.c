/* SPDX-License-Identifier: MIT */
/* The injection queue; see inject.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/inject.h"

void inject_init(struct inject *inject)
{
	pthread_mutex_init(&inject->lock, NULL);
	inject->head = inject->tail = NULL;
	atomic_init(&inject->count, 0);
}

void inject_destroy(struct inject *inject)
{
	pthread_mutex_destroy(&inject->lock);
}

/* Under the lock. The lock orders what the runnables point to; the count is only ever a hint. */
static void set_count(struct inject *inject, size_t count)
{
	atomic_store_explicit(&inject->count, count, memory_order_relaxed);
}

size_t inject_count(struct inject *inject)
{
	return atomic_load_explicit(&inject->count, memory_order_relaxed);
}

void inject_push_batch(struct inject *inject, struct rt_runnable *first, struct rt_runnable *last,
		       size_t count)
{
	last->next = NULL;
	pthread_mutex_lock(&inject->lock);
	if (inject->head)
		inject->tail->next = first;
	else
		inject->head = first;
	inject->tail = last;
	set_count(inject, inject_count(inject) + count);
	pthread_mutex_unlock(&inject->lock);
}

void inject_push(struct inject *inject, struct rt_runnable *runnable)
{
	inject_push_batch(inject, runnable, runnable, 1);
}

struct rt_runnable *inject_pop(struct inject *inject)
{
	if (inject_count(inject) == 0)
		return NULL;
	pthread_mutex_lock(&inject->lock);
	struct rt_runnable *first = inject->head;

	if (first) {
		inject->head = first->next;
		set_count(inject, inject_count(inject) - 1);
	}
	pthread_mutex_unlock(&inject->lock);
	return first;
}
