/* SPDX-License-Identifier: MIT */
/*
 * The stealing runtime: several workers, and whatever is scheduled runs on the next one that has
 * time. After tokio's multi-thread scheduler, in which each worker has a bounded queue, from
 * which others steal halves, and a slot for what the running task has just woken; what comes from elsewhere,
 * or does not fit, goes through one queue for all.
 *
 * There is one reactor. A worker that has nothing to do sleeps in it, the others on a
 * condition; a busy worker looks into it now and then. Whoever comes out of it with work leaves it to
 * a sentinel, a sleeping worker that looks every millisecond whether somebody is there.
 *
 * With a seed or a virtual clock all workers are on one thread, which draws one of them for each step.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/list.h"
#include "base/random.h"
#include "platform/clock.h"
#include "runtime/cpus.h"
#include "runtime/lifecycle.h"
#include "runtime/virtual_clock.h"
#include "sched/crew.h"
#include "sched/idle.h"
#include "sched/inject.h"
#include "sched/lifo_slot.h"
#include "sched/parker.h"
#include "sched/pool.h"
#include "sched/queue.h"
#include "sched/steal_queue.h"
#include "task/self.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	/* Every so many runnables a worker looks first where the others' come from, and into the reactor. */
	FAIR_TICKS = 61,
	/* So many runnables in a row come from the slot: two tasks that wake each other are not alone. */
	SLOT_TURNS = 3,
	/* On one thread: how many runnables run before the reactor is asked for news. */
	BATCH = 64,
	/* Of a seeded runtime, if the program does not say. */
	WORKERS_DRAWN = 4,
	/* After so many looks at a reactor that nothing has come from, the sentinel sleeps as well. */
	SENTINEL_LOOKS = 50,
};

/* How often the sentinel looks, and for how long nobody may look into the reactor without it. */
#define PERIOD RT_MS(1)
#define UNWATCHED RT_US(500)

struct stealer {
	struct stealing *owner;
	unsigned number;
	struct steal_queue queue;
	struct lifo_slot slot;
	const struct rt_runnable *running;
	unsigned tick, slot_turns;
	bool searching; /* as struct idle knows */
	bool polling; /* in the reactor */
	uint64_t random;
	struct parker parker;
};

struct stealing {
	struct rt_runtime runtime;
	struct stealer *workers;
	unsigned count;
	bool drawn; /* chance decides, on one thread */
	struct inject inject;
	struct queue ready; /* of a single worker, from which nobody steals: in order, without a limit */
	struct reactor *reactor;
	struct pool *pool;
	bool virtual;
	struct virtual_clock clock;
	_Atomic(const bool *) done; /* that of run() */
	/* NULL: all workers are on one thread. Otherwise: */
	struct crew *crew;
	struct idle *idle;
	pthread_mutex_t driver; /* whoever is in the reactor */
	_Atomic uint64_t polls; /* how often somebody was */
	_Atomic rt_time polled; /* and when at last */
	atomic_bool sentinel; /* there is one */
	atomic_bool driver_looks; /* who sleeps in the reactor does what a sentinel does */
	atomic_uint missing; /* workers that could not be started */
	pthread_mutex_t outside; /* held by threads that are none of its own while they hand something in */
};

static struct stealing *stealing(const struct rt_runtime *runtime)
{
	return container_of(runtime, struct stealing, runtime);
}

/* ---- Scheduling ---- */

/* Returns whether the worker will look for something to run. */
static bool unpark(struct stealing *self, unsigned number)
{
	/* One that cannot be started counts as awake for ever, and is done without. */
	if (number > 0 && crew_start(self->crew, number) < 0) {
		atomic_fetch_add(&self->missing, 1);
		idle_stop_searching(self->idle);
		return false;
	}
	parker_unpark(&self->workers[number].parker);
	return true;
}

/* There is something to run. */
static void notify(struct stealing *self)
{
	int number;

	do
		number = idle_notify(self->idle);
	while (number >= 0 && !unpark(self, (unsigned)number));
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

static void push(struct stealer *worker, struct rt_runnable *runnable)
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
	notify(self);
}

static struct stealer *own_worker(const struct stealing *self)
{
	const struct self *thread = self_get();

	return thread->runtime == &self->runtime ? thread->worker : NULL;
}

/* As soon as the runnable is taken the runtime may end, which waits for the lock. */
static void hand_in(struct stealing *self, struct rt_runnable *runnable)
{
	pthread_mutex_lock(&self->outside);
	inject_push(&self->inject, runnable);
	if (self->crew)
		notify(self);
	else
		reactor_wake(self->reactor);
	pthread_mutex_unlock(&self->outside);
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct stealing *self = container_of(executor, struct stealing, runtime.executor);
	struct stealer *worker = own_worker(self);

	if (worker)
		push(worker, runnable);
	else
		hand_in(self, runnable);
}

/* ---- What there is to run, and what may still happen ---- */

static bool has_anything(struct stealing *self)
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

static bool is_ready(const struct rt_runtime *runtime)
{
	return has_anything(stealing(runtime));
}

static bool has_work(const struct rt_runtime *runtime)
{
	return pool_pending(stealing(runtime)->pool) > 0;
}

static bool can_wake(struct stealing *self)
{
	rt_runtime_lock(&self->runtime);
	bool can = self->runtime.watching > 0 || reactor_has_timers(self->reactor) || self->clock.waiter ||
		   has_work(&self->runtime);

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
	if (!all_sleep(self) || has_anything(self) || can_wake(self))
		return false;
	int busy = crew_pause(self->crew, true, RT_MS(1));
	bool dead = busy == 0 && !has_anything(self) && !can_wake(self);

	crew_resume(self->crew);
	return dead;
}

/* ---- Finding something to run ---- */

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

static bool is_done(struct stealing *self)
{
	const bool *done = atomic_load(&self->done);

	return done && __atomic_load_n(done, __ATOMIC_ACQUIRE);
}

/* The end of run() may come about on any worker. */
static void look_for_end(struct stealer *worker)
{
	if (worker->number > 0 && is_done(worker->owner))
		parker_unpark(&worker->owner->workers[0].parker);
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

static int look_into_reactor(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	int err = 0;

	if (pthread_mutex_trylock(&self->driver) != 0)
		return 0;
	err = poll_reactor(worker, RT_NOW);
	pthread_mutex_unlock(&self->driver);
	if (steal_queue_count(&worker->queue) > 0)
		notify(self);
	look_for_end(worker);
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
	*awake = parker_end_driver(&worker->parker) || err < 0 || !period || has_anything(self) ||
		 is_done(self) || all_sleep(self);
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

/* What a sentinel does next. */
enum turn { WAKES, DRIVES, SLEEPS };

static enum turn look_out(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	uint64_t seen = atomic_load(&self->polls);

	for (unsigned looks = 0; looks < SENTINEL_LOOKS; looks++) {
		if (parker_park(&worker->parker, clock_real() + PERIOD) || has_anything(self))
			return WAKES;
		if (take_over(self))
			return DRIVES;
		if (!is_quiet(self, &seen))
			looks = 0;
	}
	return SLEEPS;
}

static enum turn be_sentinel(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	enum turn next;

	do {
		if (atomic_exchange(&self->sentinel, true))
			return SLEEPS;
		next = look_out(worker);
		atomic_store(&self->sentinel, false);
		/* Who has woken up before that took it for granted that somebody looks. */
	} while (next == SLEEPS && !all_sleep(self));
	return next;
}

static int sleep_on_condition(struct stealer *worker)
{
	switch (be_sentinel(worker)) {
	case DRIVES:
		return sleep_in_reactor(worker);
	case SLEEPS:
		parker_park(&worker->parker, RT_FOREVER);
		return 0;
	default:
		return 0;
	}
}

/* Whoever comes out of sleep with something to do leaves the rest, and the reactor, to others. */
static void wake_others(struct stealer *worker)
{
	struct stealing *self = worker->owner;
	unsigned count = steal_queue_count(&worker->queue);

	if (count > 1 || (count == 1 && !atomic_load(&self->sentinel)))
		notify(self);
}

static int sleep(struct stealer *worker)
{
	struct stealing *self = worker->owner;

	if (idle_park(self->idle, worker->number, worker->searching) && has_anything(self))
		notify(self);
	worker->searching = false;
	if (worker->number == 0 && is_deadlock(self)) {
		worker->searching = !idle_unpark_self(self->idle, 0);
		return -EDEADLK;
	}
	/* The first one says what it means. */
	if (worker->number > 0 && all_sleep(self) && !has_anything(self) && !can_wake(self))
		parker_unpark(&self->workers[0].parker);
	int err = pthread_mutex_trylock(&self->driver) == 0 ? sleep_in_reactor(worker)
							    : sleep_on_condition(worker);

	worker->searching = !idle_unpark_self(self->idle, worker->number);
	wake_others(worker);
	look_for_end(worker);
	return err;
}

/* ---- The loops ---- */

static struct rt_runnable *next_runnable(struct stealer *worker)
{
	struct rt_runnable *next = take_own(worker);

	if (!next)
		next = search(worker);
	if (next && worker->searching) {
		worker->searching = false;
		if (idle_stop_searching(worker->owner->idle))
			notify(worker->owner);
	}
	return next;
}

static int step(struct stealer *worker)
{
	int err = ++worker->tick % FAIR_TICKS == 0 ? look_into_reactor(worker) : 0;
	struct rt_runnable *next = next_runnable(worker);

	if (!next)
		return err < 0 ? err : sleep(worker);
	execute(worker, next);
	look_for_end(worker);
	return err;
}

static void work(void *arg, unsigned number)
{
	struct stealing *self = arg;
	struct stealer *worker = &self->workers[number];

	self_get()->worker = worker;
	worker->searching = true; /* as whoever had it started says */
	do {
		while (!crew_must_rest(self->crew))
			step(worker);
	} while (crew_rest(self->crew));
	self_get()->worker = NULL;
}

static int run_first(struct stealing *self)
{
	struct stealer *worker = &self->workers[0];
	int err = 0;

	while (err == 0 && !is_done(self)) {
		if (crew_must_rest(self->crew))
			crew_rest(self->crew);
		err = step(worker);
	}
	return is_done(self) ? 0 : err;
}

/* One worker after the other on this thread, or any one. */
static struct stealer *draw_worker(struct stealing *self)
{
	struct stealer *worker = &self->workers[self->drawn ? self_choose(self->count) : 0];

	self_get()->worker = worker;
	return worker;
}

static bool step_alone(struct stealing *self)
{
	struct stealer *worker = draw_worker(self);
	struct rt_runnable *next;

	worker->tick++;
	next = take_own(worker);
	if (!next && self->count > 1)
		next = steal(worker);
	if (next)
		execute(worker, next);
	return next;
}

static int run_alone(struct stealing *self)
{
	int err = 0;

	while (err == 0) {
		for (int i = 0; i < BATCH && step_alone(self); i++)
			;
		if (is_done(self))
			return 0;
		bool ready = has_anything(self);

		if (!ready && !can_wake(self))
			return -EDEADLK;
		err = self->virtual ? virtual_clock_poll(&self->clock, self->reactor)
				    : reactor_poll(self->reactor, !ready);
	}
	return err;
}

static int run(struct rt_runtime *runtime, const bool *done)
{
	struct stealing *self = stealing(runtime);

	atomic_store(&self->done, done);
	if (self->crew)
		crew_open(self->crew);
	int err = self->crew ? run_first(self) : run_alone(self);

	atomic_store(&self->done, NULL);
	if (self->crew)
		crew_close(self->crew, LIFECYCLE_GRACE);
	return err;
}

/* From the reactor. */
static void turn(void *arg)
{
	struct stealing *self = arg;

	pool_collect(self->pool);
}

static void alert(void *arg, unsigned number)
{
	struct stealing *self = arg;

	parker_unpark(&self->workers[number].parker);
}

static void interrupt(void *arg)
{
	reactor_wake(arg);
}

/* The first worker: in run(). */
static bool is_at_work(const struct stealing *self)
{
	const struct stealer *worker = own_worker(self);

	return worker && (worker->number > 0 || atomic_load(&self->done));
}

static int pause(struct rt_runtime *runtime, rt_time limit)
{
	struct stealing *self = stealing(runtime);

	return self->crew ? crew_pause(self->crew, is_at_work(self), limit) : 0;
}

static void resume(struct rt_runtime *runtime)
{
	struct stealing *self = stealing(runtime);

	if (self->crew)
		crew_resume(self->crew);
}

/* ---- What tasks wait for ---- */

static int advance(struct rt_runtime *runtime, rt_time until, struct rt_waiter *waiter)
{
	struct stealing *self = stealing(runtime);

	return self->virtual ? virtual_clock_advance(&self->clock, until, waiter) : -EINVAL;
}

static int offload(struct rt_runtime *runtime, struct rt_job *job)
{
	return pool_submit(stealing(runtime)->pool, job);
}

static bool recall(struct rt_runtime *runtime, struct rt_job *job)
{
	return pool_cancel(stealing(runtime)->pool, job);
}

static int watch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	return reactor_watch(stealing(runtime)->reactor, watched);
}

static void unwatch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	reactor_unwatch(stealing(runtime)->reactor, watched);
}

static int arm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	reactor_arm(stealing(runtime)->reactor, timer);
	return 0;
}

static void disarm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	reactor_disarm(stealing(runtime)->reactor, timer);
}

/* ---- Life ---- */

static void destroy(struct rt_runtime *runtime)
{
	struct stealing *self = stealing(runtime);

	pthread_mutex_lock(&self->outside);
	pthread_mutex_unlock(&self->outside);
	crew_destroy(self->crew);
	pool_destroy(self->pool);
	reactor_destroy(self->reactor);
	idle_destroy(self->idle);
	inject_destroy(&self->inject);
	for (unsigned i = 0; i < self->count; i++)
		parker_finish(&self->workers[i].parker);
	pthread_mutex_destroy(&self->driver);
	pthread_mutex_destroy(&self->outside);
	free(self->workers);
	self_get()->worker = NULL;
	clock_bind(NULL);
	free(self);
}

static int make_workers(struct stealing *self)
{
	self->workers = calloc(self->count, sizeof *self->workers);
	if (!self->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < self->count; i++) {
		struct stealer *worker = &self->workers[i];

		worker->owner = self;
		worker->number = i;
		worker->random = i + 1;
		steal_queue_init(&worker->queue);
		parker_init(&worker->parker, interrupt, self->reactor);
	}
	return 0;
}

/* The others start when there is something for them: until then they are parked. */
static int make_crew(struct stealing *self)
{
	struct crew_options options = {
		.runtime = &self->runtime,
		.workers = self->count,
		.work = work,
		.alert = alert,
		.arg = self,
	};
	int err = idle_create(&self->idle, self->count);

	for (unsigned i = self->count; err == 0 && i-- > 1;)
		idle_park(self->idle, i, false);
	if (err == 0)
		err = crew_create(&self->crew, &options);
	self->runtime.shared = err == 0;
	return err;
}

static int make_reactor(struct stealing *self)
{
	struct reactor_options options = {
		.runtime = &self->runtime,
		.shared = !self->drawn && !self->virtual && self->count > 1,
		.clock = self->virtual ? &self->clock.now : NULL,
		.turn = turn,
		.arg = self,
	};

	return reactor_create(&self->reactor, &options);
}

static int make_pool(struct stealing *self, unsigned threads)
{
	struct pool_options options = {.max_threads = threads, .notify = interrupt, .arg = self->reactor};

	return pool_create(&self->pool, &options);
}

static void start_clock(struct stealing *self)
{
	self->clock.runtime = &self->runtime;
	self->clock.is_ready = is_ready;
	self->clock.has_work = has_work;
	virtual_clock_start(&self->clock);
}

static unsigned workers_for(const struct rt_runtime_options *options)
{
	if (options->seed != 0 && options->workers < 2)
		return WORKERS_DRAWN;
	return options->workers > 0 ? options->workers : cpus_available();
}

static struct stealing *allocate(const struct rt_runtime_options *options)
{
	struct stealing *self = calloc(1, sizeof *self);

	if (!self)
		return NULL;
	self->count = workers_for(options);
	self->runtime.workers = self->count;
	self->drawn = options->seed != 0;
	self->virtual = options->clock == RT_CLOCK_VIRTUAL;
	inject_init(&self->inject);
	pthread_mutex_init(&self->driver, NULL);
	pthread_mutex_init(&self->outside, NULL);
	if (self->virtual)
		start_clock(self);
	return self;
}

static int create(struct rt_runtime **runtime, const struct rt_runtime_options *options)
{
	/* A host's loop is one thread's. */
	if (options->event_base)
		return -ENOTSUP;
	struct stealing *self = allocate(options);

	if (!self)
		return -ENOMEM;
	int err = make_reactor(self);

	if (err == 0)
		err = make_pool(self, options->blocking_threads);
	if (err == 0)
		err = make_workers(self);
	if (err == 0 && self->count > 1 && !self->drawn && !self->virtual)
		err = make_crew(self);
	if (err < 0) {
		self->count = self->workers ? self->count : 0;
		destroy(&self->runtime);
		return err;
	}
	self_get()->worker = &self->workers[0];
	*runtime = &self->runtime;
	return 0;
}

const struct rt_runtime_ops rt_stealing = {
	.name = "stealing",
	.create = create,
	.destroy = destroy,
	.run = run,
	.schedule = schedule,
	.offload = offload,
	.recall = recall,
	.watch = watch,
	.unwatch = unwatch,
	.arm = arm,
	.disarm = disarm,
	.pause = pause,
	.resume = resume,
	.advance = advance,
};
