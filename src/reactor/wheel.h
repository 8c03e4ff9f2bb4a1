/* SPDX-License-Identifier: MIT */
/*
 * A hierarchical timer wheel: arming, disarming and firing cost the same however
 * many timers there are.
 *
 * After G. Varghese and T. Lauck, "Hashed and hierarchical timing wheels" (1987):
 * WHEEL_LEVELS levels of 64 slots; a tick is 2^16 ns (65.5 us). A timer never
 * fires before its deadline and at most one tick after it, as far as the wheel
 * is turned in time. Timers fire in the order of their deadlines, equal ones in
 * the order of arming. Time never goes back. Owner thread only.
 */
#ifndef RT_WHEEL_H
#define RT_WHEEL_H

#include <rt/runtime.h>

enum { WHEEL_TICK_SHIFT = 16, WHEEL_SLOT_BITS = 6, WHEEL_SLOTS = 64, WHEEL_LEVELS = 8 };

struct wheel {
	uint64_t now; /* ticks that have been processed: timers at or before it have fired */
	uint64_t pending[WHEEL_LEVELS]; /* bit per slot that is not empty */
	size_t count;
	struct rt_waiter slots[WHEEL_LEVELS][WHEEL_SLOTS];
	struct rt_waiter due; /* deadline not after now: fires at the next turn */
};

void wheel_init(struct wheel *wheel, rt_time now);

/* Arms timer->deadline; timer->slot tells where (never 0). RT_FOREVER is a deadline like any other. */
void wheel_arm(struct wheel *wheel, struct rt_timer *timer);

/* Does nothing when the timer is not armed. May be called from a wake function for any timer. */
void wheel_disarm(struct wheel *wheel, struct rt_timer *timer);

/*
 * Fires every timer whose deadline is not after now: takes it out, then calls
 * timer->waiter.wake(&timer->waiter, -ETIMEDOUT), which may arm and disarm. A timer
 * armed by a wake function with a deadline not after now fires in the next turn,
 * not in this one. Returns how many fired.
 */
size_t wheel_turn(struct wheel *wheel, rt_time now);

/*
 * When the wheel should be turned next: not after the earliest deadline's tick
 * has passed; may be earlier (a cascade). RT_FOREVER when nothing is armed. A value not
 * after the last turn's now means at once.
 */
rt_time wheel_next(const struct wheel *wheel);

/* The exact earliest deadline, or RT_FOREVER; O(timers in a slot). For virtual clocks. */
rt_time wheel_earliest(const struct wheel *wheel);

#endif
