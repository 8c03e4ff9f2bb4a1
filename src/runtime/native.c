/* SPDX-License-Identifier: MIT */
/*
 * The native runtime: a loop on the thread that starts it, and more of them, each on a thread of
 * its own, when there is something that should run in parallel. What has been placed on a
 * worker stays on it. Blocking work goes to a thread pool.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/list.h"
#include "platform/clock.h"
#include "runtime/cpus.h"
#include "runtime/lifecycle.h"
#include "runtime/virtual_clock.h"
#include "runtime/worker.h"
#include "sched/pool.h"
#include "task/self.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct native {
	struct rt_runtime runtime;
	struct worker first;
	struct pool *pool;
	bool virtual;
	struct virtual_clock clock;
	bool spread; /* the program has asked for several workers: tasks are placed on all of them */
	bool at_work; /* the first worker: in run(), or has its turn in a host's loop */
	_Atomic(const bool *) done; /* that of run() */
	pthread_mutex_t lock; /* of the rest */
	struct crew *crew; /* made when first needed, as are the others */
	struct worker **others; /* by number, from 1 on */
	unsigned started; /* the first included */
	unsigned idle;
	unsigned next_task, next_job; /* where to place them */
};

static struct native *native(const struct rt_runtime *runtime)
{
	return container_of(runtime, struct native, runtime);
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	worker_schedule(&container_of(executor, struct native, runtime.executor)->first, runnable);
}

static bool is_ready(const struct rt_runtime *runtime)
{
	return native(runtime)->first.ready.head;
}

static bool has_work(const struct rt_runtime *runtime)
{
	return pool_pending(native(runtime)->pool) > 0;
}

/* ---- What may still happen ---- */

static bool others_have_timers(struct native *self)
{
	bool any = false;

	/* One may be starting another worker just now. */
	pthread_mutex_lock(&self->lock);
	for (unsigned i = 1; self->others && i < self->runtime.workers && !any; i++)
		any = self->others[i] && reactor_has_timers(self->others[i]->reactor);
	pthread_mutex_unlock(&self->lock);
	return any;
}

static bool has_timers(struct native *self)
{
	return reactor_has_timers(self->first.reactor) || (self->runtime.shared && others_have_timers(self));
}

static bool can_wake(struct native *self)
{
	rt_runtime_lock(&self->runtime);
	bool can = self->runtime.watching > 0 || has_timers(self) || self->clock.waiter;

	rt_runtime_unlock(&self->runtime);
	return can || has_work(&self->runtime);
}

/* Of a worker that is at rest. */
static bool has_something(struct worker *worker)
{
	return worker->ready.head || worker_has_mail(worker);
}

static bool anybody_has_something(struct native *self)
{
	bool any = has_something(&self->first);

	for (unsigned i = 1; self->others && i < self->runtime.workers && !any; i++)
		any = self->others[i] && has_something(self->others[i]);
	return any;
}

/*
 * It looks as if nothing could happen any more: with all at rest it can be seen. Whoever is
 * still at work makes something happen.
 */
static bool is_deadlock(struct native *self)
{
	if (!self->crew)
		return !anybody_has_something(self);
	int busy = crew_pause(self->crew, true, RT_MS(1));
	bool dead = busy == 0 && !crew_rests_in_task(self->crew) && !anybody_has_something(self) &&
		    !can_wake(self);

	crew_resume(self->crew);
	return dead;
}

/* The last one to fall asleep, if nothing is to be waited for, has the first look, which may be itself. */
static void begin_idle(struct native *self, struct worker *worker)
{
	pthread_mutex_lock(&self->lock);
	worker->idle = true;
	bool last = ++self->idle == self->started;

	pthread_mutex_unlock(&self->lock);
	if (last && !can_wake(self))
		reactor_wake(self->first.reactor);
}

static void end_idle(struct native *self, struct worker *worker)
{
	pthread_mutex_lock(&self->lock);
	worker->idle = false;
	self->idle--;
	pthread_mutex_unlock(&self->lock);
}

static bool others_are_idle(struct native *self)
{
	if (!self->runtime.shared)
		return true;
	pthread_mutex_lock(&self->lock);
	bool idle = self->idle + 1 == self->started;

	pthread_mutex_unlock(&self->lock);
	return idle;
}

/* ---- The loops ---- */

static int poll_worker(struct native *self, struct worker *worker)
{
	bool wait = !worker->ready.head, counts = wait && self->runtime.shared;

	if (counts)
		begin_idle(self, worker);
	int err = reactor_poll(worker->reactor, wait);

	if (counts)
		end_idle(self, worker);
	return err;
}

static int poll(struct native *self)
{
	if (self->virtual)
		return virtual_clock_poll(&self->clock, self->first.reactor);
	return poll_worker(self, &self->first);
}

static void rest(struct native *self)
{
	if (self->crew && crew_must_rest(self->crew))
		crew_rest(self->crew);
}

static int loop(struct native *self, const bool *done)
{
	int err = 0;

	while (err == 0) {
		worker_run_batch(&self->first);
		if (__atomic_load_n(done, __ATOMIC_ACQUIRE))
			return 0;
		rest(self);
		if (!self->first.ready.head && others_are_idle(self) && !can_wake(self)) {
			worker_empty_inbox(&self->first);
			if (!self->first.ready.head && is_deadlock(self))
				return -EDEADLK;
		}
		err = poll(self);
	}
	return err;
}

/* False: it is at work already, around this. */
static bool begin_work(struct native *self)
{
	if (self->at_work)
		return false;
	self->at_work = true;
	if (self->crew)
		crew_open(self->crew);
	return true;
}

/* A host's loop goes on without run(). */
static void end_work(struct native *self)
{
	self->at_work = false;
	if (self->crew && self->first.guest)
		crew_leave(self->crew);
	else if (self->crew)
		crew_close(self->crew, runtime_rest_limit(&self->runtime));
}

static int run(struct rt_runtime *runtime, const bool *done)
{
	struct native *self = native(runtime);

	bool begun = begin_work(self);
	const bool *outer = atomic_exchange(&self->done, done);
	int err = loop(self, done);

	atomic_store(&self->done, outer);
	if (begun)
		end_work(self);
	return err;
}

/* The end of run() may come about on any worker. */
static void look_for_end(struct native *self)
{
	const bool *done = atomic_load(&self->done);

	if (done && __atomic_load_n(done, __ATOMIC_ACQUIRE))
		reactor_wake(self->first.reactor);
}

/* A host's loop that tasks keep alive may end with the last of them, wherever that ends. */
static void look_for_last(struct native *self)
{
	if (!self->first.guest)
		return;
	rt_runtime_lock(&self->runtime);
	bool last = self->runtime.task_count == 0;

	rt_runtime_unlock(&self->runtime);
	if (last)
		reactor_wake(self->first.reactor);
}

/* The loop of the others. */
static void work(void *arg, unsigned number)
{
	struct native *self = arg;
	struct worker *worker = self->others[number];

	self_get()->worker = worker;
	do {
		while (!crew_must_rest(self->crew)) {
			worker_run_batch(worker);
			look_for_end(self);
			look_for_last(self);
			poll_worker(self, worker);
		}
	} while (crew_rest(self->crew));
	self_get()->worker = NULL;
}

static void alert(void *arg, unsigned number)
{
	struct native *self = arg;

	reactor_wake(number > 0 ? self->others[number]->reactor : self->first.reactor);
}

/* From the reactor: somebody called reactor_wake(), or it is our turn in a host's loop. */
static void turn(void *arg)
{
	struct native *self = arg;

	worker_empty_inbox(&self->first);
	pool_collect(self->pool);
}

static void other_turn(void *arg)
{
	worker_empty_inbox(arg);
}

static void guest_turn(void *arg)
{
	struct native *self = arg;
	bool begun = begin_work(self);

	turn(self);
	worker_run_batch(&self->first);
	if (self->first.ready.head)
		reactor_kick(self->first.reactor, true);
	rt_runtime_lock(&self->runtime);
	bool hold = self->runtime.task_count > 0;

	rt_runtime_unlock(&self->runtime);
	reactor_hold(self->first.reactor, hold);
	if (begun)
		end_work(self);
}

/* ---- More workers ---- */

static int make_crew(struct native *self)
{
	struct crew_options options = {
		.runtime = &self->runtime,
		.workers = self->runtime.workers,
		.work = work,
		.alert = alert,
		.arg = self,
	};

	self->others = calloc(self->runtime.workers, sizeof(struct worker *));
	if (!self->others || crew_create(&self->crew, &options) < 0) {
		free(self->others);
		self->others = NULL;
		return -ENOMEM;
	}
	self->first.crew = self->crew;
	if (self->at_work || self->first.guest)
		crew_open(self->crew);
	if (!self->at_work && self->first.guest)
		crew_leave(self->crew);
	return 0;
}

static struct worker *make_worker(struct native *self)
{
	struct worker *worker = malloc(sizeof *worker);
	struct reactor_options options = {
		.runtime = &self->runtime, .shared = true, .turn = other_turn, .arg = worker};

	if (worker && worker_init(worker, &self->runtime, &options) == 0)
		return worker;
	free(worker);
	return NULL;
}

/* From here on the runtime is shared, and stays so. */
static int start(struct native *self, unsigned number)
{
	struct worker *worker = make_worker(self);

	if (!worker)
		return -ENOMEM;
	worker->number = (uint16_t)number;
	worker->crew = self->crew;
	self->others[number] = worker;
	if (!self->runtime.shared)
		self->runtime.shared = true;
	int err = crew_start(self->crew, number);

	if (err == 0) {
		self->started++;
		return 0;
	}
	self->others[number] = NULL;
	worker_finish(worker);
	free(worker);
	return err;
}

static struct rt_executor *executor_of(struct native *self, unsigned number)
{
	if (number == 0 || (!self->crew && make_crew(self) < 0))
		return &self->runtime.executor;
	/* One that cannot be started is done without. */
	if (!self->others[number] && start(self, number) < 0)
		return &self->runtime.executor;
	return &self->others[number]->executor;
}

static struct rt_executor *current_executor(struct native *self)
{
	struct worker *worker = self_get()->worker;

	return worker && worker != &self->first ? &worker->executor : &self->runtime.executor;
}

static struct rt_executor *place(struct rt_runtime *runtime, bool spread)
{
	struct native *self = native(runtime);

	if (runtime->workers == 1 || (!spread && !runtime->shared && !self->spread))
		return &runtime->executor;
	if (!spread && !self->spread)
		return current_executor(self);
	pthread_mutex_lock(&self->lock);
	unsigned number = (spread ? ++self->next_job : self->next_task++) % runtime->workers;
	struct rt_executor *executor = executor_of(self, number);

	pthread_mutex_unlock(&self->lock);
	return executor;
}

static bool is_at_work(const struct native *self)
{
	const struct worker *worker = self_get()->worker;

	return worker && (worker != &self->first || self->at_work);
}

static int pause(struct rt_runtime *runtime, rt_time limit)
{
	return native(runtime)->crew ? crew_pause(native(runtime)->crew, is_at_work(native(runtime)), limit)
				     : 0;
}

static void resume(struct rt_runtime *runtime)
{
	if (native(runtime)->crew)
		crew_resume(native(runtime)->crew);
}

/* ---- What tasks wait for ---- */

static int advance(struct rt_runtime *runtime, rt_time until, struct rt_waiter *waiter)
{
	return native(runtime)->virtual ? virtual_clock_advance(&native(runtime)->clock, until, waiter)
					: -EINVAL;
}

static int offload(struct rt_runtime *runtime, struct rt_job *job)
{
	return pool_submit(native(runtime)->pool, job);
}

static bool recall(struct rt_runtime *runtime, struct rt_job *job)
{
	return pool_cancel(native(runtime)->pool, job);
}

/* The reactor of the worker that this thread is. */
static struct reactor *own_reactor(struct rt_runtime *runtime)
{
	const struct worker *worker = self_get()->worker;

	return worker ? worker->reactor : native(runtime)->first.reactor;
}

static int watch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	return reactor_watch(own_reactor(runtime), watched);
}

static void unwatch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	struct native *self = native(runtime);
	struct reactor *first = self->first.reactor;

	/* The first worker's reactor has no locks where the others came later. */
	if (own_reactor(runtime) != first && !self->spread && reactor_has(first, watched))
		worker_unwatch(&self->first, watched);
	else
		reactor_unwatch(own_reactor(runtime), watched);
}

static int arm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	const struct worker *worker = self_get()->worker;

	timer->home = worker ? worker->number : 0;
	reactor_arm(own_reactor(runtime), timer);
	return 0;
}

/* On another worker's reactor only when that is at rest: at the end. */
static void disarm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	struct native *self = native(runtime);

	reactor_disarm(timer->home > 0 ? self->others[timer->home]->reactor : self->first.reactor, timer);
}

/* ---- Life ---- */

static void destroy(struct rt_runtime *runtime)
{
	struct native *self = native(runtime);

	pool_destroy(self->pool);
	crew_destroy(self->crew);
	for (unsigned i = 1; self->others && i < runtime->workers; i++) {
		if (self->others[i])
			worker_finish(self->others[i]);
		free(self->others[i]);
	}
	free(self->others);
	worker_finish(&self->first);
	self_get()->worker = NULL;
	clock_bind(NULL);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static void start_clock(struct native *self)
{
	self->virtual = true;
	self->clock.runtime = &self->runtime;
	self->clock.is_ready = is_ready;
	self->clock.has_work = has_work;
	virtual_clock_start(&self->clock);
}

/* A schedule that is to be repeated has one thread. */
static unsigned workers_for(const struct rt_runtime_options *options)
{
	if (options->seed != 0 || options->clock == RT_CLOCK_VIRTUAL)
		return 1;
	return options->workers > 0 ? options->workers : cpus_available();
}

/* Pool threads: the first worker is to collect. */
static void call_first(void *arg)
{
	struct native *self = arg;

	reactor_wake(self->first.reactor);
}

static int make_parts(struct native *self, const struct rt_runtime_options *options,
		      const struct reactor_options *reactor)
{
	struct pool_options pool = {
		.max_threads = options->blocking_threads, .notify = call_first, .arg = self};
	int err = pool_create(&self->pool, &pool);

	if (err == 0)
		err = worker_init(&self->first, &self->runtime, reactor);
	if (err < 0)
		pool_destroy(self->pool);
	return err;
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
	struct reactor_options reactor = {
		.event_base = options->event_base,
		.runtime = &created->runtime,
		.shared = !options->event_base && !virtual && options->workers > 1,
		.clock = virtual ? &created->clock.now : NULL,
		.turn = options->event_base ? guest_turn : turn,
		.arg = created,
	};
	int err = make_parts(created, options, &reactor);

	if (err < 0) {
		clock_bind(NULL);
		free(created);
		return err;
	}
	created->first.ready.seeded = options->seed != 0;
	created->spread = reactor.shared;
	created->started = 1;
	created->runtime.workers = workers_for(options);
	pthread_mutex_init(&created->lock, NULL);
	self_get()->worker = &created->first;
	*runtime = &created->runtime;
	return 0;
}

const struct rt_runtime_ops rt_native = {
	.name = "native",
	.create = create,
	.destroy = destroy,
	.run = run,
	.schedule = schedule,
	.place = place,
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
