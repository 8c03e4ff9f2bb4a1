/* SPDX-License-Identifier: MIT */
/* The virtual clock; see virtual_clock.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/virtual_clock.h"

#include "platform/clock.h"
#include "task/self.h"

#include <errno.h>

/* What is on its way to a descriptor gets so much real time before a deadline passes. */
#define SILENCE RT_MS(1)

/* Moved by hand: so many turns of the loop may be busy before it is moved on regardless. */
enum { BUSY_TURNS = 16 };

void virtual_clock_start(struct virtual_clock *clock)
{
	clock->now = clock_real();
	clock_bind(&clock->now);
}

int virtual_clock_advance(struct virtual_clock *clock, rt_time until, struct rt_waiter *waiter)
{
	if (waiter && clock->waiter)
		return -EBUSY;
	clock->waiter = waiter;
	clock->until = until;
	clock->busy_turns = 0;
	return 0;
}

/* By hand: on to the next deadline, or the end. */
static void step(struct virtual_clock *clock, struct reactor *reactor)
{
	struct rt_waiter *waiter = clock->waiter;

	clock->busy_turns = 0;
	if (clock->now < clock->until) {
		reactor_advance(reactor, clock->until);
		return;
	}
	clock->waiter = NULL;
	waiter->wake(waiter, 0);
}

/* The real time after which nothing is waited for. */
static rt_time patience(const struct virtual_clock *clock)
{
	return clock->runtime->drains ? clock->runtime->drain_end : RT_FOREVER;
}

/* Whether a task is ready, or has run since this turn. */
static bool is_busy(const struct virtual_clock *clock, uint64_t turn)
{
	return clock->is_ready(clock->runtime) || self_get()->turns != turn;
}

static int await_silence(struct virtual_clock *clock, struct reactor *reactor, uint64_t turn)
{
	rt_time until = clock_real() + SILENCE;
	int err;

	do
		err = reactor_poll_until(reactor, until);
	while (err == 0 && !is_busy(clock, turn) && clock_real() < until);
	return err;
}

/* Waits for what takes real time, and then moves the clock. */
static int poll_idle(struct virtual_clock *clock, struct reactor *reactor, uint64_t turn)
{
	if (clock->has_work(clock->runtime))
		return reactor_poll_until(reactor, patience(clock));
	if (clock->runtime->watching > 0) {
		int err = await_silence(clock, reactor, turn);

		if (err < 0 || is_busy(clock, turn))
			return err;
	}
	if (clock->waiter)
		step(clock, reactor);
	else if (!reactor_advance(reactor, RT_FOREVER) &&
		 (clock->runtime->watching > 0 || reactor_has_timers(reactor)))
		return reactor_poll_until(reactor, patience(clock));
	return 0;
}

int virtual_clock_poll(struct virtual_clock *clock, struct reactor *reactor)
{
	uint64_t turn = self_get()->turns;
	int err = reactor_poll(reactor, false);

	if (err < 0)
		return err;
	if (clock_real() >= patience(clock))
		return -ETIMEDOUT;
	if (!is_busy(clock, turn))
		return poll_idle(clock, reactor, turn);
	if (clock->waiter && ++clock->busy_turns >= BUSY_TURNS)
		step(clock, reactor);
	return 0;
}
