/* SPDX-License-Identifier: MIT */
/*
 * A worker's slot for the one runnable that is to run next, because it was woken by the one that runs
 * now and its data is still in the cache. Starts as {NULL}.
 */
#ifndef RT_LIFO_SLOT_H
#define RT_LIFO_SLOT_H

#include <rt/runtime.h>

#include <stdatomic.h>

struct lifo_slot {
	_Atomic(struct rt_runnable *) runnable;
};

/* Puts in a runnable. Returns the one that was there, now the caller's to queue, or NULL. Any thread. */
static inline struct rt_runnable *lifo_slot_swap(struct lifo_slot *slot, struct rt_runnable *runnable)
{
	/* Release pairs with the acquire of whoever takes this one, acquire with the release of the other. */
	return atomic_exchange_explicit(&slot->runnable, runnable, memory_order_acq_rel);
}

/* Whether there is none: a snapshot. Any thread. */
static inline bool lifo_slot_empty(struct lifo_slot *slot)
{
	return !atomic_load_explicit(&slot->runnable, memory_order_relaxed);
}

/* Takes out the runnable, NULL when there is none: the owner to run it, a thief to steal it. Any thread. */
static inline struct rt_runnable *lifo_slot_take(struct lifo_slot *slot)
{
	/* The look spares an empty slot's cache line the exchange, which makes sure that only one takes. */
	if (lifo_slot_empty(slot))
		return NULL;
	return atomic_exchange_explicit(&slot->runnable, NULL, memory_order_acquire);
}

#endif
