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
#include "reactor/reactor.h"
#include "sched/pool.h"
#include "sched/queue.h"
#include "task/self.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* How many runnables run before the reactor is asked for news. */
enum { BATCH = 64 };

/* How many run after each event of the reactor: whom it woke, and what these have scheduled. */
enum { EVENT_BATCH = 2 };

struct native {
	struct rt_runtime runtime;
	struct queue ready;
	struct reactor *reactor;
	struct pool *pool; /* made when first needed */
	bool guest; /* in a host's loop */
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
	pthread_mutex_unlock(&self->lock);
	reactor_wake(self->reactor);
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

static void run_some(struct native *self, int count)
{
	for (int i = 0; i < count; i++) {
		struct rt_runnable *next = queue_pop(&self->ready);

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

static void woken(void *arg)
{
	run_some(arg, EVENT_BATCH);
}

static void guest_turn(void *arg)
{
	struct native *self = arg;

	turn(self);
	run_some(self, BATCH);
	if (self->ready.head)
		reactor_kick(self->reactor, true);
	reactor_hold(self->reactor, self->runtime.task_count > 0);
}

static bool can_wake(struct native *self)
{
	return self->runtime.watching > 0 || reactor_has_timers(self->reactor) ||
	       (self->pool && pool_pending(self->pool) > 0);
}

static int run(struct rt_runtime *runtime, const bool *done)
{
	struct native *self = native(runtime);
	int err = 0;

	while (err == 0) {
		run_some(self, BATCH);
		if (*done)
			return 0;
		if (!self->ready.head && !can_wake(self)) {
			empty_inbox(self);
			if (!self->ready.head)
				return -EDEADLK;
		}
		err = reactor_poll(self->reactor, !self->ready.head);
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
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static int create(struct rt_runtime **runtime, const struct rt_runtime_options *options)
{
	struct native *created = calloc(1, sizeof *created);

	if (!created)
		return -ENOMEM;
	struct reactor_options reactor = {
		.event_base = options->event_base,
		.turn = options->event_base ? guest_turn : turn,
		.woken = woken,
		.arg = created,
	};
	int err = reactor_create(&created->reactor, &reactor);

	if (err < 0) {
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
};
