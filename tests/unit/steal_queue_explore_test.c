/* SPDX-License-Identifier: MIT */
/*
 * The run queue that others steal from, under explored schedules: whatever is pushed comes out once, in
 * order.
 *
 * FAULT tail_first: the tail is published before the slot is written
 * - queue->slots[tail & MASK] = runnable;
 * + atomic_store_explicit(&queue->tail, tail + 1, memory_order_release);
 * + queue->slots[tail & MASK] = runnable;
 *
 * FAULT two_steals: a steal does not heed one that is under way
 * - is_stealing(before)
 * + false
 *
 * FAULT overflow_drops_new: the overflow forgets the new one
 * - inject_push_batch(overflow, first, runnable, HALF + 1);
 * + inject_push_batch(overflow, first, queue->slots[(real + HALF - 1) & MASK], HALF);
 *
 * FAULT overflow_frees_stolen: the overflow does not heed a steal that is under way
 * - if (is_stealing(head)) {
 * - inject_push(overflow, runnable);
 * - return;
 * - }
 * + ;
 *
 * FAULT overflow_is_blind: the overflow goes on though a thief was faster
 * - if (!atomic_compare_exchange_strong_explicit(&queue->head, &head, pack(real + HALF, real + HALF),
 * - memory_order_release, memory_order_relaxed))
 * - return false;
 * + atomic_store_explicit(&queue->head, pack(real + HALF, real + HALF), memory_order_release);
 *
 * FAULT room_by_real: slots that a thief still copies are written
 * - tail - steal_of(head) < SIZE
 * + tail - real_of(head) < SIZE
 *
 * FAULT pop_is_blind: the owner takes one without looking whether a thief did
 * - next = pack(is_stealing(head) ? steal_of(head) : real + 1, real + 1);
 * + atomic_store_explicit(&queue->head, pack(real + 1, real + 1), memory_order_release);
 * + return queue->slots[real & MASK];
 *
 * FAULT pop_ends_steal: the owner's pop ends a steal that is under way
 * - is_stealing(head) ? steal_of(head) : real + 1
 * + real + 1
 *
 * FAULT steal_never_ends: the thief does not give the slots back
 * - end_steal(from);
 * + ;
 *
 * FAULT steal_ends_early: the thief gives the slots back before it has read them
 * - for (uint32_t i = 0; i < count; i++)
 * - to->slots[(tail + i) & MASK] = from->slots[(real_of(head) + i) & MASK];
 * + end_steal(from);
 * + for (uint32_t i = 0; i < count; i++)
 * + to->slots[(tail + i) & MASK] = from->slots[(real_of(head) + i) & MASK];
 *
 * FAULT steal_ends_short: the end of a steal leaves in the queue all that was stolen but one
 * - pack(real_of(head), real_of(head))
 * + pack(steal_of(head) + 1, steal_of(head) + 1)
 *
 * FAULT target_is_full: a thief does not look whether its own queue has room
 * - tail - steal_of(head) > HALF
 * + false
 *
 * FAULT target_is_robbed: a thief's queue, whose slots another thief still copies, counts as free
 * - tail - steal_of(head) > HALF
 * + tail - real_of(head) > HALF
 *
 * FAULT stolen_is_kept: what the thief is to run right away stays in its queue as well
 * - atomic_store_explicit(&to->tail, tail + count, memory_order_release);
 * + atomic_store_explicit(&to->tail, tail + count + 1, memory_order_release);
 *
 * FAULT lifo_in_two_steps: taking from the slot is a load and a store
 * - return atomic_exchange_explicit(&slot->runnable, NULL, memory_order_acquire);
 * + struct rt_runnable *taken = atomic_load_explicit(&slot->runnable, memory_order_acquire);
 * + atomic_store_explicit(&slot->runnable, NULL, memory_order_relaxed);
 * + return taken;
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define STEAL_QUEUE_SIZE 4
#include "support/explore_atomic.h"

#include "unit/steal_queue_explore_test.inc"

enum { WORKERS = 3, EACH = 9 };

struct item {
	struct rt_runnable runnable;
	unsigned worker; /* that pushed it */
	unsigned number; /* of that worker's */
	unsigned taken;
};

static struct steal_queue queues[WORKERS];
static struct lifo_slot slots[WORKERS];
static struct inject overflow;
static struct item items[WORKERS][EACH], *const flat = &items[0][0];

/* Indexes begin where they soon wrap. */
static void prepare(void)
{
	memset(items, 0, sizeof items);
	inject_init(&overflow);
	for (unsigned i = 0; i < WORKERS; i++) {
		uint32_t start = UINT32_MAX - explore_random(8);

		steal_queue_init(&queues[i]);
		memset(queues[i].slots, 0, sizeof queues[i].slots);
		queues[i].head = pack(start, start);
		queues[i].tail = start;
		slots[i] = (struct lifo_slot){NULL};
		for (unsigned j = 0; j < EACH; j++) {
			items[i][j].worker = i;
			items[i][j].number = j;
		}
	}
}

static void take(struct rt_runnable *runnable)
{
	struct item *item = (struct item *)runnable;

	if (item)
		explore_check(item->taken++ == 0);
}

static void check_all(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct rt_runnable *runnable;

		explore_check(!is_stealing(queues[i].head));
		take(lifo_slot_take(&slots[i]));
		while ((runnable = steal_queue_pop(&queues[i])))
			take(runnable);
		explore_check(steal_queue_count(&queues[i]) == 0);
	}
	while (inject_count(&overflow) > 0)
		take(inject_pop(&overflow));
	for (unsigned i = 0; i < WORKERS * EACH; i++)
		explore_check(flat[i].taken == 1);
}

static void finish(void)
{
	inject_destroy(&overflow);
}

/* Each worker pushes, pops and steals as chance has it. */
static void mingle(void *arg)
{
	unsigned self = *(unsigned *)arg, pushed = 0;

	while (pushed < EACH) {
		unsigned other = (self + 1 + explore_random(WORKERS - 1)) % WORKERS;

		switch (explore_random(6)) {
		case 0:
			take(steal_queue_pop(&queues[self]));
			break;
		case 1:
		case 2:
			take(steal_queue_steal(&queues[other], &queues[self]));
			break;
		default:
			steal_queue_push(&queues[self], &items[self][pushed++].runnable, &overflow);
			explore_check(steal_queue_count(&queues[self]) <= STEAL_QUEUE_SIZE);
		}
	}
}

static unsigned ids[WORKERS] = {0, 1, 2};

static void nothing_is_lost(void)
{
	prepare();
	for (unsigned i = 0; i < WORKERS; i++)
		explore_spawn(mingle, &ids[i]);
	if (explore_join())
		check_all();
	finish();
}

/* The first worker makes work, the others live on it. */
static void feed(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < EACH; i++) {
		steal_queue_push(&queues[0], &items[0][i].runnable, &overflow);
		if (explore_random(3) == 0)
			take(steal_queue_pop(&queues[0]));
	}
}

static void live_on_it(void *arg)
{
	unsigned self = *(unsigned *)arg;

	for (unsigned i = 0; i < EACH; i++) {
		take(steal_queue_steal(&queues[explore_random(2) ? 0 : WORKERS - self], &queues[self]));
		if (explore_random(2))
			take(steal_queue_pop(&queues[self]));
	}
}

static void one_feeds_two(void)
{
	prepare();
	for (unsigned i = 1; i < WORKERS; i++)
		for (unsigned j = 0; j < EACH; j++)
			items[i][j].taken = 1;
	explore_spawn(feed, NULL);
	explore_spawn(live_on_it, &ids[1]);
	explore_spawn(live_on_it, &ids[2]);
	if (explore_join())
		check_all();
	finish();
}

/* What the owner pops comes in the order in which it was pushed. */
static void pop_in_order(void *arg)
{
	unsigned next = 0;

	(void)arg;
	for (unsigned i = 0; i < EACH; i++) {
		steal_queue_push(&queues[0], &items[0][i].runnable, &overflow);
		while (explore_random(2)) {
			struct item *item = (struct item *)steal_queue_pop(&queues[0]);

			if (!item)
				break;
			explore_check(item->number >= next);
			next = item->number + 1;
		}
	}
}

/* What a thief gets is older than what it gets later. */
static void steal_in_order(void *arg)
{
	unsigned next = 0;

	(void)arg;
	for (unsigned i = 0; i < EACH; i++) {
		struct item *last = (struct item *)steal_queue_steal(&queues[0], &queues[1]), *item;

		while ((item = (struct item *)steal_queue_pop(&queues[1]))) {
			explore_check(item->number >= next);
			next = item->number + 1;
		}
		if (last) {
			explore_check(last->number >= next);
			next = last->number + 1;
		}
	}
}

static void order_is_kept(void)
{
	prepare();
	explore_spawn(pop_in_order, NULL);
	explore_spawn(steal_in_order, NULL);
	explore_join();
	finish();
}

/* A queue that never is empty never counts none. */
static void push_then_pop(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i < EACH; i++) {
		steal_queue_push(&queues[0], &items[0][i].runnable, &overflow);
		explore_check(steal_queue_pop(&queues[0]));
	}
}

static void count(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < EACH; i++)
		explore_check(steal_queue_count(&queues[0]) > 0);
}

static void count_sees_what_is_there(void)
{
	prepare();
	steal_queue_push(&queues[0], &items[0][0].runnable, &overflow);
	explore_spawn(push_then_pop, NULL);
	explore_spawn(count, NULL);
	explore_join();
	finish();
}

static void swap(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < EACH; i++)
		take(lifo_slot_swap(&slots[0], &items[0][i].runnable));
}

static void take_from_slot(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < EACH; i++)
		take(lifo_slot_take(&slots[0]));
}

static void slot_gives_each_once(void)
{
	prepare();
	for (unsigned i = EACH; i < WORKERS * EACH; i++)
		flat[i].taken = 1;
	explore_spawn(swap, NULL);
	explore_spawn(take_from_slot, NULL);
	explore_spawn(take_from_slot, NULL);
	if (explore_join())
		check_all();
	finish();
}

static const struct explore_case cases[] = {
	{"nothing_is_lost", nothing_is_lost, 500},
	{"one_feeds_two", one_feeds_two, 400},
	{"order_is_kept", order_is_kept, 200},
	{"count_sees_what_is_there", count_sees_what_is_there, 200},
	{"slot_gives_each_once", slot_gives_each_once, 100},
};

#include "support/explore_suite.h"
