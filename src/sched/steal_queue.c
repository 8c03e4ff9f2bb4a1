/* SPDX-License-Identifier: MIT */
/*
 * The run queue that others steal from; see steal_queue.h.
 *
 * What a slot holds reaches a thief through tail: the owner writes the slot, then stores tail with release,
 * and the thief loads tail with acquire. That a slot is free again reaches the owner through head: the thief
 * reads the slot, then exchanges head with release, and the owner loads head with acquire. So slots
 * need not be atomic.
 *
 * Who acquires a head must not see a tail that is behind it: a thief would take the difference for a great
 * many runnables. Therefore the owner, too, changes head with release, after the tail that it has stored
 * before.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/steal_queue.h"

#include <assert.h>

enum { SIZE = STEAL_QUEUE_SIZE, MASK = SIZE - 1, HALF = SIZE / 2 };

_Static_assert(SIZE >= 2 && (SIZE & MASK) == 0, "indexes wrap at 2^32");

static uint64_t pack(uint32_t steal, uint32_t real)
{
	return (uint64_t)steal << 32 | real;
}

static uint32_t steal_of(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

static uint32_t real_of(uint64_t head)
{
	return (uint32_t)head;
}

static bool is_stealing(uint64_t head)
{
	return steal_of(head) != real_of(head);
}

/* The owner is the only one that writes it. */
static uint32_t own_tail(struct steal_queue *queue)
{
	return atomic_load_explicit(&queue->tail, memory_order_relaxed);
}

void steal_queue_init(struct steal_queue *queue)
{
	atomic_init(&queue->head, 0);
	atomic_init(&queue->tail, 0);
}

/* The runnables of the older half, and the new one, as a list. */
static void push_half(struct steal_queue *queue, uint32_t real, struct rt_runnable *runnable,
		      struct inject *overflow)
{
	struct rt_runnable *first = queue->slots[real & MASK], *last = first;

	for (uint32_t i = 1; i < HALF; i++)
		last = last->next = queue->slots[(real + i) & MASK];
	last->next = runnable;
	inject_push_batch(overflow, first, runnable, HALF + 1);
}

/* False when a thief was faster: then there is room. */
static bool overflow_half(struct steal_queue *queue, uint64_t head, struct rt_runnable *runnable,
			  struct inject *overflow)
{
	uint32_t real = real_of(head);

	/* Release: see above. */
	if (!atomic_compare_exchange_strong_explicit(&queue->head, &head, pack(real + HALF, real + HALF),
						     memory_order_release, memory_order_relaxed))
		return false;
	push_half(queue, real, runnable, overflow);
	return true;
}

void steal_queue_push(struct steal_queue *queue, struct rt_runnable *runnable, struct inject *overflow)
{
	uint32_t tail = own_tail(queue);

	for (;;) {
		/* Pairs with the release in end_steal(). */
		uint64_t head = atomic_load_explicit(&queue->head, memory_order_acquire);

		if (tail - steal_of(head) < SIZE)
			break;
		if (is_stealing(head)) {
			inject_push(overflow, runnable);
			return;
		}
		if (overflow_half(queue, head, runnable, overflow))
			return;
	}
	queue->slots[tail & MASK] = runnable;
	/* Pairs with the acquire in begin_steal(). */
	atomic_store_explicit(&queue->tail, tail + 1, memory_order_release);
}

struct rt_runnable *steal_queue_pop(struct steal_queue *queue)
{
	uint32_t tail = own_tail(queue), real;
	uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed), next;

	do {
		real = real_of(head);
		if (real == tail)
			return NULL;
		next = pack(is_stealing(head) ? steal_of(head) : real + 1, real + 1);
		/* Release: see above. */
	} while (!atomic_compare_exchange_weak_explicit(&queue->head, &head, next, memory_order_release,
							memory_order_relaxed));
	return queue->slots[real & MASK];
}

/* Claims half of from: moves real on, not steal. Returns how many, the head before in *head. */
static uint32_t begin_steal(struct steal_queue *from, uint64_t *head)
{
	uint64_t before = atomic_load_explicit(&from->head, memory_order_acquire), next;
	uint32_t count;

	do {
		/* Pairs with the release in steal_queue_push(). May be far ahead of an old head: then the
		 * exchange fails. */
		uint32_t tail = atomic_load_explicit(&from->tail, memory_order_acquire);

		if (is_stealing(before))
			return 0;
		count = tail - real_of(before);
		count -= count / 2;
		if (count == 0)
			return 0;
		next = pack(steal_of(before), real_of(before) + count);
	} while (!atomic_compare_exchange_weak_explicit(&from->head, &before, next, memory_order_acq_rel,
							memory_order_acquire));
	assert(count <= HALF);
	*head = before;
	return count;
}

/* Gives the slots back: moves steal to where real is, which the owner may have moved on meanwhile. */
static void end_steal(struct steal_queue *from)
{
	uint64_t head = atomic_load_explicit(&from->head, memory_order_relaxed);

	/* Release: the slots have been read. Pairs with the acquire in steal_queue_push(). */
	while (!atomic_compare_exchange_weak_explicit(&from->head, &head, pack(real_of(head), real_of(head)),
						      memory_order_acq_rel, memory_order_relaxed))
		;
}

struct rt_runnable *steal_queue_steal(struct steal_queue *from, struct steal_queue *to)
{
	uint32_t tail = own_tail(to), count;
	/* Acquire: a thief that has stolen from to has read the slots that are written now. */
	uint64_t head = atomic_load_explicit(&to->head, memory_order_acquire);

	if (tail - steal_of(head) > HALF)
		return NULL;
	count = begin_steal(from, &head);
	if (count == 0)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		to->slots[(tail + i) & MASK] = from->slots[(real_of(head) + i) & MASK];
	end_steal(from);
	count--;
	/* Pairs with the acquire in begin_steal(), by a thief of to. */
	if (count > 0)
		atomic_store_explicit(&to->tail, tail + count, memory_order_release);
	return to->slots[(tail + count) & MASK];
}

unsigned steal_queue_count(struct steal_queue *queue)
{
	/* In this order: the tail is never behind that head. */
	uint32_t real = real_of(atomic_load_explicit(&queue->head, memory_order_acquire));
	uint32_t count = atomic_load_explicit(&queue->tail, memory_order_acquire) - real;

	return count < SIZE ? count : SIZE;
}
