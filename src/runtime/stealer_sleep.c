/* SPDX-License-Identifier: MIT */
/* How a worker sleeps, and who is in the reactor; see stealer.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/clock.h"
#include "runtime/stealer.h"

#include <errno.h>

/* After so many looks at a reactor that nothing has come from, the sentinel sleeps as well. Tests have less.
 */
#ifndef SENTINEL_LOOKS
#define SENTINEL_LOOKS 50
#endif

/* How often the sentinel looks, and for how long nobody may look into the reactor without it. */
#define PERIOD RT_MS(1)
#define UNWATCHED RT_US(500)

/* ---- What may still happen ---- */

bool stealing_can_wake(struct stealing *self)
{
	rt_runtime_lock(&self->runtime);
	bool can = self->runtime.watching > 0 || reactor_has_timers(self->reactor) || self->clock.waiter ||
		   pool_pending(self->pool) > 0;

	rt_runtime_unlock(&self->runtime);
	return can;
}

static bool all_sleep(struct stealing *self)
{
	return idle_parked(self->idle) + atomic_load(&self->missing) == self->count;
}

/* It looks as if nothing could happen any more: with all at rest it can be seen. */
static bool is_deadlock(struct stealing *self)
{
	if (!all_sleep(self) || stealing_has_anything(self) || stealing_can_wake(self))
		return false;
	int busy = crew_pause(self->crew, true, RT_MS(1));
	bool dead = busy == 0 && !crew_rests_in_task(self->crew) && !stealing_has_anything(self) &&
		    !stealing_can_wake(self);

	crew_resume(self->crew);
	return dead;
}

/* ---- The reactor and sleep ---- */

/* With the driver's lock. */
static int poll_reactor(struct stealer *worker, rt_time until)
{
	struct stealing *self = worker->owner;

	worker->polling = true;
	int err = until == RT_NOW || until == RT_FOREVER ? reactor_poll(self->reactor, until == RT_FOREVER)
							 : reactor_poll_until(self->reactor, until);

	worker->polling = false;
	atomic_fetch_add_explicit(&self->polls, 1, memory_order_relaxed);
	atomic_store_explicit(&self->polled, clock_real(), memory_order_relaxed);
	return err;
}

int stealer_look_into_reactor(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	int err = 0;

	if (pthread_mutex_trylock(&self->driver) != 0)
		return 0;
	err = poll_reactor(worker, RT_NOW);
	pthread_mutex_unlock(&self->driver);
	if (steal_queue_count(&worker->queue) > 0)
		stealing_notify(self);
	stealer_look_for_end(worker);
	return err;
}

/*
 * While there is no sentinel and others are awake, who may be busy for long with something to
 * run next, it has a period, too.
 */
static int sleep_once_in_reactor(struct stealer *worker, bool *awake)
{
	struct stealing *self = worker->owner;
	bool period = !atomic_load(&self->sentinel) && !all_sleep(self);

	*awake = true;
	if (!parker_begin_driver(&worker->parker))
		return 0;
	atomic_store(&self->driver_looks, period);
	int err = poll_reactor(worker, period ? clock_real() + PERIOD : RT_FOREVER);

	atomic_store(&self->driver_looks, false);
	/* Where all sleep by now, somebody has to see whether it is for ever. */
	*awake = parker_end_driver(&worker->parker) || err < 0 || !period || stealing_has_anything(self) ||
		 stealing_is_done(self) || all_sleep(self);
	return err;
}

/* With the driver's lock, which is released. */
static int sleep_in_reactor(struct stealer *worker)
{
	bool awake = false;
	int err = 0;

	while (!awake)
		err = sleep_once_in_reactor(worker, &awake);
	pthread_mutex_unlock(&worker->owner->driver);
	return err;
}

/* Nobody has looked into the reactor for too long, and nobody is there: then it is the caller's. */
static bool take_over(struct stealing *self)
{
	rt_time polled = atomic_load_explicit(&self->polled, memory_order_relaxed);

	return clock_real() - polled >= UNWATCHED && pthread_mutex_trylock(&self->driver) == 0;
}

/* Whether everybody sleeps, and nothing has come out of the reactor since. */
static bool is_quiet(struct stealing *self, uint64_t *seen)
{
	uint64_t polls = atomic_load(&self->polls);
	bool quiet = polls == *seen && all_sleep(self);

	*seen = polls;
	return quiet;
}

/* Why a sentinel stops looking. */
enum end { WOKEN, DRIVER_IS_MISSING, QUIET };

static enum end look_until_end(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	uint64_t seen = atomic_load(&self->polls);

	for (unsigned looks = 0; looks < SENTINEL_LOOKS; looks++) {
		if (parker_park(&worker->parker, clock_real() + PERIOD) || stealing_has_anything(self))
			return WOKEN;
		if (take_over(self))
			return DRIVER_IS_MISSING;
		if (!is_quiet(self, &seen))
			looks = 0;
	}
	return QUIET;
}

/*
 * Others rely on a sentinel, so it is none any more before it goes into the reactor, where it looks as a
 * driver; and before it sleeps for long: who has woken up just before may have relied on it.
 */
static int sleep_as_sentinel(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	enum end end = look_until_end(worker);

	atomic_store(&self->sentinel, false);
	if (end == DRIVER_IS_MISSING)
		return sleep_in_reactor(worker);
	if (end == QUIET && all_sleep(self))
		parker_park(&worker->parker, RT_FOREVER);
	return 0;
}

static int sleep_on_condition(struct stealer *worker)
{
	if (!atomic_exchange(&worker->owner->sentinel, true))
		return sleep_as_sentinel(worker);
	parker_park(&worker->parker, RT_FOREVER);
	return 0;
}

/* Whoever comes out of sleep with something to do leaves the rest, and the reactor, to others. */
static void wake_others(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	unsigned count = steal_queue_count(&worker->queue);

	if (count > 1 || (count == 1 && !atomic_load(&self->sentinel)))
		stealing_notify(self);
}

int stealer_sleep(struct stealer *worker)
{
	struct stealing *self = worker->owner;

	if (idle_park(self->idle, worker->number, worker->searching) && stealing_has_anything(self))
		stealing_notify(self);
	worker->searching = false;
	if (worker->number == 0 && is_deadlock(self)) {
		worker->searching = !idle_unpark_self(self->idle, 0);
		return -EDEADLK;
	}
	/* The first one says what it means. */
	if (worker->number > 0 && all_sleep(self) && !stealing_has_anything(self) && !stealing_can_wake(self))
		parker_unpark(&self->workers[0].parker);
	int err = pthread_mutex_trylock(&self->driver) == 0 ? sleep_in_reactor(worker)
							    : sleep_on_condition(worker);

	worker->searching = !idle_unpark_self(self->idle, worker->number);
	wake_others(worker);
	stealer_look_for_end(worker);
	return err;
}
