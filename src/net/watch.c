/* SPDX-License-Identifier: MIT */
/* Waiting for readiness; see watch.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/watch.h"

#include <errno.h>

void watch_init(struct rt_watch *watch, int fd)
{
	watch->fd = fd;
	watch->ready = RT_READ | RT_WRITE;
	watch->drained = watch->registered = false;
	watch->reader = watch->writer = NULL;
}

static void woken(struct rt_waiter *waiter, int result)
{
	self_get()->runtime->watching--;
	wait_wake(waiter, result);
}

static void stop(struct rt_waiter **slot, int result)
{
	struct rt_waiter *waiter = *slot;

	*slot = NULL;
	if (waiter)
		waiter->wake(waiter, result);
}

void watch_finish(struct rt_watch *watch)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (watch->registered && runtime)
		runtime->ops->unwatch(runtime, watch);
	watch->registered = false;
	stop(&watch->reader, -EBADF);
	stop(&watch->writer, -EBADF);
}

static void stop_reading(struct task_wait *wait)
{
	struct rt_watch *watch = wait->source;

	self_get()->runtime->watching--;
	watch->reader = NULL;
}

static void stop_writing(struct task_wait *wait)
{
	struct rt_watch *watch = wait->source;

	self_get()->runtime->watching--;
	watch->writer = NULL;
}

static void describe(const struct task_wait *wait, char *text, size_t size)
{
	const struct rt_watch *watch = wait->source;

	snprintf(text, size, "descriptor %d", watch->fd);
}

static const struct wait_kind reading = {"readable", stop_reading, describe};
static const struct wait_kind writing = {"writable", stop_writing, describe};

static int ensure_registered(struct rt_watch *watch)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (watch->registered)
		return 0;
	int err = runtime->ops->watch(runtime, watch);

	watch->registered = err == 0;
	return err;
}

int watch_await(struct rt_watch *watch, int direction, struct rt_task *task)
{
	struct rt_waiter **slot = direction == RT_READ ? &watch->reader : &watch->writer;

	if (*slot)
		return -EBUSY;
	if (watch->ready & direction) {
		task_await_turn(task);
		return 0;
	}
	int err = ensure_registered(watch);

	if (err < 0)
		return err;
	wait_prepare(task, direction == RT_READ ? &reading : &writing, watch);
	task->wait.waiter.wake = woken;
	*slot = &task->wait.waiter;
	self_get()->runtime->watching++;
	return 0;
}

int watch_wait(struct rt_watch *watch, int direction, rt_time deadline)
{
	struct rt_task *task = self_get()->task;

	if (!task)
		return -EPERM;
	int err = watch_await(watch, direction, task);

	if (err < 0)
		return err;
	return task_suspend(task, deadline);
}
