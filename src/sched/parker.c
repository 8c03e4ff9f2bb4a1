/* SPDX-License-Identifier: MIT */
/*
 * Where a worker sleeps; see parker.h.
 *
 * Every change of the state is a read-modify-write, also where the value is known: acquire then pairs with
 * the release of each parker_unpark() that came before, not only of the first.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/parker.h"

#include <assert.h>
#include <time.h>

enum { EMPTY, NOTIFIED, PARKED, IN_DRIVER };

void parker_init(struct parker *parker, void (*interrupt)(void *arg), void *arg)
{
	pthread_condattr_t attr;

	atomic_init(&parker->state, EMPTY);
	pthread_mutex_init(&parker->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&parker->wake, &attr);
	pthread_condattr_destroy(&attr);
	parker->interrupt = interrupt;
	parker->arg = arg;
}

void parker_finish(struct parker *parker)
{
	pthread_cond_destroy(&parker->wake);
	pthread_mutex_destroy(&parker->lock);
}

/* Returns whether there was an unpark, which counts no longer. */
static bool reset(struct parker *parker)
{
	return atomic_exchange_explicit(&parker->state, EMPTY, memory_order_acquire) == NOTIFIED;
}

/* Leaves EMPTY for another state. False if there was an unpark, which counts no longer. */
static bool announce(struct parker *parker, unsigned state)
{
	unsigned expected = EMPTY;

	if (atomic_compare_exchange_strong_explicit(&parker->state, &expected, state, memory_order_relaxed,
						    memory_order_relaxed))
		return true;
	assert(expected == NOTIFIED);
	reset(parker);
	return false;
}

/* One sleep, which may end without a reason. False when the deadline has passed. With the lock held. */
static bool sleep_once(struct parker *parker, rt_time deadline)
{
	if (deadline == RT_FOREVER)
		return pthread_cond_wait(&parker->wake, &parker->lock) == 0;
	struct timespec until = {deadline > 0 ? deadline / RT_S(1) : 0,
				 deadline > 0 ? deadline % RT_S(1) : 0};

	return pthread_cond_timedwait(&parker->wake, &parker->lock, &until) == 0;
}

bool parker_park(struct parker *parker, rt_time deadline)
{
	if (!announce(parker, PARKED))
		return true;
	pthread_mutex_lock(&parker->lock);
	while (atomic_load_explicit(&parker->state, memory_order_relaxed) == PARKED &&
	       sleep_once(parker, deadline))
		;
	pthread_mutex_unlock(&parker->lock);
	return reset(parker);
}

/* The lock, though it guards nothing: after it the worker sleeps, or has seen that it need not. */
static void signal_sleeper(struct parker *parker)
{
	pthread_mutex_lock(&parker->lock);
	pthread_mutex_unlock(&parker->lock);
	pthread_cond_signal(&parker->wake);
}

void parker_unpark(struct parker *parker)
{
	/* Release pairs with the acquire in reset(). */
	unsigned before = atomic_exchange_explicit(&parker->state, NOTIFIED, memory_order_release);

	if (before == PARKED)
		signal_sleeper(parker);
	else if (before == IN_DRIVER)
		parker->interrupt(parker->arg);
}

bool parker_begin_driver(struct parker *parker)
{
	return announce(parker, IN_DRIVER);
}

bool parker_end_driver(struct parker *parker)
{
	return reset(parker);
}
