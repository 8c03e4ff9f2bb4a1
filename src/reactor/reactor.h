/* SPDX-License-Identifier: MIT */
/*
 * The reactor: readiness, timers and wake-ups on libevent; the only code that
 * knows it. One edge-triggered, persistent registration per descriptor. Timers
 * live in a wheel behind one timerfd. Owner thread only, but for reactor_wake(); a shared one may be
 * used by all threads of its runtime, of which one at a time polls.
 */
#ifndef RT_REACTOR_H
#define RT_REACTOR_H

#include <rt/runtime.h>

struct reactor;

struct reactor_options {
	/* A host's loop, or NULL for one of its own. */
	struct event_base *event_base;
	bool shared;
	struct rt_runtime *runtime; /* that it belongs to, for its lock; NULL: there is none */
	/* What rt_now() gives on this thread, where it is not the real time; or NULL. Timers wait for it to
	 * be moved. */
	rt_time *clock;
	/* After reactor_wake() or, in a host's loop, reactor_kick(); also after every batch of timers. */
	void (*turn)(void *arg);
	void *arg;
};

int reactor_create(struct reactor **reactor, const struct reactor_options *options);
void reactor_destroy(struct reactor *reactor);

int reactor_watch(struct reactor *reactor, struct rt_watch *watch);
void reactor_unwatch(struct reactor *reactor, struct rt_watch *watch);

/* Whether it is this one that follows a registered watch. */
bool reactor_has(const struct reactor *reactor, const struct rt_watch *watch);

/* Locked, these three. */
void reactor_arm(struct reactor *reactor, struct rt_timer *timer);
void reactor_disarm(struct reactor *reactor, struct rt_timer *timer);
bool reactor_has_timers(const struct reactor *reactor);

/*
 * One turn of the loop: waits for something to happen if asked to, then wakes whom it concerns. In a callback
 * of a host's loop nothing is heard of descriptors.
 */
int reactor_poll(struct reactor *reactor, bool wait);

/* One turn, which waits until a real time at the most; with a clock, not for timers. */
int reactor_poll_until(struct reactor *reactor, rt_time until);

/*
 * Moves the clock on to the earliest deadline, which may be now, and wakes whom it concerns; if there is
 * none up to until: moves it there, unless that is RT_FOREVER, and returns false.
 */
bool reactor_advance(struct reactor *reactor, rt_time until);

/* Makes the loop call turn(arg) soon. Any thread. */
void reactor_wake(struct reactor *reactor);

/* In a host's loop: calls turn(arg) from the loop soon; again: not before the host's other events. */
void reactor_kick(struct reactor *reactor, bool again);

/*
 * In a host's loop: whether the reactor keeps the loop alive. While it does not,
 * the host's event_base_dispatch() may return.
 */
void reactor_hold(struct reactor *reactor, bool hold);

#endif
