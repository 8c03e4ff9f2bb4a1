/* SPDX-License-Identifier: MIT */
/*
 * The virtual clock of a runtime whose workers are all on one thread: polls its reactor, and moves
 * time on when nothing else can happen.
 */
#ifndef RT_VIRTUAL_CLOCK_H
#define RT_VIRTUAL_CLOCK_H

#include "reactor/reactor.h"

RT_PRIVATE_BEGIN

struct virtual_clock {
	/* Set by virtual_clock_start(). */
	struct rt_runtime *runtime;
	bool (*is_ready)(const struct rt_runtime *runtime); /* something is scheduled */
	bool (*has_work)(const struct rt_runtime *runtime); /* something is offloaded */
	rt_time now;
	/* Moving it by hand. */
	struct rt_waiter *waiter; /* NULL: nobody does */
	rt_time until;
	int busy_turns;
};

/* Binds rt_now() of this thread to it: time stands still from here on. Its first three members are set. */
void virtual_clock_start(struct virtual_clock *clock);

/* See rt_runtime_ops.advance. */
int virtual_clock_advance(struct virtual_clock *clock, rt_time until, struct rt_waiter *waiter);

/* A turn of the loop when all that was ready has run, or much of it. 0, -ETIMEDOUT at the end of a
 * runtime, or the reactor's error. */
int virtual_clock_poll(struct virtual_clock *clock, struct reactor *reactor);

RT_PRIVATE_END

#endif
