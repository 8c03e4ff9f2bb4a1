/* SPDX-License-Identifier: MIT */
/*
 * The stealing runtime: several workers, and whatever is scheduled runs on the next one that has
 * time. After tokio's multi-thread scheduler, in which each worker has a bounded queue, from
 * which others steal halves, and a slot for what the running task has just woken; what comes from elsewhere,
 * or does not fit, goes through one queue for all.
 *
 * Here are the loops and the operations; what a worker does is in stealer.h.
 *
 * With a seed or a virtual clock all workers are on one thread, which draws one of them for each step.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/list.h"
#include "platform/clock.h"
#include "runtime/cpus.h"
#include "runtime/lifecycle.h"
#include "runtime/stealer.h"
#include "task/self.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* On one thread: how many runnables run before the reactor is asked for news. */
	BATCH = 64,
	/* Of a seeded runtime, if the program does not say. */
	WORKERS_DRAWN = 4,
};

static struct stealing *stealing(const struct rt_runtime *runtime)
{
	return container_of(runtime, struct stealing, runtime);
}

/* ---- Scheduling ---- */

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
		stealing_notify(self);
	else
		reactor_wake(self->reactor);
	pthread_mutex_unlock(&self->outside);
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct stealing *self = container_of(executor, struct stealing, runtime.executor);
	struct stealer *worker = own_worker(self);

	if (worker)
		stealer_push(worker, runnable);
	else
		hand_in(self, runnable);
}

static bool is_ready(const struct rt_runtime *runtime)
{
	return stealing_has_anything(stealing(runtime));
}

static bool has_work(const struct rt_runtime *runtime)
{
	return pool_pending(stealing(runtime)->pool) > 0;
}

/* ---- The loops ---- */

static void work(void *arg, unsigned number)
{
	struct stealing *self = arg;
	struct stealer *worker = &self->workers[number];

	self_get()->worker = worker;
	worker->searching = true; /* as whoever had it started says */
	do {
		while (!crew_must_rest(self->crew))
			stealer_step(worker);
	} while (crew_rest(self->crew));
	self_get()->worker = NULL;
}

static int run_first(struct stealing *self)
{
	struct stealer *worker = &self->workers[0];
	int err = 0;

	while (err == 0 && !stealing_is_done(self)) {
		if (crew_must_rest(self->crew))
			crew_rest(self->crew);
		err = stealer_step(worker);
	}
	return stealing_is_done(self) ? 0 : err;
}

/* One worker after the other on this thread, or any one. */
static struct stealer *draw_worker(struct stealing *self)
{
	struct stealer *worker = &self->workers[self->drawn ? self_choose(self->count) : 0];

	self_get()->worker = worker;
	return worker;
}

static int run_alone(struct stealing *self)
{
	int err = 0;

	while (err == 0) {
		for (int i = 0; i < BATCH && stealer_step_alone(draw_worker(self)); i++)
			;
		if (stealing_is_done(self))
			return 0;
		bool ready = stealing_has_anything(self);

		if (!ready && !stealing_can_wake(self))
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
		crew_close(self->crew, runtime_rest_limit(runtime));
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
static bool is_at_work(struct stealing *self)
{
	const struct stealer *worker = self_get()->runtime == &self->runtime ? self_get()->worker : NULL;

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
