/* SPDX-License-Identifier: MIT */
/* How cancellations and expired deadlines spread over frames, tasks and scopes. */
#ifndef RT_CANCEL_H
#define RT_CANCEL_H

#include "task/frame.h"

#include <rt/scope.h>

RT_PRIVATE_BEGIN

/* rt_cancel() and rt_scope_cancel(). Locked. */
void task_cancel(struct rt_task *task);
void scope_cancel(struct rt_scope *scope);

/*
 * A wait of the task finds that it is that late: the deadlines that have passed interrupt whom
 * they concern. Locked.
 */
void frames_expire(struct rt_task *task, rt_time now);

RT_PRIVATE_END

#endif
