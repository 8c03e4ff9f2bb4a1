/* SPDX-License-Identifier: MIT */
/*
 * The native runtime: one worker, the thread that starts it, with a run queue and
 * a reactor; blocking work goes to a thread pool. No operation on the way of a
 * task is atomic: other threads hand in runnables through a locked inbox.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/list.h"
#include "platform/clock.h"
#include "reactor/reactor.h"
#include "sched/pool.h"
#include "sched/queue.h"
#include "task/self.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* How many runnables run before the reactor is asked for news. */
enum { BATCH = 64 };

/* Virtual clock: what is on its way to a descriptor gets so much real time before a deadline passes. */
#define SILENCE RT_MS(1)

/* Virtual clock, moved by hand: so many turns of the loop may be busy before it is moved on regardless. */
enum { BUSY_TURNS = 16 };

/* Moving a virtual clock by hand. */
struct advance {
	struct rt_waiter *waiter; /* NULL: nobody does */
	rt_time until;
	int busy_turns;
};

struct native {
	struct rt_runtime runtime;
	struct queue ready;
	struct reactor *reactor;
	struct pool *pool; /* made when first needed */
	bool guest; /* in a host's loop */
	bool virtual;
	rt_time now; /* virtual */
	struct advance advance;
	/* Any thread, under the lock. */
	pthread_mutex_t lock;
	struct queue inbox;
};

static struct native *native(struct rt_runtime *runtime)
{
	return container_of(runtime, struct native, runtime);
}

static void hand_in(struct native *self, struct rt_runnable *runnable)
{
	pthread_mutex_lock(&self->lock);
	queue_push(&self->inbox, runnable);
	/* Under the lock: what was handed in may end the runtime as soon as it is taken out. */
	reactor_wake(self->reactor);
	pthread_mutex_unlock(&self->lock);
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct native *self = container_of(executor, struct native, runtime.executor);

	if (self_get()->runtime != &self->runtime) {
		hand_in(self, runnable);
		return;
	}
	queue_push(&self->ready, runnable);
	if (!self->guest)
		return;
	reactor_hold(self->reactor, true);
	reactor_kick(self->reactor, false);
}

static void empty_inbox(struct native *self)
{
	pthread_mutex_lock(&self->lock);
	struct queue inbox = self->inbox;

	self->inbox.head = NULL;
	pthread_mutex_unlock(&self->lock);
	for (struct rt_runnable *runnable; (runnable = queue_pop(&inbox));)
		queue_push(&self->ready, runnable);
}

static void run_batch(struct native *self)
{
	for (int i = 0; i < BATCH; i++) {
		struct rt_runnable *next = queue_next(&self->ready);

		if (!next)
			return;
		next->run(next);
	}
}

/* From the reactor: somebody called reactor_wake(), or it is our turn in a host's loop. */
static void turn(void *arg)
{
	struct native *self = arg;

	empty_inbox(self);
	if (self->pool)
		pool_collect(self->pool);
}

static void guest_turn(void *arg)
{
	struct native *self = arg;

	turn(self);
	run_batch(self);
	if (self->ready.head)
		reactor_kick(self->reactor, true);
	reactor_hold(self->reactor, self->runtime.task_count > 0);
}

static bool has_work(const struct native *self)
{
	return self->pool && pool_pending(self->pool) > 0;
}

static bool can_wake(const struct native *self)
{
	return self->runtime.watching > 0 || reactor_has_timers(self->reactor) || has_work(self) ||
	       self->advance.waiter;
}

/* ---- The virtual clock ---- */

static int advance(struct rt_runtime *runtime, rt_time until, struct rt_waiter *waiter)
{
	struct native *self = native(runtime);

	if (!self->virtual)
		return -EINVAL;
	if (waiter && self->advance.waiter)
		return -EBUSY;
	self->advance = (struct advance){.waiter = waiter, .until = until};
	return 0;
}

/* By hand: on to the next deadline, or the end. */
static void step(struct native *self)
{
	struct advance *by_hand = &self->advance;
	struct rt_waiter *waiter = by_hand->waiter;

	by_hand->busy_turns = 0;
	if (self->now < by_hand->until) {
		reactor_advance(self->reactor, by_hand->until);
		return;
	}
	by_hand->waiter = NULL;
	waiter->wake(waiter, 0);
}

/* The real time after which nothing is waited for. */
static rt_time patience(const struct native *self)
{
	return self->runtime.drained ? self->runtime.drain_end : RT_FOREVER;
}

/* Whether a task is ready, or has run since this turn. */
static bool is_busy(const struct native *self, uint64_t turn)
{
	return self->ready.head || self_get()->turns != turn;
}

static int await_silence(struct native *self, uint64_t turn)
{
	rt_time until = clock_real() + SILENCE;
	int err;

	do
		err = reactor_poll_until(self->reactor, until);
	while (err == 0 && !is_busy(self, turn) && clock_real() < until);
	return err;
}

/* Waits for what takes real time, and then moves the clock. */
static int poll_idle(struct native *self, uint64_t turn)
{
	if (has_work(self))
		return reactor_poll_until(self->reactor, patience(self));
	if (self->runtime.watching > 0) {
		int err = await_silence(self, turn);

		if (err < 0 || is_busy(self, turn))
			return err;
	}
	if (self->advance.waiter)
		step(self);
	else if (!reactor_advance(self->reactor, RT_FOREVER) && can_wake(self))
		return reactor_poll_until(self->reactor, patience(self));
	return 0;
}

static int poll_virtual(struct native *self)
{
	uint64_t turn = self_get()->turns;
	int err = reactor_poll(self->reactor, false);

	if (err < 0)
		return err;
	if (clock_real() >= patience(self))
		return -ETIMEDOUT;
	if (!is_busy(self, turn))
		return poll_idle(self, turn);
	if (self->advance.waiter && ++self->advance.busy_turns >= BUSY_TURNS)
		step(self);
	return 0;
}

/* ---- The loop ---- */

static int poll(struct native *self)
{
	return self->virtual ? poll_virtual(self) : reactor_poll(self->reactor, !self->ready.head);
}

static int run(struct rt_runtime *runtime, const bool *done)
{
	struct native *self = native(runtime);
	int err = 0;

	while (err == 0) {
		run_batch(self);
		if (*done)
			return 0;
		if (!self->ready.head && !can_wake(self)) {
			empty_inbox(self);
			if (!self->ready.head)
				return -EDEADLK;
		}
		err = poll(self);
	}
	return err;
}

static void wake_reactor(void *arg)
{
	reactor_wake(arg);
}

static int offload(struct rt_runtime *runtime, struct rt_job *job)
{
	struct native *self = native(runtime);

	if (!self->pool) {
		int err = pool_create(&self->pool, POOL_MAX_THREADS, wake_reactor, self->reactor);

		if (err < 0)
			return err;
	}
	return pool_submit(self->pool, job);
}

static int watch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	return reactor_watch(native(runtime)->reactor, watched);
}

static void unwatch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	reactor_unwatch(native(runtime)->reactor, watched);
}

static int arm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	reactor_arm(native(runtime)->reactor, timer);
	return 0;
}

static void disarm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	reactor_disarm(native(runtime)->reactor, timer);
}

static void destroy(struct rt_runtime *runtime)
{
	struct native *self = native(runtime);

	pool_destroy(self->pool);
	reactor_destroy(self->reactor);
	clock_bind(NULL);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static void start_clock(struct native *self)
{
	self->virtual = true;
	self->now = clock_real();
	clock_bind(&self->now);
}

static int create(struct rt_runtime **runtime, const struct rt_runtime_options *options)
{
	bool virtual = options->clock == RT_CLOCK_VIRTUAL;

	/* Whose turn it is, and when, is a host's to say. */
	if (virtual && options->event_base)
		return -ENOTSUP;
	struct native *created = calloc(1, sizeof *created);

	if (!created)
		return -ENOMEM;
	if (virtual)
		start_clock(created);
	created->ready.seeded = options->seed != 0;
	struct reactor_options reactor = {
		.event_base = options->event_base,
		.clock = virtual ? &created->now : NULL,
		.turn = options->event_base ? guest_turn : turn,
		.arg = created,
	};
	int err = reactor_create(&created->reactor, &reactor);

	if (err < 0) {
		clock_bind(NULL);
		free(created);
		return err;
	}
	created->guest = options->event_base;
	pthread_mutex_init(&created->lock, NULL);
	*runtime = &created->runtime;
	return 0;
}

const struct rt_runtime_ops rt_native = {
	.name = "native",
	.create = create,
	.destroy = destroy,
	.run = run,
	.schedule = schedule,
	.offload = offload,
	.watch = watch,
	.unwatch = unwatch,
	.arm = arm,
	.disarm = disarm,
	.advance = advance,
};
