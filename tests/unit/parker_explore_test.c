/* SPDX-License-Identifier: MIT */
/*
 * The parker, under explored schedules: no unpark is lost, wherever the worker sleeps or is about to.
 *
 * FAULT early_is_lost: an unpark before the park is lost
 * - atomic_exchange_explicit(&parker->state, NOTIFIED, memory_order_release)
 * + EXPLORE_STEPS(EXPLORE_EXCHANGE(&parker->state, explore_before == EMPTY ? EMPTY : NOTIFIED))
 *
 * FAULT clears_late: going to sleep clears an unpark that came after the last one was seen
 * - if (atomic_compare_exchange_strong_explicit(&parker->state, &expected, state, memory_order_relaxed,
 * - memory_order_relaxed))
 * - return true;
 * + atomic_store_explicit(&parker->state, state, memory_order_relaxed);
 * + return true;
 *
 * FAULT clears_in_two_steps: an unpark between the look and the clearing is lost
 * - return atomic_exchange_explicit(&parker->state, EMPTY, memory_order_acquire) == NOTIFIED;
 * + bool notified = atomic_load_explicit(&parker->state, memory_order_acquire) == NOTIFIED;
 * + atomic_store_explicit(&parker->state, EMPTY, memory_order_relaxed);
 * + return notified;
 *
 * FAULT signals_unlocked: the signal does not wait until the worker sleeps
 * - pthread_mutex_lock(&parker->lock);
 * - pthread_mutex_unlock(&parker->lock);
 * + ;
 *
 * FAULT never_looks: the worker sleeps on without looking at what has woken it
 * - atomic_load_explicit(&parker->state, memory_order_relaxed) == PARKED
 * + true
 *
 * FAULT wakes_for_nothing: a wake-up without a reason ends the park
 * - sleep_once(parker, deadline)
 * + sleep_once(parker, deadline) && false
 *
 * FAULT time_beats_unpark: an unpark that comes together with the deadline is lost
 * - pthread_mutex_unlock(&parker->lock);
 * - return reset(parker);
 * + pthread_mutex_unlock(&parker->lock);
 * + bool notified = atomic_load_explicit(&parker->state, memory_order_relaxed) == NOTIFIED;
 * + reset(parker);
 * + return notified;
 *
 * FAULT driver_looks_parked: in the driver the worker looks as if it slept here
 * - announce(parker, IN_DRIVER)
 * + announce(parker, PARKED)
 *
 * FAULT no_interrupt: the sleep in the driver is not interrupted
 * - parker->interrupt(parker->arg);
 * + ;
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "support/explore_atomic.h"

#include "unit/parker_explore_test.inc"

enum { UNPARKERS = 2, EACH = 4 };

static struct parker parker;
static _Atomic unsigned made;
static unsigned found;
static bool kicked; /* what a reactor remembers of an interruption */

static void interrupt(void *arg)
{
	explore_check(arg == &kicked);
	explore_step();
	kicked = true;
	explore_wake(&kicked);
	explore_step();
}

/* Sleeps in the driver, which has other reasons to wake up, too. */
static bool drive(void)
{
	if (!parker_begin_driver(&parker))
		return true;
	explore_step();
	while (!kicked && explore_random(6) > 0)
		explore_wait(&kicked, false);
	kicked = false;
	return parker_end_driver(&parker);
}

static bool sleep_somewhere(void)
{
	bool notified;

	switch (explore_random(4)) {
	case 0:
		return parker_park(&parker, RT_S(1));
	case 1:
	case 2:
		return drive();
	default:
		notified = parker_park(&parker, RT_FOREVER);
		explore_check(notified);
		return true;
	}
}

static void make(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < EACH; i++) {
		atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
		parker_unpark(&parker);
	}
}

/* Looks only after it has been told. */
static void find_all(void *arg)
{
	(void)arg;
	while (found < UNPARKERS * EACH)
		if (sleep_somewhere())
			found = atomic_load_explicit(&made, memory_order_relaxed);
}

static void no_unpark_is_lost(void)
{
	parker_init(&parker, interrupt, &kicked);
	made = found = 0;
	kicked = false;
	for (unsigned i = 0; i < UNPARKERS; i++)
		explore_spawn(make, NULL);
	explore_spawn(find_all, NULL);
	explore_join();
	parker_finish(&parker);
}

static const struct explore_case cases[] = {{"no_unpark_is_lost", no_unpark_is_lost, 200}};

#include "support/explore_suite.h"
