/* SPDX-License-Identifier: MIT */
/* Timeouts over everything that a task awaits; see rt/time.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/task.h"

#include <errno.h>

void rt_timeout_enter(struct rt_timeout *timeout, rt_time deadline)
{
	struct rt_task *task = self_get()->task;

	/* One that encloses this one has expired already: it ends every wait, not this one. */
	if (task && task->timed_out)
		deadline = RT_FOREVER;
	timeout->deadline = deadline;
	timeout->outer = task ? task->deadline : RT_FOREVER;
	if (task && deadline < task->deadline)
		task->deadline = deadline;
}

int rt_timeout_leave(struct rt_timeout *timeout)
{
	struct rt_task *task = self_get()->task;

	if (!task)
		return 0;
	task->deadline = timeout->outer;
	/* Where the outer timeout is the nearer one, the expiry was its own. */
	if (!task->timed_out || timeout->deadline > timeout->outer)
		return 0;
	task->timed_out = false;
	return -ETIMEDOUT;
}
