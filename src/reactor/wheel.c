/* SPDX-License-Identifier: MIT */
/* The hierarchical timer wheel. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "reactor/wheel.h"

#include <assert.h>
#include <errno.h>

#include "base/fault.h"
#include "base/list.h"

/*
 * A timer is kept at the level of the highest bits in which its tick and the
 * wheel's differ. So the slots of one level never overlap with those of another,
 * the lower level is always the earlier one, and all timers of one tick are in
 * the same slot, in the order of arming.
 *
 * What belongs to the current tick or to one before is in wheel->due.
 */

enum { SLOT_COUNT = WHEEL_LEVELS * WHEEL_SLOTS };

/* timer->slot: 0, then one for each slot of the wheel, then wheel->due. */
enum {
	SLOT_NONE = 0,
	SLOT_FIRST = 1,
	SLOT_DUE = SLOT_FIRST + SLOT_COUNT,
	SLOT_DUE_UNORDERED, /* in due, which is out of order up to this timer */
};

enum { SORT_BINS = 48 }; /* bin n holds 2^n runs: more than memory can */

static struct rt_timer *timer_of(struct rt_waiter *waiter)
{
	return container_of(waiter, struct rt_timer, waiter);
}

static rt_time deadline_of(const struct rt_waiter *waiter)
{
	return container_of(waiter, const struct rt_timer, waiter)->deadline;
}

static uint64_t tick_of(rt_time time)
{
	return time > 0 ? (uint64_t)time >> WHEEL_TICK_SHIFT : 0;
}

/* The end of the tick: one wake-up fires all that it holds. */
static rt_time end_of(uint64_t tick)
{
	uint64_t end = (tick + 1) << WHEEL_TICK_SHIFT;

	return end > RT_FOREVER ? RT_FOREVER : (rt_time)end;
}

/* ---- Sorting: a stable merge sort on the links, which starts from the runs that are there ---- */

static struct rt_waiter *merge(struct rt_waiter *older, struct rt_waiter *newer)
{
	struct rt_waiter *merged, **tail = &merged;

	while (older && newer) {
		struct rt_waiter **lesser = deadline_of(newer) < deadline_of(older) ? &newer : &older;

		*tail = *lesser;
		tail = &(*lesser)->next;
		*lesser = *tail;
	}
	*tail = older ? older : newer;
	return merged;
}

/* Cuts off the ascending run that the chain begins with; returns the rest. */
static struct rt_waiter *cut_run(struct rt_waiter *chain)
{
	struct rt_waiter *rest;

	while (chain->next && deadline_of(chain->next) >= deadline_of(chain))
		chain = chain->next;
	rest = chain->next;
	chain->next = NULL;
	return rest;
}

static struct rt_waiter *sort_chain(struct rt_waiter *chain)
{
	struct rt_waiter *bins[SORT_BINS] = {NULL}, *sorted = NULL;

	while (chain) {
		struct rt_waiter *run = chain;
		int bin = 0;

		chain = cut_run(run);
		for (; bins[bin]; bin++) {
			run = merge(bins[bin], run);
			bins[bin] = NULL;
		}
		bins[bin] = run;
	}
	for (int bin = 0; bin < SORT_BINS; bin++)
		sorted = merge(bins[bin], sorted);
	return sorted;
}

static void sort(struct rt_waiter *list)
{
	struct rt_waiter *prev = list;

	list->prev->next = NULL;
	list->next = sort_chain(list->next);
	for (struct rt_waiter *waiter = list->next; waiter; waiter = waiter->next) {
		waiter->prev = prev;
		prev = waiter;
	}
	prev->next = list;
	list->prev = prev;
}

/* Marks all of list as due, and sorts it unless it is in order, which it mostly is. */
static void settle(struct rt_waiter *list)
{
	rt_time latest = INT64_MIN;
	bool ordered = true;

	for (struct rt_waiter *waiter = list->next; waiter != list; waiter = waiter->next) {
		struct rt_timer *timer = timer_of(waiter);

		timer->slot = SLOT_DUE;
		ordered &= timer->deadline >= latest;
		latest = timer->deadline;
	}
	if (!ordered && !FAULT(timer_order))
		sort(list);
}

/* ---- Placing ---- */

static struct rt_waiter *list_at(struct wheel *wheel, unsigned index)
{
	return &wheel->slots[index / WHEEL_SLOTS][index % WHEEL_SLOTS];
}

static void clear_pending(struct wheel *wheel, unsigned index)
{
	wheel->pending[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << index % WHEEL_SLOTS);
}

/* Needs a tick that is not before the wheel's. */
static void place(struct wheel *wheel, struct rt_timer *timer, uint64_t tick)
{
	unsigned highest = 63 - (unsigned)__builtin_clzll((tick ^ wheel->now) | 1);
	unsigned level = highest / WHEEL_SLOT_BITS;
	unsigned slot = (tick >> (level * WHEEL_SLOT_BITS)) % WHEEL_SLOTS;

	timer->slot = (uint16_t)(SLOT_FIRST + level * WHEEL_SLOTS + slot);
	wheel->pending[level] |= UINT64_C(1) << slot;
	list_push(&wheel->slots[level][slot], &timer->waiter);
}

static bool is_unordered(const struct wheel *wheel)
{
	const struct rt_waiter *last = wheel->due.prev;

	return last != &wheel->due &&
	       container_of(last, const struct rt_timer, waiter)->slot == SLOT_DUE_UNORDERED;
}

/* Sorting waits for the turn: each timer tells whether due is in order up to it, so the last tells all. */
static void append_due(struct wheel *wheel, struct rt_timer *timer)
{
	struct rt_waiter *due = &wheel->due;
	bool ordered = list_empty(due) || (!is_unordered(wheel) && deadline_of(due->prev) <= timer->deadline);

	timer->slot = ordered ? SLOT_DUE : SLOT_DUE_UNORDERED;
	list_push(due, &timer->waiter);
}

/* ---- Turning ---- */

/* The index of the earliest slot that is not empty, or SLOT_COUNT. */
static unsigned find_first(const struct wheel *wheel)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		if (wheel->pending[level])
			return level * WHEEL_SLOTS + (unsigned)__builtin_ctzll(wheel->pending[level]);
	return SLOT_COUNT;
}

/* The first tick of a slot. */
static uint64_t start_of(const struct wheel *wheel, unsigned index)
{
	unsigned shift = index / WHEEL_SLOTS * WHEEL_SLOT_BITS;
	uint64_t around = ~UINT64_C(0) << (shift + WHEEL_SLOT_BITS);

	return (wheel->now & around) | (uint64_t)(index % WHEEL_SLOTS) << shift;
}

/* Spreads the timers of a slot, whose first tick is now, over the levels below. */
static void cascade(struct wheel *wheel, struct rt_waiter *list)
{
	while (!list_empty(list)) {
		struct rt_timer *timer = timer_of(list_pop(list));

		place(wheel, timer, tick_of(timer->deadline));
	}
}

/* Moves the wheel on to tick; what belongs to it or to an earlier one becomes due. */
static void advance(struct wheel *wheel, uint64_t tick)
{
	unsigned index;

	while ((index = find_first(wheel)) < SLOT_COUNT && start_of(wheel, index) <= tick) {
		struct rt_waiter *list = list_at(wheel, index);

		wheel->now = start_of(wheel, index);
		clear_pending(wheel, index);
		if (index >= WHEEL_SLOTS) {
			cascade(wheel, list);
		} else {
			settle(list);
			list_splice(&wheel->due, list);
		}
	}
	if (wheel->now < tick)
		wheel->now = tick;
}

/* Moves the head of due, up to now, to expired, which is empty. */
static void take_expired(struct wheel *wheel, rt_time now, struct rt_waiter *expired)
{
	struct rt_waiter *due = &wheel->due, *rest = due->next;

	while (rest != due && (deadline_of(rest) <= now || FAULT(timer_early)))
		rest = rest->next;
	if (rest == due->next)
		return;
	expired->next = due->next;
	expired->prev = rest->prev;
	expired->next->prev = expired->prev->next = expired;
	due->next = rest;
	rest->prev = due;
}

/* ---- The interface ---- */

void wheel_init(struct wheel *wheel, rt_time now)
{
	*wheel = (struct wheel){.now = tick_of(now)};
	for (unsigned index = 0; index < SLOT_COUNT; index++)
		list_init(list_at(wheel, index));
	list_init(&wheel->due);
}

void wheel_arm(struct wheel *wheel, struct rt_timer *timer)
{
	uint64_t tick = tick_of(timer->deadline);

	assert(timer->slot == SLOT_NONE);
	if (tick > wheel->now)
		place(wheel, timer, tick);
	else
		append_due(wheel, timer);
	wheel->count++;
}

void wheel_disarm(struct wheel *wheel, struct rt_timer *timer)
{
	if (timer->slot == SLOT_NONE)
		return;
	/* Alone, both links are the head: this spares a look at it. */
	if (timer->slot < SLOT_DUE && timer->waiter.next == timer->waiter.prev)
		clear_pending(wheel, timer->slot - (unsigned)SLOT_FIRST);
	list_remove(&timer->waiter);
	timer->slot = SLOT_NONE;
	wheel->count--;
}

size_t wheel_turn(struct wheel *wheel, rt_time now)
{
	/* A list apart, so that what a wake function arms waits for the next turn. */
	struct rt_waiter expired;
	size_t fired = 0;

	if (is_unordered(wheel))
		settle(&wheel->due);
	advance(wheel, tick_of(now));
	list_init(&expired);
	take_expired(wheel, now, &expired);
	for (; !list_empty(&expired); fired++) {
		struct rt_timer *timer = timer_of(list_pop(&expired));

		timer->slot = SLOT_NONE;
		wheel->count--;
		timer->waiter.wake(&timer->waiter, -ETIMEDOUT);
	}
	return fired;
}

rt_time wheel_next(const struct wheel *wheel)
{
	unsigned index = find_first(wheel);
	uint64_t start;

	/* Its first is perhaps not its earliest. The turn sorts, so this is at most one turn too many. */
	if (is_unordered(wheel))
		return RT_NOW;
	if (!list_empty(&wheel->due)) {
		rt_time deadline = deadline_of(wheel->due.next);
		/* Within the current tick the wheel does not know the time. */
		bool expired = deadline <= (rt_time)(wheel->now << WHEEL_TICK_SHIFT);

		return expired ? deadline : end_of(wheel->now);
	}
	if (index == SLOT_COUNT)
		return RT_FOREVER;
	start = start_of(wheel, index);
	return index < WHEEL_SLOTS ? end_of(start) : (rt_time)(start << WHEEL_TICK_SHIFT);
}

rt_time wheel_earliest(const struct wheel *wheel)
{
	const struct rt_waiter *list = &wheel->due;
	rt_time earliest = RT_FOREVER;
	unsigned index = find_first(wheel);

	if (list_empty(list) && index < SLOT_COUNT)
		list = &wheel->slots[index / WHEEL_SLOTS][index % WHEEL_SLOTS];
	for (const struct rt_waiter *waiter = list->next; waiter != list; waiter = waiter->next)
		if (deadline_of(waiter) < earliest)
			earliest = deadline_of(waiter);
	return earliest;
}
