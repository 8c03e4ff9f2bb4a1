/* SPDX-License-Identifier: MIT */
/* The registry of runtimes, and the life of one on its thread. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/lifecycle.h"

#include "base/list.h"
#include "platform/clock.h"
#include "platform/overflow.h"
#include "sched/strand.h"
#include "sched/watchdog.h"
#include "task/fiber_task.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { RUNTIMES_MAX = 16, STACK_SIZE = 64 * 1024 };

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct rt_runtime_ops *registry[RUNTIMES_MAX] = {&rt_native, &rt_stealing};

static int add(const struct rt_runtime_ops *ops)
{
	for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
		if (!registry[i]) {
			registry[i] = ops;
			return 0;
		}
		if (strcmp(registry[i]->name, ops->name) == 0)
			return -EEXIST;
	}
	return -ENOSPC;
}

int rt_runtime_register(const struct rt_runtime_ops *ops)
{
	pthread_mutex_lock(&registry_lock);
	int err = add(ops);

	pthread_mutex_unlock(&registry_lock);
	return err;
}

const char *rt_runtime_name(unsigned index)
{
	pthread_mutex_lock(&registry_lock);
	const struct rt_runtime_ops *ops = index < RUNTIMES_MAX ? registry[index] : NULL;

	pthread_mutex_unlock(&registry_lock);
	return ops ? ops->name : NULL;
}

const struct rt_runtime_ops *rt_runtime_find(const char *name)
{
	const struct rt_runtime_ops *found = NULL;

	pthread_mutex_lock(&registry_lock);
	for (unsigned i = 0; i < RUNTIMES_MAX && registry[i] && !found; i++) {
		if (strcmp(registry[i]->name, name) == 0)
			found = registry[i];
	}
	pthread_mutex_unlock(&registry_lock);
	return found;
}

static int start_watchdog(struct rt_runtime *runtime, rt_time limit)
{
	struct watchdog *watchdog;
	int err = watchdog_create(&watchdog, limit);

	runtime->watchdog = err < 0 ? NULL : watchdog;
	return err;
}

/* What has run before leaves no trace in a seeded schedule. */
static void set_chance(struct self *self, uint64_t seed)
{
	self->seeded = seed != 0;
	if (seed != 0)
		self->random = seed;
}

int runtime_open(const struct rt_runtime_ops *ops, const struct rt_runtime_options *options,
		 struct rt_runtime **runtime)
{
	static const struct rt_runtime_options defaults;
	struct self *self = self_get();
	int err;

	if (self->runtime)
		return -EBUSY;
	ops = ops ? ops : &rt_native;
	options = options ? options : &defaults;
	if (options->workers > RT_WORKERS_MAX || options->blocking_threads > RT_BLOCKING_THREADS_MAX)
		return -EINVAL;
	if (options->clock != RT_CLOCK_REAL && !ops->advance)
		return -ENOTSUP;
	set_chance(self, options->seed);
	if ((err = ops->create(runtime, options)) < 0)
		return err;
	unsigned workers = (*runtime)->workers;

	**runtime = (struct rt_runtime){
		.executor.schedule = ops->schedule,
		.shared = (*runtime)->shared,
		.workers = workers > 0 ? workers : 1,
		.ops = ops,
		.users = 1,
		.stack_size = options->stack_size ? options->stack_size : (size_t)STACK_SIZE,
	};
	pthread_mutex_init(&(*runtime)->lock, NULL);
	err = options->watchdog > 0 ? start_watchdog(*runtime, options->watchdog) : 0;
	if (err < 0) {
		ops->destroy(*runtime);
		return err;
	}
	self->runtime = *runtime;
	self->fiber = &self->thread;
	fiber_init_thread(&self->thread);
	/* Without an alternate stack an overflow still ends the process, only less clearly. */
	overflow_guard_thread(task_report_overflow);
	return 0;
}

int rt_worker_enter(struct rt_runtime *runtime)
{
	struct self *self = self_get();

	if (self->runtime)
		return -EBUSY;
	self->runtime = runtime;
	self->fiber = &self->thread;
	fiber_init_thread(&self->thread);
	overflow_guard_thread(task_report_overflow);
	watchdog_enter(runtime->watchdog);
	return 0;
}

void rt_worker_leave(struct rt_runtime *runtime)
{
	struct self *self = self_get();

	if (self->runtime != runtime)
		return;
	watchdog_leave();
	overflow_unguard_thread();
	fiber_finish(&self->thread);
	self->runtime = NULL;
	self->fiber = NULL;
}

size_t runtime_task_count(struct rt_runtime *runtime, const struct task_family *family)
{
	rt_runtime_lock(runtime);
	size_t count = task_count(runtime, family);

	rt_runtime_unlock(runtime);
	return count;
}

struct drain {
	struct task_drain tasks;
	struct rt_timer grace;
	bool expired;
};

static void give_up(struct rt_waiter *waiter, int result)
{
	struct drain *drain = container_of(waiter, struct drain, grace.waiter);

	(void)result;
	drain->expired = true;
	__atomic_store_n(&drain->tasks.over, true, __ATOMIC_RELEASE);
}

/* False: there is nothing to wait for, or no way. */
static bool begin_drain(struct rt_runtime *runtime, struct drain *drain)
{
	rt_runtime_lock(runtime);
	bool waits = task_count(runtime, drain->tasks.family) > 0 &&
		     runtime->ops->arm(runtime, &drain->grace) == 0;

	if (waits) {
		drain->tasks.next = runtime->drains;
		runtime->drains = &drain->tasks;
	}
	rt_runtime_unlock(runtime);
	return waits;
}

/* Those that have begun since are over: they ran inside of this one. */
static void end_drain(struct rt_runtime *runtime, struct drain *drain)
{
	rt_runtime_lock(runtime);
	runtime->drains = drain->tasks.next;
	runtime->ops->disarm(runtime, &drain->grace);
	rt_runtime_unlock(runtime);
}

bool runtime_drain(struct rt_runtime *runtime, const struct task_family *family, rt_time grace)
{
	struct drain drain = {
		.tasks.family = family,
		.grace = {.deadline = rt_in(grace), .waiter.wake = give_up},
	};
	rt_time outer_end = runtime->drain_end;

	if (!begin_drain(runtime, &drain))
		return runtime_task_count(runtime, family) == 0;
	runtime->drain_end = clock_real() + grace;
	int err = runtime->ops->run(runtime, &drain.tasks.over);

	runtime->drain_end = outer_end;
	end_drain(runtime, &drain);
	return err == 0 && !drain.expired;
}

rt_time runtime_rest_limit(const struct rt_runtime *runtime)
{
	rt_time now = clock_real(), least = RT_MS(100);

	return runtime->drains && runtime->drain_end > now + least ? runtime->drain_end - now : least;
}

void runtime_join(struct rt_runtime *runtime)
{
	rt_runtime_lock(runtime);
	runtime->users++;
	rt_runtime_unlock(runtime);
}

/* What a thread works on cannot be freed; the process will end, or the task, and its thread rest for ever. */
static void leave_behind(struct rt_runtime *runtime)
{
	struct self *self = self_get();

	fflush(stdout);
	fprintf(stderr,
		"a task has not given way: its thread, and the runtime '%s', are left to themselves\n",
		runtime->ops->name);
	watchdog_leave();
	overflow_unguard_thread();
	fiber_finish(&self->thread);
	self->runtime = NULL;
	self->worker = NULL;
	self->fiber = NULL;
}

static void report_jobs(const struct rt_runtime *runtime)
{
	if (runtime->jobs_dropped + runtime->jobs_left == 0)
		return;
	fflush(stdout);
	fprintf(stderr, "%u blocking jobs were dropped, %u left running\n", runtime->jobs_dropped,
		runtime->jobs_left);
}

/* Tasks that keep their threads have had their time. Without tasks the threads rest as soon as they can. */
static rt_time time_to_rest(struct rt_runtime *runtime)
{
	return runtime_task_count(runtime, NULL) > 0 ? RT_NOW : LIFECYCLE_GRACE;
}

void runtime_close(struct rt_runtime *runtime)
{
	struct self *self = self_get();

	rt_runtime_lock(runtime);
	bool last = --runtime->users == 0;

	rt_runtime_unlock(runtime);
	if (!last)
		return;
	if (runtime->ops->pause && runtime->ops->pause(runtime, time_to_rest(runtime)) < 0) {
		leave_behind(runtime);
		return;
	}
	fiber_tasks_abandon(runtime);
	report_jobs(runtime);
	struct rt_task *left = runtime->tasks;
	void *stacks = runtime->stacks, *homes = runtime->homes;
	void *strands = runtime->strands, *watchdog = runtime->watchdog;

	overflow_unguard_thread();
	fiber_finish(&self->thread);
	self->runtime = NULL;
	self->fiber = NULL;
	pthread_mutex_destroy(&runtime->lock);
	runtime->ops->destroy(runtime);
	watchdog_destroy(watchdog);
	strands_free(strands);
	/* Only now: watches of theirs lie on their stacks. */
	fiber_tasks_finish(left, stacks, homes);
}
