/* SPDX-License-Identifier: MIT */
/* What a worker queues, takes, steals and runs; see stealer.h. How it sleeps is in stealer_sleep.c. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/stealer.h"

#include "base/random.h"

enum {
	/* Every so many runnables a worker looks first where the others' come from, and into the reactor. */
	FAIR_TICKS = 61,
	/* So many runnables in a row come from the slot: two tasks that wake each other are not alone. */
	SLOT_TURNS = 3,
};

/* ---- Scheduling ---- */

/*
 * Returns false if another one has to be found: one that cannot be started counts as awake for ever, and is
 * done without; but as it was to search, others may have left work to it.
 */
static bool unpark(struct stealing *self, unsigned number)
{
	if (number > 0 && crew_start(self->crew, number) < 0) {
		atomic_fetch_add(&self->missing, 1);
		return !idle_stop_searching(self->idle);
	}
	parker_unpark(&self->workers[number].parker);
	return true;
}

/* There is something to run. */
void stealing_notify(struct stealing *self)
{
	int number = idle_notify(self->idle);

	while (number >= 0 && !unpark(self, (unsigned)number))
		number = idle_notify(self->idle);
}

/* What the running task wakes runs next, but not itself: it gives way. */
static bool fits_slot(const struct stealer *worker, const struct rt_runnable *runnable)
{
	return worker->running && worker->running != runnable;
}

/* Somebody will see before long if a worker does not get to what it is to run next. */
static bool is_watched(struct stealing *self)
{
	return atomic_load(&self->sentinel) || atomic_load(&self->driver_looks);
}

void stealer_push(struct stealer *worker, struct rt_runnable *runnable)
{
	struct stealing *self = worker->owner;
	bool in_slot = fits_slot(worker, runnable);

	if (self->count == 1) {
		queue_push(&self->ready, runnable);
		return;
	}
	if (in_slot)
		runnable = lifo_slot_swap(&worker->slot, runnable);
	if (runnable)
		steal_queue_push(&worker->queue, runnable, &self->inject);
	/* All that comes out of the reactor at once is followed by one look at it. */
	if (!self->crew || worker->polling || (in_slot && !runnable && is_watched(self)))
		return;
	stealing_notify(self);
}

/* ---- Finding something to run ---- */

bool stealing_has_anything(struct stealing *self)
{
	if (inject_count(&self->inject) > 0 || self->ready.head)
		return true;
	for (unsigned i = 0; i < self->count; i++) {
		struct stealer *worker = &self->workers[i];

		if (steal_queue_count(&worker->queue) > 0 || !lifo_slot_empty(&worker->slot))
			return true;
	}
	return false;
}

static struct rt_runnable *take_own(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	struct rt_runnable *next = NULL;

	if (worker->tick % FAIR_TICKS == 0 && (next = inject_pop(&self->inject)))
		return next;
	if ((next = queue_pop(&self->ready)))
		return next;
	if (worker->slot_turns < SLOT_TURNS && (next = lifo_slot_take(&worker->slot))) {
		worker->slot_turns++;
		return next;
	}
	worker->slot_turns = 0;
	/* Behind the others now, if it has had its turns. */
	if ((next = lifo_slot_take(&worker->slot)))
		steal_queue_push(&worker->queue, next, &self->inject);
	next = steal_queue_pop(&worker->queue);
	return next ? next : inject_pop(&self->inject);
}

static struct rt_runnable *steal_from(struct stealer *worker, struct stealer *victim)
{
	struct rt_runnable *stolen = steal_queue_steal(&victim->queue, &worker->queue);

	/* What it was to run next, it would have run by now, if it were not busy. */
	return stolen ? stolen : lifo_slot_take(&victim->slot);
}

static struct rt_runnable *steal(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	unsigned first = random_below(&worker->random, self->count);

	for (unsigned i = 0; i < self->count; i++) {
		struct stealer *victim = &self->workers[(first + i) % self->count];
		struct rt_runnable *stolen = victim == worker ? NULL : steal_from(worker, victim);

		if (stolen)
			return stolen;
	}
	return inject_pop(&self->inject);
}

static struct rt_runnable *search(struct stealer *worker)
{
	if (!worker->searching)
		worker->searching = idle_start_searching(worker->owner->idle);
	return worker->searching ? steal(worker) : NULL;
}

/* ---- Running ---- */

static void execute(struct stealer *worker, struct rt_runnable *runnable)
{
	worker->running = runnable;
	runnable->run(runnable);
	worker->running = NULL;
}

bool stealing_is_done(struct stealing *self)
{
	const bool *done = atomic_load(&self->done);

	return done && __atomic_load_n(done, __ATOMIC_ACQUIRE);
}

/* The end of run() may come about on any worker. */
void stealer_look_for_end(struct stealer *worker)
{
	if (worker->number > 0 && stealing_is_done(worker->owner))
		parker_unpark(&worker->owner->workers[0].parker);
}

static struct rt_runnable *next_runnable(struct stealer *worker)
{
	struct rt_runnable *next = take_own(worker);

	if (!next)
		next = search(worker);
	if (next && worker->searching) {
		worker->searching = false;
		if (idle_stop_searching(worker->owner->idle))
			stealing_notify(worker->owner);
	}
	return next;
}

int stealer_step(struct stealer *worker)
{
	int err = ++worker->tick % FAIR_TICKS == 0 ? stealer_look_into_reactor(worker) : 0;
	struct rt_runnable *next = next_runnable(worker);

	if (!next)
		return err < 0 ? err : stealer_sleep(worker);
	execute(worker, next);
	stealer_look_for_end(worker);
	return err;
}

bool stealer_step_alone(struct stealer *worker)
{
	struct rt_runnable *next;

	worker->tick++;
	next = take_own(worker);
	if (!next && worker->owner->count > 1)
		next = steal(worker);
	if (next)
		execute(worker, next);
	return next;
}
