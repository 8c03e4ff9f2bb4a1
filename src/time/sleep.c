/* SPDX-License-Identifier: MIT */
/* Sleeping; see rt/time.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/task.h"

#include <errno.h>

int rt_sleep_until(rt_time deadline)
{
	struct rt_task *task = self_get()->task;

	if (!task)
		return -EPERM;
	if (deadline <= RT_NOW)
		return rt_yield();
	task_await_deadline(task);
	return task_slept(task_suspend(task, deadline));
}

int rt_sleep(rt_time duration)
{
	return duration <= 0 ? rt_yield() : rt_sleep_until(rt_in(duration));
}
