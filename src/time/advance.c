/* SPDX-License-Identifier: MIT */
/* Moving a virtual clock by hand; see rt/time.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "time/advance.h"

#include <errno.h>

static void call_off(struct task_wait *wait)
{
	struct rt_runtime *runtime = wait->source;

	runtime->ops->advance(runtime, RT_NOW, NULL);
}

int advance_await(struct rt_task *task, rt_time duration)
{
	static const struct wait_kind advancing = {.what = "advance", .detach = call_off};
	struct rt_runtime *runtime = self_get()->runtime;

	if (duration < 0 || !runtime->ops->advance)
		return -EINVAL;
	rt_time until = duration > 0 ? rt_in(duration) : rt_now();

	if (until == RT_FOREVER)
		return -EINVAL;
	rt_runtime_lock(runtime);
	int err = runtime->ops->advance(runtime, until, &task->wait.waiter);

	if (err == 0)
		wait_prepare(task, &advancing, runtime);
	rt_runtime_unlock(runtime);
	return err;
}

int rt_clock_advance(rt_time duration)
{
	struct rt_task *task = self_get()->task;

	if (!task)
		return -EPERM;
	int err = advance_await(task, duration);

	return err < 0 ? err : task_suspend(task, RT_FOREVER);
}
